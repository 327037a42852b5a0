//! Flight recorders: what their snapshots have of programs that are quiet, and of those that never stop.

use std::fs;
use std::path::{Path, PathBuf};

use super::world::{Consumer, Program, Stage, alone, both};

/// Makes and starts a flight recorder; its snapshots go to the directory that this returns.
fn start(stage: &mut Stage, channel: &str) -> PathBuf {
    let output = stage.arena.file("snapshots");
    stage.lttng_ok(&format!("create s --snapshot --output={}", output.display()));
    stage.lttng_ok(&format!("enable-channel -u c --overwrite {channel}"));
    stage.lttng_ok("enable-event -u -c c sample:*");
    stage.lttng_ok("start");
    output
}

/// Starts a program that stays on one processor.
fn pinned(stage: &Stage) -> Program {
    let mut program = stage.program();
    program.tell("pin");
    program
}

/// Records a snapshot, and where it is.
fn record(stage: &mut Stage, output: &Path) -> PathBuf {
    stage.lttng_ok("snapshot record");
    let number = |path: &PathBuf| {
        let name = path.display().to_string();
        name.rsplit_once('-').unwrap().1.parse::<u32>().unwrap()
    };
    let recorded = fs::read_dir(output).unwrap().map(|entry| entry.unwrap().path());
    recorded.max_by_key(number).unwrap()
}

/// How many events babeltrace2 finds within the time that all streams have in common.
fn events_in_common(stage: &Stage, trace: &Path) -> usize {
    let command = format!("babeltrace2 --stream-intersection '{}'", trace.display());
    let answer = stage.arena.shell_within(60, &command);
    assert_eq!(answer.code, 0, "{:?}: {answer:?}", stage.which);
    answer.stdout.lines().filter(|line| line.contains(" sample:")).count()
}

/// Whether closed packets take the place of old ones, as in the stock consumer daemon.
fn closes_empty_packets(stage: &Stage) -> bool {
    let stock = Consumer::chosen(stage.which) == Some(Consumer::Stock);
    stock || stage.which.is_stock_program()
}

#[test]
fn a_quiet_program_is_in_each_record() {
    both(|stage| {
        let output = start(stage, "--subbuf-size=16K --num-subbuf=4");
        let mut program = pinned(stage);
        program.tell("number=100");
        let mut counts = Vec::new();
        for _ in 0..6 {
            let trace = record(stage, &output);
            counts.push(stage.arena.events(&trace).len());
            if !closes_empty_packets(stage) {
                assert_eq!(events_in_common(stage, &trace), 100);
                assert_eq!(stage.arena.lost_events(&trace), "");
            }
        }
        let last = if closes_empty_packets(stage) { 0 } else { 100 };
        assert_eq!(counts, [100, 100, 100, 100, last, last], "{:?}", stage.which);
        program.finish();
        stage.lttng_ok("destroy s");
    });
}

#[test]
fn no_command_takes_events_of_a_quiet_program_away() {
    alone(|stage| {
        if closes_empty_packets(stage) {
            return;
        }
        // The timer fires some hundred times meanwhile.
        let output = start(stage, "--subbuf-size=16K --num-subbuf=4 --switch-timer=2000");
        let mut program = pinned(stage);
        program.tell("number=100");
        for round in 0..6 {
            stage.lttng_ok("stop");
            if round % 2 == 0 {
                record(stage, &output);
            }
            stage.lttng_ok("start");
            stage.lttng_ok("regenerate metadata");
            let trace = record(stage, &output);
            assert_eq!(stage.arena.events(&trace).len(), 100, "round {round}");
        }
        // What is written later is there as well.
        program.tell("number=1");
        let trace = record(stage, &output);
        assert_eq!(events_in_common(stage, &trace), 101);
        program.finish();
        stage.lttng_ok("destroy s");
    });
}

#[test]
fn events_that_come_a_few_at_a_time_stay_however_often_they_are_recorded() {
    alone(|stage| {
        if closes_empty_packets(stage) {
            return;
        }
        let output = start(stage, "--subbuf-size=16K --num-subbuf=4");
        let mut program = pinned(stage);
        for round in 1..=12 {
            program.tell("number=3");
            let trace = record(stage, &output);
            assert_eq!(events_in_common(stage, &trace), 3 * round);
            assert_eq!(stage.arena.lost_events(&trace), "");
        }
        program.finish();
        stage.lttng_ok("destroy s");
    });
}

/// Those on other processors have no events.
#[test]
fn the_time_of_all_streams_begins_with_the_command() {
    both(|stage| {
        // The stock consumer daemon closes an empty packet by most of them.
        let output = start(stage, "--subbuf-size=16K --num-subbuf=32");
        let mut program = pinned(stage);
        for (commands, count) in [
            (&[][..], 5),
            (&["clear"][..], 5),
            (&["stop", "clear", "start"][..], 5),
            (&["stop", "start"][..], 10),
            (&["regenerate metadata"][..], 15),
            (&["clear"][..], 5),
        ] {
            for command in commands {
                stage.lttng_ok(command);
            }
            program.tell("number=5");
            let trace = record(stage, &output);
            assert_eq!(events_in_common(stage, &trace), count, "{:?} {commands:?}", stage.which);
        }
        program.finish();
        stage.lttng_ok("destroy s");
    });
}

/// The same of sessions that are written as they record, whose trace chunks have a first packet. The stock
/// consumer daemon's ends at once, so that a processor without events ends before those of others.
#[test]
fn the_time_of_all_streams_begins_with_the_trace_chunk() {
    both(|stage| {
        let output = stage.arena.file("trace");
        stage.lttng_ok(&format!("create s --output={}", output.display()));
        stage.lttng_ok("enable-event -u sample:*");
        stage.lttng_ok("start");
        let mut program = pinned(stage);
        let rounds =
            [&["rotate"][..], &["clear"], &["stop", "clear", "start"], &["rotate"], &["destroy s"]];
        for commands in rounds {
            program.tell("number=5");
            for command in commands {
                // Not noted: who waits for a rotation is told more or less of it.
                let answer = stage.arena.lttng(command);
                assert_eq!(answer.code, 0, "{:?}: {command}: {answer:?}", stage.which);
            }
        }
        let archives = fs::read_dir(output.join("archives")).unwrap();
        let mut archives: Vec<_> = archives.map(|entry| entry.unwrap().path()).collect();
        archives.sort();
        let counts: Vec<_> =
            archives.iter().map(|archive| events_in_common(stage, archive)).collect();
        let second = if closes_empty_packets(stage) { 0 } else { 5 };
        assert_eq!(counts, [5, second, 5], "{:?}", stage.which);
        program.finish();
    });
}

/// A stop has closed the packets of all processors; those that have no event afterwards are there all the same.
#[test]
fn the_time_of_all_streams_goes_on_with_a_start_after_a_stop() {
    both(|stage| {
        let output = stage.arena.file("trace");
        stage.lttng_ok(&format!("create s --output={}", output.display()));
        stage.lttng_ok("enable-event -u sample:*");
        let mut program = pinned(stage);
        stage.lttng_ok("start");
        let rounds = [
            &["stop", "start"][..],
            &["stop", "start", "stop", "start"],
            &["stop", "clear", "start", "stop", "start"],
        ];
        for commands in rounds {
            for command in commands {
                stage.lttng_ok(command);
            }
            program.tell("number=5");
            // Not noted: who waits for a rotation is told more or less of it.
            let answer = stage.arena.lttng("rotate");
            assert_eq!(answer.code, 0, "{:?}: {answer:?}", stage.which);
        }
        stage.lttng_ok("stop");
        let archives = fs::read_dir(output.join("archives")).unwrap();
        let counts: Vec<_> =
            archives.map(|archive| events_in_common(stage, &archive.unwrap().path())).collect();
        // The stock consumer daemon opens none in streams that it writes.
        let expected = if closes_empty_packets(stage) { 0 } else { 5 };
        assert_eq!(counts, [expected; 3], "{:?}", stage.which);
        // Not noted: whether the last trace chunk was archived is told or not.
        let answer = stage.arena.lttng("destroy s");
        assert_eq!(answer.code, 0, "{:?}: {answer:?}", stage.which);
        program.finish();
    });
}

/// How many packets the stream with most of them has in a snapshot.
fn packets(snapshot: &Path) -> usize {
    /// Where a packet's header says how many bits it has.
    const PACKET_SIZE: usize = 56;

    let directory = snapshot.join("ust/uid/0/64-bit");
    let streams = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let streams =
        streams.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("c_"));
    let count = |path: PathBuf| {
        let bytes = fs::read(path).unwrap();
        let (mut place, mut count) = (0, 0);
        while place < bytes.len() {
            let size = bytes[place + PACKET_SIZE..][..8].try_into().unwrap();
            place += usize::try_from(u64::from_ne_bytes(size) / 8).unwrap();
            count += 1;
        }
        count
    };
    streams.map(count).max().unwrap()
}

/// All sub-buffers but the one that is written to are there, and what there is of that one.
fn records_beside_a_busy_program(stage: &mut Stage, pin: bool) {
    let output = start(stage, "--subbuf-size=64K --num-subbuf=4");
    let mut program = stage.program();
    if pin {
        program.tell("pin");
    }
    program.tell("bulk=1000");
    program.begin("bulk=1000000000");
    let counts: Vec<_> = (0..8)
        .map(|_| {
            let trace = record(stage, &output);
            let read = format!("babeltrace2 --output-format=dummy '{}'", trace.display());
            let answer = stage.arena.shell_within(60, &read);
            assert_eq!(answer.code, 0, "{:?}: {answer:?}", stage.which);
            packets(&trace)
        })
        .collect();
    program.kill();
    if !closes_empty_packets(stage) {
        // A writer that was put off before it began its packet has left none.
        assert!(counts.iter().all(|count| *count >= 3), "{counts:?}");
        assert!(counts.iter().filter(|count| **count >= 4).count() >= 4, "{counts:?}");
    }
    stage.lttng_ok("destroy s");
}

#[test]
fn a_record_loses_no_packet_of_a_busy_program() {
    alone(|stage| records_beside_a_busy_program(stage, false));
}

#[test]
fn a_record_loses_no_packet_of_a_busy_program_on_one_processor() {
    alone(|stage| records_beside_a_busy_program(stage, true));
}
