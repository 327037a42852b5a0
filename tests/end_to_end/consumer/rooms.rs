//! A directory of traces in which there is no room for more files for a while, or that its owner changes:
//! the next command works, and what was recorded is in a place that can be seen.

use std::path::{Path, PathBuf};

use super::super::world::{Program, Stage};
use super::{number, own};

/// More files than any command makes.
const FILES_MAX: usize = 40;

/// A file system with room for few files, mounted in the world alone.
struct Room {
    stage: Stage,
    disk: PathBuf,
}

impl Room {
    /// `None` without root.
    fn new() -> Option<Room> {
        let stage = own();
        if !stage.arena.is_root() {
            eprintln!("mounting needs root: nothing is checked");
            return None;
        }
        let disk = stage.arena.file("disk");
        std::fs::create_dir(&disk).unwrap();
        let room = Room { stage, disk };
        let disk = room.disk.display().to_string();
        room.shell(&format!("mount -t tmpfs -o nr_inodes=250 tmpfs {disk}; mkdir {disk}/fill"));
        Some(room)
    }

    /// Runs a line in the world, which must succeed. Gives its output.
    fn shell(&self, line: &str) -> String {
        let answer = self.stage.arena.shell_within(30, &format!("sh -ec '{line}'"));
        assert_eq!(answer.code, 0, "{line}: {answer:?}");
        answer.stdout
    }

    /// Leaves room for so many files.
    fn leave(&self, files: usize) {
        let disk = self.disk.display();
        let free: usize = self.shell(&format!("stat -f -c %d {disk}")).trim().parse().unwrap();
        let count = free.checked_sub(files).unwrap();
        self.shell(&format!("cd {disk}/fill; seq {count} | xargs -r touch"));
    }

    fn free(&self) {
        self.shell(&format!("rm -rf {}/fill/*", self.disk.display()));
    }

    fn create(&self, options: &str, output: &Path) {
        for command in [
            format!("create victim {options} --output={}", output.display()),
            "enable-channel -u -s victim --subbuf-size=16k --num-subbuf=8 c".to_owned(),
            "enable-event -u -s victim -c c sample:number".to_owned(),
        ] {
            self.stage.arena.lttng_ok(&command);
        }
    }

    /// Does a command, which may fail.
    fn tries(&self, command: &str) -> bool {
        self.stage.arena.lttng(&format!("{command} victim")).code == 0
    }

    fn does(&self, command: &str) {
        self.stage.arena.lttng_ok(&format!("{command} victim"));
    }

    /// Does a command with room for none, one, two files ... until it is enough, and calls `after` each
    /// time when there is room again; whether the command was done.
    fn scarce(&self, command: &str, mut before: impl FnMut(), mut after: impl FnMut(bool)) {
        for files in 0.. {
            assert!(files < FILES_MAX, "it will never be enough");
            before();
            self.leave(files);
            let done = self.stage.arena.lttng(command).code == 0;
            self.free();
            after(done);
            if done {
                assert!(files > 0, "{command} makes no file");
                return;
            }
        }
    }

    /// The numbers of all events below a directory in order; nothing of a trace may be hidden.
    fn numbers(&self, directory: &Path) -> Vec<u32> {
        let hidden = self.shell(&format!("find {} -name \".*\"", directory.display()));
        assert_eq!(hidden, "");
        let mut numbers: Vec<u32> = self.stage.arena.events(directory).iter().map(number).collect();
        numbers.sort_unstable();
        numbers
    }

    fn end(self, program: Program) {
        program.finish();
        self.stage.end();
    }
}

fn up_to(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[test]
fn a_rotation_finds_no_room() {
    let Some(room) = Room::new() else { return };
    let output = room.disk.join("trace");
    let mut program = room.stage.program();
    room.create("", &output);
    room.does("start");
    let mut count = 0;
    let mut record = |events: u32| {
        program.tell(&format!("number={events}"));
        count += events;
    };
    let record = std::cell::RefCell::new(&mut record);
    room.scarce(
        "rotate victim",
        || record.borrow_mut()(7),
        |_| {
            record.borrow_mut()(5);
            room.does("rotate");
        },
    );
    room.does("destroy");
    assert_eq!(room.numbers(&output.join("archives")), up_to(count));
    room.end(program);
}

#[test]
fn a_clear_finds_no_room() {
    let Some(room) = Room::new() else { return };
    let output = room.disk.join("trace");
    let program = std::cell::RefCell::new(room.stage.program());
    room.create("", &output);
    room.does("start");
    room.scarce(
        "clear victim",
        || {
            program.borrow_mut().tell("number=7");
        },
        |_| {
            program.borrow_mut().tell("number=5");
            room.does("clear");
        },
    );
    let mut program = program.into_inner();
    program.tell("text=kept");
    program.tell("number=9");
    room.does("destroy");
    assert_eq!(room.numbers(&output).len(), 9);
    room.end(program);
}

#[test]
fn a_start_finds_no_room() {
    let Some(room) = Room::new() else { return };
    let program = std::cell::RefCell::new(room.stage.program());
    let output = room.disk.join("trace");
    let remove = || room.shell(&format!("rm -rf {}", output.display()));
    room.scarce(
        "start victim",
        || room.create("", &output),
        |_| {
            // Applications whose files found no room are served by the next start.
            room.tries("stop");
            room.does("start");
            program.borrow_mut().tell("number=9");
            room.does("rotate");
            program.borrow_mut().tell("number=9");
            room.does("destroy");
            assert_eq!(room.numbers(&output.join("archives")).len(), 18);
            remove();
        },
    );
    room.end(program.into_inner());
}

#[test]
fn a_snapshot_finds_no_room() {
    let Some(room) = Room::new() else { return };
    let program = std::cell::RefCell::new(room.stage.program());
    let output = room.disk.join("trace");
    room.create("--snapshot", &output);
    room.does("start");
    room.scarce(
        "snapshot record -s victim",
        || {
            program.borrow_mut().tell("number=7");
        },
        |_| {
            room.shell(&format!("rm -rf {}/*", output.display()));
            program.borrow_mut().tell("number=5");
            room.stage.arena.lttng_ok("snapshot record -s victim");
            let numbers = room.numbers(&output);
            assert!(numbers.len() >= 5, "{numbers:?}");
            room.shell(&format!("rm -rf {}/*", output.display()));
        },
    );
    room.does("destroy");
    room.end(program.into_inner());
}

#[test]
fn a_destroy_finds_no_room() {
    let Some(room) = Room::new() else { return };
    let output = room.disk.join("trace");
    let mut program = room.stage.program();
    room.create("", &output);
    room.does("start");
    program.tell("number=7");
    room.does("rotate");
    program.tell("number=7");
    // Also the archives have to be made again.
    room.shell(&format!("mv {0}/archives {0}/older", output.display()));
    room.leave(0);
    room.tries("destroy");
    room.free();
    assert_eq!(room.numbers(&output), up_to(14));
    assert_eq!(room.stage.arena.lttng("list victim").code, 1, "it is gone");
    room.end(program);
}

/// What its owner does with a directory of traces, and how many events of three rotations are there then:
/// 10, 20 and 40, of which 80 follow the third.
fn changed(change: &str, undo: &str, expected: usize) {
    let stage = own();
    let disk = stage.arena.file("traces");
    std::fs::create_dir(&disk).unwrap();
    let room = Room { stage, disk };
    let output = room.disk.join("trace");
    let mut program = room.stage.program();
    room.create("", &output);
    room.does("start");
    program.tell("number=10");
    let line = |line: &str| room.shell(&format!("cd {}; {line}", room.disk.display()));
    line(change);
    // It may fail; it is told then.
    room.tries("rotate");
    program.tell("number=20");
    line(undo);
    room.does("rotate");
    program.tell("number=40");
    room.does("clear");
    program.tell("number=40");
    room.does("rotate");
    program.tell("number=80");
    room.does("destroy");
    assert_eq!(room.numbers(&room.disk).len(), expected, "{change}");
    room.end(program);
}

#[test]
fn its_owner_moves_the_output_away() {
    changed("mv trace elsewhere", "true", 150);
}

#[test]
fn its_owner_moves_the_trace_chunk_away() {
    changed("mv trace/ust trace/mine", "true", 150);
}

#[test]
fn its_owner_removes_the_output() {
    changed("rm -rf trace", "true", 140);
}

#[test]
fn its_owner_puts_a_file_where_the_archives_are_to_be() {
    changed("touch trace/archives", "rm trace/archives", 150);
}

#[test]
fn its_owner_puts_a_link_where_the_archives_are_to_be() {
    changed("mkdir x; ln -s ../x trace/archives", "rm trace/archives", 150);
}

#[test]
fn its_owner_makes_the_output_read_only() {
    changed("mount -t tmpfs -o ro tmpfs trace", "umount trace", 150);
}

#[test]
fn its_owner_swaps_two_outputs() {
    changed("mkdir other; mv trace x; mv other trace; mv x other", "true", 150);
}
