//! A consumer daemon that takes a channel later than anybody waits for it, or a part of it.

use std::time::Duration;

use lttngd_buffers::{Close, Record};
use lttngd_model::{ChannelKey, ChunkId, ErrorCode};
use lttngd_peer::{ConsumerAct, ConsumerScript, FakeKernel, Gate, KernelObject, eventually};
use lttngd_wire::consumer::{ConsumerError, Message};

use super::world::{World, only_the_tracer_is_left, text};

const ADD_CHANNEL: u32 = 0;
const ADD_STREAM: u32 = 1;
const DESTROY_CHANNEL: u32 = 9;
const STREAMS_SENT: u32 = 16;
/// What is waited for the consumer daemon: longer than a busy machine takes for what is answered at once.
const DEADLINE: Duration = Duration::from_secs(3);

/// One that does this with the first command that is meant.
fn once(is_meant: fn(&Message) -> bool, act: ConsumerAct) -> ConsumerScript {
    let mut first = Some(act);
    ConsumerScript::new(move |message| match is_meant(message) {
        true => first.take().unwrap_or(ConsumerAct::Answer),
        false => ConsumerAct::Answer,
    })
}

/// The keys under which channels were added, metadata or not.
fn added(world: &World, metadata: bool) -> Vec<ChannelKey> {
    let added = world.fake.messages().into_iter().filter_map(|message| match message {
        Message::AddChannel(add) if add.metadata == metadata => Some(add.key),
        _ => None,
    });
    added.collect()
}

/// The channels that the consumer daemon has streams of are these, with one for each processor.
fn has_streams_of(world: &World, keys: &[ChannelKey]) {
    let of = world.fake.kernel_streams_of();
    for key in keys {
        assert_eq!(of.iter().filter(|it| *it == key).count(), 2, "{key:?} of {of:?}");
    }
}

#[actix::test]
async fn a_channel_that_is_taken_late_is_what_the_next_start_goes_on_with() {
    let is_metadata: fn(&Message) -> bool =
        |it| matches!(it, Message::AddChannel(add) if add.metadata);
    let is_data: fn(&Message) -> bool =
        |it| matches!(it, Message::AddChannel(add) if !add.metadata);
    for is_meant in [is_metadata, is_data] {
        let gate = Gate::default();
        let script = once(is_meant, ConsumerAct::Late(gate.clone()));
        let mut world = World::waiting(script, DEADLINE).await;
        world.enable_channel("c").await.unwrap();
        assert_eq!(world.record(true).await, Err(ErrorCode::KernStartFail));
        // Nobody waits for it any more, nor gives it another one meanwhile.
        let given = world.fake.count(ADD_CHANNEL);
        assert_eq!(world.record(true).await, Err(ErrorCode::KernStartFail));
        assert_eq!(world.fake.count(ADD_CHANNEL), given);
        assert_eq!(world.kernel.recordings(), [false; 0]);
        gate.open();
        let streams = if given == 1 { 1 } else { 3 };
        eventually("it is taken", || world.fake.kernel_streams() == streams).await;
        lttngd_peer::eventually_so("it is heard", async || world.record(true).await.is_ok()).await;
        // Each was given once: nobody else reads its streams.
        let (metadata, data) = (added(&world, true), added(&world, false));
        assert_eq!((metadata.len(), data.len()), (1, 1));
        has_streams_of(&world, &data);
        assert_eq!((world.fake.kernel_streams(), world.fake.count(STREAMS_SENT)), (3, 1));
        let kernel = world.kernel.clone();
        world.ask(Close).await.unwrap();
        world.fake.close_kernel_streams();
        // Such channels end with the kernel's.
        assert_eq!(world.fake.count(DESTROY_CHANNEL), 0);
        only_the_tracer_is_left(&kernel).await;
        world.end().await;
    }
}

#[actix::test]
async fn of_a_channel_in_memory_that_is_taken_late_nothing_is_left() {
    let gate = Gate::default();
    let script = once(|it| it.number() == ADD_STREAM, ConsumerAct::Late(gate.clone()));
    let mut world = World::waiting(script, DEADLINE).await;
    world.enable_channel("c").await.unwrap();
    assert_eq!(world.record_in_memory(true).await, Err(ErrorCode::KernStartFail));
    gate.open();
    eventually("it is destroyed", || world.fake.count(DESTROY_CHANNEL) == 1).await;
    lttngd_peer::eventually_so("the consumer daemon is heard", async || {
        world.record_in_memory(true).await.is_ok()
    })
    .await;
    // The one that is there is another one, with all streams of the first.
    let keys = added(&world, false);
    let last = *keys.last().unwrap();
    assert!(keys.len() > 1 && keys[0] != last, "{keys:?}");
    has_streams_of(&world, &[last]);
    assert_eq!(world.fake.kernel_streams(), 2);
    let kernel = world.kernel.clone();
    world.end().await;
    only_the_tracer_is_left(&kernel).await;
}

#[actix::test]
async fn of_a_snapshots_metadata_that_is_taken_late_nothing_is_left() {
    let gate = Gate::default();
    let is_metadata: fn(&Message) -> bool =
        |it| matches!(it, Message::AddChannel(add) if add.metadata);
    let mut world =
        World::waiting(once(is_metadata, ConsumerAct::Late(gate.clone())), DEADLINE).await;
    world.enable_channel("c").await.unwrap();
    world.record_in_memory(true).await.unwrap();
    let record =
        || Record { chunk: ChunkId(3), packets_per_stream: 0, relayd: None, prefix: String::new() };
    assert_ne!(text(world.ask(record()).await), "");
    gate.open();
    eventually("it is destroyed", || world.fake.count(DESTROY_CHANNEL) == 1).await;
    let recorded = async || world.ask(record()).await.is_ok();
    lttngd_peer::eventually_so("the consumer daemon is heard", recorded).await;
    assert_eq!(world.fake.kernel_streams(), 2);
    let open = world.kernel.open_objects();
    assert!(!open.iter().any(|it| matches!(it, KernelObject::Metadata(..))), "{open:?}");
    world.end().await;
}

#[actix::test]
async fn a_channel_of_which_a_part_was_refused_is_given_whole_the_next_time() {
    let refuse = || {
        // The second stream of the data: the first command is that of the metadata, if there is one.
        let is_second: fn(&Message) -> bool = |it| matches!(it, Message::AddStream { cpu: 1, .. });
        once(is_second, ConsumerAct::Refuse(ConsumerError(119)))
    };
    // One that is written as it comes.
    let mut world = World::new(FakeKernel::default(), refuse()).await;
    world.enable_channel("c").await.unwrap();
    assert_eq!(world.record(true).await, Err(ErrorCode::KernStartFail));
    world.record(true).await.unwrap();
    let keys = added(&world, false);
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
    has_streams_of(&world, &keys[1..]);
    assert_eq!(added(&world, true).len(), 1);
    assert_eq!(world.fake.count(DESTROY_CHANNEL), 0, "a consumer daemon takes no such command");
    world.end().await;
    // One in memory, of which the part is taken back.
    let mut world = World::new(FakeKernel::default(), refuse()).await;
    world.enable_channel("c").await.unwrap();
    assert_eq!(world.record_in_memory(true).await, Err(ErrorCode::KernStartFail));
    assert_eq!((world.fake.kernel_streams(), world.fake.count(DESTROY_CHANNEL)), (0, 1));
    world.record_in_memory(true).await.unwrap();
    has_streams_of(&world, &added(&world, false)[1..]);
    assert_eq!(world.fake.kernel_streams(), 2);
    world.end().await;
}
