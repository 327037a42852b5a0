//! What one process can do with the sockets on which applications announce events: ask without end for
//! what is not there, begin and not end, register again and again. Others do not notice, and the
//! daemon's memory does not either.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use lttngd_model::{Field, FieldType, IntegerType};
use lttngd_peer::{AppScript, FakeApp};
use lttngd_wire::ust::notify::{Answer, EINVAL, FIELD_COUNT_MAX, Request};

use super::hostile_apps::AT_ONCE;
use super::world::{Stage, alone, eventually};

/// Most registrations of one process, as documented.
const REGISTRATIONS: usize = 16;
/// What the daemon's memory may grow by, in KiB: less than what the requests have together.
const GROWTH_KIB: u64 = 24 << 10;

/// Checks that another client is served at once, by commands that ask no application.
fn others_are_answered(stage: &Stage) {
    let start = Instant::now();
    stage.arena.lttng_ok("create bystander --no-output");
    assert!(stage.arena.lttng_ok("list").contains("bystander"));
    stage.arena.lttng_ok("destroy bystander");
    let took = start.elapsed();
    assert!(took < AT_ONCE, "create, list and destroy took {took:?}");
}

fn registered(stage: &Stage, count: usize) -> Vec<FakeApp> {
    let path = stage.arena.run_directory().join("lttng-ust-sock-8");
    (0..count).map(|_| FakeApp::connect(&path, AppScript::default()).unwrap()).collect()
}

/// An event with as many fields as there may be, for a channel that is not there.
fn large_event() -> Vec<u8> {
    let kind = IntegerType {
        size_bits: 32,
        signed: true,
        reverse_byte_order: false,
        base: 10,
        encoding: lttngd_model::Encoding::None,
        alignment_bits: 8,
    };
    let field = |number| Field { name: format!("f{number}"), kind: FieldType::Integer(kind) };
    let event = Request::Event {
        session_objd: 1,
        channel_objd: 77,
        name: "p:large".to_owned(),
        loglevel: 13,
        signature: "void".to_owned(),
        fields: (0..FIELD_COUNT_MAX).map(field).collect(),
        model_emf_uri: None,
    };
    event.encode()
}

#[test]
fn large_events_for_channels_that_are_not_there() {
    alone(|stage| {
        others_are_answered(stage);
        let fakes = registered(stage, REGISTRATIONS);
        let (bytes, before) = (large_event(), stage.daemon.resident_kib());
        let (is_over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for fake in &fakes {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        fake.write_notify(&bytes).unwrap();
                        let refused = Answer::Event { ret_code: -EINVAL, event_id: 0 };
                        assert_eq!(fake.answer(), Some(refused));
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            eventually("all of them ask", || {
                (asked.load(Ordering::Relaxed) > 2 * REGISTRATIONS).then_some(())
            });
            others_are_answered(stage);
            let grown = stage.daemon.resident_kib().saturating_sub(before);
            is_over.store(true, Ordering::Relaxed);
            assert!(grown < GROWTH_KIB, "the daemon has grown by {grown} KiB");
        });
    });
}

#[test]
fn large_requests_that_are_begun_and_not_ended() {
    alone(|stage| {
        others_are_answered(stage);
        let descriptors = stage.daemon.descriptors();
        let fakes = registered(stage, REGISTRATIONS);
        let (bytes, before) = (large_event(), stage.daemon.resident_kib());
        std::thread::scope(|scope| {
            for fake in &fakes {
                scope.spawn(|| fake.write_notify(&bytes[..bytes.len() - 1]).unwrap());
            }
        });
        eventually("all is taken", || {
            fakes.iter().all(|fake| fake.notify_unread() == 0).then_some(())
        });
        let grown = stage.daemon.resident_kib().saturating_sub(before);
        assert!(grown < GROWTH_KIB, "the daemon has grown by {grown} KiB");
        others_are_answered(stage);
        // Within its deadline, and no sooner than it is over.
        fakes.iter().for_each(FakeApp::expect_notify_closed);
        eventually("it is told", || {
            stage.daemon.log().contains("begun and not ended").then_some(())
        });
        drop(fakes);
        stage.daemon.settles_to_descriptors(descriptors);
    });
}

#[test]
fn a_process_that_registers_again_and_again() {
    alone(|stage| {
        others_are_answered(stage);
        let before = stage.daemon.descriptors();
        let mut fakes = registered(stage, REGISTRATIONS);
        let all = before + 2 * REGISTRATIONS;
        eventually("all are registered", || (stage.daemon.descriptors() == all).then_some(()));
        let path = stage.arena.run_directory().join("lttng-ust-sock-8");
        for _ in 0..20 {
            // It may be closed before it has said all.
            if let Ok(fake) = FakeApp::connect(&path, AppScript::default()) {
                fake.expect_notify_closed();
            }
        }
        assert_eq!(stage.daemon.log().matches("registrations already").count(), 1);
        others_are_answered(stage);
        // One that ends makes room.
        drop(fakes.pop());
        stage.daemon.settles_to_descriptors(all - 2);
        fakes.extend(registered(stage, 1));
        eventually("it is registered", || (stage.daemon.descriptors() == all).then_some(()));
        drop(fakes);
        stage.daemon.settles_to_descriptors(before);
    });
}

/// A shell that forks, executes the next one and so on: each fork keeps the registration of the program
/// that forked it, all under the process id that registers again.
#[test]
fn a_program_that_forks_and_executes_the_next() {
    const GENERATIONS: usize = 10;

    alone(|stage| {
        others_are_answered(stage);
        let before = stage.daemon.descriptors();
        let script = stage.arena.file("generation.sh");
        let text = "mkfifo wait.$1; (exec 9<>wait.$1; read -t 60 -u 9) & \
                    [ $1 -gt 1 ] && exec bash $0 $(($1 - 1)); read -t 60 -u 9 9<>wait.1";
        std::fs::write(&script, text).unwrap();
        let mut shell = stage
            .arena
            .command("env")
            .arg("LD_PRELOAD=liblttng-ust-libc-wrapper.so")
            .arg("bash")
            .arg(&script)
            .arg(GENERATIONS.to_string())
            .spawn()
            .unwrap();
        let all = before + 2 * GENERATIONS;
        eventually("each is registered", || (stage.daemon.descriptors() >= all).then_some(()));
        assert!(!stage.daemon.log().contains("registrations already"));
        shell.kill().unwrap();
        shell.wait().unwrap();
        for pid in stage.arena.processes_named("bash") {
            stage.arena.signal(pid, rustix::process::Signal::KILL);
        }
        stage.daemon.settles_to_descriptors(before);
    });
}
