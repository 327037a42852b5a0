//! Event notifiers of triggers in programs and agents: what is lost, who stands still, and the daemon's end.

use std::time::Instant;

use rustix::process::Signal;

use super::world::{Arena, Daemon, Program, Stage, Subscriber, Which, alone, both, eventually};

const NUMBER: &str = "--condition event-rule-matches --type user --name sample:number";

/// Adds a trigger that notifies, and subscribes to it.
fn trigger(stage: &mut Stage, name: &str, condition: &str) -> Subscriber {
    stage.lttng_ok(&format!("add-trigger --name={name} {condition} --action notify"));
    let mut subscriber = Subscriber::start(&stage.arena);
    subscriber.tell(&format!("subscribe={name}"));
    subscriber
}

fn note(stage: &mut Stage, told: &[String]) {
    stage.note(&told.join("\n"));
}

#[test]
fn what_a_python_program_logs_is_told() {
    both(|stage| {
        let condition = "--condition event-rule-matches --type python";
        let captures = "--capture logger_name --capture msg --capture int_loglevel";
        let rule = format!("{condition} --name app --log-level=WARNING..CRITICAL {captures}");
        let mut told = trigger(stage, "severe", &rule);
        let rule = format!("{condition} --name lib --filter 'msg == \"m*\"' {captures}");
        let mut matching = trigger(stage, "matching", &rule);
        let mut program = Program::python(&stage.arena);
        for line in [
            "log app 20 low",
            "log app 30 warning",
            "log other 50 nothing",
            "log app 40 error",
            "log lib 10 no",
            "log lib 10 match",
        ] {
            program.tell(line);
        }
        note(stage, &told.take(2));
        note(stage, &matching.take(1));
        program.finish();
    });
}

#[test]
fn what_programs_log_that_were_there_before_is_told() {
    alone(|stage| {
        let mut program = Program::python(&stage.arena);
        let rule = "--condition event-rule-matches --type python --name app --capture msg";
        let mut told = trigger(stage, "t", rule);
        program.tell("log app 20 one");
        assert!(told.take(1)[0].contains("one"));
        // A session and a trigger that want the same do not take it from each other.
        stage.lttng_ok("create s");
        stage.lttng_ok("enable-event -p app");
        stage.lttng_ok("start");
        program.tell("log app 20 two");
        assert!(told.take(1)[0].contains("two"));
        stage.lttng_ok("destroy s");
        assert_eq!(stage.events("s").len(), 1);
        program.tell("log app 20 three");
        assert!(told.take(1)[0].contains("three"));
        // The stock daemon removes none for agents, by an error.
        stage.lttng_ok("remove-trigger t");
        program.tell("log app 20 four");
        assert_eq!(stage.lttng_ok("list-triggers").trim(), "");
        program.finish();
    });
}

#[test]
fn what_java_programs_log_is_told() {
    both(|stage| {
        for (domain, logger, level, most) in
            [("jul", "app", "WARNING", "SEVERE"), ("log4j", "app", "WARN", "FATAL")]
        {
            let rule = format!(
                "--condition event-rule-matches --type {domain} --name {logger} \
                 --log-level={level}..{most} --capture logger_name --capture msg"
            );
            let mut told = trigger(stage, domain, &rule);
            let Some(mut program) = Program::java(&stage.arena, domain) else { return };
            program.tell(&format!("log {logger} INFO low"));
            program.tell(&format!("log {logger} {level} one"));
            program.tell(&format!("log {logger} {level} two"));
            note(stage, &told.take(2));
            program.finish();
        }
    });
}

/// How many events a trigger's listing says were not told.
fn discarded(arena: &Arena) -> usize {
    let listed = arena.lttng_ok("list-triggers");
    let line = listed.lines().find(|line| line.contains("discarded tracer messages"));
    // What is 0 is not listed.
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[test]
fn events_that_a_program_could_not_tell_are_counted_and_the_others_told() {
    alone(|stage| {
        const EVENTS: usize = 8000;
        let mut subscriber = trigger(stage, "t", NUMBER);
        assert_eq!(discarded(&stage.arena), 0);
        let mut program = stage.program();
        stage.arena.signal(stage.daemon.pid(), Signal::STOP);
        program.tell(&format!("number={EVENTS}"));
        stage.arena.signal(stage.daemon.pid(), Signal::CONT);
        let lost = discarded(&stage.arena);
        assert!((1..EVENTS).contains(&lost), "{lost}");
        assert_eq!(subscriber.take(EVENTS - lost).len(), EVENTS - lost);
        assert_eq!(subscriber.ask("pending"), 0);
        program.finish();
        assert_eq!(discarded(&stage.arena), lost, "they outlive the program");
        stage.lttng_ok("remove-trigger t");
        let _subscriber = trigger(stage, "t", NUMBER);
        assert_eq!(discarded(&stage.arena), 0, "another begins anew");
    });
}

#[cfg(debug_assertions)]
#[test]
fn a_script_has_events_stay_where_they_are_until_it_wants_them() {
    const EVENTS: usize = 8000;
    let arena = Arena::new();
    let pipe = arena.file("pause");
    let environment =
        [("LTTNG_TESTPOINT_ENABLE", "1"), ("NOTIFIER_PAUSE_PIPE_PATH", pipe.to_str().unwrap())];
    let daemon = Daemon::start_with(&arena, Which::Ours, &[], &environment);
    arena.lttng_ok(&format!("add-trigger --name=t {NUMBER} --action notify"));
    let mut subscriber = Subscriber::start(&arena);
    subscriber.tell("subscribe=t");
    let mut program = Program::ready(&arena);
    program.tell("number=1");
    subscriber.take(1);
    std::fs::write(&pipe, b"1").unwrap();
    program.tell(&format!("number={EVENTS}"));
    let lost = discarded(&arena);
    assert!((1..EVENTS).contains(&lost), "{lost}");
    assert_eq!(subscriber.ask("pending"), 0, "nothing is told");
    std::fs::write(&pipe, b"\0").unwrap();
    assert_eq!(subscriber.take(EVENTS - lost).len(), EVENTS - lost);
    program.finish();
    daemon.stop(&arena);
    assert!(!pipe.exists(), "the pipe goes with its daemon");
}

#[test]
fn there_are_as_many_triggers_on_events_as_counters() {
    let transcript = |which| {
        let mut stage =
            Stage::with_options(which, &["--event-notifier-error-buffer-size-userspace=2"]);
        for name in ["a", "b", "c"] {
            stage.lttng(&format!("add-trigger --name={name} {NUMBER} --action notify"));
        }
        stage.lttng_ok("remove-trigger a");
        stage.lttng_ok(&format!("add-trigger --name=d {NUMBER} --action notify"));
        stage.lttng_ok("list-triggers");
        stage.end()
    };
    assert_eq!(transcript(Which::Ours), transcript(Which::Stock));
}

#[test]
fn a_program_that_stands_still_delays_its_own_notifications_alone() {
    alone(|stage| {
        let mut still = stage.program();
        let mut other = stage.program();
        stage.arena.signal(still.pid(), Signal::STOP);
        let mut subscriber = trigger(stage, "first", NUMBER);
        // It has been waited for once.
        let begun = Instant::now();
        for name in ["a", "b", "c"] {
            stage.lttng_ok(&format!(
                "add-trigger --name={name} {NUMBER} --filter 'number == 9' --action notify"
            ));
        }
        stage.is_unconcerned(begun.elapsed());
        other.tell("number=1");
        assert_eq!(subscriber.take(1).len(), 1);
        stage.arena.signal(still.pid(), Signal::CONT);
        eventually("it tells of its events", || {
            still.tell("number=1");
            (subscriber.ask("pending") == 1).then_some(())
        });
        still.finish();
        other.finish();
    });
}

#[test]
fn programs_live_on_when_the_daemon_ends_and_tell_the_next_one() {
    let arena = Arena::new();
    let add = format!("add-trigger --name=t {NUMBER} --action notify");
    let daemon = Daemon::start(&arena, Which::Ours, &[]);
    arena.lttng_ok(&add);
    let mut program = Program::ready(&arena);
    program.begin("number=3000000");
    let mut subscriber = Subscriber::start(&arena);
    subscriber.tell("subscribe=t");
    subscriber.take(10);
    daemon.stop(&arena);
    program.done("number=3000000");
    let daemon = Daemon::start(&arena, Which::Ours, &[]);
    arena.lttng_ok(&add);
    let mut subscriber = Subscriber::start(&arena);
    subscriber.tell("subscribe=t");
    eventually("it has registered again", || {
        program.tell("number=1");
        (subscriber.ask("pending") == 1).then_some(())
    });
    program.finish();
    daemon.stop(&arena);
}

#[test]
fn nothing_stays_of_programs_that_had_notifiers() {
    alone(|stage| {
        let one = |stage: &Stage| {
            let mut program = stage.program();
            program.tell("number=1");
            program.finish();
        };
        let mut subscriber = trigger(stage, "t", NUMBER);
        one(stage);
        subscriber.take(1);
        let before = stage.daemon.descriptors_at_rest();
        for _ in 0..10 {
            one(stage);
        }
        assert_eq!(subscriber.take(10).len(), 10);
        stage.daemon.settles_to_descriptors(before);
    });
}
