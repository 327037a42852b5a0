//! What one process can do with the sockets on which applications announce events: ask without end for
//! what is not there, begin and not end, register again and again. Others do not notice, and the
//! daemon's memory does not either.

use lttngd_wire::ust::Abi;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use lttngd_model::{Field, FieldType, FloatType, IntegerType};
use lttngd_peer::app::{integer, large_event};
use lttngd_peer::{AppRequest, AppScript, FakeApp};
use lttngd_wire::ust::command::UstError;
use lttngd_wire::ust::notify::{Answer, EINVAL, Request};

use super::hostile_apps::AT_ONCE;
use super::world::raw::{Registration, expect_closed};
use super::world::{Program, Stage, alone, eventually};

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
    stage.is_unconcerned(start.elapsed());
}

fn registered(stage: &Stage, count: usize) -> Vec<FakeApp> {
    let path = stage.arena.run_directory().join("lttng-ust-sock-8");
    (0..count).map(|_| FakeApp::connect(&path, AppScript::default()).unwrap()).collect()
}

#[test]
fn large_events_for_channels_that_are_not_there() {
    alone(|stage| {
        others_are_answered(stage);
        let fakes = registered(stage, REGISTRATIONS);
        let (bytes, before) = (large_event().encode(Abi::V9), stage.daemon.resident_kib());
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
        let descriptors = stage.daemon.descriptors_at_rest();
        let fakes = registered(stage, REGISTRATIONS);
        let (bytes, before) = (large_event().encode(Abi::V9), stage.daemon.resident_kib());
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
        let before = stage.daemon.descriptors_at_rest();
        let mut fakes = registered(stage, REGISTRATIONS);
        assert!(fakes.iter().all(|fake| fake.is_served(AT_ONCE)), "all are registered");
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
        let next = eventually("its place is free", || {
            let fake = FakeApp::connect(&path, AppScript::default()).ok()?;
            fake.is_served(AT_ONCE).then_some(fake)
        });
        drop(next);
        drop(fakes);
        stage.daemon.settles_to_descriptors(before);
    });
}

/// Fields that babeltrace2 does not read; with one such event in its metadata it reads nothing of a trace.
fn unreadable() -> Vec<Vec<Field>> {
    let integer = |change: &dyn Fn(&mut IntegerType)| {
        let mut kind = IntegerType { signed: false, ..integer() };
        change(&mut kind);
        kind
    };
    let field = |name: &str, kind| Field { name: name.to_owned(), kind };
    let plain = || FieldType::Integer(integer(&|_| {}));
    let text = |name| field(name, FieldType::String(lttngd_model::Encoding::Utf8));
    let sequence = FieldType::Sequence {
        length_name: "nowhere".to_owned(),
        alignment_bytes: 0,
        element: Box::new(plain()),
    };
    let variant = FieldType::Variant {
        tag: "nowhere".to_owned(),
        alignment_bytes: 0,
        choices: vec![text("a")],
        legacy: false,
    };
    let long_double =
        FloatType { exp_dig: 15, mant_dig: 64, reverse_byte_order: false, alignment_bits: 8 };
    let sizes = [0, 65, 4096, u32::MAX].map(|size| integer(&move |it| it.size_bits = size));
    let others = [
        integer(&|it| it.alignment_bits = 0),
        integer(&|it| it.alignment_bits = 3),
        integer(&|it| it.base = 7),
    ];
    let mut rows = vec![
        vec![text("a"), text("a"), text("a")],
        vec![field("s", sequence)],
        vec![field("v", variant)],
        vec![field("f", FieldType::Float(long_double))],
    ];
    rows.extend(sizes.into_iter().chain(others).map(|it| vec![field("i", FieldType::Integer(it))]));
    rows
}

#[test]
fn announcements_that_no_reader_takes() {
    alone(|stage| {
        let mut program = stage.program();
        stage.arena.lttng_ok("create shared");
        stage.arena.lttng_ok("enable-event -u sample:number");
        stage.arena.lttng_ok("start");
        program.tell("number=5");
        let [fake] = registered(stage, 1).try_into().ok().unwrap();
        eventually("it has the session", || (fake.asked().len() >= 2).then_some(()));
        for fields in unreadable() {
            let what = format!("{fields:?}");
            let event = Request::Event {
                session_objd: 1,
                channel_objd: 2,
                name: "p:bad".to_owned(),
                loglevel: 13,
                signature: "void".to_owned(),
                fields,
                model_emf_uri: None,
            };
            let refused = Some(Answer::Event { ret_code: -EINVAL, event_id: 0 });
            assert_eq!(fake.ask(&event), refused, "{what}");
        }
        assert!(stage.daemon.log().contains("which makes the trace unreadable"));
        for (offset, alignment) in [(32, 0), (36, 3), (40, u32::MAX), (44, 64), (48, 16)] {
            let registration = Registration::new(0).with(offset, alignment);
            expect_closed(&mut registration.send(&stage.arena), AT_ONCE);
        }
        program.tell("number=5");
        stage.arena.lttng_ok("stop");
        let events = stage.arena.events(&stage.arena.trace_of("shared"));
        assert_eq!(events.iter().filter(|event| event.name == "sample:number").count(), 10);
        stage.arena.lttng_ok("destroy");
        drop(fake);
        program.finish();
    });
}

/// An application that has the buffers of a channel and ends before it announces the channel.
#[test]
fn channels_that_are_never_announced() {
    const ENABLE: u32 = 0x80;

    alone(|stage| {
        stage.arena.lttng_ok("create lonely");
        stage.arena.lttng_ok("enable-channel -u --buffers-pid c");
        stage.arena.lttng_ok("enable-event -u -c c sample:number");
        stage.arena.lttng_ok("start");
        let path = stage.arena.run_directory().join("lttng-ust-sock-8");
        // It does not enable its session, which is when it would announce, and dies.
        let script = AppScript::refusing(ENABLE, UstError::NoSys);
        let mut fake = FakeApp::connect(&path, script).unwrap();
        eventually("its session is to be enabled", || {
            let enables = |it: &AppRequest| it.handle == 1 && it.command.number() == ENABLE;
            fake.requests().iter().any(enables).then_some(())
        });
        assert!(fake.asked().is_empty(), "it has announced nothing");
        fake.die();
        let mut program = Program::start(&stage.arena, &["number=4"]);
        assert!(program.wait().success());
        stage.arena.lttng_ok("destroy");
        let events = stage.arena.events(&stage.arena.trace_of("lonely"));
        assert_eq!(events.iter().filter(|event| event.name == "sample:number").count(), 4);
    });
}

/// A shell that forks, executes the next one and so on: each fork keeps the registration of the program
/// that forked it, all under the process id that registers again.
#[test]
fn a_program_that_forks_and_executes_the_next() {
    const GENERATIONS: usize = 10;

    alone(|stage| {
        others_are_answered(stage);
        let before = stage.daemon.descriptors_at_rest();
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
        // What was still open at the base line may be closed by now; one generation is a margin for it.
        let all = before + 2 * (GENERATIONS - 1);
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
