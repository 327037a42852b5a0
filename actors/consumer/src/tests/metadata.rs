//! The metadata socket.

use lttngd_model::{ChannelKey, SessionId};
use lttngd_peer::{ConsumerAct, ConsumerScript, Gate, MetadataPush, eventually};
use lttngd_wire::consumer::{ChannelClass, MetadataRequest};

use super::world::{KEY, SESSION, World, ask};
use crate::{CloseMetadata, CreateMetadata, FlushChannel, MetadataText};

fn request(key: ChannelKey) -> MetadataRequest {
    MetadataRequest {
        session_id: SessionId(1),
        session_id_per_pid: 0,
        bits_per_long: 64,
        uid: 0,
        key,
    }
}

async fn asked(world: &World, key: ChannelKey, status: i32) -> Option<MetadataPush> {
    let asker = world.fake.asker();
    tokio::task::spawn_blocking(move || asker(request(key), status)).await.unwrap()
}

fn empty(key: ChannelKey) -> Option<MetadataPush> {
    Some(MetadataPush { key, offset: 0, version: 0, bytes: Vec::new() })
}

async fn with_metadata(script: ConsumerScript) -> World {
    let world = World::running(script).await;
    let create = CreateMetadata { ask: ask(ChannelClass::Metadata, KEY), source: world.source() };
    world.consumer.send(create).await.unwrap().unwrap();
    assert_eq!(world.fake.numbers()[2..], [7, 12]);
    world
}

fn text() -> MetadataText {
    MetadataText { offset: 0, version: 2, bytes: b"trace {};".to_vec() }
}

#[actix::test]
async fn text_is_given_while_a_command_waits() {
    let gate = Gate::default();
    let world = with_metadata(ConsumerScript::at(13, ConsumerAct::Late(gate.clone()))).await;
    *world.told.text.lock().unwrap() = Some(text());
    let flush =
        tokio::task::spawn_local(world.consumer.send(FlushChannel { session: SESSION, key: KEY }));
    eventually("the flush is held", || world.fake.count(13) == 1).await;
    let bytes = b"trace {};".to_vec();
    let expected = MetadataPush { key: KEY, offset: 0, version: 2, bytes };
    assert_eq!(asked(&world, KEY, 0).await, Some(expected));
    eventually("it is accepted", || *world.told.accepted.lock().unwrap() == [(2, 9)]).await;
    assert!(!flush.is_finished());
    gate.open();
    flush.await.unwrap().unwrap().unwrap();
    world.end().await;
}

#[actix::test]
async fn who_has_no_text_says_so() {
    let world = with_metadata(ConsumerScript::default()).await;
    assert_eq!(asked(&world, ChannelKey(77), 0).await, empty(ChannelKey(77)), "unknown");
    assert_eq!(asked(&world, KEY, 0).await, empty(KEY), "a reply that is dropped");
    *world.told.text.lock().unwrap() = Some(text());
    world.consumer.send(CloseMetadata { session: SESSION, key: KEY }).await.unwrap().unwrap();
    assert_eq!(asked(&world, KEY, 0).await, empty(KEY), "closed");
    world.end().await;
}

#[actix::test]
async fn text_that_the_consumer_refuses_is_not_accepted() {
    let world = with_metadata(ConsumerScript::default()).await;
    *world.told.text.lock().unwrap() = Some(text());
    assert!(asked(&world, KEY, 59).await.is_some());
    assert!(asked(&world, KEY, 0).await.is_some());
    eventually("the second is accepted", || !world.told.accepted.lock().unwrap().is_empty()).await;
    assert_eq!(*world.told.accepted.lock().unwrap(), [(2, 9)]);
    world.end().await;
}

#[actix::test]
async fn a_metadata_channel_that_is_refused_has_no_source() {
    let refuse = ConsumerAct::Refuse(lttngd_wire::consumer::ConsumerError::ERROR_METADATA);
    let world = World::running(ConsumerScript::at(12, refuse)).await;
    let create = CreateMetadata { ask: ask(ChannelClass::Metadata, KEY), source: world.source() };
    assert!(world.consumer.send(create).await.unwrap().is_err());
    *world.told.text.lock().unwrap() = Some(text());
    assert_eq!(asked(&world, KEY, 0).await, empty(KEY));
    world.end().await;
}
