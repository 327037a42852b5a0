//! The programs of `examples/`, run with the sample program in private worlds.
#![allow(clippy::unwrap_used)]

#[expect(dead_code, reason = "a test has a main of its own")]
#[path = "../examples/messages.rs"]
mod messages;
#[expect(dead_code, reason = "a test has a main of its own")]
#[path = "../examples/record.rs"]
mod record;
#[expect(dead_code, reason = "a test has a main of its own")]
#[path = "../examples/snapshots.rs"]
mod snapshots;
#[expect(dead_code, reason = "a test has a main of its own")]
#[path = "../examples/triggers.rs"]
mod triggers;
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use lttngd::{Config, Event, Versioned};
use lttngd_world::{
    Arena, eventually,
    inside::{again, in_arena, inside},
    program::traced,
    trace::files,
};
use messages::Line;

/// What the daemon of an example is started with.
fn config() -> Config {
    Config::for_current_user().unwrap().with_program(env!("CARGO_BIN_EXE_lttngd"))
}

/// The command line of an example.
fn arguments(directory: PathBuf, commands: &[&str]) -> impl Iterator<Item = OsString> {
    let words = [directory.into(), traced().into()];
    words.into_iter().chain(commands.iter().map(OsString::from))
}

/// How many events of the sample program there are.
fn count(arena: &Arena, trace: &Path) -> usize {
    arena.events(trace).iter().filter(|event| event.name == "sample:number").count()
}

#[test]
fn a_program_is_recorded() {
    match inside() {
        Some(traces) => record::run(config(), arguments(traces, &["number=7"])).unwrap(),
        None => in_arena("a_program_is_recorded", |arena, traces| {
            assert_eq!(count(arena, &traces.join("trace")), 7);
        }),
    }
}

#[test]
fn a_program_is_recorded_by_messages_that_are_written_down() {
    let name = "a_program_is_recorded_by_messages_that_are_written_down";
    if let Some(traces) = inside() {
        return messages::run(config(), arguments(traces, &["number=7"])).unwrap();
    }
    in_arena(name, |arena, traces| {
        assert_eq!(count(arena, &traces.join("trace/archives")), 7);
        let log = fs::read_to_string(traces.join("messages.jsonl")).unwrap();
        let lines: Vec<Versioned<Line>> =
            log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |kind: fn(&Line) -> bool| lines.iter().filter(|line| kind(&line.content)).count();
        assert_eq!(of(|line| matches!(line, Line::Request(_))), 7);
        assert_eq!(of(|line| matches!(line, Line::Reply(Ok(_)))), 7);
        assert_eq!(of(|line| matches!(line, Line::Event(Event::AppRegistered(_)))), 1);
        assert_eq!(of(|line| matches!(line, Line::Event(Event::AppUnregistered(_)))), 1);
        assert_eq!(of(|line| matches!(line, Line::Event(Event::Missed { .. }))), 0);
    });
}

/// Where the sample program waits in the middle.
fn go_on(traces: &Path) -> PathBuf {
    traces.with_extension("go-on")
}

/// The snapshots below `directory` in their order; their names end with their numbers.
fn recorded_snapshots(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).collect();
    found.sort_by_key(|path| {
        let name = path.display().to_string();
        name.rsplit_once('-').unwrap().1.parse::<u32>().unwrap()
    });
    found
}

#[test]
fn snapshots_of_a_running_program_are_recorded() {
    if let Some(traces) = inside() {
        let wait = format!("wait={}", go_on(&traces).display());
        return snapshots::run(config(), arguments(traces, &["number=5", &wait, "number=3"]))
            .unwrap();
    }
    let arena = Arena::new();
    let traces = arena.file("traces");
    let name = "snapshots_of_a_running_program_are_recorded";
    let mut recorder = again(&arena, name, &traces).spawn().unwrap();
    // More than the buffers have parts: the program is quiet meanwhile.
    const QUIET: usize = 6;
    eventually("snapshots of a program that goes on have its events", || {
        assert_eq!(recorder.try_wait().unwrap(), None, "the recorder has ended");
        let mut recorded = recorded_snapshots(&traces);
        // The newest one may not be whole. Before the program came there is nothing to read.
        recorded.pop();
        recorded.retain(|it| files(it).iter().any(|file| file.ends_with("metadata")));
        let with_events = recorded.iter().filter(|trace| count(&arena, trace) == 5);
        (with_events.count() >= QUIET).then_some(())
    });
    fs::write(go_on(&traces), "").unwrap();
    let status = recorder.wait().unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(count(&arena, recorded_snapshots(&traces).last().unwrap()), 8);
}

#[test]
fn a_snapshot_is_recorded_when_an_event_with_a_captured_value_is_matched() {
    let name = "a_snapshot_is_recorded_when_an_event_with_a_captured_value_is_matched";
    if let Some(traces) = inside() {
        let condition = ["sample:number", "number", "3"].map(OsString::from);
        let words = [OsString::from(traces)].into_iter().chain(condition);
        let program = [traced().into(), "number=4".into()];
        return triggers::run(config(), words.chain(program)).unwrap();
    }
    in_arena(name, |arena, traces| {
        let snapshots = recorded_snapshots(traces);
        assert_eq!(snapshots.len(), 1);
        assert_eq!(count(arena, &snapshots[0]), 4);
    });
}
