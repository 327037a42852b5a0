//! Messages between the stock session daemon 2.13 and its consumer daemon: everything decodes, and
//! encodes to the same bytes.

#![allow(clippy::unwrap_used)]

mod recording;

use lttngd_model::{
    ChannelKey, ChannelOutput, ChunkId, Credentials, RelaySessionId, SessionId, StreamKind,
};
use lttngd_wire::consumer::{
    AskChannel, CHANNEL_HEAD_LEN, CHANNEL_STATUS_LEN, ChannelClass, ChannelHead, ChannelStatus,
    ChunkReplyHead, CloseCommand, MESSAGE_LEN, METADATA_REQUEST_LEN, MONITOR_SAMPLE_LEN, Message,
    MetadataRequest, MonitorSample, STREAM_HEAD_LEN, STREAM_SIZE_LEN, StreamHead,
    TraceChunkPresence, decode_counter,
};
use recording::{message, messages, padded};

const DIRECTORY: &str = "consumer";

fn decode(name: &str) -> Message {
    Message::decode(&padded(message(DIRECTORY, "message", name), MESSAGE_LEN)).unwrap()
}

fn ask(name: &str) -> AskChannel {
    match decode(&format!("ask_channel_creation-{name}")) {
        Message::AskChannelCreation(ask) => *ask,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_message_encodes_to_the_same_bytes() {
    let messages = messages(DIRECTORY, "message");
    assert!(messages.len() >= 44, "{}", messages.len());
    for (name, bytes) in messages {
        let bytes = padded(bytes, MESSAGE_LEN);
        let message = Message::decode(&bytes).unwrap();
        assert!(message.encode() == bytes, "{name}: {message:?}");
        // The variant has the name that the stock header gives its number.
        let debug = format!("{message:?}").to_lowercase();
        let command = name.split('-').next().unwrap().replace('_', "");
        assert!(debug.starts_with(&command), "{name}: {debug}");
    }
}

#[test]
fn a_data_channel() {
    let data = ask("data-local");
    assert_eq!((data.subbuf_size_bytes, data.num_subbuf), (16384, 4));
    assert_eq!(data.class, ChannelClass::Data { overwrite: false });
    assert_eq!((data.output, data.monitor_timer_interval_us), (ChannelOutput::Mmap, 1_000_000));
    assert_eq!((data.session_id, data.pathname.as_str()), (SessionId(0), "uid/0/64-bit"));
    assert_eq!((data.name.as_str(), data.chan_id), ("ch", 0));
    assert_eq!(data.buffer_owner, Credentials { uid: 0, gid: 0 });
    assert_eq!((data.relayd_id, data.chunk_id), (None, Some(ChunkId(0))));
    assert!(data.monitor && !data.is_live);
    assert_eq!((data.root_shm_path.as_str(), data.shm_path.as_str()), ("", ""));
    let live = ask("data-relay-live");
    assert_eq!((live.is_live, live.live_timer_interval_us), (true, 100_000));
    assert!(live.relayd_id.is_some());
    let snapshot = ask("overwrite-local-unmonitored");
    assert_eq!((snapshot.monitor, snapshot.chunk_id), (false, None));
    let per_pid = ask("overwrite-local-pid");
    assert!(per_pid.pathname.starts_with("pid/demo-"), "{}", per_pid.pathname);
    assert_eq!(per_pid.class, ChannelClass::Data { overwrite: true });
}

#[test]
fn a_metadata_channel() {
    let metadata = ask("metadata-local");
    assert_eq!(metadata.class, ChannelClass::Metadata);
    assert_eq!((metadata.subbuf_size_bytes, metadata.num_subbuf), (4096, 2));
    assert_eq!((metadata.chan_id, metadata.name.as_str()), (u32::MAX, "metadata"));
    assert_eq!(metadata.monitor_timer_interval_us, 0);
    assert_eq!(metadata.uuid, ask("data-local").uuid);
    assert!(matches!(
        decode("push_metadata-text"),
        Message::PushMetadata { target_offset: 0, len: 1.., version: 0, .. }
    ));
    assert!(matches!(
        decode("push_metadata-text-regenerated"),
        Message::PushMetadata { target_offset: 0, len: 1.., version: 1, .. }
    ));
}

#[test]
fn trace_chunks() {
    let Message::CreateTraceChunk { relayd_id, owner, creation_timestamp_s, .. } =
        decode("create_trace_chunk-local")
    else {
        panic!()
    };
    assert_eq!((relayd_id, owner), (None, Some(Credentials { uid: 0, gid: 0 })));
    assert!(creation_timestamp_s > 1_700_000_000);
    let Message::CreateTraceChunk { relayd_id, owner, .. } = decode("create_trace_chunk-relay")
    else {
        panic!()
    };
    assert_eq!((relayd_id.is_some(), owner), (true, None));
    let Message::CreateTraceChunk { override_name, .. } = decode("create_trace_chunk-local-named")
    else {
        panic!()
    };
    assert!(override_name.starts_with("snapshot-1-"), "{override_name}");
    for (name, expected) in [
        ("local-command0", Some(CloseCommand::MoveToCompleted)),
        ("local-command2", Some(CloseCommand::Delete)),
        ("local-none", None),
        ("relay-none", None),
    ] {
        let Message::CloseTraceChunk { command, .. } = decode(&format!("close_trace_chunk-{name}"))
        else {
            panic!()
        };
        assert_eq!(command, expected, "{name}");
    }
}

#[test]
fn relay_daemons() {
    let Message::AddRelaydSocket(control) = decode("add_relayd_socket-control") else { panic!() };
    let Message::AddRelaydSocket(data) = decode("add_relayd_socket-data") else { panic!() };
    assert_eq!((control.stream, data.stream), (StreamKind::Control, StreamKind::Data));
    assert_eq!((control.net_index, control.major), (data.net_index, 2));
    assert_eq!(
        (control.relayd_session_id, data.relayd_session_id),
        (RelaySessionId(1), RelaySessionId(0))
    );
    let net_index = control.net_index;
    assert_eq!(decode("destroy_relayd"), Message::DestroyRelayd { net_index });
    let relayd_id = Some(net_index);
    assert!(matches!(
        decode("rotate_channel-metadata-relay"),
        Message::RotateChannel { metadata: true, relayd_id: id, .. } if id == relayd_id
    ));
}

#[test]
fn channel_statuses() {
    for (name, streams) in
        [("data-local", 2), ("metadata-local", 1), ("metadata-local-unmonitored", 0)]
    {
        let bytes = message(DIRECTORY, "channel_status", name);
        assert_eq!(bytes.len(), CHANNEL_STATUS_LEN);
        let status = ChannelStatus::decode(&bytes).unwrap();
        assert_eq!((status.check(), status.key), (Ok(streams), ask(name).key), "{name}");
        assert_eq!(status.encode(), bytes);
    }
}

#[test]
fn the_objects_of_a_channel() {
    let bytes = message(DIRECTORY, "channel_objects", "");
    let mut rest = &bytes[..];
    let mut take = |len: usize| {
        let (head, tail) = rest.split_at(len);
        rest = tail;
        head
    };
    let head = take(CHANNEL_HEAD_LEN);
    let channel = ChannelHead::decode(head).unwrap();
    assert_eq!((channel.image_len, channel.kind), (920, 0));
    assert_eq!(channel.encode(), head);
    take(920);
    assert_eq!(take(1), [0], "the byte that carries the wakeup descriptor");
    for cpu in 0..2 {
        let size = StreamHead::decode_size(take(STREAM_SIZE_LEN)).unwrap().unwrap();
        let number = take(STREAM_HEAD_LEN - STREAM_SIZE_LEN);
        let stream = StreamHead::decode_number(size, number).unwrap();
        assert_eq!(stream.stream_nr, cpu);
        assert!(stream.memory_map_size >= 4 * 16384);
        take(1);
    }
    assert_eq!(StreamHead::decode_size(take(STREAM_SIZE_LEN)), Ok(None));
    assert!(rest.is_empty());
}

#[test]
fn closed_trace_chunks() {
    for (name, bytes) in messages(DIRECTORY, "close_reply") {
        let (head, path) = bytes.split_at(ChunkReplyHead::LEN);
        let head = ChunkReplyHead::decode(head).unwrap();
        let path = head.decode_path(path).unwrap();
        assert_eq!(path.is_empty(), name.starts_with("local"), "{name}: {path}");
        assert_eq!(ChunkReplyHead::encode(head.ret_code, &path), bytes);
    }
    let presence = TraceChunkPresence::decode(&message(DIRECTORY, "presence", "128"));
    assert_eq!(presence, Ok(TraceChunkPresence::Unknown));
}

#[test]
fn what_consumers_send_by_themselves() {
    let bytes = message(DIRECTORY, "metadata_request", "64");
    assert_eq!(bytes.len(), METADATA_REQUEST_LEN);
    let request = MetadataRequest::decode(&bytes).unwrap();
    assert_eq!((request.bits_per_long, request.uid), (64, 0));
    assert_eq!(request.encode(), bytes);
    let bytes = message(DIRECTORY, "monitor_sample", "");
    assert_eq!(bytes.len(), MONITOR_SAMPLE_LEN);
    let sample = MonitorSample::decode(&bytes).unwrap();
    assert_ne!(sample.key, ChannelKey(0));
    assert!(sample.lowest <= sample.highest);
    assert_eq!(sample.encode(), bytes);
    assert_eq!(decode_counter(&message(DIRECTORY, "counter", "")), Ok(0));
}
