//! Commands of consumer daemons, their replies, and headers of packets.

use lttngd_model::{ChunkId, RelaySessionId, RelayStreamHandle};
use proptest::prelude::*;

use super::super::*;
use crate::{consumer::CloseCommand, ctf::PacketIndex};

const MINORS: [u32; 7] = [1, 2, 4, 8, 10, 11, 13];

fn index() -> PacketIndex {
    PacketIndex {
        packet_size_bits: 1,
        content_size_bits: 2,
        timestamp_begin: 3,
        timestamp_end: 4,
        events_discarded: 5,
        stream_id: 6,
        stream_instance_id: 7,
        packet_seq_num: 8,
    }
}

const STREAM: RelayStreamHandle = RelayStreamHandle(1);

fn add_stream() -> AddStream {
    AddStream {
        name: "channel_0".to_owned(),
        path: "ust/uid/1000/64-bit".to_owned(),
        tracefile_size_bytes: 8192,
        tracefile_count: 4,
        chunk_id: ChunkId(9),
    }
}

fn commands() -> Vec<ConsumerCommand> {
    use ConsumerCommand::*;
    let rotate = |new_chunk_id, count| {
        let positions = (0..count)
            .map(|handle| RotationPosition {
                handle: RelayStreamHandle(handle),
                at_packet_seq_num: handle + 100,
            })
            .collect();
        RotateStreams(super::super::RotateStreams { new_chunk_id, positions })
    };
    let create = |name: Option<&str>| {
        let name = name.map(str::to_owned);
        CreateTraceChunk(super::super::CreateTraceChunk {
            chunk_id: ChunkId(1),
            created_at_s: 2,
            name,
        })
    };
    let close = |command| {
        CloseTraceChunk(super::super::CloseTraceChunk {
            chunk_id: ChunkId(1),
            closed_at_s: 2,
            command,
        })
    };
    vec![
        AddStream(add_stream()),
        StreamsSent,
        SendIndex(super::super::SendIndex { handle: STREAM, net_seq_num: 2, index: index() }),
        SendMetadata { handle: STREAM, padding_len: 2, content: b"text".to_vec() },
        ResetMetadata { handle: STREAM, version: 2 },
        CloseStream { handle: STREAM, last_net_seq_num: u64::MAX },
        rotate(Some(ChunkId(7)), 3),
        rotate(None, 0),
        create(None),
        create(Some("snapshot-1")),
        close(None),
        close(Some(CloseCommand::Delete)),
        TraceChunkExists(ChunkId(1)),
        BeginDataPending(RelaySessionId(1)),
        DataPending { handle: STREAM, last_net_seq_num: 2 },
        QuiescentControl { handle: STREAM },
        EndDataPending(RelaySessionId(1)),
    ]
}

/// What is left of a command after an old version told it.
fn as_told(command: ConsumerCommand, minor: u32) -> ConsumerCommand {
    match command {
        ConsumerCommand::AddStream(mut stream) => {
            if minor < 11 {
                stream.chunk_id = ChunkId(0);
            }
            if minor < 2 {
                (stream.tracefile_size_bytes, stream.tracefile_count) = (0, 0);
            }
            ConsumerCommand::AddStream(stream)
        }
        ConsumerCommand::SendIndex(mut index) if minor < 8 => {
            index.index.stream_instance_id = u64::MAX;
            index.index.packet_seq_num = u64::MAX;
            ConsumerCommand::SendIndex(index)
        }
        command => command,
    }
}

#[test]
fn every_command_comes_back() {
    for minor in MINORS {
        for command in commands() {
            if minor < command.since_minor() {
                continue;
            }
            let bytes = command.encode(minor);
            let (head, payload) = bytes.split_at(HEADER_LEN);
            let header = Header::decode(head).unwrap();
            assert_eq!(header.data_size, payload.len() as u64);
            let decoded = ConsumerCommand::decode(header.command, payload, minor).unwrap();
            assert_eq!(decoded, as_told(command, minor), "{minor}");
            let cut = payload.len().saturating_sub(1);
            let metadata = matches!(decoded, ConsumerCommand::SendMetadata { .. });
            if !payload.is_empty() && !metadata {
                let cut = ConsumerCommand::decode(header.command, &payload[..cut], minor);
                assert!(cut.is_err(), "{decoded:?}");
            }
        }
    }
    assert!(ConsumerCommand::decode(4, &[], 13).is_err());
}

#[test]
fn sizes_are_those_of_the_structures() {
    let size = |command: &ConsumerCommand, minor| command.encode(minor).len() - HEADER_LEN;
    let stream = ConsumerCommand::AddStream(add_stream());
    let names = "channel_0".len() + "ust/uid/1000/64-bit".len() + 2;
    assert_eq!([1, 2, 10, 11].map(|m| size(&stream, m)), [4360, 4376, 4376, 32 + names]);
    let sized: Vec<usize> = commands()[1..].iter().map(|command| size(command, 13)).collect();
    let expected = [0, 80, 12 + 4, 16, 16, 20 + 48, 20, 20, 20 + 11, 21, 21, 8, 8, 16, 8, 8];
    assert_eq!(sized, expected);
    assert_eq!(size(&commands()[2], 7), 64);
}

#[test]
fn a_text_that_does_not_fit_is_cut() {
    let long = AddStream { path: "x".repeat(300), name: "y".repeat(300), ..add_stream() };
    for minor in [1, 13] {
        let bytes = ConsumerCommand::AddStream(long.clone()).encode(minor);
        let decoded = ConsumerCommand::decode(1, &bytes[HEADER_LEN..], minor).unwrap();
        let ConsumerCommand::AddStream(stream) = decoded else { panic!("{decoded:?}") };
        let path_len = if minor < 11 { 300 } else { 254 };
        assert_eq!((stream.name.len(), stream.path.len()), (263, path_len));
    }
}

#[test]
fn lengths_have_limits() {
    let decode = |number, payload: &[u8]| ConsumerCommand::decode(number, payload, 13);
    let over = [&u32::MAX.to_be_bytes(), [0; 64].as_slice()].concat();
    // ADD_STREAM and ROTATE_STREAMS begin with one.
    for number in [1, 18] {
        assert!(matches!(decode(number, &over), Err(DecodeError::TooLarge { .. })), "{number}");
    }
    let named = [[0; 16].as_slice(), &256_u32.to_be_bytes(), &[0; 256]].concat();
    assert!(matches!(decode(19, &named), Err(DecodeError::TooLarge { .. })));
    let closed = [0, 0, 0, 10, 0, 0, 0x10, 1];
    assert!(matches!(
        ReplyKind::ChunkClosed.rest_len(&closed),
        Err(DecodeError::TooLarge { value: 4097, .. })
    ));
}

#[test]
fn every_reply_comes_back() {
    let replies = [
        (ReplyKind::Code, ConsumerReply::Done),
        (ReplyKind::Stream, ConsumerReply::StreamAdded { handle: STREAM }),
        (ReplyKind::Pending, ConsumerReply::Pending(false)),
        (ReplyKind::Pending, ConsumerReply::Pending(true)),
        (ReplyKind::ChunkExists, ConsumerReply::ChunkExists(true)),
        (ReplyKind::ChunkClosed, ConsumerReply::ChunkClosed { path: "a/b".to_owned() }),
    ];
    for (kind, reply) in replies {
        let bytes = reply.encode();
        let head = &bytes[..kind.head_len()];
        assert_eq!(kind.head_len() + kind.rest_len(head).unwrap(), bytes.len());
        assert_eq!(kind.decode(&bytes), Ok(reply));
        assert!(kind.decode(&bytes[1..]).is_err());
        let refusal = RelayRefusal(97);
        assert_eq!(kind.decode(&kind.encode_refusal(refusal)), Err(refusal.into()));
    }
    // A relay daemon without a path to tell says so in either way.
    let none = [0, 0, 0, 10, 0, 0, 0, 0];
    let closed = Ok(ConsumerReply::ChunkClosed { path: String::new() });
    assert_eq!(ReplyKind::ChunkClosed.decode(&none), closed);
    assert!(ReplyKind::ChunkExists.decode(&[0, 0, 0, 10, 2]).is_err());
    assert!(ReplyKind::ChunkClosed.decode(&[0, 0, 0, 10, 0, 0, 0, 1, b'x']).is_err());
}

#[test]
fn every_command_has_its_reply() {
    use ReplyKind::*;
    let kinds: Vec<_> = commands().iter().map(ReplyKind::of).collect();
    let code = Some(Code);
    let closed = Some(ChunkClosed);
    let streams = [Some(Stream), code, code, None, code, code, code, code];
    let chunks = [code, code, closed, closed, Some(ChunkExists)];
    let pending = [code, Some(Pending), code, Some(Pending)];
    assert_eq!(kinds, [streams.as_slice(), &chunks, &pending].concat());
}

#[test]
fn a_data_header_comes_back() {
    let header = DataHeader { handle: STREAM, net_seq_num: 2, content_len: 3, padding_len: 4 };
    let bytes = header.encode();
    let words: Vec<u32> =
        bytes.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, [0, 0, 0, 1, 0, 2, 3, 4]);
    assert_eq!(DataHeader::decode(&bytes), Ok(header));
    assert!(DataHeader::decode(&bytes[1..]).is_err());
}

proptest! {
    #[test]
    fn no_bytes_break_a_decoder(
        number in 0_u32..24,
        minor in 0_u32..14,
        bytes in prop::collection::vec(any::<u8>(), 0..128),
    ) {
        if let Ok(command) = ConsumerCommand::decode(number, &bytes, minor) {
            // What was read says the same when it is told again.
            let told = command.encode(minor);
            let again = ConsumerCommand::decode(number, &told[HEADER_LEN..], minor);
            prop_assert_eq!(again, Ok(command));
        }
        for kind in [ReplyKind::Code, ReplyKind::Stream, ReplyKind::Pending,
            ReplyKind::ChunkExists, ReplyKind::ChunkClosed] {
            let _ = kind.decode(&bytes);
            if bytes.len() >= kind.head_len() {
                let _ = kind.rest_len(&bytes[..kind.head_len()]);
            }
        }
    }
}
