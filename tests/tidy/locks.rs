//! Nothing but mailboxes, and lines in the state of actors, puts in order what actors do.

use super::{File, lines_with, report, rust_files};

/// Crates of actors, in which the mailbox is the order, and of what is around them. The data threads of the
/// consumer daemon share no state with its actors either: they get orders and tell events.
const ACTORS: [&str; 15] = [
    "agent",
    "app",
    "buffers",
    "client",
    "clock",
    "consumer",
    "kernel",
    "consumerd",
    "declared",
    "handle",
    "notification",
    "registry",
    "relayd",
    "runtime",
    "session",
];
/// The daemon itself, which starts them.
const DAEMON: &str = "src/";

/// What would be an order besides it, or state that several change.
const LOCKS: [&str; 12] = [
    "Mutex",
    "RwLock",
    "ReentrantLock",
    "Semaphore",
    "Condvar",
    "Barrier",
    "OnceCell",
    "OnceLock",
    "LazyCell",
    "LazyLock",
    "SetOnce",
    "parking_lot",
];
/// The same by how they are written where they are types: the words are others' too.
const LOCK_TYPES: [&str; 4] = ["Notify::", ": Notify", "<Notify>", "watch::"];

/// Where one may stand, and why. What puts something in order is named in docs/architecture.md under "What
/// serialises what".
const ALLOWED: [(&str, &str, &str); 15] = [
    ("actors/session/src/listings.rs", "Mutex", "other threads read what sessions show"),
    ("actors/clock/src/plugin.rs", "Mutex", "threads that may block ask the plugin's process"),
    ("src/daemon.rs", "Mutex", "makes a receiver one that threads may share, and is never taken"),
    ("actors/clock/src/lib.rs", "OnceLock", "a constant of this boot"),
    ("src/clock_plugin/api.rs", "Mutex", "functions that a plugin calls, in a process of its own"),
    ("actors/runtime/src/fail_point.rs", "Mutex", "tests of debug builds alone"),
    ("actors/runtime/src/fail_point.rs", "LazyLock", "tests of debug builds alone"),
    (
        "actors/runtime/src/peer.rs",
        "OnceCell",
        "one thread's: a socket is watched when it is first waited for",
    ),
    (
        "actors/runtime/src/agenda.rs",
        "Notify",
        "wakes the driver in its actor's own context; the jobs are plain state",
    ),
    (
        "actors/session/src/unfinished.rs",
        "Notify",
        "wakes the end of its session; the count is plain state",
    ),
    (
        "actors/client/src/recognition.rs",
        "Notify",
        "wakes clients that wait to be looked at, which are no commands of an actor",
    ),
    (
        "actors/client/src/lists.rs",
        "Notify",
        "wakes tasks of one thread; what is held is plain state",
    ),
    ("actors/consumerd/src/control.rs", "Notify", "wakes the sampling in the one control thread"),
    ("actors/consumerd/src/workers.rs", "Notify", "tells that a data thread has ended, once"),
    (
        "actors/app/src/notifier",
        "watch",
        "`Apps` alone sets it, applications' drivers and pipes look at the newest",
    ),
];

/// The locks in a line, by the words that [`ALLOWED`] has for them.
fn locks(line: &str) -> impl Iterator<Item = &str> {
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    let code = line.split("//").next().unwrap_or_default();
    let by_name = code.split(move |it| !is_part(it)).filter(|word| LOCKS.contains(word));
    let by_type = LOCK_TYPES.into_iter().filter(move |it| code.contains(it));
    by_name.chain(by_type.map(move |it| it.trim_matches(|it| !is_part(it))))
}

/// What is not a test of its own: those stand in files of their own, or last in one.
fn product(file: File) -> File {
    let text = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
    File { text, ..file }
}

#[test]
fn no_lock_stands_between_an_actor_and_its_state() {
    let is_checked = |file: &File| {
        let inside = file.path.strip_prefix("actors/").and_then(|it| it.split_once("/src/"));
        let is_actors = inside.is_some_and(|(member, _)| ACTORS.contains(&member));
        (is_actors || file.path.starts_with(DAEMON)) && !file.path.contains("tests")
    };
    let files: Vec<File> = rust_files().into_iter().filter(is_checked).map(product).collect();
    for member in ACTORS {
        let sources = format!("actors/{member}/src/");
        assert!(files.iter().any(|it| it.path.starts_with(&sources)), "no sources of {member}");
    }
    let is_allowed = |path: &str, lock: &str| {
        ALLOWED.iter().any(|(at, which, _)| path.starts_with(at) && *which == lock)
    };
    let complain = |file: &File| {
        lines_with(file, |line| {
            let lock = locks(line).find(|lock| !is_allowed(&file.path, lock))?;
            Some(format!("`{lock}`: let commands wait in the actor's state, see `Queue`"))
        })
    };
    report(
        "locks between an actor and its state",
        &files.iter().flat_map(complain).collect::<Vec<_>>(),
    );
    let is_there = |(at, which, _): &&(&str, &str, &str)| {
        let mut there = files.iter().filter(|file| file.path.starts_with(at));
        there.any(|file| file.text.lines().flat_map(locks).any(|lock| lock == *which))
    };
    let unused = ALLOWED.iter().filter(|allowed| !is_there(allowed));
    let unused = unused.map(|(at, which, _)| format!("{at}: `{which}`"));
    report("locks that may stand where there are none", &unused.collect::<Vec<_>>());
}

#[test]
fn locks_are_known_by_their_names_and_types() {
    for (line, expected) in [
        ("use std::sync::{Arc, Mutex};", Some("Mutex")),
        ("    state: tokio::sync::RwLock<State>,", Some("RwLock")),
        ("let lock = parking_lot::FairMutex::new(0);", Some("parking_lot")),
        ("    ended: Arc<Notify>,", Some("Notify")),
        ("    room: Notify,", Some("Notify")),
        ("    sampling: Notify::new(),", Some("Notify")),
        ("let (told, newest) = watch::channel(0);", Some("watch")),
        ("    Action::Notify(rate) => rate,", None),
        ("    Notify = 1,", None),
        ("let guard: MutexGuard<'_, State> = state.lock();", None),
        ("// A Mutex would do.", None),
        ("    fn watch(&mut self) {", None),
    ] {
        assert_eq!(locks(line).next(), expected, "{line}");
    }
}
