//! A disk that is full when programs come: what they record is in memory until there is room, and what had to be
//! written before is told as lost.

use std::path::{Path, PathBuf};

use super::super::world::{Answer, Consumer, Program, Stage, Which, eventually};
use super::lost::{fill, lost, stop_and_destroy_warn};
use super::output::{shell, small_disk};
use super::own;

/// A session that records to a disk which is full.
struct Full {
    stage: Stage,
    consumer: Consumer,
    output: PathBuf,
    filler: PathBuf,
}

impl Full {
    /// `None` without root. `options` are those of the channel.
    fn new(stage: Stage, consumer: Consumer, options: &str) -> Option<Full> {
        let disk = small_disk(&stage)?;
        let output = disk.join("trace");
        for command in [
            &format!("create victim --output={}", output.display()),
            &format!("enable-channel -u -s victim --subbuf-size=16k --num-subbuf=4 {options} c"),
            "enable-event -u -s victim -c c 'sample:*'",
            "start victim",
        ] {
            stage.arena.lttng_ok(command);
        }
        let filler = fill(&stage, &disk);
        Some(Full { stage, consumer, output, filler })
    }

    /// With our daemons.
    fn ours(options: &str) -> Option<Full> {
        Full::new(own(), Consumer::Own, options)
    }

    /// Runs a program to its end.
    fn runs(&self, commands: &[&str]) {
        assert!(Program::start(&self.stage.arena, commands).wait().success());
    }

    /// Does a command, at which the stock consumer daemon may fail: what it could not write it has damaged.
    fn does(&self, command: &str) {
        let command = format!("{command} victim");
        if self.consumer == Consumer::Own {
            self.stage.arena.lttng_ok(&command);
        } else {
            self.stage.arena.lttng(&command);
        }
    }

    fn end(self) {
        self.does("destroy");
        if self.consumer == Consumer::Own {
            self.stage.end();
        }
    }

    fn free(&self) {
        shell(&self.stage, &format!("rm '{}'", self.filler.display()));
    }

    /// How many events `sample:number` are in a trace.
    fn events(&self, directory: &Path) -> usize {
        let events = self.stage.arena.events(directory);
        events.iter().filter(|event| event.name == "sample:number").count()
    }

    /// Our consumer daemon has written so many events `sample:number`. Of the stock one it is told what it has: at
    /// times its metadata is damaged when there was no room for it.
    fn has_written(&self, directory: &Path, count: usize) {
        let which = self.stage.which;
        if self.consumer == Consumer::Own {
            assert_eq!(self.events(directory), count, "{which:?}");
            assert_eq!(lost(&self.stage), 0);
        } else {
            let read = format!("babeltrace2 '{}'", directory.display());
            let answer = self.stage.arena.shell_within(60, &read);
            let found = answer.stdout.lines().filter(|line| line.contains(" sample:number:"));
            eprintln!("{which:?} with the stock consumer: {} of {count}", found.count());
        }
    }

    /// The output while there is one, of files of a certain name.
    fn found(&self, name: &str) -> Answer {
        shell(&self.stage, &format!("find '{}' -name '{name}'", self.output.display()))
    }
}

/// Each daemon with each consumer daemon.
fn daemons() -> impl Iterator<Item = (Stage, Consumer)> {
    let pairs = [
        (Which::Stock, Consumer::Stock),
        (Which::Ours, Consumer::Stock),
        (Which::Ours, Consumer::Own),
    ];
    let stage = |(which, consumer)| (Stage::with_consumer(which, consumer, &[]), consumer);
    pairs.into_iter().map(stage)
}

#[test]
fn a_program_that_comes_and_goes_while_a_disk_is_full_is_recorded_when_there_is_room() {
    for (stage, consumer) in daemons() {
        let Some(full) = Full::new(stage, consumer, "--buffers-uid") else { return };
        full.runs(&["number=60"]);
        full.free();
        full.runs(&["number=5"]);
        full.does("stop");
        full.has_written(&full.output, 65);
        full.end();
    }
}

/// No command that changes something tells that there is room.
#[test]
fn a_program_that_came_while_a_disk_was_full_is_recorded_from_its_beginning() {
    for options in ["--buffers-uid", "--buffers-pid"] {
        for (stage, consumer) in daemons() {
            let Some(full) = Full::new(stage, consumer, options) else { return };
            let mut program = full.stage.program();
            program.tell("number=3");
            full.free();
            program.tell("number=5");
            full.does("rotate");
            program.tell("number=7");
            full.does("stop");
            full.does("start");
            program.tell("number=9");
            full.does("stop");
            full.does("rotate");
            full.has_written(&full.output.join("archives"), 24);
            program.finish();
            full.end();
        }
    }
}

/// What a program leaves that ends while nothing can be written is lost, and told.
#[test]
fn a_program_with_buffers_of_its_own_that_comes_and_goes_while_a_disk_is_full() {
    let Some(full) = Full::ours("--buffers-pid") else { return };
    full.runs(&["number=60"]);
    eventually("what it has lost is told", || (lost(&full.stage) > 0).then_some(()));
    full.free();
    full.runs(&["number=5"]);
    full.does("stop");
    assert_eq!(full.events(&full.output), 5);
    full.does("start");
    stop_and_destroy_warn(&full.stage);
    full.stage.end();
}

#[test]
fn more_than_buffers_hold_is_recorded_while_a_disk_is_full() {
    for options in ["--buffers-uid", "--tracefile-size=32k --tracefile-count=3"] {
        let Some(full) = Full::ours(options) else { return };
        let consumer = full.stage.arena.consumer();
        let mut program = full.stage.program();
        program.tell("pin");
        program.tell("delay=500");
        program.tell("bulk=100");
        program.tell("delay=0");
        assert!(lost(&full.stage) > 0);
        full.free();
        program.tell("number=50");
        full.does("stop");
        assert_eq!(full.events(&full.output), 50, "{options}");
        assert!(full.stage.daemon.log().contains("a stream has no files"), "it is logged");
        if options.contains("count") {
            // Not more of them than there may be, and the first is the first.
            let files = full.found("c_?_?").stdout;
            assert!(files.contains("_0\n"), "{files}");
            assert!(files.lines().all(|file| file.ends_with(['0', '1', '2'])), "{files}");
        }
        full.does("start");
        stop_and_destroy_warn(&full.stage);
        assert_eq!(full.stage.arena.consumer(), consumer, "the consumer daemon lives");
        program.finish();
        full.stage.end();
    }
}

#[test]
fn a_session_is_cleared_while_a_disk_is_full() {
    let Some(full) = Full::ours("--buffers-uid") else { return };
    let mut program = full.stage.program();
    program.tell("number=10");
    full.does("clear");
    program.tell("number=20");
    full.free();
    program.tell("number=30");
    full.does("stop");
    assert_eq!(full.events(&full.output), 50);
    full.does("clear");
    full.does("start");
    program.tell("number=40");
    full.does("stop");
    assert_eq!(full.events(&full.output), 40);
    program.finish();
    full.end();
}
