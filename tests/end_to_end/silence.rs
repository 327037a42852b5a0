//! Applications and agents that do not answer, in which nothing is wrong with their data: they cost the
//! first command that meets them the time that it waits for them, and nobody else anything.

use std::time::Duration;

use lttngd_model::Domain;
use lttngd_peer::{AgentAct, AgentScript, FakeAgent, Gate};
use rustix::process::Signal;

use super::agents::agents_address;
use super::world::{Arena, Program, Stage, alone, both, eventually};

/// What a command takes that does not wait for an application: less than the 5 s that it would wait.
const AT_ONCE: Duration = Duration::from_millis(4500);

/// What the log says of an application or an agent that is not waited for any more, and that is again.
const SET_ASIDE: &str = "does not answer and is set aside";
const ANSWERS_AGAIN: &str = "that was set aside answers again";

/// Runs commands of `lttng`, which must succeed; those that took as long as one that waits.
fn slow<'a>(arena: &Arena, commands: &[&'a str]) -> Vec<&'a str> {
    let is_slow = |command: &&&str| {
        let answer = arena.lttng(command);
        assert_eq!(answer.code, 0, "lttng {command}: {answer:#?}");
        answer.took >= AT_ONCE
    };
    commands.iter().filter(is_slow).copied().collect()
}

/// Commands for two sessions that record, and for one that is made meanwhile.
const COMMANDS: [&str; 22] = [
    "enable-event -u -s one sample:text",
    "disable-event -u -s one sample:text",
    "enable-event -u -s two sample:text --loglevel-only=INFO",
    "list -u",
    "list -u -f",
    "list one",
    "regenerate statedump -s one",
    "regenerate metadata -s one",
    "rotate one",
    "clear two",
    "stop two",
    "start two",
    "create late",
    "enable-event -u -s late sample:number",
    "start late",
    "stop late",
    "destroy late",
    "create flight --snapshot",
    "enable-event -u -s flight sample:number",
    "start flight",
    "snapshot record -s flight",
    "destroy flight",
];

fn times(log: &str, what: &str) -> usize {
    log.matches(what).count()
}

fn two_sessions(stage: &Stage) {
    for name in ["one", "two"] {
        stage.arena.lttng_ok(&format!("create {name}"));
        stage.arena.lttng_ok(&format!("enable-event -u -s {name} sample:number"));
        stage.arena.lttng_ok(&format!("start {name}"));
    }
}

/// A program that forks without the helper library and whose parent ends leaves its socket to a child that
/// does not read it. Neither daemon waits for it more than once.
#[test]
fn the_socket_of_a_dead_program_in_the_hands_of_its_child_costs_one_deadline() {
    both(|stage| {
        stage.lttng_ok("create o");
        stage.lttng_ok("enable-event -u 'lttng_ust_libc:*'");
        stage.lttng_ok("start");
        let pipe = stage.arena.file("p").display().to_string();
        let script = format!(
            "mkfifo {pipe}; LD_PRELOAD=liblttng-ust-libc-wrapper.so \
             bash -c '(exec 9<>{pipe}; read -t 60 -u 9) & exit 0'"
        );
        assert!(stage.arena.command("bash").args(["-c", &script]).status().unwrap().success());
        let commands = [
            "enable-event -u sample:number",
            "enable-event -u sample:text",
            "enable-event -u sample:more",
            "list -u",
            "stop",
            "destroy",
        ];
        let slow = slow(&stage.arena, &commands);
        stage.note(&format!("slow: {slow:?}"));
        assert_eq!(slow, ["enable-event -u sample:number"], "{:?}", stage.which);
        let children = stage.arena.processes_named("bash");
        assert_eq!(children.len(), 1, "the child outlives its parent");
        stage.arena.signal(children[0], Signal::KILL);
    });
}

#[test]
fn a_stopped_program_costs_one_command_its_time_and_follows_when_it_goes_on() {
    alone(|stage| {
        let mut victim = stage.program();
        two_sessions(stage);
        victim.tell("number=5");
        stage.arena.signal(victim.pid(), Signal::STOP);
        let first = stage.arena.lttng("stop one");
        assert!(first.code == 0 && first.took >= AT_ONCE, "{first:#?}");
        // What it has recorded is there although it does not answer.
        assert_eq!(stage.arena.events(&stage.arena.trace_of("one")).len(), 5);
        stage.arena.lttng_ok("start one");
        assert_eq!(slow(&stage.arena, &COMMANDS), [""; 0]);
        stage.arena.lttng_ok("create kept");
        stage.arena.lttng_ok("enable-event -u -s kept sample:number");
        assert_eq!(slow(&stage.arena, &["start kept"]), [""; 0]);
        let log = stage.daemon.log();
        assert_eq!((times(&log, SET_ASIDE), times(&log, ANSWERS_AGAIN)), (1, 0), "{log}");

        stage.arena.signal(victim.pid(), Signal::CONT);
        eventually("it answers again", || {
            (times(&stage.daemon.log(), ANSWERS_AGAIN) == 1).then_some(())
        });
        // Its wish is fulfilled without any command, and it is listed, and waited for, again.
        eventually("it is listed", || {
            stage.arena.lttng_ok("list -u").contains("sample:number").then_some(())
        });
        victim.tell("number=3");
        for name in ["one", "two", "kept"] {
            stage.arena.lttng_ok(&format!("destroy {name}"));
        }
        assert_eq!(stage.arena.events(&stage.arena.trace_of("kept")).len(), 3);
        assert_eq!(times(&stage.daemon.log(), SET_ASIDE), 1);
        victim.finish();
    });
}

/// Buffers that nobody wrote to, and of which nobody said what is in them, are no obstacle to reading the rest.
#[test]
fn what_others_recorded_is_read_beside_a_program_that_never_answered() {
    both(|stage| {
        let mut good = stage.program();
        let mut victim = stage.program();
        stage.arena.signal(victim.pid(), Signal::STOP);
        stage.lttng_ok("create beside");
        stage.lttng_ok("enable-channel -u --buffers-pid own");
        stage.lttng_ok("add-context -u -c own -t procname");
        stage.lttng_ok("enable-event -u -c own sample:number");
        stage.lttng_ok("start");
        good.tell("number=4");
        stage.lttng_ok("stop");
        assert_eq!(stage.events("beside").len(), 4);
        stage.lttng_ok("start");
        // Their words are not the same.
        stage.arena.lttng_ok("rotate");
        good.tell("number=3");
        stage.arena.lttng_ok("destroy");
        assert_eq!(stage.events("beside").len(), 7);
        victim.kill();
        good.finish();
    });
}

#[test]
fn ten_stopped_programs_cost_one_deadline_together() {
    alone(|stage| {
        let programs: Vec<_> = (0..10).map(|_| stage.program()).collect();
        two_sessions(stage);
        programs.iter().for_each(|program| stage.arena.signal(program.pid(), Signal::STOP));
        // Several commands meet them at the same time.
        let arena = &stage.arena;
        let together = ["enable-event -u -s one sample:other", "stop two", "list -u"];
        let took = std::thread::scope(|scope| {
            let run = |command| scope.spawn(move || arena.lttng(command).took);
            together.map(run).map(|running| running.join().unwrap())
        });
        let twice = AT_ONCE * 2;
        assert!(took.iter().all(|took| (AT_ONCE..twice).contains(took)), "{took:?}");
        stage.arena.lttng_ok("start two");
        assert_eq!(slow(arena, &COMMANDS), [""; 0]);
        assert_eq!(slow(arena, &["destroy one", "destroy two"]), [""; 0]);
        let log = stage.daemon.log();
        assert_eq!(times(&log, SET_ASIDE), programs.len(), "{log}");
        programs.iter().for_each(|program| arena.signal(program.pid(), Signal::CONT));
        programs.into_iter().for_each(Program::finish);
    });
}

/// How many programs the daemon says do not answer.
fn set_aside(stage: &Stage) -> usize {
    let mut command = stage.arena.command(stage.which.program());
    let shown = command.arg("status").output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    times(&String::from_utf8(shown.stdout).unwrap(), "it does not answer")
}

#[test]
fn a_hundred_stopped_programs_beside_three_that_run_cost_one_deadline_together() {
    const STOPPED: usize = 100;
    alone(|stage| {
        let mut stopped: Vec<_> = (0..STOPPED).map(|_| stage.program()).collect();
        let mut running: Vec<_> = (0..3).map(|_| stage.program()).collect();
        two_sessions(stage);
        stopped.iter().for_each(|program| stage.arena.signal(program.pid(), Signal::STOP));
        for program in &mut running {
            program.tell("number=5");
        }
        let first = stage.arena.lttng("enable-event -u -s one sample:text");
        let once = AT_ONCE..AT_ONCE * 2;
        assert!(first.code == 0 && once.contains(&first.took), "{first:#?}");
        assert_eq!(set_aside(stage), STOPPED);
        let commands = ["stop one", "start one", "stop two", "start two", "destroy two"];
        assert_eq!(slow(&stage.arena, &commands), [""; 0]);
        for program in &mut running {
            program.tell("number=3");
        }
        assert_eq!(slow(&stage.arena, &["stop one"]), [""; 0]);
        let recorded = || stage.arena.events(&stage.arena.trace_of("one")).len();
        assert_eq!(recorded(), running.len() * 8, "who runs is recorded whole");
        assert_eq!(slow(&stage.arena, &["start one"]), [""; 0]);

        stopped.iter().for_each(|program| stage.arena.signal(program.pid(), Signal::CONT));
        eventually("all answer again", || (set_aside(stage) == 0).then_some(()));
        for program in &mut stopped {
            program.tell("number=1");
        }
        assert_eq!(slow(&stage.arena, &["stop one"]), [""; 0]);
        assert_eq!(recorded(), running.len() * 8 + STOPPED, "and so is who goes on");
        assert_eq!(slow(&stage.arena, &["destroy one"]), [""; 0]);
        stopped.into_iter().chain(running).for_each(Program::finish);
    });
}

#[test]
fn an_agent_that_falls_silent_costs_one_command_its_time_and_catches_up() {
    alone(|stage| {
        let gate = Gate::default();
        let held = gate.clone();
        let address = agents_address(&stage.arena);
        let script = AgentScript::new(Domain::Jul, move |request| match request.index {
            0 | 1 => AgentAct::Answer,
            _ => AgentAct::Late(held.clone()),
        });
        let agent = stage.arena.in_network(|| FakeAgent::connect(address, script).unwrap());
        eventually("it is registered", || (agent.numbers() == [4]).then_some(()));
        stage.arena.lttng_ok("create one");
        stage.arena.lttng_ok("enable-event -j -s one a");
        stage.arena.lttng_ok("start one");
        let first = stage.arena.lttng("enable-event -j -s one b");
        assert!(first.code == 0 && first.took >= AT_ONCE, "{first:#?}");
        let commands = [
            "enable-event -j -s one c",
            "disable-event -j -s one b",
            "list -j",
            "stop one",
            "create late",
            "enable-event -j -s late d",
            "start late",
            "destroy late",
            "create kept",
            "enable-event -j -s kept e",
            "destroy one",
        ];
        assert_eq!(slow(&stage.arena, &commands), [""; 0]);
        gate.open();
        eventually("it has what is wanted now", || (agent.enabled() == ["e"]).then_some(()));
        eventually("it is asked again", || {
            stage.arena.lttng_ok("list -j");
            (agent.numbers().last() == Some(&1)).then_some(())
        });
        let log = stage.daemon.log();
        assert_eq!((times(&log, SET_ASIDE), times(&log, ANSWERS_AGAIN)), (1, 1), "{log}");
        stage.arena.lttng_ok("destroy kept");
        assert_eq!((agent.enabled(), agent.faults()), (Vec::new(), Vec::new()));
    });
}
