//! Every command: its number, its offsets, its way there and back.

use lttngd_model::{
    ChannelKey, ChunkId, Credentials, NetIndex, RelaySessionId, SessionId, StreamKind,
};
use proptest::prelude::*;

use super::channel::{add_channel, ask_channel};
use super::*;
use crate::DecodeError;

const KEY: ChannelKey = ChannelKey(0x0102_0304_0506_0708);
const SESSION: SessionId = SessionId(0x1112_1314_1516_1718);
const CHUNK: ChunkId = ChunkId(0x2122_2324_2526_2728);
const RELAYD: NetIndex = NetIndex(0x3132_3334_3536_3738);

fn every_message() -> Vec<Message> {
    let key = KEY;
    let session_id = SESSION;
    let chunk_id = CHUNK;
    let relayd_id = Some(RELAYD);
    vec![
        Message::AddChannel(Box::new(add_channel())),
        Message::AddStream { stream_key: 5, channel_key: key, cpu: 3, no_monitor: true },
        Message::AddRelaydSocket(relayd_socket(StreamKind::Control)),
        Message::AddRelaydSocket(relayd_socket(StreamKind::Data)),
        Message::DestroyRelayd { net_index: RELAYD },
        Message::DataPending { session_id },
        Message::AskChannelCreation(Box::new(ask_channel())),
        Message::GetChannel { key },
        Message::DestroyChannel { key },
        Message::PushMetadata { key, target_offset: 10, len: 20, version: 30 },
        Message::CloseMetadata { key },
        Message::SetupMetadata { key },
        Message::FlushChannel { key },
        Message::SnapshotChannel(Box::new(snapshot())),
        Message::StreamsSent { channel_key: key, relayd_id },
        Message::StreamsSent { channel_key: key, relayd_id: None },
        Message::DiscardedEvents { session_id, key },
        Message::LostPackets { session_id, key },
        Message::ClearQuiescentChannel { key },
        Message::SetChannelMonitorPipe,
        Message::RotateChannel { metadata: true, relayd_id, key },
        Message::RotateChannel { metadata: false, relayd_id: None, key },
        Message::Init { sessiond_uuid: *b"0123456789abcdef" },
        create_chunk(relayd_id, None),
        create_chunk(None, Some(Credentials { uid: 1000, gid: 1001 })),
        close_chunk(relayd_id, None),
        close_chunk(None, Some(CloseCommand::MoveToCompleted)),
        close_chunk(None, Some(CloseCommand::NoOperation)),
        close_chunk(None, Some(CloseCommand::Delete)),
        Message::TraceChunkExists { relayd_id, session_id, chunk_id },
        Message::TraceChunkExists { relayd_id: None, session_id, chunk_id },
        Message::ClearChannel { key },
        Message::OpenChannelPackets { key },
    ]
}

fn relayd_socket(stream: StreamKind) -> AddRelaydSocket {
    AddRelaydSocket {
        net_index: RELAYD,
        stream,
        major: 2,
        minor: 13,
        session_id: SESSION,
        relayd_session_id: RelaySessionId(9),
    }
}

fn snapshot() -> SnapshotChannel {
    SnapshotChannel {
        pathname: "uid/0/64-bit".to_owned(),
        metadata: true,
        relayd_id: Some(RELAYD),
        key: KEY,
        nb_packets_per_stream: 4,
    }
}

fn create_chunk(relayd_id: Option<NetIndex>, owner: Option<Credentials>) -> Message {
    Message::CreateTraceChunk {
        relayd_id,
        override_name: "snapshot-1".to_owned(),
        session_id: SESSION,
        chunk_id: CHUNK,
        creation_timestamp_s: 77,
        owner,
    }
}

fn close_chunk(relayd_id: Option<NetIndex>, command: Option<CloseCommand>) -> Message {
    Message::CloseTraceChunk {
        relayd_id,
        session_id: SESSION,
        chunk_id: CHUNK,
        close_timestamp_s: 88,
        command,
    }
}

#[test]
fn every_message_comes_back() {
    for message in every_message() {
        let bytes = message.encode();
        assert_eq!(bytes.len(), MESSAGE_LEN);
        assert_eq!(u32_at(&bytes, 0), message.number());
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
}

#[test]
fn numbers_without_a_command_are_refused() {
    let known: Vec<u32> = every_message().iter().map(Message::number).collect();
    // UPDATE_STREAM, STOP and SNAPSHOT_METADATA have numbers that nobody may send.
    for number in (0..64).filter(|number| !known.contains(number)) {
        let mut bytes = vec![0; MESSAGE_LEN];
        bytes[..4].copy_from_slice(&number.to_ne_bytes());
        let value = number.into();
        assert_eq!(Message::decode(&bytes), Err(DecodeError::BadValue { what: "cmd_type", value }));
    }
    assert_eq!((0..28).filter(|number| !known.contains(number)).collect::<Vec<_>>(), [2, 3, 15]);
}

#[test]
fn a_message_has_one_size() {
    let bytes = Message::GetChannel { key: KEY }.encode();
    for len in [0, 3, 4, 12, MESSAGE_LEN - 1] {
        assert!(matches!(Message::decode(&bytes[..len]), Err(DecodeError::Truncated { .. })));
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(Message::decode(&longer), Err(DecodeError::Trailing { left: 1, .. })));
}

#[test]
fn relayd_socket_offsets() {
    let bytes = Message::AddRelaydSocket(relayd_socket(StreamKind::Data)).encode();
    assert_eq!((u64_at(&bytes, 4), u32_at(&bytes, 12)), (RELAYD.0, 1));
    assert_eq!((u32_at(&bytes, 16), u32_at(&bytes, 20), bytes[24]), (2, 13, 1));
    assert_eq!((u64_at(&bytes, 25), u64_at(&bytes, 33)), (SESSION.0, 9));
}

#[test]
fn small_message_offsets() {
    let bytes =
        Message::AddStream { stream_key: 5, channel_key: KEY, cpu: 3, no_monitor: true }.encode();
    assert_eq!((u64_at(&bytes, 4), u64_at(&bytes, 12)), (5, KEY.0));
    assert_eq!((u32_at(&bytes, 20), u32_at(&bytes, 24)), (3, 1));
    let bytes = Message::StreamsSent { channel_key: KEY, relayd_id: None }.encode();
    assert_eq!((u64_at(&bytes, 4), u64_at(&bytes, 12)), (KEY.0, u64::MAX));
    let bytes = Message::LostPackets { session_id: SESSION, key: KEY }.encode();
    assert_eq!((u64_at(&bytes, 4), u64_at(&bytes, 12)), (SESSION.0, KEY.0));
    let push = Message::PushMetadata { key: KEY, target_offset: 10, len: 20, version: 30 };
    let bytes = push.encode();
    assert_eq!([4, 12, 20, 28].map(|at| u64_at(&bytes, at)), [KEY.0, 10, 20, 30]);
    let rotate = Message::RotateChannel { metadata: true, relayd_id: Some(RELAYD), key: KEY };
    let bytes = rotate.encode();
    assert_eq!((u32_at(&bytes, 4), u64_at(&bytes, 8), u64_at(&bytes, 16)), (1, RELAYD.0, KEY.0));
}

#[test]
fn snapshot_offsets() {
    let bytes = Message::SnapshotChannel(Box::new(snapshot())).encode();
    assert_eq!(text_at(&bytes, 4), "uid/0/64-bit");
    assert_eq!((u32_at(&bytes, 4100), u32_at(&bytes, 4104)), (1, 1));
    assert_eq!([4108, 4116, 4124].map(|at| u64_at(&bytes, at)), [RELAYD.0, KEY.0, 4]);
}

#[test]
fn trace_chunk_offsets() {
    let owner = Some(Credentials { uid: 1000, gid: 1001 });
    let bytes = create_chunk(None, owner).encode();
    assert_eq!((bytes[4], u64_at(&bytes, 5), text_at(&bytes, 13)), (0, 0, "snapshot-1"));
    assert_eq!([268, 276, 284].map(|at| u64_at(&bytes, at)), [SESSION.0, CHUNK.0, 77]);
    assert_eq!((bytes[292], u32_at(&bytes, 293), u32_at(&bytes, 297)), (1, 1000, 1001));
    let bytes = close_chunk(Some(RELAYD), Some(CloseCommand::Delete)).encode();
    assert_eq!((bytes[4], u64_at(&bytes, 5)), (1, RELAYD.0));
    assert_eq!([13, 21, 29].map(|at| u64_at(&bytes, at)), [SESSION.0, CHUNK.0, 88]);
    assert_eq!((bytes[37], u32_at(&bytes, 38)), (1, 2));
    let exists =
        Message::TraceChunkExists { relayd_id: None, session_id: SESSION, chunk_id: CHUNK };
    let bytes = exists.encode();
    assert_eq!((bytes[4], u64_at(&bytes, 13), u64_at(&bytes, 21)), (0, SESSION.0, CHUNK.0));
}

proptest! {
    #[test]
    fn no_bytes_break_the_decoder(
        number in 0_u32..30,
        writes in prop::collection::vec((4..MESSAGE_LEN, any::<u8>()), 0..24),
    ) {
        let mut bytes = vec![0; MESSAGE_LEN];
        bytes[..4].copy_from_slice(&number.to_ne_bytes());
        for (offset, byte) in writes {
            bytes[offset] = byte;
        }
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.number(), number);
            let again = message.encode();
            prop_assert_eq!(again.len(), MESSAGE_LEN);
            prop_assert_eq!(Message::decode(&again), Ok(message));
        }
    }

    #[test]
    fn no_size_breaks_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(Message::decode(&bytes).is_err());
    }
}
