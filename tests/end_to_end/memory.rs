//! The daemon's memory when those who needed it have left.

use lttngd_peer::app::integer_field;
use lttngd_peer::{AppScript, FakeApp};
use lttngd_wire::ust::notify::{Answer, Request};

use super::world::{Stage, alone, eventually};

/// Applications of the crowd.
const CROWD: usize = 16;
/// What each of them announces: events, and fields of each.
const EVENTS: usize = 40;
const FIELDS: usize = 1000;
/// What the crowd takes at least, in KiB.
const TAKEN_KIB: u64 = 64 << 10;
/// What may stay of it, in KiB: what the daemon has at hand anyway (`KEPT` of `src/process/memory.rs`) and some parts.
const LEFT_KIB: u64 = 40 << 10;

fn event(number: usize) -> Request {
    Request::Event {
        session_objd: 1,
        channel_objd: 2,
        name: format!("crowd:event_{number}"),
        loglevel: 13,
        signature: "void".to_owned(),
        fields: (0..FIELDS).map(|number| integer_field(format!("field_{number}"))).collect(),
        model_emf_uri: None,
    }
}

/// Applications that announce all that they have for the session's buffers, each for its own.
fn crowd(stage: &Stage) -> Vec<FakeApp> {
    let path = stage.arena.run_directory().join("lttng-ust-sock-8");
    let mut fakes = Vec::new();
    for number in 0..CROWD {
        let fake = FakeApp::connect(&path, AppScript::default()).unwrap();
        eventually("it has the session", || (fake.asked().len() >= 2).then_some(()));
        // What is the same is held once, so each has events of its own.
        for event_number in 0..EVENTS {
            let answer = fake.ask(&event(number * EVENTS + event_number));
            assert!(matches!(answer, Some(Answer::Event { ret_code: 0, .. })), "{answer:?}");
        }
        // Somebody who stays: what he has lies above what is given back.
        stage.arena.lttng_ok(&format!("create stays-{number} --no-output"));
        fakes.push(fake);
    }
    fakes
}

#[test]
fn what_a_crowd_had_is_given_back_when_it_has_left() {
    alone(|stage| {
        stage.arena.lttng_ok("create crowded");
        stage.arena.lttng_ok("enable-channel -u --buffers-pid --subbuf-size=4k c");
        stage.arena.lttng_ok("enable-event -u -c c sample:number");
        stage.arena.lttng_ok("start");
        let before_kib = stage.daemon.resident_kib();
        let fakes = crowd(stage);
        let with_kib = stage.daemon.resident_kib();
        assert!(with_kib > before_kib + TAKEN_KIB, "{before_kib} {with_kib} KiB");
        drop(fakes);
        eventually("the memory is given back", || {
            (stage.daemon.resident_kib() < before_kib + LEFT_KIB).then_some(())
        });
        stage.arena.lttng_ok("destroy --all");
    });
}
