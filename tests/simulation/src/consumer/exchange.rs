//! The answers of a consumer daemon.

use std::{fs::File, os::fd::AsFd};

use lttngd_model::ChannelKey;
use lttngd_runtime::{Peer, PeerError};
use lttngd_wire::consumer::{
    ChannelClass, ChannelHead, ChannelStatus, ChunkReplyHead, ConsumerError, END_OF_STREAMS,
    MESSAGE_LEN, Message, MetadataRequest, StreamHead, TAKES_CONNECTIONS, TraceChunkPresence,
    encode_counter, encode_status,
};

use super::Holding;
use crate::world::Part;

/// Size in bytes of the channels' images.
const IMAGE_LEN: u64 = 920;
/// Size in bytes of the streams' memory.
const STREAM_LEN: u64 = 4096;
/// How many streams a channel has.
const STREAMS: u32 = 2;

/// A command without what differs between two lives of the same seed.
pub(super) fn shown(message: &Message) -> String {
    match message {
        Message::AskChannelCreation(ask) => format!(
            "AskChannelCreation {} of session {}, {:?} {}, chunk {:?}, relay {:?}",
            ask.key, ask.session_id, ask.class, ask.name, ask.chunk_id, ask.relayd_id
        ),
        Message::CreateTraceChunk { session_id, chunk_id, relayd_id, .. } => {
            format!("CreateTraceChunk {chunk_id} of session {session_id}, relay {relayd_id:?}")
        }
        Message::CloseTraceChunk { session_id, chunk_id, relayd_id, command, .. } => format!(
            "CloseTraceChunk {chunk_id} of session {session_id}, relay {relayd_id:?}, {command:?}"
        ),
        Message::SnapshotChannel(snapshot) => format!("SnapshotChannel {}", snapshot.key),
        Message::PushMetadata { key, version, .. } => {
            format!("PushMetadata {key}, version {version}")
        }
        other => format!("{other:?}"),
    }
}

async fn status(peer: &Peer, status: i32) -> Result<(), PeerError> {
    peer.write_all(&encode_status(status)).await
}

/// Does a command and answers it.
pub(super) async fn answer(
    part: &Part,
    holding: &Holding,
    peer: &Peer,
    message: &Message,
) -> Result<(), PeerError> {
    match message {
        Message::Init { .. } => status(peer, TAKES_CONNECTIONS.0).await,
        Message::SetChannelMonitorPipe => {
            status(peer, 0).await?;
            drop(peer.read_descriptors(1).await?);
            status(peer, 0).await
        }
        Message::AddRelaydSocket(socket) => {
            status(peer, 0).await?;
            let descriptor = peer.read_descriptors(1).await?.pop().unwrap();
            holding.add_relay(socket.net_index, socket.session_id, descriptor);
            status(peer, 0).await
        }
        Message::DestroyRelayd { net_index } => {
            let is_known = holding.remove_relay(*net_index);
            status(peer, if is_known { 0 } else { ConsumerError::RELAYD_FAIL.0 }).await
        }
        Message::CreateTraceChunk { relayd_id, session_id, chunk_id, .. } => {
            status(peer, 0).await?;
            if relayd_id.is_none() {
                drop(peer.read_descriptors(1).await?);
            }
            holding.open_chunk(*session_id, *chunk_id, *relayd_id);
            if relayd_id.is_none() { status(peer, 0).await } else { Ok(()) }
        }
        Message::CloseTraceChunk { relayd_id, session_id, chunk_id, .. } => {
            let code = match holding.close_chunk(*session_id, *chunk_id, *relayd_id) {
                true => 0,
                false => ConsumerError::UNKNOWN_TRACE_CHUNK.0,
            };
            let path = if relayd_id.is_some() { "host/session" } else { "" };
            peer.write_all(&ChunkReplyHead::encode(code, path)).await
        }
        Message::TraceChunkExists { relayd_id, session_id, chunk_id } => {
            let presence = match holding.has_chunk(*session_id, *chunk_id, *relayd_id) {
                true => TraceChunkPresence::Local,
                false => TraceChunkPresence::Unknown,
            };
            status(peer, presence.status().0).await
        }
        of_channel => answer_of_channel(part, holding, peer, of_channel).await,
    }
}

/// The same for commands about channels, and those that need nothing.
async fn answer_of_channel(
    part: &Part,
    holding: &Holding,
    peer: &Peer,
    message: &Message,
) -> Result<(), PeerError> {
    let known = |is_known: bool| match is_known {
        true => 0,
        false => ConsumerError::CHAN_NOT_FOUND.0,
    };
    match message {
        Message::AskChannelCreation(ask) => {
            holding.create(ask);
            let stream_count = if ask.class == ChannelClass::Metadata { 1 } else { STREAMS };
            let reply = ChannelStatus { ret_code: 0, key: ask.key, stream_count };
            peer.write_all(&reply.encode()).await
        }
        Message::GetChannel { key } => objects(holding, peer, *key).await,
        Message::PushMetadata { key, target_offset, len, version } => {
            status(peer, 0).await?;
            if *len > 0 {
                let mut bytes = vec![0; usize::try_from(*len).unwrap()];
                peer.read_exact(&mut bytes).await?;
                part.pause().await;
                holding.store(*key, *version, *target_offset, &bytes);
                status(peer, 0).await?;
            }
            Ok(())
        }
        Message::CloseMetadata { key } | Message::DestroyChannel { key } => {
            status(peer, known(holding.remove(*key))).await
        }
        Message::DiscardedEvents { .. } | Message::LostPackets { .. } => {
            peer.write_all(&encode_counter(0)).await
        }
        Message::SetupMetadata { key }
        | Message::FlushChannel { key }
        | Message::ClearQuiescentChannel { key }
        | Message::RotateChannel { key, .. }
        | Message::ClearChannel { key }
        | Message::OpenChannelPackets { key } => status(peer, known(holding.has(*key))).await,
        Message::SnapshotChannel(snapshot) => status(peer, known(holding.has(snapshot.key))).await,
        _ => status(peer, 0).await,
    }
}

/// A refusal in the form that the command's answers have.
pub(super) async fn refuse(peer: &Peer, message: &Message) -> Result<(), PeerError> {
    let code = ConsumerError::ENOMEM.0;
    match message {
        Message::AskChannelCreation(_) => {
            let reply = ChannelStatus { ret_code: code, key: ChannelKey(0), stream_count: 0 };
            peer.write_all(&reply.encode()).await
        }
        Message::CloseTraceChunk { .. } => peer.write_all(&ChunkReplyHead::encode(code, "")).await,
        Message::DiscardedEvents { .. } | Message::LostPackets { .. } => {
            peer.write_all(&encode_counter(0)).await
        }
        Message::TraceChunkExists { .. } => {
            status(peer, TraceChunkPresence::Local.status().0).await
        }
        Message::DataPending { .. } => status(peer, 1).await,
        _ => status(peer, code).await,
    }
}

async fn objects(holding: &Holding, peer: &Peer, key: ChannelKey) -> Result<(), PeerError> {
    let Some(pipe) = holding.give(key) else {
        return status(peer, ConsumerError::CHAN_NOT_FOUND.0).await;
    };
    status(peer, 0).await?;
    peer.write_all(&ChannelHead { image_len: IMAGE_LEN, kind: 0 }.encode()).await?;
    peer.write_all(&vec![0xc5; usize::try_from(IMAGE_LEN).unwrap()]).await?;
    peer.write_descriptors(&[pipe.as_fd()]).await?;
    let memory = File::open("/dev/null")?;
    for stream_nr in 0..STREAMS {
        peer.write_all(&StreamHead { memory_map_size: STREAM_LEN, stream_nr }.encode()).await?;
        peer.write_descriptors(&[memory.as_fd(), pipe.as_fd()]).await?;
    }
    peer.write_all(&END_OF_STREAMS.to_ne_bytes()).await?;
    status(peer, 0).await
}

/// Asks for metadata.
pub(super) async fn ask(
    part: &Part,
    holding: &Holding,
    peer: &Peer,
    request: MetadataRequest,
) -> Result<(), PeerError> {
    peer.write_all(&request.encode()).await?;
    let mut bytes = vec![0; MESSAGE_LEN];
    peer.read_exact(&mut bytes).await?;
    let message = Message::decode(&bytes).unwrap();
    let Message::PushMetadata { key, target_offset, len, version } = message else {
        part.story.wrong("consumer", format_args!("{message:?} answers a question for metadata"));
        return Ok(());
    };
    // What is not known any more is refused, and nothing follows.
    if !holding.has(key) {
        return status(peer, ConsumerError::CHAN_NOT_FOUND.0).await;
    }
    status(peer, 0).await?;
    if len > 0 {
        let mut bytes = vec![0; usize::try_from(len).unwrap()];
        peer.read_exact(&mut bytes).await?;
        part.pause().await;
        holding.store(key, version, target_offset, &bytes);
        status(peer, 0).await?;
    }
    Ok(())
}
