//! Clients that are silent, slow or wrong: they get an error or lose their connection, and nobody else
//! notices.

use std::io::{Read, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lttngd_client::REPLY_DEADLINE;

use super::world::raw::{
    CLIENT_REQUEST_BYTES, ClientRequest, DESCRIPTORS_OFFSET, ENABLE_LENGTH_OFFSET, LENGTH_OFFSET,
    reply_code,
};
use super::world::{PATIENCE, Stage, alone};

/// LTTNG_OK of enum lttng_error_code, include/lttng/lttng-error.h.
const OK: u32 = 10;
/// LTTNG_ERR_UND.
const UNKNOWN_COMMAND: u32 = 12;
/// LTTNG_ERR_SESS_NOT_FOUND.
const NO_SESSION: u32 = 23;

/// The socket of clients.
const SOCKET: &str = "client-lttng-sessiond";

/// Checks that another client is served at once.
fn others_are_served(stage: &Stage) {
    let start = Instant::now();
    stage.arena.lttng_ok("create bystander --no-output");
    assert!(stage.arena.lttng_ok("list").contains("bystander"));
    stage.arena.lttng_ok("destroy bystander");
    stage.is_unconcerned(start.elapsed());
}

/// Has `disturb` done, and checks that others are served meanwhile and that no descriptor stays open after it.
fn disturbed<T>(disturb: impl FnOnce(&Stage) -> T) {
    alone(|stage| {
        others_are_served(stage);
        // Some requests start the consumer, whose sockets stay open.
        stage.arena.lttng_ok("create first --no-output");
        stage.arena.lttng_ok("enable-event -u --all");
        stage.arena.lttng_ok("destroy first");
        let before = stage.daemon.descriptors_at_rest();
        let disturbance = disturb(stage);
        others_are_served(stage);
        drop(disturbance);
        others_are_served(stage);
        stage.daemon.settles_to_descriptors(before);
    });
}

#[test]
fn silent_clients() {
    disturbed(|stage| [(); 20].map(|()| stage.arena.connect(SOCKET)));
}

#[test]
fn half_a_request() {
    disturbed(|stage| {
        [1, 4, 100, CLIENT_REQUEST_BYTES - 1].map(|count| {
            let mut stream = stage.arena.connect(SOCKET);
            stream.write_all(&ClientRequest::new(13, "").0[..count]).unwrap();
            stream
        })
    });
}

#[test]
fn payload_that_never_comes() {
    disturbed(|stage| {
        stage.arena.lttng_ok("create waiting");
        let mut stream = stage.arena.connect(SOCKET);
        let request = ClientRequest::new(6, "waiting").number(ENABLE_LENGTH_OFFSET, 100);
        stream.write_all(&request.0).unwrap();
        others_are_served(stage);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_ne!(reply_code(&mut stream), Some(OK));
        stage.arena.lttng_ok("destroy waiting");
    });
}

#[test]
fn request_byte_by_byte() {
    disturbed(|stage| {
        let mut stream = stage.arena.connect(SOCKET);
        for bytes in ClientRequest::new(13, "").0.chunks(7) {
            stream.write_all(bytes).unwrap();
        }
        assert_eq!(reply_code(&mut stream), Some(OK));
    });
}

/// Clients that ask for a list which is longer than what a socket holds, and take nothing of it.
#[test]
fn answers_that_are_never_taken() {
    const LISTED: usize = 100;
    const DEAF: usize = 50;
    alone(|stage| {
        for number in 0..LISTED {
            stage.arena.lttng_ok(&format!("create listed{number} --no-output"));
        }
        others_are_served(stage);
        let before = stage.daemon.descriptors_at_rest();
        let list = ClientRequest::new(13, "");
        let mut deaf = [(); DEAF].map(|()| {
            let mut stream = stage.arena.connect(SOCKET);
            stream.write_all(&list.0).unwrap();
            stream
        });
        let at_most = REPLY_DEADLINE + PATIENCE;
        let begun = Instant::now();
        loop {
            others_are_served(stage);
            if stage.daemon.descriptors() <= before {
                break;
            }
            assert!(begun.elapsed() < at_most, "those who take nothing are kept");
            sleep(Duration::from_millis(500));
        }
        assert!(begun.elapsed() > REPLY_DEADLINE / 2, "they have time to take it");
        // What is left of it is what their sockets held.
        for stream in &mut deaf {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let data_len = u32::from_ne_bytes(answer[16..20].try_into().unwrap());
            assert!(answer.len() < data_len as usize, "{} of {data_len}", answer.len());
        }
        others_are_served(stage);
        stage.arena.lttng_ok("destroy -a");
    });
}

#[test]
fn unknown_commands() {
    disturbed(|stage| {
        stage.arena.lttng_ok("create known --no-output");
        // It is known for a client of 2.13 by that: others have a use for most of these numbers.
        let code = ClientRequest::new(16, "nosuch").send(&stage.arena, &[]);
        assert_eq!(code, Some(NO_SESSION));
        for command in [53, 54, 1000, u32::MAX] {
            let code = ClientRequest::new(command, "known").send(&stage.arena, &[]);
            assert_eq!(code, Some(UNKNOWN_COMMAND), "command {command}");
        }
        // Numbers no longer in use.
        for command in [1, 7, 8, 19, 20, 22, 23, 29, 30, 37, 38, 39] {
            let code = ClientRequest::new(command, "known").send(&stage.arena, &[]);
            assert_eq!(code, Some(UNKNOWN_COMMAND), "command {command}");
        }
        stage.arena.lttng_ok("destroy known");
    });
}

#[test]
fn every_command_with_an_empty_body() {
    disturbed(|stage| {
        for command in 0..=52 {
            ClientRequest::new(command, "").send(&stage.arena, &[]);
            ClientRequest::new(command, "nosuch").send(&stage.arena, &[0; 64]);
            others_are_served(stage);
        }
        let code = ClientRequest::new(16, "nosuch").send(&stage.arena, &[]);
        assert_eq!(code, Some(NO_SESSION));
    });
}

#[test]
fn wrong_lengths() {
    disturbed(|stage| {
        stage.arena.lttng_ok("create lengths --no-output");
        let commands =
            [(0, ENABLE_LENGTH_OFFSET), (6, ENABLE_LENGTH_OFFSET), (3, ENABLE_LENGTH_OFFSET)];
        let commands =
            commands.into_iter().chain([5, 21, 43, 44, 52].map(|it| (it, LENGTH_OFFSET)));
        for (command, offset) in commands {
            for length in [0, 1, 42, 0x7fff_ffff, u32::MAX] {
                let request = ClientRequest::new(command, "lengths").number(offset, length);
                for payload in [&[][..], &[0xff; 42], &[0; 500]] {
                    let code = request.send(&stage.arena, payload);
                    assert_ne!(code, Some(OK), "command {command}, length {length}");
                }
            }
        }
        assert!(!stage.arena.lttng_ok("list lengths").contains("Recording event rules"));
        stage.arena.lttng_ok("destroy lengths");
    });
}

#[test]
fn names_without_an_end() {
    disturbed(|stage| {
        let request = ClientRequest::new(16, "").string(4, &"x".repeat(4352));
        assert_ne!(request.send(&stage.arena, &[]), Some(OK));
        stage.arena.lttng_ok("create named --no-output");
        let request = ClientRequest::new(12, "named").string(4688, &"y".repeat(8464));
        assert_ne!(request.send(&stage.arena, &[]), Some(OK));
        stage.arena.lttng_ok("destroy named");
    });
}

#[test]
fn descriptors_announced_and_not_sent() {
    disturbed(|stage| {
        for count in [1, 253, 254, u32::MAX] {
            let request = ClientRequest::new(43, "").number(DESCRIPTORS_OFFSET, count);
            assert_ne!(request.send(&stage.arena, &[0]), Some(OK));
        }
    });
}

#[test]
fn client_that_leaves_early() {
    disturbed(|stage| {
        for _ in 0..200 {
            drop(stage.arena.connect(SOCKET));
            let mut stream = stage.arena.connect(SOCKET);
            stream.write_all(&ClientRequest::new(13, "").0).unwrap();
        }
    });
}

#[test]
fn many_clients_at_once() {
    disturbed(|stage| {
        let arena = &stage.arena;
        std::thread::scope(|scope| {
            for client in 0..8 {
                scope.spawn(move || {
                    for round in 0..5 {
                        let name = format!("client{client}-{round}");
                        arena.lttng_ok(&format!("create {name} --no-output"));
                        arena.lttng_ok(&format!("enable-event -u -s {name} -a"));
                        arena.lttng_ok(&format!("start {name}"));
                        arena.lttng_ok(&format!("destroy {name}"));
                    }
                });
            }
        });
        assert!(arena.lttng_ok("list").contains("no available"));
    });
}
