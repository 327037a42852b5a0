//! A session from its first channel to its end.

use lttngd_buffers::{Clear, Close, Flush, OpenPackets, RegenerateMetadata, Rotate};
use lttngd_kernel::Statedump;
use lttngd_model::{
    Context, ContextKind, ErrorCode, EventDescription, EventKind, ProcessAttribute, TrackingPolicy,
};
use lttngd_peer::{ConsumerAct, ConsumerScript, FakeKernel, KernelAct, KernelObject, eventually};
use lttngd_runtime::{Descriptors, Purpose, Shares};
use lttngd_wire::{
    consumer::{ConsumerError, Message},
    kernel::{Call, Instrumentation},
};
use rustix::io::Errno;

use super::world::{World, facts, text};

const ADD_CHANNEL: u32 = 0;
const ADD_STREAM: u32 = 1;
const DESTROY_CHANNEL: u32 = 9;
const STREAMS_SENT: u32 = 16;
const ROTATE_CHANNEL: u32 = 21;
const CLEAR_CHANNEL: u32 = 26;
const OPEN_CHANNEL_PACKETS: u32 = 27;

async fn world() -> World {
    World::new(FakeKernel::default(), ConsumerScript::default()).await
}

/// The numbers of the commands that the consumer daemon got, without those of its start.
fn commands(world: &World) -> Vec<u32> {
    world.fake.numbers().split_off(2)
}

#[actix::test]
async fn a_session_records_and_nothing_of_it_is_left() {
    let mut world = world().await;
    world.enable_event("c", &EventDescription::tracepoint("sched_*")).await.unwrap();
    let before = world.kernel.count(|call| *call == Call::OpenStream);
    assert_eq!((before, commands(&world)), (0, vec![]), "nothing is recorded yet");
    world.record(true).await.unwrap();
    // The metadata first, and each channel with as many streams as there are processors.
    let streams = [ADD_CHANNEL, ADD_STREAM, ADD_CHANNEL, ADD_STREAM, ADD_STREAM, STREAMS_SENT];
    assert_eq!(commands(&world), streams);
    let added = world.fake.messages().into_iter().filter_map(|message| match message {
        Message::AddChannel(add) => {
            Some((add.name, add.metadata, add.nb_init_streams, add.monitor))
        }
        _ => None,
    });
    let expected = [("metadata", true, 1, true), ("c", false, 2, true)];
    let expected =
        expected.map(|(name, it, streams, monitor)| (name.to_owned(), it, streams, monitor));
    assert_eq!(added.collect::<Vec<_>>(), expected);
    assert_eq!(world.fake.kernel_streams(), 3);
    world.record(true).await.unwrap();
    world.record(false).await.unwrap();
    world.record(false).await.unwrap();
    assert_eq!(world.kernel.recordings(), [true, false], "it was so already");
    world.ask(Flush).await.unwrap();
    assert_eq!(world.kernel.count(|call| *call == Call::Flush), 3);
    world.record(true).await.unwrap();
    world.record(false).await.unwrap();
    assert_eq!(commands(&world), streams, "it is sent once");
    let tracer = world.tracer.clone();
    world.ask(Close).await.unwrap();
    world.fake.close_kernel_streams();
    assert_eq!(world.kernel.open_objects(), [KernelObject::Tracer]);
    // The consumer daemon ends such channels when the kernel does.
    assert_eq!(world.fake.count(DESTROY_CHANNEL), 0);
    drop(tracer);
    world.end().await;
}

#[actix::test]
async fn the_session_has_its_name_and_time_in_the_tracer() {
    let mut world = world().await;
    world.enable_channel("c").await.unwrap();
    let calls: Vec<_> = world.kernel.calls().into_iter().map(|(_, call)| call).collect();
    assert!(calls.contains(&Call::SetName("mine".to_owned())));
    assert!(calls.contains(&Call::SetCreationTime("19700101T000000+0000".to_owned())));
    world.end().await;
}

#[actix::test]
async fn what_buffers_are_asked_goes_to_every_channel_and_the_metadata_last() {
    let mut world = world().await;
    for name in ["c", "d"] {
        world.enable_channel(name).await.unwrap();
    }
    // Nobody has them before the first start.
    world.ask(Rotate).await.unwrap();
    world.ask(Flush).await.unwrap();
    assert_eq!(world.fake.count(ROTATE_CHANNEL), 0);
    world.record(true).await.unwrap();
    world.ask(Rotate).await.unwrap();
    world.ask(Clear).await.unwrap();
    world.ask(OpenPackets).await.unwrap();
    let counts = [ROTATE_CHANNEL, CLEAR_CHANNEL, OPEN_CHANNEL_PACKETS].map(|n| world.fake.count(n));
    assert_eq!(counts, [3, 3, 2]);
    let rotated = world.fake.messages().into_iter().filter_map(|message| match message {
        Message::RotateChannel { metadata, .. } => Some(metadata),
        _ => None,
    });
    assert_eq!(rotated.collect::<Vec<_>>(), [false, false, true]);
    world
        .ask(RegenerateMetadata { clock: lttngd_clock::TraceClock::Monotonic.sample().await })
        .await
        .unwrap();
    world.ask(Statedump).await.unwrap();
    assert_eq!(world.kernel.count(|call| *call == Call::RegenerateMetadata), 1);
    assert_eq!(world.kernel.count(|call| *call == Call::Statedump), 1);
    world.end().await;
}

#[actix::test]
async fn rules_of_every_kind_reach_the_tracer() {
    let mut world = world().await;
    let kind = |kind: EventKind, name: &str| EventDescription {
        kind: kind as i8,
        ..EventDescription::tracepoint(name)
    };
    let filtered =
        EventDescription::tracepoint("sched_switch").filtered_by("prev_tid == 1").unwrap();
    for event in [
        kind(EventKind::All, "*"),
        kind(EventKind::Probe, "p"),
        kind(EventKind::Function, "f"),
        filtered,
    ] {
        world.enable_event("c", &event).await.unwrap();
    }
    let made = world.kernel.calls().into_iter().filter_map(|(_, call)| match call {
        Call::CreateEvent(event) => Some((event.name, event.instrumentation)),
        _ => None,
    });
    let made: Vec<_> = made.collect();
    assert!(
        matches!(
            &made[..],
            [
                (_, Instrumentation::Tracepoint),
                (_, Instrumentation::Syscall(_)),
                (_, Instrumentation::Kprobe(_)),
                (_, Instrumentation::Kretprobe(_)),
                (_, Instrumentation::Tracepoint),
            ]
        ),
        "{made:?}"
    );
    assert_eq!(world.kernel.count(|call| matches!(call, Call::Filter(_))), 1);
    // A place in the kernel has one probe of a name.
    let twice = kind(EventKind::Function, "p");
    assert_eq!(world.enable_event("c", &twice).await, Err(ErrorCode::KernEventExist));
    let function = kind(EventKind::FunctionEntry, "g");
    assert_eq!(world.enable_event("c", &function).await, Err(ErrorCode::KernEnableFail));
    assert_eq!(world.rules.list_events("c").unwrap().len(), 5);
    let plan = world.rules.plan_disable_event("c", &EventDescription::of_any_kind(""));
    world.carry_out(plan).await.unwrap();
    assert_eq!(world.kernel.count(|call| *call == Call::Disable), 5);
    world.end().await;
}

#[actix::test]
async fn the_kernel_is_waited_for_where_something_stops_and_not_where_it_begins() {
    let mut world = world().await;
    let waits = |world: &World| world.kernel.count(|call| *call == Call::WaitQuiescent);
    let event = EventDescription::tracepoint("sched_*");
    world.enable_channel("c").await.unwrap();
    world.enable_event("c", &event).await.unwrap();
    world.record(true).await.unwrap();
    assert_eq!(waits(&world), 0);
    let disable = world.rules.plan_disable_event("c", &event);
    world.carry_out(disable).await.unwrap();
    assert_eq!(waits(&world), 1);
    world.enable_event("c", &event).await.unwrap();
    assert_eq!(waits(&world), 1);
    let disable = world.rules.plan_disable_channel("c");
    world.carry_out(disable).await.unwrap();
    assert_eq!(waits(&world), 2);
    world.record(false).await.unwrap();
    assert_eq!(waits(&world), 3);
    world.end().await;
}

#[actix::test]
async fn a_channel_that_came_for_a_refused_event_goes_again() {
    let refuse = |_: &KernelObject, call: &Call| match call {
        Call::CreateEvent(event) if event.name == "bad" => KernelAct::Refuse(Errno::INVAL),
        _ => KernelAct::Answer,
    };
    let mut world = World::new(FakeKernel::new(refuse), ConsumerScript::default()).await;
    let bad = EventDescription { kind: 1, ..EventDescription::tracepoint("bad") };
    assert_eq!(world.enable_event("c", &bad).await, Err(ErrorCode::KernEnableFail));
    let open = world.kernel.open_objects();
    assert!(!open.iter().any(|object| matches!(object, KernelObject::Channel(..))), "{open:?}");
    // The next one of the name is another.
    world.enable_event("c", &EventDescription::tracepoint("good")).await.unwrap();
    world.record(true).await.unwrap();
    assert_eq!(world.fake.count(STREAMS_SENT), 1);
    world.end().await;
}

#[actix::test]
async fn contexts_and_trackers_reach_the_tracer() {
    let mut world = world().await;
    world.enable_channel("c").await.unwrap();
    let tid = Context::Plain(ContextKind::Tid);
    let plan = world.rules.plan_add_context("", ContextKind::Tid as u32, Some(&tid), facts());
    world.carry_out(plan).await.unwrap();
    assert_eq!(world.kernel.count(|call| *call == Call::AddContext(tid.clone())), 1);
    for (attribute, policy, call) in [
        (ProcessAttribute::ProcessId, TrackingPolicy::IncludeSet, Call::UntrackPid(-1)),
        (ProcessAttribute::ProcessId, TrackingPolicy::IncludeAll, Call::TrackPid(-1)),
        (
            ProcessAttribute::UserId,
            TrackingPolicy::ExcludeAll,
            Call::Untrack(ProcessAttribute::UserId, -1),
        ),
    ] {
        let plan = Ok(world.rules.plan_set_tracking_policy(attribute, policy));
        world.carry_out(plan).await.unwrap();
        assert_eq!(world.kernel.count(|made| *made == call), 1, "{call:?}");
    }
    world.end().await;
}

#[actix::test]
async fn processors_that_come_later_are_recorded() {
    let mut world = world().await;
    world.enable_channel("c").await.unwrap();
    world.record(true).await.unwrap();
    assert_eq!(world.fake.kernel_streams(), 3);
    world.kernel.add_processor();
    eventually("its stream is sent", || world.fake.kernel_streams() == 4).await;
    let cpus = world.fake.messages().into_iter().filter_map(|message| match message {
        Message::AddStream { cpu, .. } => Some(cpu),
        _ => None,
    });
    assert_eq!(cpus.collect::<Vec<_>>(), [0, 0, 1, 2]);
    world.end().await;
}

#[actix::test]
async fn a_start_that_a_part_refuses_says_which() {
    let refusing = |call: Call, errno| {
        FakeKernel::new(move |_: &KernelObject, made: &Call| match made.number() == call.number() {
            true => KernelAct::Refuse(errno),
            false => KernelAct::Answer,
        })
    };
    for (call, errno, code) in [
        (Call::OpenStream, Errno::NOMEM, ErrorCode::KernStreamFail),
        (Call::Start, Errno::NOMEM, ErrorCode::KernStartFail),
    ] {
        let mut world = World::new(refusing(call.clone(), errno), ConsumerScript::default()).await;
        world.enable_channel("c").await.unwrap();
        assert_eq!(world.record(true).await, Err(code), "{call:?}");
        world.end().await;
    }
    let refuses = ConsumerScript::at(ADD_STREAM, ConsumerAct::Refuse(ConsumerError(119)));
    let mut world = World::new(FakeKernel::default(), refuses).await;
    world.enable_channel("c").await.unwrap();
    assert_eq!(world.record(true).await, Err(ErrorCode::KernStartFail));
    assert_eq!(world.kernel.recordings(), [false; 0]);
    world.end().await;
    let mut world = World::new(
        FakeKernel::new(|_, call| match call {
            Call::Flush => KernelAct::Refuse(Errno::IO),
            _ => KernelAct::Answer,
        }),
        ConsumerScript::default(),
    )
    .await;
    world.enable_channel("c").await.unwrap();
    world.record(true).await.unwrap();
    let refused = text(world.ask(Flush).await);
    assert!(refused.contains("close a packet"), "{refused}");
    world.end().await;
}

#[actix::test]
async fn what_there_are_no_descriptors_for_is_refused_and_gives_back_what_it_took() {
    let budget = Descriptors::new(Shares::new(24, 0));
    let mut world =
        World::within(FakeKernel::default(), ConsumerScript::default(), budget.clone()).await;
    let mut names = (0..).map(|number| format!("event{number}"));
    let refused = loop {
        let event = EventDescription::tracepoint(names.next().unwrap());
        if let Err(code) = world.enable_event("c", &event).await {
            break code;
        }
    };
    assert_eq!(refused, ErrorCode::KernEnableFail);
    let rules = world.rules.list_events("c").unwrap().len();
    assert!((1..12).contains(&rules), "{rules} rules");
    world.end().await;
    assert!(budget.take(Purpose::Channels, 2 * rules).is_ok(), "they are given back");
}

#[actix::test]
async fn a_session_that_cannot_be_made_is_refused_each_time() {
    let refuse = |_: &KernelObject, call: &Call| match call {
        Call::CreateSession => KernelAct::Refuse(Errno::NOMEM),
        _ => KernelAct::Answer,
    };
    let mut world = World::new(FakeKernel::new(refuse), ConsumerScript::default()).await;
    for _ in 0..2 {
        assert_eq!(world.enable_channel("c").await, Err(ErrorCode::KernSessFail));
    }
    world.end().await;
}
