//! Metadata from both sides.

use std::time::Duration;

use lttngd_consumer::ConsumerError;
use lttngd_model::{ChannelKey, SessionId};
use lttngd_peer::{ConsumerAct, ConsumerScript, Gate, MetadataPush, eventually};
use lttngd_wire::consumer::{ConsumerError as Code, MetadataRequest};

use super::world::{World, prepare};
use crate::{BuffersError, Prepare, PushMetadata};

const PUSH: u32 = 10;

/// What the consumer gets when it asks.
async fn asked(world: &World) -> MetadataPush {
    asked_of(world, world.metadata_key()).await
}

/// The same for a metadata channel of this key.
async fn asked_of(world: &World, key: ChannelKey) -> MetadataPush {
    let request = MetadataRequest {
        session_id: SessionId(5),
        session_id_per_pid: 0,
        bits_per_long: 64,
        uid: 42,
        key,
    };
    let asker = world.fake.asker();
    tokio::task::spawn_blocking(move || asker(request, 0)).await.unwrap().unwrap()
}

#[actix::test]
async fn what_one_side_gave_the_other_does_not_repeat() {
    let world = World::new(ConsumerScript::default()).await;
    world.prepare(0..1).await.unwrap();
    world.set.send(PushMetadata).await.unwrap().unwrap();
    let begin = world.fake.text(world.metadata_key());
    assert!(begin.starts_with("/* CTF 1.8 */"), "{begin}");
    world.set.send(PushMetadata).await.unwrap().unwrap();
    assert_eq!(world.fake.count(PUSH), 1, "nothing is new");
    world.stream(0).await;
    let push = asked(&world).await;
    assert_eq!(push.offset, begin.len() as u64);
    world.event(0, "p:a").await;
    // The acceptance of what the consumer asked for is told, and may still be on its way.
    world.set.send(PushMetadata).await.unwrap().unwrap();
    let push = asked(&world).await;
    assert_eq!(push.bytes, b"");
    let text = world.fake.text(world.metadata_key());
    assert_eq!(push.offset, text.len() as u64);
    let order = ["stream {", "name = \"p:a\""].map(|part| text.find(part).unwrap());
    assert!(order[0] < order[1]);
    assert_eq!(text.matches("p:a").count(), 1);
    world.end().await;
}

#[actix::test]
async fn a_push_that_waits_leaves_no_hole_for_the_consumers_own_request() {
    let gate = Gate::default();
    let world = World::new(ConsumerScript::at(PUSH, ConsumerAct::Late(gate.clone()))).await;
    world.prepare(0..1).await.unwrap();
    world.stream(0).await;
    let push = tokio::task::spawn_local(world.set.send(PushMetadata));
    eventually("the push is held", || world.fake.count(PUSH) == 1).await;
    world.event(0, "p:during").await;
    assert_eq!(asked(&world).await.offset, 0, "what was not acknowledged is given again");
    world.event(0, "p:after").await;
    gate.open();
    push.await.unwrap().unwrap().unwrap();
    let text = world.fake.text(world.metadata_key());
    assert!(text.contains("p:during") && text.contains("p:after"), "{text}");
    world.end().await;
}

#[actix::test]
async fn a_push_that_is_refused_is_made_again() {
    let mut refusals = 1;
    let world = World::new(ConsumerScript::new(move |message| match message.number() {
        PUSH if refusals > 0 => {
            refusals -= 1;
            ConsumerAct::Refuse(Code::UST_CHAN_NOT_FOUND)
        }
        _ => ConsumerAct::Answer,
    }))
    .await;
    world.prepare(0..1).await.unwrap();
    assert!(world.set.send(PushMetadata).await.unwrap().is_err());
    assert_eq!(world.fake.text(world.metadata_key()), "");
    world.set.send(PushMetadata).await.unwrap().unwrap();
    assert!(world.fake.text(world.metadata_key()).starts_with("/* CTF 1.8 */"));
    world.end().await;
}

#[actix::test]
async fn without_a_metadata_channel_there_is_nothing_to_push() {
    let world = World::new(ConsumerScript::default()).await;
    world.set.send(PushMetadata).await.unwrap().unwrap();
    assert_eq!(world.numbers(), [0; 0]);
    world.end().await;
}

#[actix::test]
async fn a_metadata_channel_that_nobody_waited_for_leaves_no_hole_in_the_next_one() {
    const SETUP: u32 = 12;
    const CLOSE: u32 = 11;

    let (gate, mut held) = (Gate::default(), 1);
    let opened = gate.clone();
    let script = ConsumerScript::new(move |message| match message.number() {
        SETUP if held > 0 => {
            held -= 1;
            ConsumerAct::Late(opened.clone())
        }
        _ => ConsumerAct::Answer,
    });
    let world = World::impatient(script, Duration::from_secs(4)).await;
    let output = world.output.clone();
    let preparing = tokio::task::spawn_local(world.set.send(Prepare { output, ..prepare(0..1) }));
    eventually("it is held", || world.fake.count(SETUP) == 1).await;
    let first = world.metadata_key();
    assert_ne!(asked_of(&world, first).await.bytes, b"", "it has the beginning of the text");
    let prepared = preparing.await.unwrap().unwrap();
    assert!(matches!(prepared, Err(BuffersError::Consumer(ConsumerError::TimedOut))));
    gate.open();
    eventually("it is ended when the consumer goes on", || world.fake.count(CLOSE) == 1).await;
    world.prepare(0..1).await.unwrap();
    let second = world.metadata_key();
    assert_ne!(first, second);
    assert_eq!(asked_of(&world, first).await.bytes, b"", "it is nobody's any more");
    world.set.send(PushMetadata).await.unwrap().unwrap();
    let text = world.fake.text(second);
    assert!(text.starts_with("/* CTF 1.8 */"), "{text}");
    world.end().await;
}
