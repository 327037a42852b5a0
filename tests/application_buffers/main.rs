//! The buffers of `lttngd-ringbuffer` with real applications: the test is session daemon and consumer
//! daemon at once, the application is one of LTTng-UST's, babeltrace2 reads what it left.
#![allow(clippy::unwrap_used)]

mod crash;
mod recorder;
mod session_daemon;

use std::fs;

use lttngd_ringbuffer::{BLOCKING_FOREVER, ChannelConfig, FlushMode, Mode, MonotonicClock};
use lttngd_world::{Arena, Event, Program};
use recorder::{Recorder, config};

/// The numbers of the events, in the order of the trace.
fn numbers(events: &[Event]) -> Vec<u32> {
    let number = |event: &Event| {
        assert_eq!(event.name, "sample:number");
        let (_, rest) = event.fields.split_once("number = ").unwrap();
        rest.split(',').next().unwrap().trim().parse().unwrap()
    };
    events.iter().map(number).collect()
}

/// Has an application write `count` events on one CPU while the buffers are read.
fn record(recorder: &mut Recorder, arena: &Arena, count: u32, environment: &[(&str, &str)]) {
    let mut program = Program::start_with(arena, &["pin", "-"], environment);
    let application = recorder.attach();
    recorder.read_while(|| {
        program.tell(&format!("number={count}"));
    });
    program.finish();
    drop(application);
    recorder.finish();
}

#[test]
fn events_are_read_or_counted() {
    for read_timer_interval_us in [0, 500] {
        let arena = Arena::new();
        let config = ChannelConfig { read_timer_interval_us, ..config(Mode::Discard) };
        let mut recorder = Recorder::new(&arena, &config);
        record(&mut recorder, &arena, 20_000, &[]);
        let numbers = numbers(&arena.events(&recorder.directory()));
        assert!(numbers.is_sorted_by(|left, right| left < right));
        let discarded = recorder.losses().discarded_events;
        assert_eq!(numbers.len() as u64 + discarded, 20_000);
        assert_eq!(recorder.losses().lost_packets, 0);
        assert_eq!(numbers[0], 0);
    }
}

#[test]
fn the_newest_events_remain_when_old_ones_are_overwritten() {
    for read_timer_interval_us in [0, 500] {
        let arena = Arena::new();
        let config = ChannelConfig { read_timer_interval_us, ..config(Mode::Overwrite) };
        let mut recorder = Recorder::new(&arena, &config);
        record(&mut recorder, &arena, 20_000, &[]);
        let numbers = numbers(&arena.events(&recorder.directory()));
        assert!(numbers.is_sorted_by(|left, right| left < right));
        assert_eq!(numbers.last(), Some(&19_999));
        let losses = recorder.losses();
        assert_eq!(losses.discarded_events, 0);
        assert_eq!(numbers.len() < 20_000, losses.lost_packets > 0);
    }
}

#[test]
fn a_blocking_application_loses_nothing() {
    let arena = Arena::new();
    let config = ChannelConfig {
        num_subbuf: 2,
        blocking_timeout_us: BLOCKING_FOREVER,
        ..config(Mode::Discard)
    };
    let mut recorder = Recorder::new(&arena, &config);
    record(&mut recorder, &arena, 5000, &[("LTTNG_UST_ALLOW_BLOCKING", "1")]);
    let numbers = numbers(&arena.events(&recorder.directory()));
    assert_eq!(numbers, (0..5000).collect::<Vec<u32>>());
    assert_eq!(recorder.losses().discarded_events, 0);
}

#[test]
fn every_kind_of_event_is_whole() {
    let arena = Arena::new();
    let config = ChannelConfig { subbuf_size_bytes: 1 << 16, ..config(Mode::Discard) };
    let mut recorder = Recorder::new(&arena, &config);
    let mut program = Program::start(&arena, &["-"]);
    let application = recorder.attach();
    recorder.read_while(|| {
        for command in ["fields=20", "levels=3", "bulk=10", "number=5"] {
            program.tell(command);
        }
    });
    program.finish();
    drop(application);
    recorder.finish();
    let events = arena.events(&recorder.directory());
    let count = |name: &str| events.iter().filter(|event| event.name == name).count();
    assert_eq!((count("sample:fields"), count("sample:bulk"), count("sample:number")), (20, 10, 5));
    assert_eq!((count("sample:alarm"), count("sample:ordinary")), (3, 3));
}

#[test]
fn applications_share_the_buffers_of_a_user() {
    let arena = Arena::new();
    let config = ChannelConfig { num_subbuf: 16, ..config(Mode::Discard) };
    let mut recorder = Recorder::new(&arena, &config);
    let mut programs = Vec::new();
    for _ in 0..2 {
        let program = Program::start(&arena, &["pin", "delay=100", "-"]);
        programs.push((program, recorder.attach()));
    }
    recorder.read_while(|| {
        std::thread::scope(|scope| {
            for (program, _) in &mut programs {
                scope.spawn(|| program.tell("number=1000"));
            }
        });
    });
    let (first, _) = programs.remove(0);
    first.finish();
    assert!(!recorder.is_hung_up());
    for (program, _) in programs {
        program.finish();
    }
    recorder.finish();
    let events = arena.events(&recorder.directory());
    assert_eq!(events.len() as u64 + recorder.losses().discarded_events, 2000);
}

#[test]
fn a_snapshot_has_the_newest_packets_and_changes_nothing() {
    let arena = Arena::new();
    let mut recorder = Recorder::new(&arena, &config(Mode::Overwrite));
    let mut program = Program::start(&arena, &["pin", "-"]);
    let application = recorder.attach();
    program.tell("number=3000");
    let mut first = Vec::new();
    for round in 0..6 {
        let directory = arena.file(&format!("snapshot-{round}"));
        fs::create_dir(&directory).unwrap();
        recorder.snapshot(&directory, u64::MAX);
        let numbers = numbers(&arena.events(&directory));
        assert_eq!(numbers.last(), Some(&2999));
        assert!(numbers.is_sorted_by(|left, right| left + 1 == *right));
        if round == 0 {
            first = numbers;
        } else {
            assert_eq!(numbers, first);
        }
    }
    let directory = arena.file("small");
    fs::create_dir(&directory).unwrap();
    program.tell("number=10");
    recorder.snapshot(&directory, 1);
    let numbers = numbers(&arena.events(&directory));
    assert_eq!(numbers.last(), Some(&3009));
    assert!(numbers.len() < first.len());
    program.finish();
    drop(application);
}

#[test]
fn what_a_killed_application_left_is_read() {
    let arena = Arena::new();
    let config = ChannelConfig { num_subbuf: 64, ..config(Mode::Discard) };
    let mut recorder = Recorder::new(&arena, &config);
    let mut program = Program::start(&arena, &["-"]);
    let application = recorder.attach();
    program.tell("number=500");
    program.kill();
    drop(application);
    recorder.finish();
    let numbers = numbers(&arena.events(&recorder.directory()));
    assert_eq!(numbers, (0..500).collect::<Vec<u32>>());
}

#[test]
fn packets_are_cleared() {
    let arena = Arena::new();
    let config = ChannelConfig { num_subbuf: 16, ..config(Mode::Discard) };
    let mut recorder = Recorder::new(&arena, &config);
    let mut program = Program::start(&arena, &["-"]);
    let application = recorder.attach();
    program.tell("number=500");
    for stream in &mut recorder.streams {
        stream.clear(&MonotonicClock).unwrap();
        stream.flush(FlushMode::Full, &MonotonicClock).unwrap();
    }
    program.tell("number=10");
    program.finish();
    drop(application);
    recorder.finish();
    let numbers = numbers(&arena.events(&recorder.directory()));
    assert_eq!(numbers, (500..510).collect::<Vec<u32>>());
}
