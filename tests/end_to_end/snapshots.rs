//! Snapshots on this machine.

use std::fs;

use super::world::{Stage, both, program};

/// Processors' buffers differ by the processor that a program happens to run on.
fn run_on_one_processor(stage: &Stage, events: u32) {
    let line = format!("taskset -c 0 {} bulk={events}", program::traced().display());
    let answer = stage.arena.shell_within(60, &line);
    assert_eq!(answer.code, 0, "{line}: {answer:?}");
}

#[test]
fn a_snapshot_has_what_the_buffers_hold_of_more_than_they_hold() {
    // Events of 4000 bytes and a little, of which a sub-buffer has room for 16.
    const EVENTS_IN_BUFFERS: std::ops::RangeInclusive<usize> = 48..=64;

    both(|stage| {
        let output = stage.arena.file("snapshots");
        stage.lttng_ok(&format!("create s --snapshot --output={}", output.display()));
        stage.lttng_ok("enable-channel -u c --subbuf-size=64K --num-subbuf=4");
        stage.lttng_ok("enable-event -u -c c sample:bulk");
        stage.lttng_ok("start");
        for _ in 0..2 {
            run_on_one_processor(stage, 200);
            stage.lttng_ok("snapshot record");
        }
        let mut counts = Vec::new();
        for snapshot in fs::read_dir(&output).unwrap().map(|entry| entry.unwrap().path()) {
            let count = stage.arena.events(&snapshot).len();
            assert!(EVENTS_IN_BUFFERS.contains(&count), "{:?}: {count} events", stage.which);
            counts.push(count);
        }
        assert_eq!(counts.len(), 2);
        stage.lttng_ok("destroy s");
    });
}
