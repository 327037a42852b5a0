//! What consumers answer and ask.

use lttngd_model::{ChannelKey, SessionId};
use proptest::prelude::*;

use super::*;
use crate::DecodeError;

#[test]
fn a_status_is_success_or_a_named_error() {
    assert_eq!(check_status(&encode_status(0)), Ok(()));
    let error = check_status(&119_i32.to_ne_bytes()).unwrap_err();
    assert_eq!(error, ReplyError::Consumer(ConsumerError::CHAN_NOT_FOUND));
    assert_eq!(error.to_string(), "the consumer daemon answered 119 (CHAN_NOT_FOUND)");
    assert!(ConsumerError::UST_CHAN_NOT_FOUND.is_channel_not_found());
    assert!(!ConsumerError::FATAL.is_channel_not_found());
    assert_eq!(ConsumerError(59).name(), None);
    assert_eq!(ConsumerError(130).name(), Some("UNKNOWN_ERROR"));
    assert!(matches!(check_status(&[0; 3]), Err(ReplyError::Malformed(_))));
    assert!(matches!(check_status(&[0; 5]), Err(ReplyError::Malformed(_))));
}

#[test]
fn channel_status() {
    let status = ChannelStatus { ret_code: 0, key: ChannelKey(7), stream_count: 2 };
    let bytes = status.encode();
    assert_eq!(bytes.len(), CHANNEL_STATUS_LEN);
    assert_eq!((u32_at(&bytes, 0), u64_at(&bytes, 4), u32_at(&bytes, 12)), (0, 7, 2));
    assert_eq!(ChannelStatus::decode(&bytes), Ok(status));
    assert_eq!(status.check(), Ok(2));
    let failed = ChannelStatus { ret_code: 118, key: ChannelKey(0), stream_count: 0 };
    assert_eq!(failed.check(), Err(ConsumerError::CHANNEL_FAIL));
    let many = ChannelStatus { stream_count: STREAM_COUNT_MAX + 1, ..status };
    assert!(matches!(ChannelStatus::decode(&many.encode()), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn numbers() {
    assert_eq!(decode_counter(&encode_counter(u64::MAX)), Ok(u64::MAX));
    assert_eq!(decode_data_pending(&encode_status(0)), Ok(false));
    assert_eq!(decode_data_pending(&encode_status(1)), Ok(true));
    assert!(matches!(decode_data_pending(&encode_status(2)), Err(ReplyError::Malformed(_))));
    let failed = decode_data_pending(&encode_status(ConsumerError::FATAL.0));
    assert_eq!(failed, Err(ReplyError::Consumer(ConsumerError::FATAL)));
}

#[test]
fn trace_chunk_presence() {
    for presence in
        [TraceChunkPresence::Local, TraceChunkPresence::Remote, TraceChunkPresence::Unknown]
    {
        let bytes = encode_status(presence.status().0);
        assert_eq!(TraceChunkPresence::decode(&bytes), Ok(presence));
    }
    assert_eq!(
        TraceChunkPresence::decode(&encode_status(117)),
        Err(ReplyError::Consumer(ConsumerError::RELAYD_FAIL))
    );
    assert!(TraceChunkPresence::decode(&encode_status(0)).is_err());
}

#[test]
fn closed_trace_chunk_path() {
    let bytes = ChunkReplyHead::encode(0, "host/s-1");
    let (head, path) = bytes.split_at(ChunkReplyHead::LEN);
    let head = ChunkReplyHead::decode(head).unwrap();
    assert_eq!(head, ChunkReplyHead { ret_code: 0, path_length: 9 });
    assert_eq!(head.decode_path(path), Ok("host/s-1".to_owned()));
    assert_eq!(head.decode_path(b"\0garbage\xff"), Ok(String::new()));
    assert!(head.decode_path(b"short").is_err());
    let long = ChunkReplyHead::encode(0, &"x".repeat(9000));
    let head = ChunkReplyHead::decode(&long[..8]).unwrap();
    assert_eq!((head.path_length, long.len()), (4096, 8 + 4096));
    let over = ChunkReplyHead { ret_code: 0, path_length: 4097 };
    let bytes = [over.ret_code.to_ne_bytes(), over.path_length.to_ne_bytes()].concat();
    assert!(matches!(ChunkReplyHead::decode(&bytes), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn channel_objects() {
    let head = ChannelHead { image_len: 920, kind: 0 };
    let bytes = head.encode();
    assert_eq!((bytes.len(), ChannelHead::decode(&bytes)), (CHANNEL_HEAD_LEN, Ok(head)));
    let large = ChannelHead { image_len: CHANNEL_IMAGE_MAX_LEN + 1, kind: 0 }.encode();
    assert!(matches!(ChannelHead::decode(&large), Err(DecodeError::TooLarge { .. })));
    let stream = StreamHead { memory_map_size: 22_118_400, stream_nr: 1 };
    let bytes = stream.encode();
    assert_eq!(bytes.len(), STREAM_HEAD_LEN);
    let (size, number) = bytes.split_at(STREAM_SIZE_LEN);
    assert_eq!(StreamHead::decode_size(size), Ok(Some(22_118_400)));
    assert_eq!(StreamHead::decode_number(22_118_400, number), Ok(stream));
    assert_eq!(StreamHead::decode_size(&END_OF_STREAMS.to_ne_bytes()), Ok(None));
    let number = STREAM_COUNT_MAX.to_ne_bytes();
    assert!(matches!(StreamHead::decode_number(1, &number), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn metadata_request_offsets() {
    let request = MetadataRequest {
        session_id: SessionId(1),
        session_id_per_pid: 2,
        bits_per_long: 64,
        uid: 1000,
        key: ChannelKey(3),
    };
    let bytes = request.encode();
    assert_eq!(bytes.len(), METADATA_REQUEST_LEN);
    assert_eq!((u64_at(&bytes, 0), u64_at(&bytes, 8), u64_at(&bytes, 24)), (1, 2, 3));
    assert_eq!((u32_at(&bytes, 16), u32_at(&bytes, 20)), (64, 1000));
    assert_eq!(MetadataRequest::decode(&bytes), Ok(request));
}

#[test]
fn monitor_sample_offsets() {
    let key = ChannelKey(1);
    let sample =
        MonitorSample { key, lowest: 2, highest: 3, total_consumed: 4, total_packets: None };
    let bytes = sample.encode();
    assert_eq!(bytes.len(), MONITOR_SAMPLE_LEN);
    assert_eq!([0, 8, 16, 24].map(|at| u64_at(&bytes, at)), [1, 2, 3, 4]);
    assert_eq!(MonitorSample::decode(&bytes), Ok(sample));
    // That of our own consumer daemon begins as LTTng's.
    let long = MonitorSample { total_packets: Some(5), ..sample };
    let bytes = long.encode();
    assert_eq!(bytes.len(), LONG_MONITOR_SAMPLE_LEN);
    assert_eq!((&bytes[..MONITOR_SAMPLE_LEN], u64_at(&bytes, 32)), (&*sample.encode(), 5));
    assert_eq!(MonitorSample::decode(&bytes), Ok(long));
}

proptest! {
    #[test]
    fn no_reply_breaks_a_decoder(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
        let exact = |result: bool, len: usize| !result || bytes.len() == len;
        prop_assert!(exact(decode_status(&bytes).is_ok(), STATUS_LEN));
        prop_assert!(exact(ChannelStatus::decode(&bytes).is_ok(), CHANNEL_STATUS_LEN));
        prop_assert!(exact(ChunkReplyHead::decode(&bytes).is_ok(), ChunkReplyHead::LEN));
        prop_assert!(exact(ChannelHead::decode(&bytes).is_ok(), CHANNEL_HEAD_LEN));
        prop_assert!(exact(MetadataRequest::decode(&bytes).is_ok(), METADATA_REQUEST_LEN));
        let is_long = bytes.len() == LONG_MONITOR_SAMPLE_LEN;
        let sample_len = if is_long { LONG_MONITOR_SAMPLE_LEN } else { MONITOR_SAMPLE_LEN };
        prop_assert!(exact(MonitorSample::decode(&bytes).is_ok(), sample_len));
        prop_assert!(exact(TraceChunkPresence::decode(&bytes).is_ok(), STATUS_LEN));
    }
}
