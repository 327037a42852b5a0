//! Relay daemons' connections and trace chunks.

use std::{fs::File, os::fd::OwnedFd};

use lttngd_model::{ChannelKey, ChunkId, NetIndex, RelaySessionId, StreamKind};
use lttngd_peer::{ConsumerAct, ConsumerScript};
use lttngd_wire::consumer::{ConsumerError as Code, Message};

use super::world::{SESSION, World};
use crate::{
    AddRelayd, ChunkPlace, CloseCommand, CloseTraceChunk, ConsumerError, CreateTraceChunk,
    DestroyRelayd, RotateChannel, TraceChunkExists, TraceChunkPresence,
};

const RELAYD: NetIndex = NetIndex(2);

fn socket() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

fn add() -> AddRelayd {
    AddRelayd {
        net_index: RELAYD,
        version: (2, 12),
        session: SESSION,
        relayd_session_id: RelaySessionId(9),
        control: socket(),
        data: socket(),
    }
}

#[actix::test]
async fn the_control_connection_goes_before_the_data_connection() {
    let world = World::running(ConsumerScript::default()).await;
    world.consumer.send(add()).await.unwrap().unwrap();
    let messages = world.fake.messages();
    let [.., Message::AddRelaydSocket(control), Message::AddRelaydSocket(data)] = &messages[..]
    else {
        panic!("{messages:?}")
    };
    assert_eq!(
        (control.stream, control.relayd_session_id),
        (StreamKind::Control, RelaySessionId(9))
    );
    assert_eq!((data.stream, data.relayd_session_id), (StreamKind::Data, RelaySessionId(0)));
    for socket in [control, data] {
        assert_eq!((socket.net_index, socket.session_id), (RELAYD, SESSION));
        assert_eq!((socket.major, socket.minor), (2, 12));
    }
    world.end().await;
}

#[actix::test]
async fn half_a_pair_is_given_up() {
    let mut sockets = 0;
    let world = World::running(ConsumerScript::new(move |message| {
        if message.number() == 4 {
            sockets += 1;
        }
        match sockets {
            2 if message.number() == 4 => ConsumerAct::Refuse(Code::RELAYD_FAIL),
            _ => ConsumerAct::Answer,
        }
    }))
    .await;
    let added = world.consumer.send(add()).await.unwrap();
    assert!(matches!(added, Err(ConsumerError::Refused(Code::RELAYD_FAIL))), "{added:?}");
    assert_eq!(world.fake.messages().last(), Some(&Message::DestroyRelayd { net_index: RELAYD }));
    world.end().await;
}

#[actix::test]
async fn a_chunk_that_a_relay_daemon_writes() {
    let world = World::running(ConsumerScript::default()).await;
    let relayd = Some(RELAYD);
    let create = CreateTraceChunk {
        override_name: String::new(),
        session: SESSION,
        chunk: ChunkId(3),
        created_at_s: 1,
        place: ChunkPlace::Relayd(RELAYD),
    };
    world.consumer.send(create).await.unwrap().unwrap();
    let rotate = RotateChannel { session: SESSION, key: ChannelKey(5), metadata: false, relayd };
    world.consumer.send(rotate).await.unwrap().unwrap();
    let close = CloseTraceChunk {
        session: SESSION,
        chunk: ChunkId(3),
        closed_at_s: 2,
        command: Some(CloseCommand::MoveToCompleted),
        relayd,
    };
    assert_eq!(world.consumer.send(close).await.unwrap().unwrap(), "host/session");
    let exists = TraceChunkExists { session: SESSION, chunk: ChunkId(3), relayd };
    let presence = world.consumer.send(exists).await.unwrap().unwrap();
    assert_eq!(presence, TraceChunkPresence::Unknown);
    world
        .consumer
        .send(DestroyRelayd { session: SESSION, net_index: RELAYD })
        .await
        .unwrap()
        .unwrap();
    let messages = world.fake.messages();
    let [create, rotate, close, exists, destroy] = &messages[messages.len() - 5..] else {
        panic!("{messages:?}")
    };
    assert!(matches!(
        create,
        Message::CreateTraceChunk { relayd_id: Some(RELAYD), owner: None, .. }
    ));
    assert!(matches!(
        rotate,
        Message::RotateChannel { relayd_id: Some(RELAYD), metadata: false, .. }
    ));
    assert!(matches!(close, Message::CloseTraceChunk { relayd_id: Some(RELAYD), .. }));
    assert!(matches!(exists, Message::TraceChunkExists { relayd_id: Some(RELAYD), .. }));
    assert_eq!(*destroy, Message::DestroyRelayd { net_index: RELAYD });
    world.end().await;
}
