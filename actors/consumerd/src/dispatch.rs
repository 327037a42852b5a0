//! Which request each command of the session daemon is.

use std::os::fd::OwnedFd;

use lttngd_wire::consumer::Message;

use crate::{
    apart::Cause,
    control::Control,
    refusal::{Refusal, answer},
    reply::Reply,
    request::{
        AddKernelChannel, AddKernelStream, AnnounceStreams, ClearChannel, ClearQuiescentChannel,
        CloseMetadata, CloseTraceChunk, CreateChannel, CreateTraceChunk, DestroyChannel,
        FindTraceChunk, FlushChannel, GetChannel, GetDataPending, GetDiscardedEvents,
        GetLostPackets, NewChunkPlace, OpenChannelPackets, PushMetadata, RecordSnapshot,
        RotateChannel, SetupMetadata,
    },
    source::Text,
};

/// What follows a command on the socket.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    /// The descriptor of CREATE_TRACE_CHUNK, SET_CHANNEL_MONITOR_PIPE, ADD_RELAYD_SOCKET or ADD_STREAM.
    pub(crate) descriptor: Option<OwnedFd>,
    /// The text of PUSH_METADATA.
    pub(crate) text: Vec<u8>,
}

/// Carries a command out. `None` when it has no answer in the protocol.
pub(crate) async fn perform(
    control: &Control,
    message: Message,
    attached: Attached,
) -> Option<Reply> {
    let number = message.number();
    let Attached { descriptor, text } = attached;
    let descriptor = descriptor.ok_or(Refusal::NoDescriptor);
    match message {
        Message::Init { sessiond_uuid } => answer(number, control.initialise(sessiond_uuid)),
        Message::SetChannelMonitorPipe => {
            answer(number, descriptor.and_then(|pipe| control.set_monitor_pipe(pipe)))
        }
        Message::AddRelaydSocket(socket) => match descriptor {
            Ok(descriptor) => answer(number, control.add_relay(socket, descriptor).await),
            Err(refusal) => answer(number, Err::<(), _>(refusal)),
        },
        Message::DestroyRelayd { net_index } => {
            answer(number, control.destroy_relay(net_index).await)
        }
        Message::AskChannelCreation(ask) => {
            let (session, key) = (ask.session_id, ask.key);
            if !ask.monitor {
                let owner = Some(ask.buffer_owner.uid);
                control.set_apart(session, Cause::Snapshots(owner, session));
            }
            answer(number, control.create_channel(session, key, CreateChannel(ask)).await)
        }
        Message::AddChannel(add) => {
            let (session, key) = (add.session_id, add.key);
            if !add.monitor {
                control.set_apart(session, Cause::Snapshots(None, session));
            }
            answer(number, control.create_channel(session, key, AddKernelChannel(add)).await)
        }
        Message::AddStream { channel_key: key, cpu, .. } => match descriptor {
            Ok(descriptor) => {
                let add = AddKernelStream { key, cpu, descriptor };
                answer(number, control.ask_for(key, add).await)
            }
            Err(refusal) => answer(number, Err::<(), _>(refusal)),
        },
        Message::StreamsSent { channel_key: key, relayd_id: relay } => {
            answer(number, control.ask_for(key, AnnounceStreams { key, relay }).await)
        }
        message @ (Message::CreateTraceChunk { .. }
        | Message::CloseTraceChunk { .. }
        | Message::TraceChunkExists { .. }) => {
            perform_for_chunk(control, message, descriptor).await
        }
        Message::DataPending { session_id } => {
            answer(number, control.ask(session_id, GetDataPending).await)
        }
        Message::DiscardedEvents { session_id, key } => {
            answer(number, control.ask(session_id, GetDiscardedEvents { key }).await)
        }
        Message::LostPackets { session_id, key } => {
            answer(number, control.ask(session_id, GetLostPackets { key }).await)
        }
        message => perform_for_channel(control, message, text).await,
    }
}

async fn perform_for_chunk(
    control: &Control,
    message: Message,
    directory: Result<OwnedFd, Refusal>,
) -> Option<Reply> {
    let number = message.number();
    match message {
        Message::CreateTraceChunk {
            relayd_id,
            override_name: name,
            session_id,
            chunk_id: id,
            creation_timestamp_s: created_at_s,
            owner,
        } => {
            let place = match relayd_id {
                Some(index) => Ok(NewChunkPlace::Remote(index)),
                None => directory.and_then(|directory| {
                    control.enters(session_id, &directory, owner)?;
                    Ok(NewChunkPlace::Local(directory, owner))
                }),
            };
            match place {
                Ok(place) => {
                    let create = CreateTraceChunk { id, name, created_at_s, place };
                    answer(number, control.ask(session_id, create).await)
                }
                Err(refusal) => answer(number, Err::<(), _>(refusal)),
            }
        }
        Message::CloseTraceChunk {
            relayd_id,
            session_id,
            chunk_id: id,
            close_timestamp_s: closed_at_s,
            command,
        } => {
            let relay = relayd_id;
            let close = CloseTraceChunk { id, relay, closed_at_s, command };
            answer(number, control.ask(session_id, close).await)
        }
        Message::TraceChunkExists { relayd_id, session_id, chunk_id: id } => {
            let find = FindTraceChunk { id, relay: relayd_id };
            answer(number, control.ask(session_id, find).await)
        }
        _ => None,
    }
}

async fn perform_for_channel(control: &Control, message: Message, bytes: Vec<u8>) -> Option<Reply> {
    let number = message.number();
    match message {
        Message::GetChannel { key } => {
            answer(number, control.ask_for(key, GetChannel { key }).await)
        }
        Message::SetupMetadata { key } => {
            answer(number, control.ask_for(key, SetupMetadata { key }).await)
        }
        Message::DestroyChannel { key } => {
            answer(number, control.ask_for(key, DestroyChannel { key }).await)
        }
        Message::PushMetadata { key, target_offset, version, .. } => {
            let text = Text { target_offset, version, bytes };
            answer(number, control.ask_for(key, PushMetadata { key, text }).await)
        }
        Message::CloseMetadata { key } => {
            answer(number, control.ask_for(key, CloseMetadata { key }).await)
        }
        Message::FlushChannel { key } => {
            answer(number, control.ask_for(key, FlushChannel { key }).await)
        }
        Message::ClearQuiescentChannel { key } => {
            answer(number, control.ask_for(key, ClearQuiescentChannel { key }).await)
        }
        Message::ClearChannel { key } => {
            answer(number, control.ask_for(key, ClearChannel { key }).await)
        }
        Message::OpenChannelPackets { key } => {
            answer(number, control.ask_for(key, OpenChannelPackets { key }).await)
        }
        Message::RotateChannel { key, .. } => {
            answer(number, control.ask_for(key, RotateChannel { key }).await)
        }
        Message::SnapshotChannel(snapshot) => {
            let key = snapshot.key;
            answer(number, control.ask_for(key, RecordSnapshot(snapshot)).await)
        }
        // The rest do not name one.
        _ => None,
    }
}
