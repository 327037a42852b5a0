//! Channels whose buffers are read, closed, waited for and watched by time, and the files that their
//! packets go to.

use std::fs;
use std::path::Path;

use super::world::{Program, Stage, both, eventually, trace};

/// Longest wait for a whole buffer that stands for "for ever" where that cannot be said.
const LONG_BLOCKING_US: u32 = 60_000_000;

/// Makes a session whose traces go to the directory that this returns.
fn create(stage: &mut Stage) -> std::path::PathBuf {
    let output = stage.arena.file("trace");
    stage.lttng_ok(&format!("create s --output={}", output.display()));
    output
}

/// How many packets of channels are in the files below a directory, by their indexes: 16 bytes and 72
/// for each packet.
fn packets(output: &Path) -> u64 {
    let index =
        |(name, size): (String, u64)| name.ends_with(".idx").then(|| size.saturating_sub(16) / 72);
    sizes(output).into_iter().filter_map(index).sum()
}

/// Has a program record something, and waits until more packets have come of it.
fn packets_come(program: &mut Program, output: &Path) {
    let before = packets(output);
    program.tell("number=5");
    eventually("packets come while the program idles", || (packets(output) > before).then_some(()));
}

#[test]
fn a_switch_timer_closes_packets_of_a_program_that_idles() {
    both(|stage| {
        let output = create(stage);
        stage.lttng_ok("enable-channel -u c --switch-timer=20000");
        stage.lttng_ok("enable-event -u -c c sample:number");
        let mut program = stage.program();
        stage.lttng_ok("start");
        for _ in 0..3 {
            packets_come(&mut program, &output);
        }
        stage.lttng_ok("destroy s");
        assert_eq!(stage.events_below(&output).len(), 15);
        program.finish();
    });
}

#[test]
fn a_switch_timer_serves_the_buffers_of_each_process() {
    both(|stage| {
        let output = create(stage);
        stage.lttng_ok("enable-channel -u c --buffers-pid --switch-timer=20000");
        stage.lttng_ok("enable-event -u -c c sample:number");
        stage.lttng_ok("start");
        let mut programs = [stage.program(), stage.program()];
        for program in &mut programs {
            packets_come(program, &output);
        }
        stage.lttng_ok("destroy s");
        programs.into_iter().for_each(Program::finish);
    });
}

#[test]
fn a_read_timer_fetches_packets_that_are_whole() {
    both(|stage| {
        let output = create(stage);
        stage.lttng_ok("enable-channel -u c --read-timer=20000 --subbuf-size=16k --num-subbuf=8");
        stage.lttng_ok("enable-event -u -c c sample:bulk");
        let mut program = Program::start(&stage.arena, &["pin", "-"]);
        program.tell("pid");
        stage.lttng_ok("start");
        // Four fit in a packet: two packets are whole, and the ninth event began the third.
        program.tell("bulk=9");
        eventually("two packets are in the file of a processor", || {
            let sizes = sizes(&output);
            sizes
                .iter()
                .any(|(name, size)| !name.contains("index") && *size == 32_768)
                .then_some(())
        });
        stage.lttng_ok("destroy s");
        assert_eq!(stage.events_below(&output).len(), 9);
        program.finish();
    });
}

/// The files below a directory with their sizes in bytes, metadata left out.
fn sizes(output: &Path) -> Vec<(String, u64)> {
    let files = trace::files(output).into_iter().filter(|name| !name.ends_with("metadata"));
    files.map(|name| (name.clone(), fs::metadata(output.join(&name)).unwrap().len())).collect()
}

/// Compares the names and sizes of the files of channels with these options.
fn files_are_the_same(scheme: &str, limits: &str) {
    both(|stage| {
        let output = create(stage);
        stage.lttng_ok(&format!(
            "enable-channel -u c {scheme} --subbuf-size=32k --num-subbuf=16 {limits}"
        ));
        stage.lttng_ok("enable-event -u -c c sample:bulk");
        let mut program = Program::start(&stage.arena, &["pin", "-"]);
        program.tell("pid");
        stage.lttng_ok("start");
        // All of it fits into the buffers, however late the consumer reads.
        program.tell("bulk=100");
        stage.lttng_ok("stop");
        stage.lttng_ok("destroy s");
        for (name, size) in sizes(&output) {
            stage.note(&format!("{name} {size}"));
        }
        assert!(!stage.events_below(&output).is_empty());
        program.finish();
    });
}

#[test]
fn files_without_limits_are_those_of_the_stock_daemon() {
    files_are_the_same("--buffers-uid", "");
}

#[test]
fn files_of_limited_size_and_count_are_those_of_the_stock_daemon() {
    files_are_the_same("--buffers-uid", "--tracefile-size=64k --tracefile-count=3");
}

#[test]
fn files_of_limited_size_per_process_are_those_of_the_stock_daemon() {
    files_are_the_same("--buffers-pid", "--tracefile-size=96k --tracefile-count=2");
}

#[test]
fn files_of_a_packet_each_are_those_of_the_stock_daemon() {
    // Less than a packet is taken for one.
    files_are_the_same("--buffers-uid", "--tracefile-size=4k --tracefile-count=2");
}

/// Has a program record more than fits into its buffers at once, and returns how many of the events
/// were recorded and how many the daemon says were lost.
fn flood(stage: &mut Stage, blocking: &str, environment: &[(&str, &str)]) -> (usize, usize) {
    // Three times what the buffers hold. A blocked program looks again only every 100 ms.
    const EVENTS: usize = 100;

    let output = create(stage);
    stage.lttng_ok(&format!(
        "enable-channel -u c --discard --subbuf-size=64k --num-subbuf=2 {blocking}"
    ));
    stage.lttng_ok("enable-event -u -c c sample:bulk");
    stage.lttng_ok("start");
    let program = Program::start_with(&stage.arena, &[&format!("bulk={EVENTS}")], environment);
    program.finish();
    // What these say differs with what was lost.
    stage.arena.lttng_ok("stop");
    let listed = stage.arena.lttng_ok("list s");
    let lost = listed.lines().find_map(|line| line.trim().strip_prefix("Discarded events: "));
    let lost = lost.unwrap().parse().unwrap();
    stage.arena.lttng_ok("destroy s");
    let recorded = stage.arena.events(&output).len();
    assert_eq!(recorded + lost, EVENTS, "{:?}", stage.which);
    (recorded, lost)
}

fn loses_nothing(blocking: &str) {
    both(|stage| {
        let (_, lost) = flood(stage, blocking, &[("LTTNG_UST_ALLOW_BLOCKING", "1")]);
        assert_eq!(lost, 0, "{:?} {blocking}", stage.which);
    });
}

#[test]
fn a_program_that_may_block_for_ever_loses_nothing() {
    loses_nothing("--blocking-timeout=inf");
}

#[test]
fn a_program_that_may_block_for_long_loses_nothing() {
    loses_nothing(&format!("--blocking-timeout={LONG_BLOCKING_US}"));
}

/// Which events are lost is by chance; that none is uncounted is checked for both daemons.
fn tells_what_it_lost(blocking: &str, environment: &[(&str, &str)]) {
    both(|stage| {
        flood(stage, blocking, environment);
    });
}

#[test]
fn a_program_that_may_not_block_tells_what_it_lost() {
    tells_what_it_lost("--blocking-timeout=inf", &[]);
}

#[test]
fn a_channel_that_does_not_block_tells_what_it_lost() {
    tells_what_it_lost("", &[("LTTNG_UST_ALLOW_BLOCKING", "1")]);
}

#[test]
fn a_channel_that_blocks_shortly_tells_what_it_lost() {
    tells_what_it_lost("--blocking-timeout=1", &[("LTTNG_UST_ALLOW_BLOCKING", "1")]);
}

#[test]
fn a_monitor_timer_tells_how_full_the_buffers_are() {
    both(|stage| {
        let output = create(stage);
        stage
            .lttng_ok("enable-channel -u c --monitor-timer=20000 --subbuf-size=4k --num-subbuf=64");
        stage.lttng_ok("enable-event -u -c c sample:number");
        stage.lttng_ok("enable-rotation --size=16k");
        let mut program = stage.program();
        stage.lttng_ok("start");
        // Only the samples of the timer tell the daemon that the size is reached.
        program.tell("number=3000");
        eventually("the session is rotated", || {
            let archives = fs::read_dir(output.join("archives")).ok()?;
            (archives.count() > 0).then_some(())
        });
        // Whether the last rotation is over by then is by chance, and destroy tells.
        stage.arena.lttng_ok("destroy s");
        assert_eq!(stage.events_below(&output).len(), 3000);
        program.finish();
    });
}
