//! The end of a set.

use lttngd_peer::{ConsumerAct, ConsumerScript};
use lttngd_wire::consumer::ConsumerError as Code;

use super::world::World;
use crate::{
    BuffersError, ChannelCounters, ClearQuiescent, Close, Counters, Finish, Flush, PushMetadata,
    Rotate,
};

const PUSH: u32 = 10;
const CLOSE_METADATA: u32 = 11;
const FLUSH: u32 = 13;
const DISCARDED: u32 = 17;
const LOST: u32 = 18;
const ROTATE: u32 = 21;

#[actix::test]
async fn a_set_is_flushed_pushed_counted_and_closed_in_this_order() {
    let counter = ConsumerAct::Bytes(7_u64.to_ne_bytes().to_vec());
    let world = World::new(ConsumerScript::new(move |message| match message.number() {
        DISCARDED | LOST => counter.clone(),
        _ => ConsumerAct::Answer,
    }))
    .await;
    world.prepare(0..2).await.unwrap();
    world.stream(0).await;
    let before = world.numbers().len();
    let counters = world.set.send(Finish).await.unwrap().unwrap();
    let expected = [FLUSH, FLUSH, PUSH, DISCARDED, LOST, CLOSE_METADATA];
    assert_eq!(world.numbers()[before..], expected);
    let expected = [
        ChannelCounters { index: 0, discarded_events: 7, lost_packets: 0 },
        ChannelCounters { index: 1, discarded_events: 0, lost_packets: 7 },
    ];
    assert_eq!(counters, expected);
    assert!(matches!(world.prepare(0..2).await, Err(BuffersError::Closed)));
    world.end().await;
}

#[actix::test]
async fn a_set_closes_once_and_then_says_nothing_more_to_the_consumer() {
    let world = World::new(ConsumerScript::default()).await;
    let objects = world.prepare(0..2).await.unwrap();
    assert_eq!(std::sync::Arc::strong_count(&objects.channels[0].object), 2);
    for _ in 0..3 {
        world.set.send(Close).await.unwrap().unwrap();
    }
    assert_eq!(world.fake.count(CLOSE_METADATA), 1);
    assert_eq!(std::sync::Arc::strong_count(&objects.channels[0].object), 1, "it lets go of them");
    let before = world.numbers();
    world.set.send(Flush).await.unwrap().unwrap();
    world.set.send(ClearQuiescent).await.unwrap().unwrap();
    world.set.send(Rotate).await.unwrap().unwrap();
    world.set.send(PushMetadata).await.unwrap().unwrap();
    assert_eq!(world.set.send(Counters).await.unwrap().unwrap(), []);
    assert_eq!(world.set.send(Finish).await.unwrap().unwrap(), []);
    assert_eq!(world.numbers(), before);
    world.end().await;
}

#[actix::test]
async fn a_set_that_was_never_made_closes_too() {
    let world = World::new(ConsumerScript::default()).await;
    world.set.send(Close).await.unwrap().unwrap();
    assert_eq!(world.numbers(), [0; 0]);
    assert!(matches!(world.prepare(0..1).await, Err(BuffersError::Closed)));
    world.end().await;
}

#[actix::test]
async fn metadata_leaves_a_chunk_behind_all_data() {
    let world = World::new(ConsumerScript::default()).await;
    world.prepare(0..2).await.unwrap();
    let before = world.numbers().len();
    world.set.send(Rotate).await.unwrap().unwrap();
    assert_eq!(world.numbers()[before..], [ROTATE, ROTATE, PUSH, ROTATE]);
    world.end().await;
}

#[actix::test]
async fn whatever_fails_on_the_way_the_set_is_closed() {
    for number in [FLUSH, PUSH, CLOSE_METADATA] {
        let refuse = ConsumerAct::Refuse(Code::FATAL);
        let world = World::new(ConsumerScript::at(number, refuse)).await;
        world.prepare(0..2).await.unwrap();
        assert!(world.set.send(Finish).await.unwrap().is_err());
        assert_eq!(world.fake.count(CLOSE_METADATA), 1, "{number}");
        assert!(matches!(world.prepare(0..1).await, Err(BuffersError::Closed)));
        world.end().await;
    }
}

#[actix::test]
async fn streams_that_no_application_has_described_are_before_packets_of_them_are_written() {
    for way in ["flush", "rotate", "finish"] {
        let world = World::new(ConsumerScript::default()).await;
        world.prepare(0..2).await.unwrap();
        world.stream(0).await;
        match way {
            "flush" => world.set.send(Flush).await.unwrap().unwrap(),
            "rotate" => world.set.send(Rotate).await.unwrap().unwrap(),
            _ => drop(world.set.send(Finish).await.unwrap().unwrap()),
        }
        world.set.send(PushMetadata).await.unwrap().unwrap();
        let text = world.fake.text(world.metadata_key());
        assert_eq!(text.matches("stream {").count(), 2, "{way}: {text}");
        world.end().await;
    }
}
