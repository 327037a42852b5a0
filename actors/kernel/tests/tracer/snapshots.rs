//! A session that is recorded in memory, and copies of it.

use lttngd_buffers::{Counters, Record, Sizes};
use lttngd_model::{ChunkId, EventDescription, NetIndex};
use lttngd_peer::{ConsumerAct, ConsumerScript, FakeKernel, KernelObject};
use lttngd_wire::consumer::{ConsumerError, Message};

use super::world::{World, text};

const DESTROY_CHANNEL: u32 = 9;
const SNAPSHOT_CHANNEL: u32 = 14;
const STREAMS_SENT: u32 = 16;
const OPEN_CHANNEL_PACKETS: u32 = 27;

fn record() -> Record {
    Record { chunk: ChunkId(3), packets_per_stream: 7, relayd: None, prefix: "at/".to_owned() }
}

fn metadata_channels(world: &World) -> usize {
    let open = world.kernel.open_objects();
    open.iter().filter(|object| matches!(object, KernelObject::Metadata(..))).count()
}

#[actix::test]
async fn each_snapshot_has_metadata_of_its_own() {
    let mut world = World::new(FakeKernel::default(), ConsumerScript::default()).await;
    world.enable_event("c", &EventDescription::tracepoint("sched_*")).await.unwrap();
    world.record_in_memory(true).await.unwrap();
    assert_eq!((metadata_channels(&world), world.fake.kernel_streams()), (0, 2));
    assert_eq!(world.fake.count(STREAMS_SENT), 0, "nobody drains them");
    assert_eq!(world.fake.count(OPEN_CHANNEL_PACKETS), 1, "their time begins now");
    for (times, relayd) in [(1, None), (2, Some(NetIndex(8)))] {
        world.ask(Record { relayd, ..record() }).await.unwrap();
        assert_eq!(world.fake.count(SNAPSHOT_CHANNEL), 2 * times);
        assert_eq!(world.fake.count(DESTROY_CHANNEL), times);
        assert_eq!((metadata_channels(&world), world.fake.kernel_streams()), (0, 2));
    }
    let added = world.fake.messages().into_iter().filter_map(|message| match message {
        Message::AddChannel(of) => Some((of.metadata, of.monitor, of.chunk_id, of.relayd_id)),
        _ => None,
    });
    let metadata = |relayd| (true, false, Some(ChunkId(3)), relayd);
    let expected = [(false, false, None, None), metadata(None), metadata(Some(NetIndex(8)))];
    assert_eq!(added.collect::<Vec<_>>(), expected);
    let recorded = world.fake.messages().into_iter().filter_map(|message| match message {
        Message::SnapshotChannel(of) => Some((of.metadata, of.nb_packets_per_stream, of.pathname)),
        _ => None,
    });
    let at = || "at/".to_owned();
    let expected = [(false, 7, at()), (true, 0, at()), (false, 7, at()), (true, 0, at())];
    assert_eq!(recorded.collect::<Vec<_>>(), expected);
    let sizes = world.ask(Sizes).await.unwrap();
    assert_eq!((sizes.len(), sizes[0].streams, sizes[0].num_subbuf), (1, 2, 4));
    assert_eq!(world.ask(Counters).await.unwrap().len(), 1);
    // Nothing but us ends such channels.
    let (fake, kernel) = (world.fake.messages().len(), world.kernel.clone());
    assert!(fake > 0);
    world.end().await;
    assert_eq!(kernel.open_objects(), [KernelObject::Tracer]);
}

#[actix::test]
async fn of_a_snapshot_that_fails_nothing_is_left() {
    let refuses = ConsumerScript::at(SNAPSHOT_CHANNEL, ConsumerAct::Refuse(ConsumerError(122)));
    let mut world = World::new(FakeKernel::default(), refuses).await;
    world.enable_channel("c").await.unwrap();
    world.record_in_memory(true).await.unwrap();
    assert_ne!(text(world.ask(record()).await), "");
    assert_eq!((metadata_channels(&world), world.fake.kernel_streams()), (0, 2));
    assert_eq!(world.fake.count(DESTROY_CHANNEL), 1);
    world.end().await;
}
