//! Snapshots that are recorded to relay daemons.

use std::fs;

use rustix::process::Signal;

use super::world::{
    Answer, Connection, Daemon, Gate, Relay, Stage, Which, alone, both, eventually, trace,
};

/// ADD_STREAM, as relay daemons are asked.
const ADD_STREAM: u32 = 1;

/// What `lttng` says when a relay daemon cannot be connected.
const NO_RELAY: &str = "Unable to connect to lttng-relayd";

/// Runs a command in which ports may stand, and notes it without them.
fn lttng(stage: &mut Stage, relay: &Relay, arguments: &str) -> Answer {
    let answer = stage.arena.lttng(arguments);
    let Answer { code, stdout, stderr, .. } = &answer;
    let text = format!("$ lttng {arguments}\nexit {code}\n{stdout}{stderr}");
    stage.note(&relay.without_ports(&text));
    answer
}

/// Makes and starts a session for snapshots; `options` say where they go.
fn start(stage: &mut Stage, relay: &Relay, session: &str, options: &str, buffers: &str) {
    lttng(stage, relay, &format!("create {session} {options}"));
    stage.lttng_ok(&format!("enable-channel -u -s {session} {buffers} c"));
    stage.lttng_ok(&format!("enable-event -u -s {session} -c c sample:number"));
    stage.lttng_ok(&format!("start {session}"));
}

/// Notes what the relay daemon has: its files, and each snapshot's events and metadata.
fn note_recorded(stage: &mut Stage, relay: &Relay) -> Vec<usize> {
    let mut files = trace::files(&relay.output);
    // The stock daemon makes a directory for a snapshot that it then refuses.
    files.retain(|file| !file.ends_with('/'));
    stage.note(&files.join("\n"));
    let metadata = files.iter().filter(|file| file.ends_with("/metadata"));
    let mut traces: Vec<_> = metadata.map(|file| relay.output.join(file)).collect();
    // The last number in a snapshot's name is the count of those before it.
    traces.sort_by_key(|trace| {
        let name =
            trace.iter().rev().nth(if trace.to_string_lossy().contains("/pid/") { 4 } else { 5 });
        let name = name.unwrap().to_string_lossy().into_owned();
        name.rsplit('-').next().unwrap().parse::<u32>().unwrap()
    });
    let mut counts = Vec::new();
    for trace in traces {
        let trace = trace.parent().unwrap();
        counts.push(stage.events_below(trace).len());
        stage.note(&stage.arena.metadata(trace));
    }
    counts
}

fn records(buffers: &str) {
    both(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        let output = format!("--snapshot --set-url={}", relay.url());
        start(stage, &relay, "snap", &output, buffers);
        lttng(stage, &relay, "list");
        lttng(stage, &relay, "list snap");
        lttng(stage, &relay, "snapshot list-output");
        lttng(stage, &relay, "--mi xml snapshot list-output");
        program.tell("number=3");
        lttng(stage, &relay, "snapshot record");
        program.tell("number=2");
        lttng(stage, &relay, "snapshot record --name=named");
        let elsewhere = format!("snapshot record --name=other {}/else/where", relay.url());
        assert_eq!(lttng(stage, &relay, &elsewhere).code, 0);
        stage.lttng_ok("stop");
        lttng(stage, &relay, "snapshot record");
        assert_eq!(note_recorded(stage, &relay), [3, 5, 5, 5]);
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn buffers_per_user_are_recorded() {
    records("--buffers-uid");
}

#[test]
fn buffers_per_process_are_recorded() {
    records("--buffers-pid");
}

#[test]
fn a_session_without_output_records_where_it_is_told() {
    both(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        start(stage, &relay, "snap", "--no-output", "--buffers-uid");
        program.tell("number=4");
        lttng(stage, &relay, "snapshot record");
        let url = relay.url();
        lttng(stage, &relay, &format!("snapshot record {url}"));
        lttng(stage, &relay, &format!("snapshot record --max-size=1 {url}"));
        lttng(stage, &relay, &format!("snapshot add-output --name=n --max-size=64M {url}/a/b"));
        lttng(stage, &relay, "snapshot list-output");
        lttng(stage, &relay, &format!("snapshot add-output {url}"));
        lttng(stage, &relay, "snapshot record");
        lttng(stage, &relay, "snapshot del-output 1");
        let [control, data, _] = relay.ports;
        let both =
            format!("--ctrl-url=tcp://localhost:{control} --data-url=tcp4://127.0.0.1:{data}");
        lttng(stage, &relay, &format!("snapshot add-output {both}"));
        lttng(stage, &relay, "snapshot list-output");
        lttng(stage, &relay, "snapshot record");
        assert_eq!(note_recorded(stage, &relay), [4, 4, 4]);
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn places_that_are_none() {
    both(|stage| {
        stage.lttng_ok("create snap --snapshot --no-output");
        for place in [
            "net://127.0.0.1:5:5",
            "net://127.0.0.1:5343",
            "net://127.0.0.1:1:2:3",
            "net://127.0.0.1:70000",
            "net://127.0.0.1:1:2/a/../b",
            "net6://127.0.0.1",
            "net://[::1]",
            "tcp://127.0.0.1",
            "http://127.0.0.1",
            "net://",
            "--ctrl-url=tcp://127.0.0.1 --data-url=tcp://127.0.0.2",
            "--ctrl-url=net://127.0.0.1 --data-url=tcp://127.0.0.1",
            "--ctrl-url=tcp://127.0.0.1 --data-url=net://127.0.0.1",
            "--ctrl-url=tcp://127.0.0.1 --data-url=/a",
            "--ctrl-url=/a --data-url=/a",
        ] {
            let added = stage.arena.lttng(&format!("snapshot add-output {place}"));
            stage.note(&format!(
                "{place}: {} {}",
                added.code,
                added.stderr.lines().last().unwrap()
            ));
            assert_ne!(added.code, 0, "{place}");
        }
        stage.lttng("snapshot list-output");
        stage.lttng("create refused --snapshot --set-url=net://127.0.0.1:5:5");
        stage.lttng("list");
        stage.lttng_ok("destroy snap");
    });
}

#[test]
fn relays_that_are_not_there_or_are_none() {
    both(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        let output = format!("--snapshot --set-url={}", relay.url());
        start(stage, &relay, "snap", &output, "--buffers-uid");
        program.tell("number=2");
        let [_, data, viewers] = relay.ports;
        for wrong in ["net://127.0.0.1:3:4".to_owned(), format!("net://127.0.0.1:{viewers}:{data}")]
        {
            let answer = stage.arena.lttng(&format!("snapshot record {wrong}"));
            stage.note(&format!("{} {}", answer.code, answer.stderr));
        }
        lttng(stage, &relay, "snapshot record");
        Relay::kill(stage);
        let refused = lttng(stage, &relay, "snapshot record");
        assert!(refused.stderr.contains(NO_RELAY), "{refused:?}");
        // Nothing of it is counted, and the session is as before.
        let local = stage.arena.file("local");
        stage.lttng_ok(&format!("snapshot record {}", local.display()));
        stage.note(&trace::files(&local).join("\n"));
        assert_eq!(stage.events_below(&local).len(), 2);
        stage.lttng_ok("stop");
        stage.lttng_ok("destroy");
        program.finish();
    });
}

#[test]
fn saved_sessions_keep_their_relays() {
    both(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        let output = format!("--snapshot --set-url={}/kept", relay.url());
        start(stage, &relay, "snap", &output, "--buffers-uid");
        let place = stage.arena.file("saved");
        stage.lttng_ok(&format!("save snap --output-path={}", place.display()));
        let saved = fs::read_to_string(place.join("snap.lttng")).unwrap();
        let outputs = saved.split("<output>").nth(1).unwrap();
        stage.note(&relay.without_ports(outputs));
        stage.lttng_ok("destroy snap");
        stage.lttng_ok(&format!("load --input-path={}", place.display()));
        lttng(stage, &relay, "snapshot list-output -s snap");
        program.tell("number=3");
        lttng(stage, &relay, "snapshot record -s snap");
        stage.lttng_ok("destroy snap");
        assert_eq!(note_recorded(stage, &relay), [3]);
        program.finish();
    });
}

#[test]
fn the_daemon_loads_sessions_with_their_relays() {
    let mut stage = Stage::new(Which::Ours);
    let relay = Relay::start(&stage);
    let program = stage.program();
    let output = format!("--snapshot --set-url={}/kept", relay.url());
    start(&mut stage, &relay, "snap", &output, "--buffers-uid");
    stage.lttng_ok(&format!("create streamed --set-url={}", relay.url()));
    let place = stage.arena.file("saved");
    stage.lttng_ok(&format!("save --all --output-path={}", place.display()));
    // Somebody prefers names.
    let file = place.join("streamed.lttng");
    let saved = fs::read_to_string(&file).unwrap();
    assert_eq!(saved.matches("tcp4://127.0.0.1:").count(), 2, "{saved}");
    fs::write(&file, saved.replace("tcp4://127.0.0.1:", "tcp://localhost:")).unwrap();
    stage.daemon.kill();
    let load = ["--load", place.to_str().unwrap()];
    stage.daemon = Daemon::start(&stage.arena, Which::Ours, &load);
    eventually("the sessions are loaded", || {
        let listed = stage.arena.lttng("list").stdout;
        (listed.contains("snap [active") && listed.contains("streamed")).then_some(())
    });
    assert!(stage.lttng_ok("list streamed").contains("tcp4://127.0.0.1"));
    let listed = stage.lttng_ok("snapshot list-output -s snap");
    assert!(listed.contains("/kept"), "{listed}");
    program.finish();
    let mut program = stage.program();
    program.tell("number=3");
    stage.lttng_ok("snapshot record -s snap");
    stage.lttng_ok("destroy snap");
    assert_eq!(stage.events_below(&relay.output).len(), 3);
    program.finish();
    stage.end();
}

#[test]
fn many_records_leave_nothing_behind() {
    // The stock daemon leaves both connections of every record with the consumer daemon.
    alone(|stage| {
        let relay = Relay::start(stage);
        let mut program = stage.program();
        let output = format!("--snapshot --set-url={}", relay.url());
        start(stage, &relay, "snap", &output, "--buffers-uid");
        program.tell("number=1");
        stage.lttng_ok("snapshot record");
        let consumer = stage.arena.processes_named("lttng-consumerd")[0];
        let relayd = stage.arena.processes_named("lttng-relayd")[0];
        let processes = [stage.daemon.pid(), consumer, relayd];
        let closed = |stage: &Stage| {
            eventually("the records' connections are closed", || {
                processes.iter().all(|pid| stage.arena.connections(*pid) == 0).then_some(())
            });
        };
        closed(stage);
        let before = processes.map(|pid| stage.arena.descriptors(pid));
        for _ in 0..10 {
            stage.lttng_ok("snapshot record");
        }
        closed(stage);
        for (pid, before) in processes.into_iter().zip(before) {
            eventually("the records' files are closed", || {
                (stage.arena.descriptors(pid) <= before).then_some(())
            });
        }
        stage.lttng_ok("destroy");
        program.finish();
    });
}

/// A daemon that waits for `timeout_ms` for relay daemons.
fn impatient(timeout_ms: &str) -> Stage {
    let environment = [("LTTNG_NETWORK_SOCKET_TIMEOUT", timeout_ms)];
    let mut stage = Stage::new(Which::Ours);
    stage.daemon.kill();
    stage.daemon = Daemon::start_with(&stage.arena, Which::Ours, &[], &environment);
    stage
}

#[test]
fn nobody_waits_for_a_silent_relay() {
    let mut stage = impatient("4000");
    let relay = Relay::start(&stage);
    let mut program = stage.program();
    let output = format!("--snapshot --set-url={}", relay.url());
    start(&mut stage, &relay, "snap", &output, "--buffers-uid");
    program.tell("number=2");
    Relay::signal(&stage, Signal::STOP);
    let arena = &stage.arena;
    let (refused, others) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| arena.lttng("snapshot record -s snap"));
        let local = arena.file("local");
        let others = [
            "create other".to_owned(),
            "enable-event -u -s other sample:number".to_owned(),
            "start other".to_owned(),
            "stop other".to_owned(),
            "destroy other".to_owned(),
            // The session itself goes on as well.
            format!("snapshot record -s snap {}", local.display()),
            "enable-event -u -s snap -c c sample:fields".to_owned(),
            "stop snap".to_owned(),
        ]
        .map(|command| arena.lttng(&command));
        assert!(!waiting.is_finished(), "others were served while one waited");
        (waiting.join().unwrap(), others)
    });
    others.iter().for_each(|answer| assert_eq!(answer.code, 0, "{answer:?}"));
    assert!(refused.stderr.contains(NO_RELAY), "{refused:?}");
    assert!(refused.took.as_secs() < 20, "{refused:?}");
    Relay::signal(&stage, Signal::CONT);
    stage.lttng_ok("snapshot record -s snap");
    assert_eq!(stage.events_below(&relay.output).len(), 2);
    stage.lttng_ok("destroy snap");
    program.finish();
    stage.end();
}

#[test]
fn a_relay_that_falls_silent_in_the_middle_of_a_record() {
    let mut stage = impatient("2000");
    let relay = Relay::start(&stage);
    let control = Gate::before(&stage, &relay, Connection::Control);
    let behind = Relay { ports: [control.port, relay.ports[1], relay.ports[2]], ..relay.clone() };
    let mut program = stage.program();
    let output = format!("--snapshot --set-url={}", behind.url());
    start(&mut stage, &relay, "snap", &output, "--buffers-uid");
    program.tell("number=2");
    control.hold(|command| command == ADD_STREAM);
    let arena = &stage.arena;
    std::thread::scope(|scope| {
        let recording = scope.spawn(|| arena.lttng("snapshot record -s snap"));
        control.holds_one();
        // The consumer daemon waits in this record; what does not need it goes on.
        for command in ["create other", "list", "destroy other"] {
            assert_eq!(arena.lttng(command).code, 0, "{command}");
        }
        assert!(!recording.is_finished(), "others were served while one waited");
        let failed = recording.join().unwrap();
        assert_ne!(failed.code, 0, "{failed:?}");
        assert!(failed.took.as_secs() < 20, "{failed:?}");
    });
    control.release();
    let consumer = stage.arena.processes_named("lttng-consumerd")[0];
    eventually("the record's connections are closed", || {
        (stage.arena.connections(consumer) == 0).then_some(())
    });
    stage.lttng_ok("snapshot record -s snap");
    let recorded = trace::files(&relay.output);
    // The one that failed is not counted.
    assert!(recorded.iter().any(|file| file.contains("-0/ust/uid")), "{recorded:?}");
    assert!(!recorded.iter().any(|file| file.contains("-1/ust/uid")), "{recorded:?}");
    stage.lttng_ok("destroy snap");
    program.finish();
    stage.end();
}
