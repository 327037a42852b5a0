//! The commands as exchanges on a connection to the command socket.

use std::{
    os::fd::{AsFd, AsRawFd},
    sync::Arc,
};

use lttngd_model::{ChannelKey, RelaySessionId, SessionId, StreamKind, Tracer};
use lttngd_runtime::tell;
use lttngd_wire::consumer::{AddRelaydSocket, Message, SnapshotChannel, TraceChunkPresence};

use crate::{
    AddKernelChannel, AddKernelStreams, AddRelayd, ChannelObject, ChunkPlace, ClearChannel,
    ClearQuiescentChannel, CloseMetadata, CloseTraceChunk, ConsumerError, CreateMetadata,
    CreateTraceChunk, DataPending, DestroyChannel, DestroyRelayd, DiscardedEvents, FlushChannel,
    KernelChannelTaken, KernelStream, LostPackets, OpenChannelPackets, PushMetadata, RecordChannel,
    RotateChannel, SampledChannel, TraceChunkExists,
    channels::{self, FetchChannel},
    link::Link,
    reports::{BeginMetadata, BeginSampling, EndMetadata, HasEnded, Owner, StreamsCounted},
};

/// What is done on a connection while nothing else is.
pub(crate) trait Exchange: Send + 'static {
    /// What comes of it.
    type Reply: Send + 'static;

    /// Does it.
    async fn make(self, link: &Link, owner: &Owner) -> Result<Self::Reply, ConsumerError>;
}

/// Hands both connections over; with the first one alone the consumer can do nothing.
async fn add_relayd(link: &Link, relayd: AddRelayd) -> Result<(), ConsumerError> {
    let AddRelayd { net_index, version: (major, minor), .. } = relayd;
    let message = |stream, relayd_session_id| {
        let session_id = relayd.session;
        let socket =
            AddRelaydSocket { net_index, stream, major, minor, session_id, relayd_session_id };
        Message::AddRelaydSocket(socket)
    };
    let control = message(StreamKind::Control, relayd.relayd_session_id);
    link.descriptor(&control, relayd.control.as_fd()).await?;
    let data = message(StreamKind::Data, RelaySessionId(0));
    let added = link.descriptor(&data, relayd.data.as_fd()).await;
    if let Err(ConsumerError::Refused(_)) = &added {
        // Whether the consumer keeps the half pair after its own refusal is its business.
        let _ = link.status(&Message::DestroyRelayd { net_index }).await;
    }
    added
}

/// Takes back what was made for a session, by `undo`, when that has ended meanwhile.
async fn unless_ended(
    session: SessionId,
    link: &Link,
    owner: &Owner,
    undo: Message,
) -> Result<(), ConsumerError> {
    if !owner.ask(HasEnded(session)).await? {
        return Ok(());
    }
    match undo {
        close @ Message::CloseTraceChunk { .. } => link.close_chunk(&close).await.map(drop)?,
        undo => link.status(&undo).await?,
    }
    Err(ConsumerError::Ended)
}

/// Hands streams of a kernel's channel over, one after the other.
async fn add_streams(
    link: &Link,
    key: ChannelKey,
    streams: &[KernelStream],
) -> Result<(), ConsumerError> {
    for KernelStream { cpu, descriptor } in streams {
        let message = Message::AddStream {
            // For log messages alone: the number of the descriptor, as the stock daemon has it.
            stream_key: u64::try_from(descriptor.as_raw_fd()).unwrap_or_default(),
            channel_key: key,
            cpu: i32::try_from(*cpu).unwrap_or(i32::MAX),
            no_monitor: false,
        };
        link.descriptor(&message, descriptor.as_fd()).await?;
    }
    Ok(())
}

macro_rules! exchanges {
    ($($message:ident -> $reply:ty, |$link:ident, $owner:ident, $m:ident| $exchange:expr;)*) => {$(
        impl Exchange for $message {
            type Reply = $reply;

            async fn make(self, $link: &Link, $owner: &Owner) -> Result<$reply, ConsumerError> {
                let $m = self;
                $exchange
            }
        }
    )*};
}

exchanges! {
    AddRelayd -> (), |link, owner, m| {
        let (session, net_index) = (m.session, m.net_index);
        add_relayd(link, m).await?;
        unless_ended(session, link, owner, Message::DestroyRelayd { net_index }).await
    };
    DestroyRelayd -> (), |link, _owner, m| {
        link.status(&Message::DestroyRelayd { net_index: m.net_index }).await
    };
    CreateTraceChunk -> (), |link, owner, m| {
        let (relayd, credentials, directory) = match m.place {
            ChunkPlace::Directory { owner, directory } => (None, Some(owner), Some(directory)),
            ChunkPlace::Relayd(net_index) => (Some(net_index), None, None),
        };
        let message = Message::CreateTraceChunk {
            relayd_id: relayd,
            override_name: m.override_name,
            session_id: m.session,
            chunk_id: m.chunk,
            creation_timestamp_s: m.created_at_s,
            owner: credentials,
        };
        match directory {
            Some(directory) => link.descriptor(&message, directory.as_fd()).await?,
            None => link.status(&message).await?,
        }
        let close = Message::CloseTraceChunk {
            relayd_id: relayd,
            session_id: m.session,
            chunk_id: m.chunk,
            close_timestamp_s: m.created_at_s,
            command: None,
        };
        unless_ended(m.session, link, owner, close).await
    };
    CloseTraceChunk -> String, |link, _owner, m| {
        link.close_chunk(&Message::CloseTraceChunk {
            relayd_id: m.relayd,
            session_id: m.session,
            chunk_id: m.chunk,
            close_timestamp_s: m.closed_at_s,
            command: m.command,
        }).await
    };
    TraceChunkExists -> TraceChunkPresence, |link, _owner, m| {
        link.chunk_presence(&Message::TraceChunkExists {
            relayd_id: m.relayd,
            session_id: m.session,
            chunk_id: m.chunk,
        }).await
    };
    FetchChannel -> Arc<ChannelObject>, |link, owner, m| {
        let (session, sampled, start) = (m.ask.session_id, m.sampled, owner.start);
        let channel = SampledChannel {
            key: m.ask.key,
            tracer: Tracer::Ust,
            name: m.ask.name.clone(),
            capacity_bytes: m.ask.subbuf_size_bytes.saturating_mul(m.ask.num_subbuf),
        };
        let counted = |streams| tell(&owner.consumer, StreamsCounted { start, streams });
        let object = channels::fetch(link, m.ask, m.room, counted).await?;
        // Dropping it ends the channel.
        owner.ask(BeginSampling { start, session, channel, sampled }).await??;
        Ok(Arc::new(object))
    };
    AddKernelChannel -> (), |link, owner, m| {
        let AddKernelChannel { add, streams, capacity_bytes, sampled, taken } = m;
        let (key, session, start) = (add.key, add.session_id, owner.start);
        let sent = (add.monitor && !add.metadata).then_some(Message::StreamsSent {
            channel_key: key,
            relayd_id: add.relayd_id,
        });
        let (is_data, is_monitored) = (!add.metadata, add.monitor);
        let (tracer, name) = (Tracer::Kernel, add.name.clone());
        let channel = SampledChannel { key, tracer, name, capacity_bytes };
        link.status(&Message::AddChannel(add)).await?;
        let given = add_streams(link, key, &streams).await;
        if let Err(ConsumerError::Refused(_)) = &given
            && !is_monitored
        {
            // Nobody reads it, and nothing ends it. Of the others a consumer daemon takes no such command.
            link.status(&Message::DestroyChannel { key }).await?;
        }
        given?;
        if !is_monitored {
            unless_ended(session, link, owner, Message::DestroyChannel { key }).await?;
        }
        taken.tell(KernelChannelTaken { key });
        if let Some(sent) = sent {
            link.status(&sent).await?;
        }
        if is_data {
            owner.ask(BeginSampling { start, session, channel, sampled }).await??;
        }
        Ok(())
    };
    AddKernelStreams -> (), |link, _owner, m| add_streams(link, m.key, &m.streams).await;
    DestroyChannel -> (), |link, _owner, m| {
        link.status(&Message::DestroyChannel { key: m.key }).await
    };
    CreateMetadata -> (), |link, owner, m| {
        let (key, session, start) = (m.ask.key, m.ask.session_id, owner.start);
        link.ask_channel(&Message::AskChannelCreation(m.ask)).await?;
        owner.ask(BeginMetadata { start, session, key, source: m.source }).await?;
        let made = match link.status(&Message::SetupMetadata { key }).await {
            Ok(()) => unless_ended(session, link, owner, Message::CloseMetadata { key }).await,
            refused => refused,
        };
        if made.is_err() {
            owner.ask(EndMetadata { start, key }).await?;
        }
        made
    };
    PushMetadata -> (), |link, _owner, m| {
        link.payload(&Message::PushMetadata {
            key: m.key,
            target_offset: m.text.offset,
            len: m.text.bytes.len() as u64,
            version: m.text.version,
        }, &m.text.bytes).await
    };
    CloseMetadata -> (), |link, _owner, m| {
        link.status(&Message::CloseMetadata { key: m.key }).await
    };
    FlushChannel -> (), |link, _owner, m| link.status(&Message::FlushChannel { key: m.key }).await;
    ClearQuiescentChannel -> (), |link, _owner, m| {
        link.status(&Message::ClearQuiescentChannel { key: m.key }).await
    };
    OpenChannelPackets -> (), |link, _owner, m| {
        link.status(&Message::OpenChannelPackets { key: m.key }).await
    };
    RotateChannel -> (), |link, _owner, m| {
        link.status(&Message::RotateChannel {
            metadata: m.metadata,
            relayd_id: m.relayd,
            key: m.key,
        }).await
    };
    ClearChannel -> (), |link, _owner, m| {
        link.status(&Message::ClearChannel { key: m.key }).await
    };
    RecordChannel -> (), |link, _owner, m| {
        link.status(&Message::SnapshotChannel(Box::new(SnapshotChannel {
            pathname: m.path,
            metadata: m.metadata,
            relayd_id: m.relayd,
            key: m.key,
            nb_packets_per_stream: m.packets_per_stream,
        }))).await
    };
    DataPending -> bool, |link, _owner, m| {
        link.data_pending(&Message::DataPending { session_id: m.session }).await
    };
    DiscardedEvents -> u64, |link, _owner, m| {
        link.counter(&Message::DiscardedEvents { session_id: m.session, key: m.key }).await
    };
    LostPackets -> u64, |link, _owner, m| {
        link.counter(&Message::LostPackets { session_id: m.session, key: m.key }).await
    };
}
