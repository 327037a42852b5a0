//! A consumer daemon that has no descriptors left.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::super::world::Program;
use super::{Bystander, numbers, own};

/// Lets the process have no descriptor besides those that it has, or takes that back.
fn limit(pid: i32, count: Option<u64>) {
    let before = prlimit(
        Pid::from_raw(pid),
        Resource::Nofile,
        Rlimit { current: count, maximum: Some(20_000) },
    );
    before.unwrap();
}

/// The number that the next descriptor of a process would get.
fn next(pid: i32) -> u64 {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let numbers = entries.map(|entry| entry.file_name().to_str().unwrap().parse::<u64>().unwrap());
    let taken: BTreeSet<u64> = numbers.collect();
    (0..).find(|number| !taken.contains(number)).unwrap()
}

#[test]
fn a_consumer_without_descriptors_recovers() {
    let stage = own();
    let mut bystander = Bystander::start(&stage);
    let consumer = stage.arena.consumer();
    let output = stage.arena.file("trace");
    for command in [
        format!("create victim --output={}", output.display()),
        "enable-channel -u -s victim --buffers-pid c".to_owned(),
        "enable-event -u -s victim -c c sample:number".to_owned(),
        "start victim".to_owned(),
    ] {
        stage.arena.lttng_ok(&command);
    }
    let mut program = stage.program();
    program.tell("number=100");

    limit(consumer, Some(next(consumer)));
    let before = stage.arena.descriptors(consumer);
    // Each needs descriptors of the consumer daemon; each ends, and the program runs untraced.
    let mut untraced: Vec<Program> = (0..3).map(|_| stage.program()).collect();
    untraced.iter_mut().for_each(|program| {
        program.tell("number=5");
    });
    stage.arena.lttng_ok("create other");
    stage.arena.lttng_ok("enable-event -u -s other sample:number");
    for _ in 0..3 {
        for command in ["start other", "rotate victim"] {
            let refused = stage.arena.lttng(command);
            assert_ne!(refused.code, 0, "{command}: {refused:?}");
        }
    }
    // What runs goes on.
    program.tell("number=100");
    bystander.go_on();
    untraced.into_iter().for_each(Program::finish);
    stage.arena.lttng("destroy other");
    // What failed kept nothing.
    let after = stage.arena.descriptors(consumer);
    assert!(after <= before, "{after} descriptors, before {before}");

    limit(consumer, Some(20_000));
    let mut late = stage.program();
    late.tell("number=50");
    stage.arena.lttng_ok("create afterwards");
    stage.arena.lttng_ok("enable-event -u -s afterwards sample:number");
    stage.arena.lttng_ok("start afterwards");
    late.tell("number=50");
    stage.arena.lttng_ok("destroy afterwards");
    let trace = stage.arena.trace_of("afterwards");
    assert_eq!(numbers(&stage.arena, &trace), (50..100).collect::<Vec<u32>>());
    stage.arena.lttng_ok("stop victim");
    stage.arena.lttng_ok("destroy victim");
    let recorded = numbers(&stage.arena, &output);
    assert_eq!(recorded.len(), 200 + 100, "of the program and of the late one");
    assert_eq!(stage.arena.consumer(), consumer, "the consumer daemon lives");
    program.finish();
    late.finish();
    bystander.finish(&stage);
    stage.end();
}

/// A session whose first program meets a consumer daemon with `left` descriptors for it, with two channels.
/// Then there are enough, `command` is given, and other programs come.
fn short_once(left: u64, command: Option<&str>) {
    let mut stage = own();
    let output = stage.arena.file("trace");
    for command in [
        format!("create short --output={}", output.display()),
        "enable-channel -u -s short first".to_owned(),
        "enable-channel -u -s short second".to_owned(),
        "enable-event -u -s short -c first sample:number".to_owned(),
        "enable-event -u -s short -c second sample:bulk".to_owned(),
        "start short".to_owned(),
    ] {
        stage.arena.lttng_ok(&command);
    }
    let consumer = stage.arena.consumer();
    limit(consumer, Some(next(consumer) + left));
    assert!(Program::start(&stage.arena, &["number=3", "bulk=3"]).wait().success());
    limit(consumer, Some(20_000));
    if let Some(command) = command {
        stage.arena.lttng_ok(command);
    }
    assert!(Program::start(&stage.arena, &["number=5", "bulk=7"]).wait().success());
    stage.arena.lttng_ok("stop short");
    stage.arena.lttng_ok("start short");
    assert!(Program::start(&stage.arena, &["number=11", "bulk=13"]).wait().success());
    stage.arena.lttng_ok("destroy short");
    let events = stage.events_below(&output);
    for (name, later) in [("sample:number", 5 + 11), ("sample:bulk", 7 + 13)] {
        let count = events.iter().filter(|event| event.name == name).count();
        let recorded = [later, later + 3].contains(&count);
        assert!(recorded, "{count} times {name}, {left} left: {command:?}");
    }
    stage.end();
}

#[test]
fn buffers_that_could_not_be_made_are_made_for_the_next_program() {
    short_once(0, None);
}

#[test]
fn buffers_that_could_not_be_made_are_made_after_a_rotation() {
    short_once(0, Some("rotate short"));
}

#[test]
fn buffers_that_could_not_be_made_are_made_after_a_clear() {
    short_once(0, Some("clear short"));
}

#[test]
fn a_channel_that_was_refused_once_is_made_for_the_next_program() {
    for left in [12, 16, 20] {
        short_once(left, None);
    }
}

#[test]
fn a_channel_that_was_refused_once_is_made_after_a_rotation() {
    for left in [12, 16, 20] {
        short_once(left, Some("rotate short"));
    }
}
