//! Changes of a session while it is used: rules, channels and applications that come and go.

use super::world::{Event, Program, Stage, both, program};

/// The numbers of the recorded `sample:number` events, in order.
fn numbers(events: &[Event]) -> Vec<i32> {
    let number = regex::Regex::new(r"number = (-?\d+)").unwrap();
    events
        .iter()
        .filter(|event| event.name == "sample:number")
        .map(|event| number.captures(&event.fields).unwrap()[1].parse().unwrap())
        .collect()
}

/// A session of this name that records `rule`, not started.
fn session(stage: &mut Stage, name: &str, rule: &str) {
    stage.lttng_ok(&format!("create {name}"));
    stage.lttng_ok(&format!("enable-event -u {rule}"));
}

#[test]
fn start_stop_start() {
    both(|stage| {
        let mut program = stage.program();
        session(stage, "pause", "sample:number");
        for _ in 0..3 {
            stage.lttng_ok("start");
            program.tell("number=2");
            stage.lttng_ok("stop");
            program.tell("number=1");
        }
        assert_eq!(numbers(&stage.events("pause")), [0, 1, 3, 4, 6, 7]);
        stage.layout();
        stage.lttng_ok("list pause");
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn rules_enabled_and_disabled_while_running() {
    both(|stage| {
        let mut program = stage.program();
        session(stage, "rules", "sample:alarm");
        stage.lttng_ok("start");
        program.tell("number=1");
        stage.lttng_ok("enable-event -u sample:number");
        program.tell("number=1");
        stage.lttng_ok("disable-event -u sample:number");
        program.tell("number=1");
        stage.lttng_ok("enable-event -u sample:number");
        program.tell("number=1");
        stage.lttng_ok("disable-channel -u channel0");
        program.tell("number=1");
        stage.lttng_ok("enable-channel -u channel0");
        program.tell("number=1");
        stage.lttng_ok("disable-event -u --all-events");
        program.tell("number=1");
        program.tell("levels=1");
        stage.lttng_ok("list rules");
        stage.lttng_ok("stop");
        assert_eq!(numbers(&stage.events("rules")), [1, 3, 5]);
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn filters_exclusions_and_log_levels() {
    both(|stage| {
        let mut program = stage.program();
        session(stage, "filter", "sample:number --filter '(number & 1) == 1 || text == \"x*\"'");
        stage.lttng_ok("start");
        program.tell("number=6");
        program.tell("text=xylophone");
        program.tell("number=2");
        stage.lttng_ok("stop");
        assert_eq!(numbers(&stage.events("filter")), [1, 3, 5, 6, 7]);
        stage.lttng_ok("destroy");

        session(stage, "exclude", "'sample:*' --exclude 'sample:a*,sample:detail'");
        stage.lttng_ok("start");
        program.tell("levels=1");
        stage.lttng_ok("stop");
        let events = stage.events("exclude");
        assert_eq!(events.len(), 2, "{events:?}");
        stage.lttng_ok("destroy");

        session(stage, "severe", "'sample:*' --loglevel=TRACE_WARNING");
        stage.lttng_ok("enable-event -u sample:detail --loglevel-only=TRACE_DEBUG");
        stage.lttng_ok("start");
        program.tell("levels=1");
        stage.lttng_ok("stop");
        assert_eq!(stage.events("severe").len(), 3);
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn context_filters() {
    both(|stage| {
        let mut program = stage.program();
        let mut other = stage.program();
        let rule = format!("sample:number --filter '$ctx.vpid == {}'", program.pid());
        stage.arena.lttng_ok("create ctx");
        stage.arena.lttng_ok(&format!("enable-event -u {rule}"));
        stage.lttng_ok("start");
        program.tell("number=3");
        other.tell("number=5");
        stage.lttng_ok("stop");
        assert_eq!(stage.events("ctx").len(), 3);
        stage.lttng_ok("destroy");
        program.finish();
        other.finish();
    });
}

#[test]
fn two_sessions_at_once() {
    both(|stage| {
        let mut program = stage.program();
        session(stage, "one", "sample:number");
        session(stage, "two", "'sample:*'");
        stage.lttng_ok("start one");
        program.tell("number=1");
        stage.lttng_ok("start two");
        program.tell("number=2");
        program.tell("levels=1");
        stage.lttng_ok("stop one");
        program.tell("number=1");
        stage.lttng_ok("stop two");
        assert_eq!(numbers(&stage.events("one")), [0, 1, 2]);
        let events = stage.events("two");
        assert_eq!(events.len(), 2 + 4 + 1);
        stage.lttng_ok("destroy one");
        stage.lttng_ok("start two");
        program.tell("number=1");
        stage.lttng_ok("destroy two");
        assert_eq!(stage.events("two").len(), 8);
        program.finish();
    });
}

#[test]
fn two_channels() {
    both(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create channels");
        stage.lttng_ok("enable-channel -u first");
        stage.lttng_ok("enable-channel -u second --subbuf-size=128k");
        stage.lttng_ok("enable-event -u -c first sample:number");
        stage.lttng_ok("enable-event -u -c second 'sample:*'");
        stage.lttng_ok("add-context -u -c second -t procname");
        stage.lttng_ok("start");
        program.tell("number=2");
        program.tell("levels=1");
        stage.lttng_ok("stop");
        let directory = stage.arena.trace_of("channels");
        let events = stage.arena.events(&directory);
        assert_eq!(events.len(), 2 + 2 + 4);
        let with_name = events.iter().filter(|event| event.context.contains("procname")).count();
        assert_eq!(with_name, 2 + 4);
        stage.layout();
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn providers_loaded_while_running() {
    both(|stage| {
        let mut program = stage.program();
        session(stage, "loading", "-a");
        stage.lttng_ok("start");
        for number in 0..10 {
            let library = program::provider(&format!("plugin{number}"));
            program.tell(&format!("load={}", library.display()));
        }
        program.tell("unload");
        program.tell(&format!("load={}", program::provider("plugin9").display()));
        stage.lttng_ok("stop");
        assert_eq!(stage.events("loading").len(), 11);
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn trackers_choose_processes() {
    both(|stage| {
        let mut wanted = stage.program();
        let mut unwanted = stage.program();
        session(stage, "tracked", "sample:number");
        stage.arena.lttng_ok(&format!("track -u --vpid={}", wanted.pid()));
        stage.lttng_ok("start");
        wanted.tell("number=1");
        unwanted.tell("number=1");
        stage.arena.lttng_ok(&format!("track -u --vpid={}", unwanted.pid()));
        unwanted.tell("number=2");
        stage.arena.lttng_ok(&format!("untrack -u --vpid={}", wanted.pid()));
        wanted.tell("number=3");
        stage.lttng_ok("stop");
        assert_eq!(numbers(&stage.events("tracked")), [0, 1, 2]);
        stage.lttng_ok("destroy");
        wanted.finish();
        unwanted.finish();
    });
}

#[test]
fn application_killed_while_tracing() {
    both(|stage| {
        session(stage, "killed", "sample:number");
        stage.lttng_ok("start");
        let mut victim = stage.program();
        victim.tell("number=5");
        victim.kill();
        let mut survivor: Program = stage.program();
        survivor.tell("number=2");
        stage.lttng_ok("stop");
        assert_eq!(stage.events("killed").len(), 7);
        stage.lttng_ok("destroy");
        survivor.finish();
    });
}
