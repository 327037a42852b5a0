//! What could not be written is told: by `list`, and where the stock client warns, by `stop` and `destroy`.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use rustix::process::Signal;

use super::super::world::{Consumer, Program, Relay, Stage, Which, eventually, program::provider};
use super::output::{recorded_bytes, shell, small_disk, start};
use super::own;
use super::relays::impatient;

/// What the client says of packets that are lost.
const WARNING: &str = "packets were lost";

/// Packets that `list` says are lost of the session `victim`. Of channels that do not overwrite, the stock
/// client says it in XML alone.
pub(super) fn lost(stage: &Stage) -> u64 {
    static LOST: LazyLock<Regex> = LazyLock::new(|| Regex::new("<lost_packets>([0-9]+)<").unwrap());

    let listed = stage.arena.lttng_ok("--mi xml list victim");
    let counts: Vec<u64> =
        LOST.captures_iter(&listed).map(|count| count[1].parse().unwrap()).collect();
    assert!(!counts.is_empty(), "{listed}");
    counts.iter().sum()
}

/// Packets that babeltrace2 says are missing.
fn missing(stage: &Stage, directory: &Path) -> u64 {
    static MISSING: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?:discarded|lost) (\d+) (?:trace )?packet").unwrap());

    let told = stage.arena.lost_events(directory);
    MISSING.captures_iter(&told).map(|count| count[1].parse::<u64>().unwrap()).sum()
}

/// Fills a disk up.
pub(super) fn fill(stage: &Stage, disk: &Path) -> std::path::PathBuf {
    let filler = disk.join("filler");
    let command = format!("dd if=/dev/zero bs=4k of='{}'", filler.display());
    let filled = stage.arena.shell_within(30, &command);
    assert!(filled.stderr.contains("No space left"), "{filled:?}");
    filler
}

/// `stop` warns; so does `destroy` of a session that records.
pub(super) fn stop_and_destroy_warn(stage: &Stage) {
    let told = lost(stage);
    assert!(told > 0);
    let said = stage.arena.lttng_ok("stop victim");
    assert!(said.contains(WARNING), "{said}");
    stage.arena.lttng_ok("start victim");
    let said = stage.arena.lttng_ok("destroy victim");
    assert!(said.contains(WARNING), "{said}");
}

#[test]
fn packets_that_find_no_room_on_a_disk() {
    for which in [Which::Stock, Which::Ours] {
        let consumer = if which == Which::Ours { Consumer::Own } else { Consumer::Stock };
        let stage = Stage::with_consumer(which, consumer, &[]);
        let Some(disk) = small_disk(&stage) else { return };
        let output = disk.join("trace");
        start(&stage, &output, "--num-subbuf=4");
        let mut program = stage.program();
        program.tell("pin");
        program.tell("number=50");
        eventually("the first events are written", || {
            (recorded_bytes(&stage, &output) > 0).then_some(())
        });
        let filler = fill(&stage, &disk);
        program.tell("delay=100");
        program.tell("number=3000");
        program.tell("delay=0");
        let said = stage.arena.lttng_ok("stop victim");
        let told = lost(&stage);
        if which == Which::Stock {
            eprintln!("stock: {told} lost, {said}");
            continue;
        }
        assert!(told > 0);
        assert!(said.contains(WARNING), "{said}");
        shell(&stage, &format!("rm '{}'", filler.display()));
        stage.arena.lttng_ok("start victim");
        program.tell("number=50");
        // What is told is what readers miss, and no more since there is room.
        let said = stage.arena.lttng_ok("stop victim");
        assert!(said.contains(&format!("{told} {WARNING}")), "{said}");
        assert_eq!(missing(&stage, &output), told);
        stage.arena.lttng_ok("start victim");
        stop_and_destroy_warn(&stage);
        program.finish();
        stage.end();
    }
}

/// The last packets of a program are closed when it ends, and its buffers are gone with it.
#[test]
fn the_last_packets_of_a_program_with_buffers_of_its_own() {
    let stage = own();
    let Some(disk) = small_disk(&stage) else { return };
    let output = disk.join("trace");
    // Nothing but its end closes the packet that it begins.
    for command in [
        &format!("create victim --output={}", output.display()),
        "enable-channel -u -s victim --buffers-pid c",
        "enable-event -u -s victim -c c sample:number",
        "start victim",
    ] {
        stage.arena.lttng_ok(command);
    }
    let mut program = stage.program();
    fill(&stage, &disk);
    program.tell("number=5");
    assert_eq!(lost(&stage), 0);
    program.finish();
    eventually("what it has lost is told", || (lost(&stage) > 0).then_some(()));
    stop_and_destroy_warn(&stage);
    stage.end();
}

#[test]
fn packets_whose_files_were_removed() {
    let stage = own();
    let output = stage.arena.file("trace");
    start(&stage, &output, "--num-subbuf=4");
    let mut program = stage.program();
    program.tell("number=50");
    eventually("the first events are written", || {
        (recorded_bytes(&stage, &output) > 0).then_some(())
    });
    assert_eq!(lost(&stage), 0);
    shell(&stage, &format!("rm -rf '{}'", output.display()));
    program.tell("number=2000");
    let said = stage.arena.lttng_ok("stop victim");
    assert!(said.contains(WARNING), "{said}");
    assert!(stage.daemon.log().contains("was removed"), "it is logged");
    stage.arena.lttng("destroy victim");
    program.finish();
    stage.end();
}

#[test]
fn packets_beyond_the_limit_of_a_files_size() {
    let stage = own();
    let output = stage.arena.file("trace");
    start(&stage, &output, "--num-subbuf=4");
    let mut program = stage.program();
    program.tell("pin");
    let consumer = stage.arena.consumer();
    shell(&stage, &format!("prlimit --pid {consumer} --fsize=65536"));
    program.tell("delay=100");
    program.tell("number=3000");
    program.tell("delay=0");
    eventually("what is lost is told", || (lost(&stage) > 0).then_some(()));
    stop_and_destroy_warn(&stage);
    assert!(!stage.arena.events(&output).is_empty(), "the trace is readable");
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    program.finish();
    stage.end();
}

/// A session whose relay daemon gets this signal while there is data.
fn relay_gets(signal: Signal) {
    let stage = impatient();
    let relay = Relay::start(&stage);
    for command in [
        format!("create victim --set-url={}", relay.url()),
        "enable-channel -u -s victim --subbuf-size=16k --num-subbuf=8 c".to_owned(),
        "enable-event -u -s victim -c c 'sample:*'".to_owned(),
        "start victim".to_owned(),
    ] {
        stage.arena.lttng_ok(&command);
    }
    let mut program: Program = stage.program();
    program.tell("number=5000");
    assert_eq!(lost(&stage), 0, "all is well");
    Relay::signal(&stage, signal);
    // More than sockets and buffers hold.
    program.tell("bulk=10");
    program.tell("number=100000");
    let said = stage.arena.lttng_ok("stop victim");
    assert!(said.contains(WARNING), "{said}");
    assert!(lost(&stage) > 0);
    if signal == Signal::STOP {
        Relay::signal(&stage, Signal::CONT);
    }
    // It says that the trace chunk could not be closed, and then no more.
    stage.arena.lttng("destroy victim");
    program.finish();
    stage.end();
}

#[test]
fn packets_for_a_relay_daemon_that_is_killed() {
    relay_gets(Signal::KILL);
}

#[test]
fn packets_for_a_relay_daemon_that_is_given_up() {
    relay_gets(Signal::STOP);
}

/// The description of events that are new while there is no room is written when there is some again.
#[test]
fn metadata_that_finds_no_room_for_a_while() {
    let stage = own();
    let Some(disk) = small_disk(&stage) else { return };
    let output = disk.join("trace");
    start(&stage, &output, "--num-subbuf=4");
    let mut program = stage.program();
    program.tell("number=50");
    eventually("the first events are written", || {
        (recorded_bytes(&stage, &output) > 0).then_some(())
    });
    let filler = fill(&stage, &disk);
    // So many descriptions that what is left of the last block does not hold them.
    program.tell(&format!("load={}", provider("late").display()));
    stage.arena.lttng_ok("enable-event -u -s victim -c c 'sample:*'");
    eventually("it is told", || stage.daemon.log().contains("metadata is missing").then_some(()));
    shell(&stage, &format!("rm '{}'", filler.display()));
    // By itself: no command of the session asks for it.
    let described = format!("grep -raq 'late:' '{}'", output.display());
    eventually("the description is there", || {
        (stage.arena.shell_within(30, &described).code == 0).then_some(())
    });
    program.tell("number=7");
    stage.arena.lttng_ok("stop victim");
    let events = stage.arena.events(&output);
    assert_eq!(events.iter().filter(|event| event.name == "sample:number").count(), 57);
    stage.arena.lttng_ok("destroy victim");
    program.finish();
    stage.end();
}
