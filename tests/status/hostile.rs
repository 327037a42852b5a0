//! Those who look and behave badly: they delay nobody.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Instant,
};

use lttngd_world::{Stage, alone, eventually};

use super::status;

const SOCKET: &str = "lttngd-status";
/// A request as the command writes it.
const REQUEST: &[u8] = b"{\"version\":1,\"content\":{\"users\":true}}\n";

/// Somebody who has said so much.
fn said(stage: &Stage, request: &[u8]) -> UnixStream {
    let mut client = stage.arena.connect(SOCKET);
    client.write_all(request).unwrap();
    client
}

/// Commands and looks are answered at once.
fn others_are_served(stage: &Stage) {
    for command in ["create bystander --no-output", "list", "destroy bystander"] {
        let answer = stage.arena.lttng(command);
        assert_eq!(answer.code, 0, "{answer:?}");
        stage.is_unconcerned(answer.took);
    }
    status(stage);
}

#[test]
fn the_silent_the_slow_and_the_wrong_delay_nobody() {
    alone(|stage| {
        others_are_served(stage);
        let at_rest = stage.daemon.descriptors_at_rest();
        let silent: Vec<_> = (0..16).map(|_| said(stage, b"")).collect();
        let half: Vec<_> = (0..16).map(|_| said(stage, &REQUEST[..9])).collect();
        let deaf: Vec<_> = (0..16).map(|_| said(stage, REQUEST)).collect();
        others_are_served(stage);
        for wrong in [
            &b"\n"[..],
            b"{}\n",
            b"{\"version\":2,\"content\":{}}\n",
            b"\xff\xfe\x00\n",
            &[b'['; 4096],
        ] {
            let mut reply = Vec::new();
            // What was not read of it makes it an error.
            let _ = said(stage, wrong).read_to_end(&mut reply);
            assert!(reply.is_empty(), "{wrong:?}: {reply:?}");
        }
        others_are_served(stage);
        drop(deaf);
        for mut client in silent.into_iter().chain(half) {
            let begun = Instant::now();
            let _ = client.read_to_end(&mut Vec::new());
            assert!(begun.elapsed() < lttngd_world::PATIENCE, "they are not waited for");
        }
        stage.daemon.settles_to_descriptors(at_rest);
        others_are_served(stage);
    });
}

#[test]
fn more_than_there_are_places_for_are_closed_and_the_daemon_works() {
    alone(|stage| {
        let many: Vec<_> = (0..200).map(|_| stage.arena.connect(SOCKET)).collect();
        for command in ["create bystander --no-output", "destroy bystander"] {
            let answer = stage.arena.lttng(command);
            assert_eq!(answer.code, 0, "{answer:?}");
            stage.is_unconcerned(answer.took);
        }
        drop(many);
        eventually("there are places again", || {
            let mut client = stage.arena.connect(SOCKET);
            let mut reply = Vec::new();
            let asked = client.write_all(REQUEST).and_then(|()| client.read_to_end(&mut reply));
            (asked.is_ok() && !reply.is_empty()).then_some(())
        });
        status(stage);
    });
}
