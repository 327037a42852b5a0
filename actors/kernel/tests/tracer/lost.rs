//! A tracer that goes in the middle of what it does, and one that comes after it.

use lttngd_buffers::{Close, Flush, RegenerateMetadata};
use lttngd_kernel::{EnsureReady, ListKernelTracepoints, Open, Release, Statedump};
use lttngd_model::{
    Context, ContextKind, ErrorCode, EventDescription, ProcessAttribute, TrackingPolicy,
};
use lttngd_peer::{ConsumerScript, FakeKernel, KernelAct, KernelObject, eventually};
use lttngd_wire::kernel::Call;
use rustix::io::Errno;

use super::{
    notifiers::{self, groups_made, tracepoint},
    world::{World, facts, only_the_tracer_is_left, text},
};

/// What the calls of a tracer may answer that is not there any more.
const ANSWERS: [Errno; 3] = [Errno::NODEV, Errno::IO, Errno::NOTTY];

async fn world() -> World {
    World::new(FakeKernel::default(), ConsumerScript::default()).await
}

#[actix::test]
async fn a_session_whose_tracer_is_lost_says_so_and_is_let_go() {
    for answer in ANSWERS {
        let mut world = world().await;
        let event = EventDescription::tracepoint("sched_switch");
        world.enable_event("c", &event).await.unwrap();
        world.record(true).await.unwrap();
        world.kernel.lose_tracer(answer);
        let other = EventDescription::tracepoint("irq_handler_entry");
        assert_eq!(world.enable_event("c", &other).await, Err(ErrorCode::KernEnableFail));
        let disable = world.rules.plan_disable_event("c", &event);
        assert_eq!(world.carry_out(disable).await, Err(ErrorCode::KernDisableFail));
        let tid = Context::Plain(ContextKind::Tid);
        let plan = world.rules.plan_add_context("c", ContextKind::Tid as u32, Some(&tid), facts());
        assert_eq!(world.carry_out(plan).await, Err(ErrorCode::KernContextFail));
        let (attribute, policy) = (ProcessAttribute::UserId, TrackingPolicy::ExcludeAll);
        let plan = Ok(world.rules.plan_set_tracking_policy(attribute, policy));
        assert!(world.carry_out(plan).await.is_err(), "{answer}");
        assert_eq!(world.ask(Statedump).await, Err(ErrorCode::RegenStatedumpFail));
        let clock = lttngd_clock::TraceClock::Monotonic.sample().await;
        assert_ne!(text(world.ask(RegenerateMetadata { clock }).await), "");
        assert_ne!(text(world.ask(Flush).await), "");
        assert_eq!(world.record(false).await, Err(ErrorCode::KernStopFail), "{answer}");
        // It stays lost, however often it is asked, and what it was told before is as it was.
        for _ in 0..2 {
            assert_eq!(world.record(true).await, Err(ErrorCode::KernStartFail), "{answer}");
        }
        let listed = world.rules.list_events("c").unwrap();
        assert_eq!((listed.len(), listed[0].enabled), (1, 1), "{answer}");
        let kernel = world.kernel.clone();
        world.end().await;
        only_the_tracer_is_left(&kernel).await;
    }
}

#[actix::test]
async fn after_a_tracer_that_was_lost_another_is_loaded_and_records() {
    for answer in ANSWERS {
        let mut world = world().await;
        world.enable_event("c", &EventDescription::tracepoint("sched_switch")).await.unwrap();
        world.record(true).await.unwrap();
        world.kernel.lose_tracer(answer);
        let lost = world.next_session();
        // As long as there is none it is looked for.
        for _ in 0..2 {
            assert_eq!(world.enable_channel("d").await, Err(ErrorCode::KernNa), "{answer}");
            let listed = world.tracer.send(ListKernelTracepoints).await.unwrap();
            assert_eq!(listed, Err(ErrorCode::KernNa), "{answer}");
        }
        world.kernel.install_modules();
        world.tracer.send(EnsureReady).await.unwrap().unwrap();
        assert!(!world.tracer.send(ListKernelTracepoints).await.unwrap().unwrap().is_empty());
        world.enable_event("d", &EventDescription::tracepoint("sched_*")).await.unwrap();
        world.record(true).await.unwrap();
        world.record(false).await.unwrap();
        // The one before is not of that tracer, and is let go beside it.
        lost.send(Close).await.unwrap().unwrap();
        let (kernel, tracer) = (world.kernel.clone(), world.tracer.clone());
        world.end().await;
        only_the_tracer_is_left(&kernel).await;
        tracer.send(Release).await.unwrap();
        assert_eq!((kernel.open_objects(), kernel.loaded()), (vec![], vec![]), "{answer}");
    }
}

#[actix::test]
async fn modules_of_a_tracer_that_failed_go_with_the_daemon() {
    let world = world().await;
    world.tracer.send(EnsureReady).await.unwrap().unwrap();
    // They stay loaded, and nothing that was opened works.
    let loaded = world.kernel.loaded();
    world.kernel.fail_tracer(Errno::IO);
    assert_eq!(world.kernel.loaded(), loaded);
    world.tracer.send(EnsureReady).await.unwrap().unwrap();
    let (kernel, tracer) = (world.kernel.clone(), world.tracer.clone());
    world.end().await;
    tracer.send(Release).await.unwrap();
    assert_eq!((kernel.open_objects(), kernel.loaded()), (vec![], vec![]));
}

#[actix::test]
async fn a_session_that_had_nothing_in_a_lost_tracer_goes_on_in_the_next() {
    let mut world = world().await;
    world.ask(Open).await.unwrap();
    world.kernel.lose_tracer(Errno::NODEV);
    assert_eq!(world.ask(Open).await.map(|_| ()), Err(ErrorCode::KernNa));
    world.kernel.install_modules();
    world.enable_channel("c").await.unwrap();
    world.record(true).await.unwrap();
    let sessions = world.kernel.open_objects();
    let sessions = sessions.iter().filter(|it| matches!(it, KernelObject::Session(_)));
    assert_eq!(sessions.collect::<Vec<_>>(), [&KernelObject::Session(1)]);
    world.end().await;
}

#[actix::test]
async fn a_kernel_that_does_not_stop_a_session_is_asked_again_by_the_next_stop() {
    let mut refusals = 1;
    let kernel = FakeKernel::new(move |_, call| match call {
        Call::Stop if refusals > 0 => {
            refusals -= 1;
            KernelAct::Refuse(Errno::IO)
        }
        _ => KernelAct::Answer,
    });
    let mut world = World::new(kernel, ConsumerScript::default()).await;
    world.enable_channel("c").await.unwrap();
    world.record(true).await.unwrap();
    assert_eq!(world.record(false).await, Err(ErrorCode::KernStopFail));
    // It has recorded all the while: that it does so already is no failure.
    world.record(true).await.unwrap();
    world.record(false).await.unwrap();
    assert_eq!(world.kernel.recordings(), [true, false, true, false]);
    world.end().await;
}

#[actix::test]
async fn triggers_of_a_lost_tracer_tell_again_in_the_next() {
    let mut world = notifiers::World::new(FakeKernel::default());
    world.add(tracepoint(1, "a")).await.unwrap();
    world.kernel.lose_tracer(Errno::NODEV);
    assert_eq!(world.add(tracepoint(2, "b")).await, Err(ErrorCode::KernNa));
    world.kernel.install_modules();
    // Without anybody's asking.
    groups_made(&world, 2).await;
    let kernel = world.kernel.clone();
    eventually("it is told of", || kernel.happen("a", b"") == 1).await;
    assert_eq!(world.told().await.0, 1);
    world.add(tracepoint(2, "b")).await.unwrap();
    assert_eq!(world.kernel.happen("b", b""), 1);
    assert_eq!(world.told().await.0, 2);
}
