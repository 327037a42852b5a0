//! Metrics: what a scrape reads at a Unix socket and at a port, and that nobody is harmed by those who scrape badly.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    thread,
    time::Instant,
};

use lttngd_world::{PATIENCE, Stage, Which, daemon::metrics_option, eventually};
use rustix::process::Signal;

use super::openmetrics::{Samples, read};

/// As a monitor asks.
const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
const PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

fn connect(stage: &Stage) -> UnixStream {
    let socket = stage.arena.connect("metrics");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Head and body of what is answered.
fn answer(mut socket: impl Read + Write, request: &[u8]) -> (String, String) {
    // Who is refused may be so before all is said.
    let _ = socket.write_all(request);
    let mut answer = String::new();
    let _ = socket.read_to_string(&mut answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (head.to_owned(), body.to_owned())
}

/// What a scrape reads, which comes at once.
fn scrape(stage: &Stage) -> Samples {
    let begun = Instant::now();
    let (head, body) = answer(connect(stage), SCRAPE.as_bytes());
    stage.is_unconcerned(begun.elapsed());
    check(&head, &body)
}

fn check(head: &str, body: &str) -> Samples {
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let kind = "\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(head.contains(kind), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    read(body).unwrap_or_else(|error| panic!("{error}\n{body}"))
}

fn alone_with(option: &str, script: impl FnOnce(&mut Stage)) {
    let mut stage = Stage::with_options(Which::Ours, &[option]);
    script(&mut stage);
    stage.end();
}

#[test]
fn a_scrape_reads_what_is_recorded_and_how_commands_were_answered() {
    alone_with(metrics_option(), |stage| {
        let mut program = stage.program();
        stage.arena.lttng_ok("create mine");
        stage.arena.lttng_ok("enable-channel -u -s mine c --subbuf-size=4k --num-subbuf=2");
        stage.arena.lttng_ok("enable-event -u -s mine -c c sample:number");
        stage.arena.lttng_ok("start mine");
        assert_ne!(stage.arena.lttng("start nobody").code, 0);
        program.tell("number=2000");
        let of_mine = [("session", "mine")];
        let told = eventually("what was recorded is told", || {
            let told = scrape(stage);
            let bytes = told.sum("lttngd_session_recorded_bytes_total", &of_mine).unwrap();
            let packets = told.sum("lttngd_session_recorded_packets_total", &of_mine);
            let looked = told.sum("lttngd_channel_discarded_events_total", &of_mine);
            let is_told = bytes > 0.0 && packets.is_some_and(|packets| packets > 0.0);
            (is_told && looked.is_some()).then_some(told)
        });
        for (name, labels, value) in [
            ("lttngd_session_active", &of_mine[..], 1.0),
            ("lttngd_sessions", &[("state", "active")], 1.0),
            ("lttngd_sessions", &[("state", "failed")], 0.0),
            ("lttngd_applications", &[("state", "registered")], 1.0),
            ("lttngd_applications", &[("state", "set_aside")], 0.0),
            ("lttngd_consumers", &[("state", "running")], 1.0),
            ("lttngd_relays", &[], 0.0),
            ("lttngd_queue_length", &[("queue", "runas")], 0.0),
            ("lttngd_user_holds", &[("what", "sessions")], 1.0),
            ("lttngd_commands_total", &[("command", "CREATE_SESSION_EXT"), ("code", "OK")], 1.0),
            ("lttngd_commands_total", &[("command", "START_TRACE"), ("code", "OK")], 1.0),
            (
                "lttngd_commands_total",
                &[("command", "START_TRACE"), ("code", "SESS_NOT_FOUND")],
                1.0,
            ),
            ("lttngd_command_duration_seconds_count", &[("command", "START_TRACE")], 2.0),
        ] {
            assert_eq!(told.sum(name, labels), Some(value), "{name} {labels:?}");
        }
        let lost = "lttngd_channel_lost_packets_total";
        let labels = [("session", "mine"), ("domain", "ust"), ("channel", "c")];
        assert_eq!(told.sum(lost, &labels), Some(0.0));
        for name in [
            "lttngd_descriptors",
            "lttngd_resident_memory_bytes",
            "lttngd_buffers_bytes",
            "lttngd_processor_seconds_total",
            "lttngd_command_duration_seconds_sum",
        ] {
            assert!(told.sum(name, &[]).unwrap() > 0.0, "{name}");
        }
        let lists = || scrape(stage).sum("lttngd_commands_total", &[("command", "LIST_SESSIONS")]);
        let before = lists().unwrap();
        stage.arena.lttng_ok("list");
        eventually("a list is counted", || (lists().unwrap() > before).then_some(()));
        program.finish();
        stage.arena.lttng_ok("destroy mine");
        eventually("it is gone", || {
            let told = scrape(stage);
            let is_gone = told.sum("lttngd_session_active", &of_mine).is_none();
            (is_gone && told.sum("lttngd_buffers_bytes", &[]) == Some(0.0)).then_some(())
        });
    });
}

#[test]
fn a_port_is_scraped_by_http_as_it_is_spoken() {
    alone_with(&format!("--metrics={PORT}"), |stage| {
        let ask = |request: &str| {
            let connect = || TcpStream::connect(PORT).unwrap();
            stage.arena.in_network(|| answer(connect(), request.as_bytes()))
        };
        let (head, body) = ask(SCRAPE);
        assert!(check(&head, &body).sum("lttngd_uptime_seconds", &[]).is_some());
        let (head, body) = ask("HEAD /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && body.is_empty(), "{head}{body}");
        for (request, status) in [
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 "),
            ("DELETE /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 "),
            ("GET /metrics HTTP/1.1\r\n\r\n", "400 "),
            ("\0\0\0\0\r\n\r\n", "400 "),
            ("GET /metrics HTTP/1.1\r\nHost: example.org\r\n\r\n", "421 "),
            (&format!("GET /metrics HTTP/1.1\r\nA: {}", "a".repeat(8192)), "431 "),
        ] {
            let (head, body) = ask(request);
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{request:.40}: {head}");
            assert!(!body.contains("# EOF"), "{body}");
        }
        let mut curl = stage.arena.command("curl");
        let output = curl.args(["-sSf", &format!("http://{PORT}/metrics")]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        read(&String::from_utf8(output.stdout).unwrap()).unwrap();
    });
}

#[test]
fn those_who_scrape_badly_harm_nobody() {
    alone_with(metrics_option(), |stage| {
        let others_are_served = || {
            for command in ["create bystander --no-output", "list", "destroy bystander"] {
                let answer = stage.arena.lttng(command);
                assert_eq!(answer.code, 0, "{answer:?}");
                stage.is_unconcerned(answer.took);
            }
            super::status(stage);
        };
        others_are_served();
        scrape(stage);
        let at_rest = stage.daemon.descriptors_at_rest();
        let said = |request: &[u8]| {
            let mut socket = connect(stage);
            // One that is turned away may be so before.
            let _ = socket.write_all(request);
            socket
        };
        let silent: Vec<_> = (0..100).map(|_| said(b"")).collect();
        let half: Vec<_> = (0..100).map(|_| said(&SCRAPE.as_bytes()[..20])).collect();
        let deaf: Vec<_> = (0..100).map(|_| said(SCRAPE.as_bytes())).collect();
        others_are_served();
        drop(deaf);
        for mut socket in silent.into_iter().chain(half) {
            let begun = Instant::now();
            let mut answer = String::new();
            let _ = socket.read_to_string(&mut answer);
            assert!(begun.elapsed() < PATIENCE, "it is not waited for");
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
        }
        eventually("there are places again", || {
            let (head, body) = answer(connect(stage), SCRAPE.as_bytes());
            (!head.is_empty()).then(|| check(&head, &body))
        });
        for _ in 0..1000 {
            // One after the other, each has its answer; what many ask for at once is made once.
            let (head, body) = answer(connect(stage), SCRAPE.as_bytes());
            check(&head, &body);
        }
        others_are_served();
        stage.daemon.settles_to_descriptors(at_rest);
        let made = scrape(stage).sum("lttngd_commands_total", &[("command", "GET_STATUS")]);
        assert!(made.unwrap() < 900.0, "answers are shared: {made:?}");
    });
}

#[test]
fn what_waits_for_a_consumer_daemon_is_told_while_it_does() {
    alone_with(metrics_option(), |stage| {
        let _program = stage.program();
        stage.arena.lttng_ok("create one");
        stage.arena.lttng_ok("enable-event -u -s one sample:number");
        stage.arena.lttng_ok("start one");
        let told = super::status(stage);
        let consumers = told["consumers"].as_array().unwrap();
        let consumer = consumers.iter().find_map(|it| it["pid"].as_i64()).unwrap();
        let consumer = i32::try_from(consumer).unwrap();
        scrape(stage);
        stage.arena.signal(consumer, Signal::STOP);
        let arena = &stage.arena;
        thread::scope(|scope| {
            let waits = scope.spawn(|| arena.lttng("stop one"));
            for queue in ["session", "consumer"] {
                eventually("its queue is told", || {
                    let labels = [("queue", queue), ("of", "one")];
                    let told = scrape(stage);
                    let length = told.sum("lttngd_queue_length", &labels)?;
                    let oldest = told.sum("lttngd_queue_oldest_wait_seconds", &labels)?;
                    (length >= 1.0 && oldest > 0.0).then_some(())
                });
            }
            let told = super::status(stage);
            let consumers = told["consumers"].as_array().unwrap();
            let sockets = consumers.iter().flat_map(|it| it["sockets"].as_array()).flatten();
            assert!(sockets.clone().any(|it| it["session"] == "one"), "{told}");
            arena.signal(consumer, Signal::CONT);
            assert_eq!(waits.join().unwrap().code, 0);
        });
        eventually("nothing waits any more", || {
            let labels = [("of", "one")];
            scrape(stage).sum("lttngd_queue_length", &labels).is_none().then_some(())
        });
    });
}
