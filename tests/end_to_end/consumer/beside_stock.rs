//! Each half with the other's stock counterpart: our session daemon with the stock consumer daemon, ours
//! with the stock session daemon.

use super::super::world::{Consumer, Program, Relay, Stage, Which};
use super::numbers;

/// The pairs of which one half is stock.
const MIXED: [(Which, Consumer); 2] =
    [(Which::Ours, Consumer::Stock), (Which::Stock, Consumer::Own)];

fn mixed(script: impl Fn(&mut Stage)) {
    for (which, consumer) in MIXED {
        let mut stage = Stage::with_consumer(which, consumer, &[]);
        script(&mut stage);
        stage.end();
    }
}

#[test]
fn records_to_files() {
    for buffers in ["--buffers-uid", "--buffers-pid"] {
        mixed(|stage| {
            let mut program = stage.program();
            stage.lttng_ok("create s");
            stage.lttng_ok(&format!("enable-channel -u {buffers} c"));
            stage.lttng_ok("enable-event -u -c c sample:number");
            stage.lttng_ok("start");
            program.tell("number=20");
            let mut other = Program::start(&stage.arena, &["number=5"]);
            assert!(other.wait().success());
            stage.lttng_ok("stop");
            stage.lttng_ok("start");
            program.tell("number=20");
            stage.lttng_ok("stop");
            assert_eq!(numbers(&stage.arena, &stage.arena.trace_of("s")).len(), 45);
            stage.lttng_ok("destroy");
            program.finish();
        });
    }
}

#[test]
fn rotates_and_clears() {
    mixed(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create s");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("start");
        program.tell("number=20");
        stage.lttng_ok("rotate");
        program.tell("number=10");
        stage.lttng_ok("rotate");
        program.tell("number=7");
        stage.lttng_ok("clear");
        program.tell("number=3");
        stage.lttng_ok("destroy");
        let directory = stage.arena.trace_of("s").join("archives");
        let mut chunks: Vec<_> =
            std::fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path()).collect();
        chunks.sort();
        let counts: Vec<_> =
            chunks.iter().map(|chunk| numbers(&stage.arena, chunk).len()).collect();
        assert_eq!(counts, [20, 10, 3]);
        program.finish();
    });
}

#[test]
fn records_snapshots() {
    mixed(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create s --snapshot");
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("start");
        program.tell("number=20");
        stage.lttng_ok("snapshot record");
        program.tell("number=10");
        stage.lttng_ok("snapshot record");
        let directory = stage.arena.trace_of("s");
        let mut records: Vec<_> =
            std::fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path()).collect();
        records.sort();
        let counts: Vec<_> =
            records.iter().map(|record| numbers(&stage.arena, record).len()).collect();
        assert_eq!(counts, [20, 30]);
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn streams() {
    mixed(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        stage.lttng_ok(&format!("create s --set-url={}", relay.url()));
        stage.lttng_ok("enable-event -u sample:number");
        stage.lttng_ok("start");
        program.tell("number=20");
        stage.lttng_ok("stop");
        stage.lttng_ok("destroy");
        assert_eq!(numbers(&stage.arena, &relay.output).len(), 20);
        program.finish();
    });
}
