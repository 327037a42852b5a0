//! A clock plugin of LTTng-UST in applications, consumer and daemon: the times of events, and what
//! becomes of the daemon when the plugin is a bad one.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use lttngd_world::{Arena, Daemon, Program, Which, eventually, program, trace};
use rustix::process::Signal;

const VARIABLE: &str = "LTTNG_UST_CLOCK_PLUGIN";
/// Has the plugin do something else, see `tests/apps/clock.c`.
const MODE: &str = "SAMPLE_CLOCK";
/// Name of the process that loads the plugin.
const PROCESS: &str = "lttng-ust-clock";
const UUID: &str = "5f4dcc3b-5aa7-4d61-8327-deb882cf99aa";

/// The plugin of `tests/apps/clock.c`, linked with LTTng-UST as plugins are told to be.
fn plugin() -> &'static Path {
    static PLUGIN: OnceLock<PathBuf> = OnceLock::new();

    PLUGIN.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/clock.c");
        let flags = ["-shared", "-fPIC", "-Wl,--no-as-needed", "-llttng-ust"];
        program::compile(Path::new("."), "clock.so", &[source], &flags)
    })
}

fn start(arena: &Arena, which: Which, plugin: &str) -> Daemon {
    Daemon::start_with(arena, which, &[], &[(VARIABLE, plugin)])
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Records a program that has the plugin, too, in the session `timed`.
fn record(arena: &Arena, plugin: &str) {
    arena.lttng_ok("create timed");
    arena.lttng_ok("enable-event -u sample:number");
    arena.lttng_ok("start");
    let mut program = Program::start_with(arena, &["number=20"], &[(VARIABLE, plugin)]);
    assert!(program.wait().success());
    arena.lttng_ok("stop");
}

/// The metadata file of the session `timed` as it was written.
fn raw_metadata(arena: &Arena) -> String {
    let directory = arena.trace_of("timed");
    let files = trace::files(&directory);
    let path = files.iter().find(|path| path.ends_with("metadata")).unwrap();
    String::from_utf8_lossy(&fs::read(directory.join(path)).unwrap()).into_owned()
}

/// Checks that every event of the session `timed` has a time from `begin` to now.
fn check_times(arena: &Arena, begin: f64) {
    let end = now_s();
    let command = format!("babeltrace2 --clock-seconds '{}'", arena.trace_of("timed").display());
    let answer = arena.shell_within(60, &command);
    assert_eq!(answer.code, 0, "{answer:?}");
    let times: Vec<f64> = answer
        .stdout
        .lines()
        .map(|line| line[1..].split(']').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(times.len(), 20, "{}", answer.stdout);
    // The clock counts microseconds, and its offset was measured.
    let (begin, end) = (begin - 0.01, end + 0.01);
    assert!(times.iter().all(|time| (begin..end).contains(time)), "{begin} {end} {times:?}");
}

#[test]
fn traces_have_the_plugins_clock_and_right_times() {
    let recorded = |which| {
        let arena = Arena::new();
        let copy = arena.home().join("clock.so");
        fs::copy(plugin(), &copy).unwrap();
        // A path from the directory in which all programs of the arena are started.
        let start_directory = if arena.is_root() { PathBuf::from("/") } else { arena.home() };
        let plugin = Path::new(".").join(copy.strip_prefix(start_directory).unwrap());
        let plugin = plugin.to_str().unwrap();
        let daemon = start(&arena, which, plugin);
        let begin = now_s();
        record(&arena, plugin);
        check_times(&arena, begin);
        assert!(raw_metadata(&arena).contains(&format!("\tuuid = \"{UUID}\";\n")));
        let metadata = arena.metadata(&arena.trace_of("timed"));
        arena.lttng_ok("destroy timed");
        daemon.stop(&arena);
        assert_eq!(arena.processes(), [], "{which:?}");
        metadata
    };
    let ours = recorded(Which::Ours);
    assert!(ours.contains("name = \"sample_clock\";"), "{ours}");
    assert!(ours.contains("freq = 1000000;"), "{ours}");
    assert_eq!(recorded(Which::Stock), ours);
}

/// Times of the packets of the session `timed`, from its indexes: begin and end of each.
fn packet_times(arena: &Arena) -> Vec<[u64; 2]> {
    const HEADER_LEN: usize = 16;
    const RECORD_LEN: usize = 72;
    const BEGIN: usize = 24;
    const END: usize = 32;

    let directory = arena.trace_of("timed");
    let mut times = Vec::new();
    for path in trace::files(&directory).iter().filter(|path| path.ends_with(".idx")) {
        let bytes = fs::read(directory.join(path)).unwrap();
        for record in bytes[HEADER_LEN..].chunks_exact(RECORD_LEN) {
            let at = |offset| u64::from_be_bytes(record[offset..][..8].try_into().unwrap());
            times.push([at(BEGIN), at(END)]);
        }
    }
    times
}

#[test]
fn packets_have_the_plugins_times() {
    // That of `tests/apps/clock.c`.
    let now_us = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        now.tv_sec.cast_unsigned() * 1_000_000
            + now.tv_nsec.cast_unsigned() / 1000
            + 1_000_000_000_000
    };
    let arena = Arena::new();
    let library = plugin().to_str().unwrap();
    let daemon = start(&arena, Which::Ours, library);
    let begin = now_us();
    record(&arena, library);
    let end = now_us();
    let times = packet_times(&arena);
    assert!(!times.is_empty());
    for [first, last] in &times {
        assert!(begin <= *first && first <= last && *last <= end, "{begin} {times:?} {end}");
    }
    let [consumer] = arena.processes_named("lttng-consumerd")[..] else {
        panic!("{:?}", arena.processes());
    };
    let maps = fs::read_to_string(format!("/proc/{consumer}/maps")).unwrap();
    assert!(maps.contains("/liblttng-ust.so"), "it could not register at all:\n{maps}");
    let listing = arena.lttng_ok("list -u");
    assert!(!listing.contains(&format!("PID: {consumer}")), "{listing}");
    arena.lttng_ok("destroy timed");
    daemon.stop(&arena);
}

#[test]
fn the_process_with_the_plugin_is_no_application() {
    let arena = Arena::new();
    let mut daemon = start(&arena, Which::Ours, plugin().to_str().unwrap());
    let [process] = arena.processes_named(PROCESS)[..] else {
        panic!("{:?}", arena.processes());
    };
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    assert!(maps.contains("/liblttng-ust.so"), "it could not register at all:\n{maps}");

    // Registrations come in their order: that of the process would be there before.
    let program = Program::ready(&arena);
    let listing = arena.lttng_ok("list -u");
    assert!(listing.contains(&format!("PID: {}", program.pid())), "{listing}");
    assert!(!listing.contains(&format!("PID: {process}")), "{listing}");

    // It does not outlive the daemon, however that ends.
    daemon.kill();
    eventually("the process with the plugin ends", || {
        arena.processes_named(PROCESS).is_empty().then_some(())
    });
}

#[test]
fn a_plugin_that_sets_no_clock_leaves_the_monotonic_one() {
    let missing = "/nowhere/clock.so";
    let sample = plugin().to_str().unwrap();
    for (library, mode, reason) in
        [(missing, "", "No such file"), ("libc.so.6", "", "no init"), (sample, "unset", "override")]
    {
        let arena = Arena::new();
        let environment = [(VARIABLE, library), (MODE, mode)];
        let daemon = Daemon::start_with(&arena, Which::Ours, &[], &environment);
        let log = daemon.log();
        assert!(log.contains("the clock plugin is not used") && log.contains(reason), "{log}");
        assert_eq!(arena.processes_named(PROCESS), []);
        let begin = now_s();
        record(&arena, missing);
        check_times(&arena, begin);
        assert!(raw_metadata(&arena).contains("\tname = \"monotonic\";\n"));
        arena.lttng_ok("destroy timed");
        daemon.stop(&arena);
    }
}

#[test]
fn a_plugin_that_cannot_be_followed_keeps_the_daemon_from_starting() {
    for (mode, reason) in
        [("exit", "ends the process"), ("hang", "does not answer"), ("nameless", "no name")]
    {
        let arena = Arena::new();
        let environment = [(VARIABLE, plugin().to_str().unwrap()), (MODE, mode)];
        let mut daemon = Daemon::spawn_with(&arena, Which::Ours, &[], &environment);
        let status = daemon.wait();
        let log = daemon.log();
        assert!(!status.success(), "{mode}: {status}");
        assert!(log.contains(reason) && log.contains("clock.so"), "{mode}: {log}");
        assert_eq!(arena.processes_named(PROCESS), [], "{mode}");
        assert!(!arena.run_directory().join("client-lttng-sessiond").exists());
    }
}

#[test]
fn recording_goes_on_when_the_process_with_the_plugin_is_lost() {
    let arena = Arena::new();
    let library = plugin().to_str().unwrap();
    let daemon = start(&arena, Which::Ours, library);
    let [process] = arena.processes_named(PROCESS)[..] else {
        panic!("{:?}", arena.processes());
    };
    arena.signal(process, Signal::KILL);
    let begin = now_s();
    record(&arena, library);
    check_times(&arena, begin);
    assert!(raw_metadata(&arena).contains("\tname = \"sample_clock\";\n"));
    assert!(daemon.log().contains("the clock plugin is lost"), "{}", daemon.log());
    arena.lttng_ok("destroy timed");
    daemon.stop(&arena);
}
