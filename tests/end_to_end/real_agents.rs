//! Real agents: Python programs, and Java programs where there is a JDK, traced by both daemons.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::LazyLock;

use regex::Regex;
use rustix::process::Signal;

use super::agents::{agents_address, told_port};
use super::world::{Arena, Daemon, Program, Stage, Which, alone, both, eventually};

/// Notes what was recorded of `session`: logger, level and message of each event, and its contexts.
fn messages(stage: &mut Stage, session: &str) -> Vec<String> {
    static FIELD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"(_?app_[a-z_]*|msg|logger_name|int_loglevel|vpid|string|type) = ("[^"]*"|[^ ,]*)"#,
        )
        .unwrap()
    });

    let directory = stage.arena.trace_of(session);
    let events = stage.arena.events(&directory).into_iter().map(|event| {
        let text = format!("{} {}", event.context, event.fields);
        let fields: Vec<_> = FIELD.find_iter(&text).map(|field| field.as_str()).collect();
        format!("{} {}", event.name, fields.join(", "))
    });
    let events: Vec<_> = events.collect();
    stage.note(&events.join("\n"));
    events
}

/// The loggers of a listing, in one order.
fn loggers(stage: &mut Stage, domain: &str) {
    let listing = stage.arena.lttng_ok(&format!("list {domain}"));
    let mut lines: Vec<_> = listing.lines().collect();
    lines.sort_unstable();
    stage.note(&lines.join("\n"));
}

#[test]
fn python_programs_are_listed_and_recorded() {
    both(|stage| {
        let mut early = Program::python(&stage.arena);
        loggers(stage, "-p");
        stage.lttng_ok("create s");
        stage.lttng_ok("enable-event -p app");
        stage.lttng_ok("enable-event -p lib --loglevel=PYTHON_WARNING");
        stage.lttng_ok("enable-event -p lib.io --filter='msg == \"m*\"'");
        stage.lttng_ok("start");
        let mut late = Program::python(&stage.arena);
        loggers(stage, "-p");
        for program in [&mut early, &mut late] {
            for line in [
                "log app 20 one",
                "log other 50 nothing",
                "log app 10 two",
                "log lib 20 low",
                "log lib 30 warning",
                "log lib 40 error",
                "log lib.io 30 match",
                "log lib.io 30 no",
            ] {
                program.tell(line);
            }
        }
        // Rules that come and go while it runs.
        stage.lttng_ok("enable-event -p other");
        early.tell("log other 20 enabled");
        stage.lttng_ok("disable-event -p app");
        early.tell("log app 20 disabled");
        stage.lttng_ok("enable-event -p app");
        late.tell("log app 20 again");
        late.finish();
        stage.lttng_ok("disable-event -p -a");
        early.tell("log app 50 nothing");
        stage.lttng_ok("enable-event -p -a --loglevel=PYTHON_ERROR");
        early.tell("log unheard 40 every");
        early.tell("log unheard 30 low");
        stage.lttng_ok("stop");
        early.tell("log unheard 50 stopped");
        stage.lttng_ok("destroy s");
        early.tell("log app 50 gone");
        early.finish();
        assert_eq!(messages(stage, "s").len(), 13);
    });
}

#[test]
fn two_sessions_and_per_process_buffers() {
    both(|stage| {
        stage.lttng_ok("create a");
        stage.lttng_ok("enable-channel -u --buffers-pid lttng_python_channel");
        stage.lttng_ok("enable-event -p app");
        stage.lttng_ok("create b");
        stage.lttng_ok("enable-event -p app");
        stage.lttng_ok("enable-event -p lib");
        stage.lttng_ok("start a");
        stage.lttng_ok("start b");
        let mut program = Program::python(&stage.arena);
        program.tell("log app 20 both");
        program.tell("log lib 20 one");
        stage.lttng_ok("destroy a");
        program.tell("log app 20 left");
        program.tell("log lib 20 left");
        stage.lttng_ok("destroy b");
        program.finish();
        assert_eq!(messages(stage, "a").len(), 1);
        assert_eq!(messages(stage, "b").len(), 4);
    });
}

#[test]
fn an_agent_finds_a_daemon_that_is_started_again() {
    for which in [Which::Stock, Which::Ours] {
        let arena = Arena::new();
        let daemon = Daemon::start(&arena, which, &[]);
        let mut program = Program::python(&arena);
        arena.lttng_ok("create before");
        arena.lttng_ok("enable-event -p app");
        daemon.stop(&arena);
        // Its port is that of the first daemon, some connections to which are not forgotten yet.
        let daemon = Daemon::start(&arena, which, &[]);
        arena.lttng_ok("create after");
        arena.lttng_ok("enable-event -p app");
        arena.lttng_ok("start");
        eventually("the agent is back", || {
            arena.lttng_ok("list -p").contains(&format!("PID: {} ", program.pid())).then_some(())
        });
        program.tell("log app 20 heard");
        arena.lttng_ok("destroy");
        program.finish();
        let events = arena.events(&arena.trace_of("after"));
        assert_eq!(events.len(), 1, "{which:?}: {events:?}");
        daemon.stop(&arena);
    }
}

fn java(option: &'static str, api: &'static str, levels: [&'static str; 3], named: &'static str) {
    both(|stage| {
        let Some(mut early) = Program::java(&stage.arena, api) else {
            stage.note("no Java");
            return;
        };
        loggers(stage, option);
        stage.lttng_ok("create s");
        stage.lttng_ok(&format!("enable-event {option} app"));
        stage.lttng_ok(&format!("enable-event {option} 'lib.*' --loglevel={named}"));
        let filter = "msg != \"no\" && $app.prov:last == \"one\"";
        stage.lttng_ok(&format!("enable-event {option} lib --filter='{filter}'"));
        stage.lttng_ok(&format!("add-context {option} -t '$app.prov:last' -t vpid"));
        stage.lttng_ok("start");
        let mut late = Program::java(&stage.arena, api).unwrap();
        for program in [&mut early, &mut late] {
            for (logger, level, message) in [
                ("app", 0, "one"),
                ("lib", 0, "yes"),
                ("lib", 0, "no"),
                ("lib.io", 0, "low"),
                ("lib.io", 1, "as"),
                ("lib.io", 2, "more"),
                ("app", 2, "two"),
            ] {
                program.tell(&format!("log {logger} {} {message}", levels[level]));
            }
        }
        stage.lttng_ok(&format!("disable-event {option} app"));
        early.tell(&format!("log app {} disabled", levels[2]));
        stage.lttng_ok(&format!("enable-event {option} app"));
        early.tell(&format!("log app {} again", levels[2]));
        stage.lttng_ok("destroy s");
        early.finish();
        late.finish();
        assert_eq!(messages(stage, "s").len(), 11);
    });
}

#[test]
fn java_util_logging_is_recorded() {
    java("-j", "jul", ["FINE", "INFO", "SEVERE"], "JUL_INFO");
}

#[test]
fn log4j_is_recorded() {
    java("-l", "log4j", ["DEBUG", "INFO", "FATAL"], "LOG4J_INFO");
}

#[test]
fn a_stopped_agent_delays_only_who_needs_it() {
    let arena = Arena::new();
    let environment = [("LTTNG_APP_SOCKET_TIMEOUT", "1")];
    let daemon = Daemon::start_with(&arena, Which::Ours, &[], &environment);
    let mut stopped = Program::python(&arena);
    let mut other = Program::python(&arena);
    arena.signal(stopped.pid(), Signal::STOP);
    arena.lttng_ok("create s");
    arena.lttng_ok("enable-event -p app");
    arena.lttng_ok("start");
    let listing = arena.lttng_ok("list -p");
    assert!(listing.contains(&format!("PID: {} ", other.pid())), "{listing}");
    assert!(!listing.contains(&format!("PID: {} ", stopped.pid())), "{listing}");
    other.tell("log app 20 other");
    arena.signal(stopped.pid(), Signal::CONT);
    // Its agent and its tracepoints are set aside each by itself, and are listed when they have caught up.
    let program = format!("PID: {} ", stopped.pid());
    eventually("it catches up", || {
        let lists = ["list -p", "list -u"];
        lists.iter().all(|list| arena.lttng_ok(list).contains(&program)).then_some(())
    });
    stopped.tell("log app 20 stopped");
    arena.lttng_ok("destroy s");
    assert_eq!(arena.events(&arena.trace_of("s")).len(), 2);
    stopped.finish();
    other.finish();
    daemon.stop(&arena);
}

#[test]
fn whatever_connects_is_nobody_elses_trouble() {
    alone(|stage| {
        let address = agents_address(&stage.arena);
        let connect = || stage.arena.in_network(|| TcpStream::connect(address).unwrap());
        let mut strangers: Vec<_> = (0..20).map(|_| connect()).collect();
        let agent = [0_u32, 0, 2, 0].map(u32::to_be_bytes).concat();
        for (at, stranger) in strangers.iter_mut().enumerate() {
            match at % 4 {
                0 => {}
                1 => stranger.write_all(&agent[..7]).unwrap(),
                2 => stranger.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap(),
                _ => {
                    // An agent that never says a word again, or too many.
                    let mut agent = agent.clone();
                    agent[3] = 5;
                    stranger.write_all(&agent).unwrap();
                    if at > 10 {
                        stranger.write_all(&[0; 100]).unwrap();
                    }
                }
            }
        }
        let mut program = Program::python(&stage.arena);
        stage.lttng_ok("create s");
        stage.lttng_ok("enable-event -p app");
        stage.lttng_ok("start");
        program.tell("log app 20 heard");
        stage.lttng_ok("destroy s");
        program.finish();
        assert_eq!(messages(stage, "s").len(), 1);
        let http = &mut strangers[2];
        // Closed, with or without a reset.
        let _ = http.read_to_end(&mut Vec::new());
    });
}

#[test]
fn the_port_is_free_and_told() {
    for which in [Which::Stock, Which::Ours] {
        for (options, busy, expected) in [
            (vec![], vec![], Some("5345\n")),
            (vec![], vec![5345, 5346], Some("5347\n")),
            (vec![], (5345..=5354).collect(), None),
            (vec!["--agent-tcp-port=6345"], vec![], Some("6345\n")),
            (vec!["--agent-tcp-port=6345"], vec![6345], None),
        ] {
            let arena = Arena::new();
            if !arena.is_root() {
                // Others use the network of this machine as well.
                return;
            }
            let bind = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).unwrap();
            let held: Vec<_> = arena.in_network(|| busy.iter().map(bind).collect());
            let daemon = Daemon::start(&arena, which, &options);
            if expected.is_some() {
                // The stock daemon may answer before it has written it.
                eventually("the port is told", || told_port(&arena));
            }
            assert_eq!(told_port(&arena).as_deref(), expected, "{which:?} {options:?} {busy:?}");
            for domain in ["-j", "-l", "-p"] {
                let listed = arena.lttng(&format!("list {domain}"));
                assert_eq!(listed.code == 0, expected.is_some(), "{which:?} {listed:?}");
                let disabled = listed.stderr.contains("agent tracing is disabled");
                assert_eq!(disabled, expected.is_none(), "{which:?} {listed:?}");
            }
            daemon.stop(&arena);
            assert_eq!(told_port(&arena), None);
            drop(held);
        }
    }
}
