//! The time of day is set back, or far away, while sessions record: nothing is lost, nothing is written over something
//! else, and what comes periodically comes.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::world::{Arena, Daemon, Which, eventually, program};

/// Seconds of an hour, and of a day.
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;
/// By so much the clock is set back at most here: about to the beginning of time, which is in January 1970.
const YEARS_S: i64 = 50 * 365 * DAY_S;

/// A daemon with a time of day that can be set.
struct Set {
    arena: Arena,
    daemon: Daemon,
    offset: PathBuf,
}

impl Set {
    fn new() -> Set {
        let arena = Arena::new();
        let offset = arena.file("offset");
        fs::write(&offset, 0_i64.to_ne_bytes()).unwrap();
        let environment = [
            ("LD_PRELOAD", program::wall().to_str().unwrap()),
            ("WALL_OFFSET", offset.to_str().unwrap()),
        ];
        let daemon = Daemon::start_with(&arena, Which::Ours, &[], &environment);
        Set { arena, daemon, offset }
    }

    /// Sets the clock so many seconds away from the real time.
    fn clock(&self, offset_s: i64) {
        // In its place: the file is in the memory of processes.
        let file = OpenOptions::new().write(true).open(&self.offset).unwrap();
        file.write_all_at(&offset_s.to_ne_bytes(), 0).unwrap();
    }
}

/// The directories right below `directory`, sorted.
fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).collect();
    found.sort();
    found
}

#[test]
fn rotations_and_snapshots_stay_apart_whatever_the_time_of_day() {
    const EACH: usize = 10;

    let set = Set::new();
    let arena = &set.arena;
    let [output, flights] = ["trace", "flights"].map(|name| arena.file(name));
    for command in [
        &format!("create s --output={}", output.display()),
        "enable-event -u -s s sample:number",
        "start s",
        &format!("create f --snapshot --output={}", flights.display()),
        "enable-channel -u -s f --overwrite c",
        "enable-event -u -s f -c c sample:number",
        "start f",
    ] {
        arena.lttng_ok(command);
    }
    let mut traced = program::Program::ready(arena);
    // Back and forth, to where a number of seconds is not larger than zero by much, and to times that were already.
    let times = [0, -HOUR_S, -HOUR_S, -DAY_S, -YEARS_S, DAY_S, 0, 0];
    for (round, offset_s) in times.into_iter().enumerate() {
        set.clock(offset_s);
        traced.tell(&format!("number={EACH}"));
        arena.lttng_ok("rotate s");
        arena.lttng_ok("snapshot record -s f");
        let archives = below(&output.join("archives"));
        assert_eq!(archives.len(), round + 1, "each rotation has a place of its own: {archives:?}");
        let snapshots = below(&flights);
        assert_eq!(snapshots.len(), round + 1, "and each snapshot: {snapshots:?}");
    }
    let archives = below(&output.join("archives"));
    // The clock was heard of: their names are times.
    assert!(archives.iter().any(|it| it.to_string_lossy().contains("/19")), "{archives:?}");
    for archive in &archives {
        assert_eq!(arena.events(archive).len(), EACH, "{}", archive.display());
    }
    arena.lttng_ok("stop s");
    arena.lttng_ok("destroy s");
    assert_eq!(arena.events(&output).len(), times.len() * EACH);
    for (round, snapshot) in below(&flights).iter().enumerate() {
        // Numbered as they were recorded, whatever the time in their names.
        assert!(arena.events(snapshot).len() >= EACH, "{round}: {}", snapshot.display());
    }
    arena.lttng_ok("destroy f");
    traced.finish();
    set.daemon.stop(arena);
}

#[test]
fn what_comes_periodically_comes_when_the_clock_was_set_back() {
    let set = Set::new();
    let arena = &set.arena;
    let output = arena.file("trace");
    for command in [
        &format!("create s --output={}", output.display()),
        "enable-channel -u -s s --switch-timer=100000 c",
        "enable-event -u -s s -c c sample:number",
        "enable-rotation -s s --timer=300ms",
        "start s",
    ] {
        arena.lttng_ok(command);
    }
    let mut traced = program::Program::ready(arena);
    traced.tell("number=5");
    let archives = || below(&output.join("archives")).len();
    let go_on = |what: &str| {
        let before = archives();
        eventually(what, || (archives() > before + 1).then_some(()));
    };
    go_on("the session is rotated");
    set.clock(-DAY_S);
    go_on("it is rotated on when the clock was set back");
    traced.tell("number=5");
    go_on("and what is recorded is rotated away");
    set.clock(HOUR_S);
    go_on("it is rotated on when the clock was set forth");
    arena.lttng_ok("stop s");
    arena.lttng_ok("destroy s");
    assert_eq!(arena.events(&output).len(), 10);
    traced.finish();
    set.daemon.stop(arena);
}
