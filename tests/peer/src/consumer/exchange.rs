//! The answers of a consumer daemon.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use lttngd_model::{ChannelKey, ChunkId};
use lttngd_wire::consumer::{
    ChannelClass, ChannelHead, ChannelStatus, ChunkReplyHead, CloseCommand, ConsumerError,
    END_OF_STREAMS, MESSAGE_LEN, Message, MetadataRequest, StreamHead, TELLS_PACKETS,
    TraceChunkPresence, encode_counter, encode_status,
};
use rustix::fs::{AtFlags, Dir};

use super::{MetadataPush, Record};
use crate::{receive_descriptors, send_descriptors};

/// Size in bytes of the channel images.
const IMAGE_LEN: u64 = 920;
/// What every relay daemon calls every trace chunk.
const RELAYD_PATH: &str = "host/session";
/// Size in bytes of the streams' memory.
const STREAM_LEN: u64 = 4096;

fn status(socket: &mut UnixStream, status: i32) -> io::Result<()> {
    socket.write_all(&encode_status(status))
}

/// What our own consumer answers when it is given the monitor pipe.
pub(super) fn tell_packets(socket: &mut UnixStream, record: &Record) -> io::Result<()> {
    status(socket, 0)?;
    *record.monitor.lock().unwrap() = receive_descriptors(socket)?.pop().map(File::from);
    status(socket, TELLS_PACKETS.0)
}

/// What the stock consumer answers to a command that it can do. A channel has `streams` streams.
pub(super) fn answer(
    socket: &mut UnixStream,
    message: &Message,
    record: &Record,
    streams: u32,
) -> io::Result<()> {
    match message {
        Message::SetChannelMonitorPipe
        | Message::AddRelaydSocket(_)
        | Message::AddStream { .. }
        | Message::CreateTraceChunk { relayd_id: None, .. } => {
            status(socket, 0)?;
            let mut descriptors = receive_descriptors(socket)?;
            if descriptors.len() != 1 {
                record.faults.lock().unwrap().push(format!("{message:?}: not one descriptor"));
            }
            let descriptor = descriptors.pop();
            match message {
                Message::SetChannelMonitorPipe => {
                    *record.monitor.lock().unwrap() = descriptor.map(File::from);
                }
                Message::AddStream { channel_key, .. } => {
                    let streams = descriptor.map(|stream| (*channel_key, stream));
                    record.kernel_streams.lock().unwrap().extend(streams);
                }
                Message::CreateTraceChunk { chunk_id, .. } => {
                    let mut directories = record.directories.lock().unwrap();
                    directories.extend(descriptor.map(|directory| (*chunk_id, directory)));
                }
                _ => {}
            }
            status(socket, 0)
        }
        Message::AskChannelCreation(ask) => {
            let stream_count = if ask.class == ChannelClass::Metadata { 1 } else { streams };
            let reply = ChannelStatus { ret_code: 0, key: ask.key, stream_count };
            socket.write_all(&reply.encode())
        }
        Message::GetChannel { .. } => objects(socket, streams),
        Message::PushMetadata { key, target_offset, len, .. } => {
            status(socket, 0)?;
            if *len > 0 {
                let bytes = read(socket, *len)?;
                store(record, *key, *target_offset, &bytes);
                status(socket, 0)?;
            }
            Ok(())
        }
        Message::CloseTraceChunk { relayd_id, chunk_id, command, .. } => {
            let closed = |(id, _): &mut (ChunkId, OwnedFd)| id == chunk_id;
            for (_, directory) in record.directories.lock().unwrap().extract_if(.., closed) {
                if *command == Some(CloseCommand::Delete) {
                    delete_files(&directory)?;
                }
            }
            let path = if relayd_id.is_some() { RELAYD_PATH } else { "" };
            socket.write_all(&ChunkReplyHead::encode(0, path))
        }
        Message::TraceChunkExists { .. } => status(socket, TraceChunkPresence::Unknown.status().0),
        Message::DiscardedEvents { .. } | Message::LostPackets { .. } => {
            socket.write_all(&encode_counter(0))
        }
        Message::DestroyChannel { key } => {
            let mut streams = record.kernel_streams.lock().unwrap();
            streams.retain(|(of, _)| of != key);
            status(socket, 0)
        }
        _ => status(socket, 0),
    }
}

/// A refusal in the form that the command's answers have.
pub(super) fn refuse(
    socket: &mut UnixStream,
    message: &Message,
    code: ConsumerError,
) -> io::Result<()> {
    match message {
        Message::AskChannelCreation(_) => {
            let reply = ChannelStatus { ret_code: code.0, key: ChannelKey(0), stream_count: 0 };
            socket.write_all(&reply.encode())
        }
        Message::CloseTraceChunk { .. } => socket.write_all(&ChunkReplyHead::encode(code.0, "")),
        _ => status(socket, code.0),
    }
}

/// Deletes what [`FakeConsumer::write_to_chunk`](super::FakeConsumer::write_to_chunk) wrote.
fn delete_files(directory: &OwnedFd) -> io::Result<()> {
    for entry in Dir::read_from(directory)? {
        // Directories stay.
        let _ = rustix::fs::unlinkat(directory, entry?.file_name(), AtFlags::empty());
    }
    Ok(())
}

fn objects(socket: &mut UnixStream, streams: u32) -> io::Result<()> {
    status(socket, 0)?;
    socket.write_all(&ChannelHead { image_len: IMAGE_LEN, kind: 0 }.encode())?;
    socket.write_all(&vec![0xc5; usize::try_from(IMAGE_LEN).unwrap()])?;
    let (_, wakeup) = io::pipe()?;
    send_descriptors(socket, &[wakeup.as_fd()])?;
    let memory = File::open("/dev/null")?;
    for stream_nr in 0..streams {
        socket.write_all(&StreamHead { memory_map_size: STREAM_LEN, stream_nr }.encode())?;
        send_descriptors(socket, &[memory.as_fd(), wakeup.as_fd()])?;
    }
    socket.write_all(&END_OF_STREAMS.to_ne_bytes())?;
    status(socket, 0)
}

fn read(socket: &mut UnixStream, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn store(record: &Record, key: ChannelKey, offset: u64, bytes: &[u8]) {
    let mut texts = record.texts.lock().unwrap();
    let text = texts.entry(key).or_default();
    let offset = usize::try_from(offset).unwrap();
    if offset > text.len() {
        let hole = format!("metadata of {key} from {offset}, but it ends at {}", text.len());
        return record.faults.lock().unwrap().push(hole);
    }
    let known = (text.len() - offset).min(bytes.len());
    if text[offset..offset + known] != bytes[..known] {
        record.faults.lock().unwrap().push(format!("metadata of {key} changes at {offset}"));
    }
    text.extend_from_slice(&bytes[known..]);
}

/// Asks for metadata as the consumer's own threads do.
pub(super) fn ask_metadata(
    record: &Record,
    request: &MetadataRequest,
    head_status: i32,
) -> Option<MetadataPush> {
    let mut socket = record.metadata.lock().unwrap().as_ref()?.try_clone().unwrap();
    socket.write_all(&request.encode()).ok()?;
    let message = Message::decode(&read(&mut socket, MESSAGE_LEN as u64).ok()?).unwrap();
    let Message::PushMetadata { key, target_offset, len, version } = message else {
        panic!("{message:?} is no answer to a metadata request");
    };
    status(&mut socket, head_status).ok()?;
    let mut push = MetadataPush { key, offset: target_offset, version, bytes: Vec::new() };
    if head_status == 0 && len > 0 {
        push.bytes = read(&mut socket, len).ok()?;
        store(record, key, target_offset, &push.bytes);
        status(&mut socket, 0).ok()?;
    }
    Some(push)
}
