//! Requests for sessions that have ended.

use std::{fs::File, os::fd::OwnedFd};

use lttngd_model::{ChunkId, NetIndex, RelaySessionId};
use lttngd_peer::{ConsumerAct, ConsumerScript, Gate, eventually};
use lttngd_runtime::Outlet;
use lttngd_wire::consumer::{ChannelClass, Message};

use super::world::{KEY, SESSION, World, ask};
use crate::{
    AddRelayd, ChunkPlace, CloseMetadata, ConsumerError, CreateChannel, CreateMetadata,
    CreateTraceChunk, DataPending, DestroyRelayd, EndSession,
};

const RELAYD: NetIndex = NetIndex(2);
const CHUNK: ChunkId = ChunkId(4);

fn socket() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

fn add_relayd() -> AddRelayd {
    AddRelayd {
        net_index: RELAYD,
        version: (2, 12),
        session: SESSION,
        relayd_session_id: RelaySessionId(9),
        control: socket(),
        data: socket(),
    }
}

fn create_chunk() -> CreateTraceChunk {
    CreateTraceChunk {
        session: SESSION,
        chunk: CHUNK,
        created_at_s: 1,
        place: ChunkPlace::Relayd(RELAYD),
        override_name: String::new(),
    }
}

fn create_channel() -> CreateChannel {
    let ask = ask(ChannelClass::Data { overwrite: false }, KEY);
    CreateChannel { ask, sampled: Outlet::closed() }
}

fn create_metadata(world: &World) -> CreateMetadata {
    CreateMetadata { ask: ask(ChannelClass::Metadata, KEY), source: world.source() }
}

async fn end_session(world: &World) {
    world.consumer.send(EndSession { session: SESSION }).await.unwrap();
}

fn has_ended<T>(outcome: Result<T, ConsumerError>) -> bool {
    matches!(outcome, Err(ConsumerError::Ended))
}

#[actix::test]
async fn nothing_is_made_for_a_session_that_has_ended() {
    let world = World::running(ConsumerScript::default()).await;
    let (fake, consumer) = (&world.fake, &world.consumer);
    end_session(&world).await;
    let before = fake.messages().len();
    assert!(has_ended(consumer.send(add_relayd()).await.unwrap()));
    assert!(has_ended(consumer.send(create_chunk()).await.unwrap()));
    assert!(has_ended(consumer.send(create_channel()).await.unwrap()));
    assert!(has_ended(consumer.send(create_metadata(&world)).await.unwrap()));
    assert!(has_ended(consumer.send(DataPending { session: SESSION }).await.unwrap()));
    assert!(has_ended(world.flush().await));
    assert_eq!(fake.messages().len(), before, "the consumer daemon does not hear of it");
    // What is left can still be ended.
    consumer.send(CloseMetadata { session: SESSION, key: KEY }).await.unwrap().unwrap();
    let net_index = RELAYD;
    consumer.send(DestroyRelayd { session: SESSION, net_index }).await.unwrap().unwrap();
    assert_eq!(fake.messages().len(), before + 2);
    world.end().await;
}

/// Holds the command of this number back until its session has ended: what follows then.
async fn overtaken<M, T>(number: u32, make: impl FnOnce(&World) -> M) -> Vec<Message>
where
    M: actix::Message<Result = Result<T, ConsumerError>> + Send + 'static,
    T: Send + 'static,
    crate::Consumer: actix::Handler<M>,
{
    let gate = Gate::default();
    let world = World::running(ConsumerScript::at(number, ConsumerAct::Late(gate.clone()))).await;
    let made = tokio::task::spawn_local(world.consumer.send(make(&world)));
    eventually("it is asked for", || world.fake.count(number) == 1).await;
    end_session(&world).await;
    let before = world.fake.messages().len();
    gate.open();
    assert!(has_ended(made.await.unwrap().unwrap()), "{number}");
    let undone = world.fake.messages().split_off(before);
    world.end().await;
    undone
}

#[actix::test]
async fn what_is_made_while_its_session_ends_is_taken_back() {
    assert_eq!(
        overtaken(12, create_metadata).await,
        [Message::CloseMetadata { key: KEY }],
        "a metadata channel"
    );
    let undone = overtaken(23, |_| create_chunk()).await;
    assert!(
        matches!(undone[..], [Message::CloseTraceChunk { chunk_id: CHUNK, .. }]),
        "a trace chunk: {undone:?}"
    );
    let undone = overtaken(4, |_| add_relayd()).await;
    assert!(
        matches!(undone[..], [.., Message::DestroyRelayd { net_index: RELAYD }]),
        "a relay daemon's connections: {undone:?}"
    );
    // Its descriptors are closed, which ends it.
    assert_eq!(overtaken(8, |_| create_channel()).await, [], "a channel");
}
