//! Names that peers choose, in the log: no peer makes a line, or makes one look like another.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;

use lttngd_model::{Domain, Field, FieldType};
use lttngd_peer::{AgentScript, AppScript, FakeAgent, FakeApp};
use lttngd_wire::ust::notify::Request;

use super::world::raw::{Registration, expect_closed};
use super::world::{PATIENCE, Stage, Which, eventually};

/// Where the name of a process stands in a registration, and its bytes.
const PROCNAME: std::ops::Range<usize> = 56..72;
/// Names of processes, which are short.
const PROCNAMES: [&[u8]; 5] = [
    b"a\nERROR x\x1b[2J\r",
    "\u{202e}\u{2028}\u{85}evil".as_bytes(),
    b"\xff\xfe\n\x9b31m\x07",
    b"\x1b]0;title\x07\n",
    b"2026 ERROR\n\n\n",
];
/// Other names.
const LINE: &str = "\n2026-01-01T00:00:00.000000Z ERROR lttngd: forged\u{1b}[1A\u{1b}[2K";

/// An application with these bytes for a name.
fn application(stage: &Stage, name: &[u8]) -> FakeApp {
    let socket = stage.arena.run_directory().join("lttng-ust-sock-8");
    let [command, notify] = [0, 1].map(|kind| {
        let mut registration = Registration::new(kind);
        registration.0[PROCNAME].fill(0);
        registration.0[PROCNAME.start..PROCNAME.start + name.len()].copy_from_slice(name);
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(&registration.0).unwrap();
        stream
    });
    let script = AppScript {
        tracepoints: vec![(format!("evil:{LINE}"), 13), ("evil:\u{202e}x".to_owned(), 13)],
        ..AppScript::default()
    };
    FakeApp::over(command, notify, script).unwrap()
}

/// Asks again for an event that was asked for, with a field of a name that is none.
fn ask_with_a_wrong_field(app: &FakeApp) {
    let event = eventually("an event is announced", || {
        app.asked()
            .into_iter()
            .map(|(request, _)| request)
            .find(|it| matches!(it, Request::Event { .. }))
    });
    let Request::Event { session_objd, channel_objd, loglevel, signature, fields, .. } = event
    else {
        unreachable!("it was looked for")
    };
    let kind = fields.first().map(|field| field.kind.clone());
    let fields = kind.into_iter().map(|kind: FieldType| Field { name: LINE.to_owned(), kind });
    let request = Request::Event {
        session_objd,
        channel_objd,
        name: format!("evil:{LINE}{}", "x".repeat(100)),
        loglevel,
        signature,
        fields: fields.collect(),
        model_emf_uri: None,
    };
    // Refused, or the connection is closed.
    let _ = app.ask(&request);
}

#[test]
fn no_peer_forges_a_line() {
    let stage = Stage::with_options(Which::Ours, &["-vvv", "--verbose-consumer"]);
    let session = format!("'evil{LINE}'");
    let channel = "'c\n\u{1b}[2J'";
    let output = stage.arena.file("o\nx");
    for command in [
        format!("create {session} -o '{}'", output.display()),
        format!("enable-channel -u {channel} --buffers-pid -s {session}"),
        format!("enable-event -u 'evil:{LINE}' -c {channel} -s {session}"),
        format!("start {session}"),
    ] {
        stage.arena.lttng_ok(&command);
    }
    let apps: Vec<_> = PROCNAMES.iter().map(|name| application(&stage, name)).collect();
    apps.iter().for_each(ask_with_a_wrong_field);
    // Refused as a whole.
    for version in [0xC57C_57C6, 0] {
        expect_closed(&mut Registration::new(0).with(0, version).send(&stage.arena), PATIENCE);
    }
    let port = std::fs::read_to_string(stage.arena.run_directory().join("agent.port")).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.trim().parse().unwrap()));
    let agent = stage
        .arena
        .in_network(|| FakeAgent::connect(address, AgentScript::answering(Domain::Jul)).unwrap());
    stage.arena.lttng(&format!("enable-event -j '{LINE}' -s {session}"));
    drop(agent);
    drop(apps);
    stage.arena.lttng(&format!("start 'no such session{LINE}'"));
    stage.arena.lttng_ok(&format!("stop {session}"));
    stage.arena.lttng_ok(&format!("destroy {session}"));

    let log = stage.daemon.log();
    // What was seen of them is in it.
    for part in ["ERROR x\\u{1b}[2J", "\\u{202e}\\u{2028}", "title", "lttngd: forged"] {
        assert!(log.contains(part), "no {part:?} in the log:\n{log}");
    }
    let line = regex::Regex::new(
        r"^\d{4}-\d\d-\d\dT[0-9:.]+Z +(ERROR|WARN|INFO|DEBUG|TRACE) ([a-z_]+\{.*\}: )?[a-z0-9_:]+: ",
    )
    .unwrap();
    // They say whose they are.
    for whose in [
        r#" app\{pid=\d+ name="[^"]*title[^"]*"\}: lttngd_app::actor: application registered uid=\d+"#,
        r" agent\{pid=\d+ domain=Jul\}: lttngd_agent::actor: agent registered",
    ] {
        assert!(
            regex::Regex::new(whose).unwrap().is_match(&log),
            "no {whose:?} in the log:\n{log}"
        );
    }
    let is_visible = |it: char| !it.is_control() && !"\u{2028}\u{2029}\u{202e}".contains(it);
    for text in log.split('\n').filter(|it| !it.is_empty()) {
        assert!(line.is_match(text), "no line of ours: {text:?}");
        assert!(!text.starts_with("2026-01-01"), "a forged line: {text:?}");
        assert!(text.chars().all(is_visible), "{text:?}");
    }
    stage.end();
}

/// Lines of a kind about one user's peers in a while.
const LINES_MAX: usize = 16;
/// Clients that leave at once.
const CLIENTS: usize = 64;

#[test]
fn clients_that_leave_in_the_middle_of_their_requests_do_not_flood_the_log() {
    let stage = Stage::with_options(Which::Ours, &[]);
    let before = stage.daemon.descriptors_at_rest();
    for _ in 0..3 {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut client = stage.arena.connect("client-lttng-sessiond");
                client.write_all(b"half").unwrap();
                client
            })
            .collect();
        eventually("the clients are heard", || {
            (stage.daemon.descriptors() >= before + CLIENTS).then_some(())
        });
        drop(clients);
        stage.daemon.settles_to_descriptors(before);
    }
    let log = stage.daemon.log();
    let lines = log.matches("a client was not served").count();
    assert!((1..=LINES_MAX).contains(&lines), "{lines} lines: {log}");
    stage.end();
}
