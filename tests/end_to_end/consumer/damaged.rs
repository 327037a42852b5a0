//! An application writes over the writers' position of a buffer, once, and ends. Its stream is given up and
//! told once; what other applications record is whole, and every command answers as if nothing had happened.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::live::Viewer;
use super::super::world::{Program, Relay, Stage};
use super::own;

/// Buffers that applications share, and their own.
const SCHEMES: [&str; 2] = ["--buffers-uid", "--buffers-pid"];
/// What it writes: a position in a packet's header, one far ahead, one behind the reader.
const POSITIONS: [u64; 3] = [1, FAR, 0];
const FAR: u64 = 1 << 62;

/// A program on one processor: streams of others are not its own.
fn pinned(stage: &Stage, processor: u32) -> Program {
    let mut command = stage.arena.command("taskset");
    command.args(["-c", &processor.to_string()]);
    command.arg(super::super::world::program::traced()).arg("-");
    let mut program = Program::spawn(command);
    program.tell("pid");
    program
}

/// A session, and an application of it that goes on.
struct Victim {
    stage: Stage,
    good: Program,
}

impl Victim {
    /// One in which another application has damaged its buffer.
    fn new(stage: Stage, create: &str, channel: &str, position: u64) -> Victim {
        for command in [
            format!("create victim {create}"),
            format!("enable-channel -u -s victim --subbuf-size=16k --num-subbuf=4 {channel} c"),
            "enable-event -u -s victim -c c sample:number".to_owned(),
            "start victim".to_owned(),
        ] {
            stage.arena.lttng_ok(&command);
        }
        let mut good = pinned(&stage, 1);
        good.tell("text=good");
        let mut bad = pinned(&stage, 0);
        bad.tell("number=10");
        assert!(bad.tell(&format!("rewind={position}")) > 0);
        bad.finish();
        Victim { stage, good }
    }

    fn record(&mut self, events: u32) {
        self.good.tell(&format!("number={events}"));
    }

    fn lttng(&self, command: &str) {
        self.stage.arena.lttng_ok(&format!("{command} victim"));
    }

    /// How many events of the good application are in a trace.
    fn events(&self, trace: &Path) -> usize {
        let events = self.stage.arena.events(trace);
        events.iter().filter(|event| event.fields.contains("\"good\"")).count()
    }

    /// The same for each directory in one, by their names.
    fn each(&self, directory: &Path) -> Vec<usize> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut traces: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        traces.sort();
        traces.iter().map(|trace| self.events(trace)).collect()
    }

    fn finish(self, position: u64) {
        self.lttng("destroy");
        self.check(position);
    }

    /// Checks that it was told once, after the session was destroyed.
    fn check(self, position: u64) {
        let log = self.stage.daemon.log();
        // Far ahead is where many writers might be that are gone.
        if position < FAR {
            assert_eq!(log.matches("is given up").count(), 1, "{log}");
        }
        self.good.finish();
        self.stage.end();
    }
}

#[test]
fn snapshots_have_what_others_recorded() {
    for position in POSITIONS {
        let stage = own();
        let output = stage.arena.file("snapshots");
        let create = format!("--snapshot --output={}", output.display());
        let mut victim = Victim::new(stage, &create, "--buffers-uid --overwrite", position);
        let record = |victim: &Victim| {
            victim.stage.arena.lttng_ok("snapshot record -s victim");
        };
        victim.record(100);
        record(&victim);
        victim.lttng("stop");
        record(&victim);
        victim.lttng("start");
        victim.record(100);
        record(&victim);
        victim.lttng("clear");
        victim.record(50);
        record(&victim);
        let counts = victim.each(&output);
        assert_eq!(counts, [100, 100, 200, 50], "{position}");
        victim.finish(position);
    }
}

#[test]
fn recordings_rotations_and_clears_have_what_others_recorded() {
    let ways = [
        ("--buffers-uid --overwrite", 1),
        ("--buffers-pid --discard", 1),
        ("--buffers-uid --discard", FAR),
        ("--buffers-pid --overwrite", 0),
    ];
    for (channel, position) in ways {
        let stage = own();
        let output = stage.arena.file("trace");
        let create = format!("--output={}", output.display());
        let mut victim = Victim::new(stage, &create, channel, position);
        victim.record(10);
        victim.lttng("clear");
        victim.record(20);
        victim.lttng("rotate");
        victim.record(30);
        victim.lttng("stop");
        victim.lttng("start");
        victim.record(40);
        victim.lttng("rotate");
        victim.record(5);
        victim.lttng("clear");
        victim.record(50);
        victim.lttng("stop");
        victim.lttng("list");
        victim.lttng("rotate");
        let counts = victim.each(&output.join("archives"));
        assert_eq!(counts, [20, 70, 50], "{channel}, {position}");
        victim.finish(position);
    }
}

#[test]
fn streamed_rotations_have_what_others_recorded() {
    for scheme in SCHEMES {
        let stage = own();
        let relay = Relay::start(&stage);
        let create = format!("--set-url={}", relay.url());
        let mut victim = Victim::new(stage, &create, scheme, 1);
        victim.record(20);
        victim.lttng("rotate");
        victim.record(30);
        victim.lttng("rotate");
        victim.record(40);
        victim.lttng("stop");
        victim.lttng("rotate");
        assert_eq!(victim.events(&relay.output), 90, "{scheme}");
        victim.finish(1);
    }
}

#[test]
fn viewers_of_a_live_session_see_what_others_record() {
    for scheme in SCHEMES {
        let stage = own();
        let relay = Relay::start(&stage);
        let create = format!("--live=100000 --set-url={}", relay.url());
        let mut victim = Victim::new(stage, &create, scheme, 1);
        let viewer = Viewer::start(&victim.stage, &relay, "victim");
        // It sees what comes from then on.
        Viewer::wait_until_attached(&victim.stage, &relay);
        victim.record(30);
        viewer.wait_for(30);
        victim.record(30);
        viewer.wait_for(60);
        victim.lttng("destroy");
        viewer.end();
        victim.check(1);
    }
}
