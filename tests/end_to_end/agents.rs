//! The agent domains (JUL, log4j, Python): commands, listings, saved sessions.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use lttngd_model::Domain;
use lttngd_peer::{AgentScript, FakeAgent};
use lttngd_wire::agent::Command;

use super::world::{Arena, Daemon, Stage, Which, both, eventually};

/// The options of `lttng` for the agent domains, their channels, and a log level of each.
const DOMAINS: [(&str, &str, &str); 3] = [
    ("-j", "lttng_jul_channel", "JUL_INFO"),
    ("-l", "lttng_log4j_channel", "LOG4J_WARN"),
    ("-p", "lttng_python_channel", "PYTHON_WARNING"),
];

fn rules(stage: &mut Stage, domain: &str, level: &str) {
    let loglevel = [format!("app --loglevel={level}"), format!("app --loglevel-only={level}")];
    for arguments in [
        "app",
        "app",
        &loglevel[0],
        &loglevel[1],
        "'other.*' --filter='int_loglevel > 3 && msg == \"x\"'",
        "'other.*' --filter='int_loglevel > 3 && msg == \"x\"' --loglevel=nothing",
        "'a***b'",
        "app -c somewhere",
        "app -x b",
        "one,two",
        "--filter='x ==' app",
    ] {
        stage.lttng(&format!("enable-event {domain} {arguments}"));
    }
    list(stage);
    for arguments in ["app", "app", "nobody", "-c somewhere two", "one,nobody"] {
        stage.lttng(&format!("disable-event {domain} {arguments}"));
    }
    list(stage);
    stage.lttng(&format!("enable-event {domain} app"));
    stage.lttng(&format!("disable-event {domain} -a"));
    list(stage);
}

/// The rules of agents are in no channel, and the stock daemon has no order of them.
fn list(stage: &mut Stage) {
    let answer = stage.arena.lttng("list s");
    let mut lines: Vec<_> = answer.stdout.lines().collect();
    lines.sort_unstable();
    stage.note(&lines.join("\n"));
    stage.lttng("--mi=xml list s");
}

#[test]
fn rules_of_agents_are_made_and_listed() {
    both(|stage| {
        for (domain, _, level) in DOMAINS {
            stage.lttng(&format!("enable-event {domain} app"));
            stage.lttng_ok("create s");
            rules(stage, domain, level);
            stage.lttng(&format!("list {domain}"));
            stage.lttng_ok("start");
            stage.lttng(&format!("enable-event {domain} late"));
            stage.lttng_ok("stop");
            stage.lttng_ok("destroy");
        }
    });
}

/// Alone: where there are other rules, the stock daemon lists them as enabled by this one.
#[test]
fn a_rule_for_every_logger() {
    both(|stage| {
        for (domain, _, level) in DOMAINS {
            stage.lttng_ok("create s");
            for arguments in ["-a", "-a", "'*'", &format!("-a --loglevel={level}")] {
                stage.lttng(&format!("enable-event {domain} {arguments}"));
            }
            list(stage);
            stage.lttng(&format!("disable-event {domain} -a"));
            list(stage);
            stage.lttng_ok("destroy");
        }
    });
}

#[test]
fn channels_and_contexts_of_agents() {
    both(|stage| {
        for (domain, channel, _) in DOMAINS {
            stage.lttng_ok("create s");
            stage.lttng(&format!("enable-channel -u --subbuf-size=8k {channel}"));
            stage.lttng(&format!("enable-channel -u {channel}"));
            stage.lttng(&format!("disable-channel -u {channel}"));
            stage.lttng(&format!("enable-channel -u {channel}"));
            for arguments in [
                format!("{domain} -t vpid"),
                format!("{domain} -c other -t vtid"),
                format!("{domain} -c {channel} -t vtid"),
                format!("{domain} -t '$app.prov:ctx'"),
                format!("{domain} -c {channel} -t '$app.prov:ctx'"),
                format!("-u -c {channel} -t procname"),
            ] {
                stage.lttng(&format!("add-context {arguments}"));
            }
            stage.lttng(&format!("track {domain} --vpid=1"));
            stage.lttng(&format!("enable-event -u -c {channel} 'app:*'"));
            stage.lttng(&format!("enable-event {domain} app"));
            stage.lttng("enable-event -u app:e");
            stage.lttng(&format!("disable-event -u -c {channel} -a"));
            list(stage);
            stage.lttng(&format!("enable-event {domain} app"));
            stage.lttng_ok("start");
            stage.lttng(&format!("add-context {domain} -t vpid"));
            stage.lttng_ok("destroy");
        }
    });
}

#[test]
fn saved_rules_of_agents_come_back() {
    both(|stage| {
        stage.lttng_ok("create s");
        for (domain, _, level) in DOMAINS {
            stage.lttng_ok(&format!("enable-event {domain} app"));
            stage.lttng_ok(&format!("enable-event {domain} lib --loglevel={level}"));
            stage.lttng_ok(&format!("enable-event {domain} lib --loglevel-only={level}"));
            stage.lttng_ok(&format!("disable-event {domain} app"));
        }
        stage.lttng_ok("add-context -j -c lttng_jul_channel -t vpid -t '$app.prov:ctx'");
        stage.lttng_ok("add-context -l -c lttng_log4j_channel -t '$app.prov:ctx'");
        let place = stage.arena.file("saved");
        stage.lttng_ok(&format!("save s --output-path={}", place.display()));
        let mut lines: Vec<_> =
            fs::read_to_string(place.join("s.lttng")).unwrap().lines().map(str::to_owned).collect();
        lines.sort_unstable();
        stage.note(&lines.join("\n"));
        stage.lttng_ok("destroy s");
        stage.lttng_ok(&format!("load --input-path={}", place.display()));
        list(stage);
    });
}

/// The port that agents of a daemon are told of.
pub fn told_port(arena: &Arena) -> Option<String> {
    fs::read_to_string(arena.run_directory().join("agent.port")).ok()
}

/// Where agents connect, in the network of the arena.
pub fn agents_address(arena: &Arena) -> SocketAddr {
    let port = eventually("a port for agents", || told_port(arena)?.trim_end().parse().ok());
    (Ipv4Addr::LOCALHOST, port).into()
}

/// What `list` shows of a session that a daemon saved and loaded when it was started again.
fn loaded(which: Which) -> String {
    let arena = Arena::new();
    let daemon = Daemon::start(&arena, which, &[]);
    arena.lttng_ok(&format!("create saved --output={}", arena.file("trace").display()));
    for (domain, _, level) in DOMAINS {
        arena.lttng_ok(&format!("enable-event {domain} app"));
        arena.lttng_ok(&format!("enable-event {domain} lib --loglevel={level}"));
        arena.lttng_ok(&format!("enable-event {domain} off --filter='msg == \"x\"'"));
        arena.lttng_ok(&format!("disable-event {domain} off"));
    }
    arena.lttng_ok("add-context -j -c lttng_jul_channel -t '$app.prov:ctx'");
    arena.lttng_ok("start");
    arena.lttng_ok(&format!("save --output-path={}", arena.autoload().display()));
    arena.lttng_ok("destroy");
    daemon.stop(&arena);

    let daemon = Daemon::start(&arena, which, &[]);
    let active = || arena.lttng_ok("list").contains("saved [active]").then_some(());
    eventually("the session is loaded and started", active);
    let shown = ["list saved", "--mi=xml list saved"].map(|command| {
        let text = arena.normalised(&arena.lttng_ok(command));
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines.join("\n")
    });
    daemon.stop(&arena);
    shown.join("\n")
}

#[test]
fn the_daemon_loads_rules_of_agents_when_it_starts() {
    let [stock, ours] = [Which::Stock, Which::Ours].map(loaded);
    assert_eq!(ours, stock);
}

/// Notes what an agent was sent since the last time, in one order: the stock daemon has none.
fn sent(stage: &mut Stage, agent: &FakeAgent, before: &mut usize) -> Vec<Command> {
    let commands = agent.commands().split_off(*before);
    *before += commands.len();
    let mut lines: Vec<_> = commands.iter().map(|command| format!("{command:?}")).collect();
    lines.sort_unstable();
    stage.note(&format!("sent:\n{}", lines.join("\n")));
    commands
}

#[test]
fn agents_are_sent_the_same() {
    both(|stage| {
        let connect = |stage: &Stage| {
            let address = agents_address(&stage.arena);
            let script = AgentScript::answering(Domain::Jul);
            let agent = stage.arena.in_network(|| FakeAgent::connect(address, script).unwrap());
            let done =
                || (agent.commands().last() == Some(&Command::RegistrationDone)).then_some(());
            eventually("the registration is done", done);
            agent
        };
        let early = connect(stage);
        let mut before = 0;
        stage.lttng_ok("create s");
        for command in [
            "enable-event -j app",
            "enable-event -j app",
            "enable-event -j lib --loglevel=JUL_WARNING",
            "enable-event -j lib --loglevel-only=JUL_WARNING",
            "enable-event -j fil --filter='$app.one:x == 1 && msg == \"<é>\"'",
            // To one channel: the stock daemon tells agents once for each.
            "add-context -j -t '$app.prov:ctx'",
            "enable-event -l other",
            "disable-event -j lib",
            "enable-event -j lib --loglevel=JUL_WARNING",
            "start",
            "list -j",
            "enable-event -j late",
            "disable-event -j late",
            "stop",
        ] {
            stage.lttng(command);
            sent(stage, &early, &mut before);
        }
        let late = connect(stage);
        assert!(sent(stage, &late, &mut 0).len() > 1);
        stage.lttng_ok("destroy s");
        sent(stage, &early, &mut before);
        for agent in [early, late] {
            assert_eq!(agent.enabled(), [""; 0]);
            assert_eq!(agent.faults(), [""; 0]);
        }
    });
}
