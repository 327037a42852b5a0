//! Channels: made when they are asked for, running once they were fetched.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use lttngd_model::{ChannelKey, ChunkId, NetIndex};
use lttngd_ringbuffer::{ChannelConfig, Mode, possible_cpu_count};
use lttngd_runas::Runas;
use lttngd_runtime::{Held, Purpose};
use lttngd_wire::consumer::{
    AskChannel, CHANNEL_WAKEUP_FDS, ChannelClass, ChannelStatus, ConsumerError as Code,
    MetadataRequest, STREAM_FDS, SnapshotChannel,
};

use super::{Inner, outcome};
use crate::{
    chunk::Chunk,
    crew::WorkerHandle,
    request::{ChannelObject, Reply},
    shm::{self, ShmPlace},
    worker::{NewChannel, NewMetadata, NewStream, Order, Recording, Timers, Writing},
};

/// Most channels of a session.
const CHANNELS_MAX: usize = 1 << 18;

/// Descriptors that a channel needs besides those of its streams: its pipe, and the file of its trace's
/// metadata.
const CHANNEL_DESCRIPTORS: usize = 2;
/// Those of each stream: both ends of its pipe.
const STREAM_DESCRIPTORS: usize = 2;
/// Those of each stream that is written to files of this machine: its data and its index.
const FILE_DESCRIPTORS: usize = 2;

/// The places in the budget of a channel, and of what is sent to the session daemon.
struct Room {
    of_channel: Held,
    of_object: Held,
}

/// A channel, as its session sees it.
pub(super) struct Channel {
    pub(super) worker: WorkerHandle,
    phase: Phase,
}

enum Phase {
    /// It was asked for and not fetched.
    Asked(Box<Asked>),
    /// It runs. Metadata is known by how it is asked for.
    Running(Option<MetadataRequest>),
}

enum Asked {
    Data { channel: Box<NewChannel>, object: ChannelObject },
    Metadata(NewMetadata),
}

impl Asked {
    fn chunk(&mut self) -> &mut Option<Arc<Chunk>> {
        match self {
            Self::Data { channel, .. } => &mut channel.chunk,
            Self::Metadata(metadata) => &mut metadata.chunk,
        }
    }
}

impl Channel {
    /// Takes the session's new chunk, if it has not been given to a data thread yet.
    pub(super) fn set_chunk(&mut self, chunk: Option<&Arc<Chunk>>) {
        if let Phase::Asked(asked) = &mut self.phase {
            *asked.chunk() = chunk.cloned();
        }
    }

    /// Lets go of a chunk, for the one before it if there is one.
    pub(super) fn leave_chunk(&mut self, id: ChunkId, before: Option<&Arc<Chunk>>) {
        if let Phase::Asked(asked) = &mut self.phase
            && asked.chunk().as_ref().is_some_and(|chunk| chunk.id == id)
        {
            *asked.chunk() = before.cloned();
        }
    }

    /// How its metadata is asked for.
    pub(super) fn metadata_request(&self) -> Option<MetadataRequest> {
        match &self.phase {
            Phase::Running(request) => *request,
            Phase::Asked(_) => None,
        }
    }
}

impl Inner {
    /// Makes a channel. It has no output and no reader before it is fetched.
    pub(super) async fn ask_channel(&self, ask: AskChannel) -> Reply {
        let key = ask.key;
        let Some(control) = self.context.control.upgrade() else { return refused(Code::FATAL) };
        if !control.claim_channel(key, self.id) {
            tracing::error!(%key, "there is a channel of this key");
            return refused(Code::CHANNEL_FAIL);
        }
        let reply = self.make_channel(ask).await;
        if !matches!(&reply, Reply::Channel(status) if status.ret_code == 0) {
            control.forget_channel(key);
        }
        reply
    }

    async fn make_channel(&self, ask: AskChannel) -> Reply {
        let key = ask.key;
        if self.state.borrow().channels.len() >= CHANNELS_MAX {
            tracing::error!(%key, "a session has too many channels");
            return refused(Code::CHANNEL_FAIL);
        }
        let Ok(chunk) = self.chunk_of(&ask) else { return refused(Code::CHANNEL_FAIL) };
        let writing = self.writing(&ask);
        let remote = !ask.monitor || ask.relayd_id.is_some();
        let worker = if remote { &self.context.remote } else { &self.context.local }.clone();
        let stream_count;
        let asked = match ask.class {
            ChannelClass::Metadata => {
                stream_count = ask.monitor.into();
                Asked::Metadata(NewMetadata {
                    key,
                    writing,
                    chunk,
                    uuid: ask.uuid,
                    monitored: ask.monitor,
                    refresh_interval_us: ask.switch_timer_interval_us,
                })
            }
            ChannelClass::Data { overwrite } => {
                let clock = self.context.clock.clone();
                let runas = self.context.runas.clone();
                let room = match self.room(&ask) {
                    Ok(room) => room,
                    Err(error) => {
                        tracing::error!(%key, channel = ask.name, %error, "a channel is refused");
                        return refused(Code::CHANNEL_FAIL);
                    }
                };
                // Allocating shared memory may take long.
                let made = tokio::task::spawn_blocking({
                    let (ask, of_object) = (ask.clone(), room.of_object);
                    move || make_streams(&ask, overwrite, &clock, &runas, of_object)
                });
                match made.await.map_err(|error| error.to_string()).flatten() {
                    Ok((ring, streams, object, shm)) => {
                        stream_count = u32::try_from(streams.len()).unwrap_or(u32::MAX);
                        let channel = NewChannel {
                            key,
                            writing,
                            chunk,
                            ring,
                            streams,
                            shm,
                            monitored: ask.monitor,
                            is_live: ask.is_live,
                            held: room.of_channel,
                            timers: Timers {
                                switch_us: ask.switch_timer_interval_us,
                                read_us: ask.read_timer_interval_us,
                                live_us: ask.live_timer_interval_us,
                                monitor_us: ask.monitor_timer_interval_us,
                            },
                        };
                        Asked::Data { channel: Box::new(channel), object }
                    }
                    Err(error) => {
                        tracing::error!(%key, channel = ask.name, %error, "cannot make a channel");
                        return refused(Code::CHANNEL_FAIL);
                    }
                }
            }
        };
        let channel = Channel { worker, phase: Phase::Asked(Box::new(asked)) };
        let mut state = self.state.borrow_mut();
        state.has_snapshots |= !ask.monitor;
        state.channels.insert(key, channel);
        Reply::Channel(ChannelStatus { ret_code: 0, key, stream_count })
    }

    /// Takes the places of a channel's descriptors in the budget, before any is opened.
    fn room(&self, ask: &AskChannel) -> Result<Room, String> {
        let control = self.context.control.upgrade().ok_or("the consumer daemon ends")?;
        let cpu_count = possible_cpu_count().map_err(|error| error.to_string())? as usize;
        let has_files = ask.monitor && ask.relayd_id.is_none();
        let each =
            if has_files { STREAM_DESCRIPTORS + FILE_DESCRIPTORS } else { STREAM_DESCRIPTORS };
        let take = |count| {
            let taken = control.descriptors().take(Purpose::Channels, count);
            taken.map_err(|error| error.to_string())
        };
        Ok(Room {
            of_channel: take(CHANNEL_DESCRIPTORS + cpu_count * each)?,
            of_object: take(CHANNEL_WAKEUP_FDS + cpu_count * STREAM_FDS)?,
        })
    }

    /// The trace chunk that a channel begins in.
    fn chunk_of(&self, ask: &AskChannel) -> Result<Option<Arc<Chunk>>, ()> {
        let Some(id) = ask.chunk_id else { return Ok(None) };
        let chunk = self.state.borrow().chunks.published(id);
        if chunk.is_none() {
            tracing::error!(channel = ask.name, chunk = %id, "a channel's trace chunk is not known");
        }
        chunk.map(Some).ok_or(())
    }

    /// Where and how a channel's streams are written.
    fn writing(&self, ask: &AskChannel) -> Writing {
        Writing {
            session: self.id,
            name: ask.name.clone(),
            path: ask.pathname.clone(),
            relay: ask.relayd_id.map(NetIndex),
            tracefile_size_bytes: ask.tracefile_size_bytes,
            tracefile_count: ask.tracefile_count,
            metadata_request: MetadataRequest {
                session_id: self.id,
                session_id_per_pid: ask.session_id_per_pid,
                bits_per_long: usize::BITS,
                uid: ask.ust_app_uid,
                key: ask.key,
            },
        }
    }

    /// Gives a channel's streams to their data thread, and its descriptors to the session daemon.
    pub(super) async fn get_channel(&self, key: ChannelKey) -> Reply {
        let (worker, channel, object) = {
            let mut state = self.state.borrow_mut();
            let Some(channel) = state.channels.get_mut(&key) else {
                return Code::CHAN_NOT_FOUND.into();
            };
            match std::mem::replace(&mut channel.phase, Phase::Running(None)) {
                Phase::Asked(asked) => match *asked {
                    Asked::Data { channel: new, object } => (channel.worker.clone(), new, object),
                    metadata @ Asked::Metadata(_) => {
                        channel.phase = Phase::Asked(Box::new(metadata));
                        return Code::CHAN_NOT_FOUND.into();
                    }
                },
                running @ Phase::Running(_) => {
                    channel.phase = running;
                    return Code::CHAN_NOT_FOUND.into();
                }
            }
        };
        match worker.ask(|answer| Order::AddChannel(channel, answer)).await {
            Ok(Ok(())) => Reply::Object(Box::new(object)),
            failed => {
                // Dropping what applications would have got ends the channel in its data thread.
                drop(object);
                self.state.borrow_mut().channels.remove(&key);
                if let Some(control) = self.context.control.upgrade() {
                    control.forget_channel(key);
                }
                outcome(failed)
            }
        }
    }

    /// Starts a metadata channel.
    pub(super) async fn set_up_metadata(&self, key: ChannelKey) -> Reply {
        let (worker, metadata) = {
            let mut state = self.state.borrow_mut();
            let Some(channel) = state.channels.get_mut(&key) else {
                return Code::UST_CHAN_NOT_FOUND.into();
            };
            match std::mem::replace(&mut channel.phase, Phase::Running(None)) {
                Phase::Asked(asked) => match *asked {
                    Asked::Metadata(metadata) => {
                        channel.phase = Phase::Running(Some(metadata.writing.metadata_request));
                        (channel.worker.clone(), metadata)
                    }
                    data @ Asked::Data { .. } => {
                        channel.phase = Phase::Asked(Box::new(data));
                        return Code::ERROR_METADATA.into();
                    }
                },
                running @ Phase::Running(_) => {
                    channel.phase = running;
                    return Code::ERROR_METADATA.into();
                }
            }
        };
        let metadata = Box::new(metadata);
        let added = worker.ask(|answer| Order::AddMetadata(metadata, answer)).await;
        if !matches!(added, Ok(Ok(()))) {
            self.state.borrow_mut().channels.remove(&key);
            if let Some(control) = self.context.control.upgrade() {
                control.forget_channel(key);
            }
        }
        outcome(added)
    }

    /// Drops a channel that was not fetched. Others are left alone, as by the stock consumer.
    pub(super) fn destroy_channel(&self, key: ChannelKey) -> Reply {
        let mut state = self.state.borrow_mut();
        if state.channels.get(&key).is_some_and(|channel| matches!(channel.phase, Phase::Asked(_)))
        {
            state.channels.remove(&key);
            if let Some(control) = self.context.control.upgrade() {
                control.forget_channel(key);
            }
        }
        Reply::OK
    }

    /// Records a snapshot of one channel.
    pub(super) async fn record(&self, snapshot: SnapshotChannel) -> Reply {
        let key = snapshot.key;
        let (worker, chunk) = {
            let state = self.state.borrow();
            let Some(channel) = state.channels.get(&key) else {
                return Code::CHAN_NOT_FOUND.into();
            };
            (channel.worker.clone(), state.current.clone())
        };
        let Some(chunk) = chunk else {
            tracing::error!(%key, "a snapshot needs a trace chunk");
            return Code::SNAPSHOT_FAILED.into();
        };
        if snapshot.metadata {
            self.refresh_metadata(key).await;
        }
        let recording = Box::new(Recording {
            key,
            metadata: snapshot.metadata,
            path: snapshot.pathname,
            relay: snapshot.relayd_id.map(NetIndex),
            packets_max: snapshot.nb_packets_per_stream,
            chunk,
        });
        outcome(worker.ask(|answer| Order::Record(recording, answer)).await)
    }
}

fn refused(code: Code) -> Reply {
    Reply::Channel(ChannelStatus { ret_code: code.0, key: ChannelKey(0), stream_count: 0 })
}

type Made = (lttngd_ringbuffer::Channel, Vec<NewStream>, ChannelObject, Option<ShmPlace>);

/// Makes a channel with its streams.
fn make_streams(
    ask: &AskChannel,
    overwrite: bool,
    clock: &crate::clock::PacketClock,
    runas: &Runas,
    held: Held,
) -> Result<Made, String> {
    let text = |error: &dyn std::error::Error| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let config = ChannelConfig {
        mode: if overwrite { Mode::Overwrite } else { Mode::Discard },
        subbuf_size_bytes: ask.subbuf_size_bytes,
        num_subbuf: ask.num_subbuf,
        switch_timer_interval_us: ask.switch_timer_interval_us,
        read_timer_interval_us: ask.read_timer_interval_us,
        blocking_timeout_us: ask.blocking_timeout_us,
        channel_id: ask.chan_id,
        trace_uuid: ask.uuid,
        cpu_count: possible_cpu_count().map_err(|error| error.to_string())?,
        snapshots: !ask.monitor,
    };
    let mut ring = lttngd_ringbuffer::Channel::create(&config, clock).map_err(|e| text(&e))?;
    let place = ShmPlace::of(ask, config.cpu_count, runas).map_err(|e| text(&e))?;
    let mut streams = Vec::new();
    let mut objects = Vec::new();
    for cpu in 0..config.cpu_count {
        let (stream, object) =
            shm::create_stream(&ring, cpu, place.as_ref(), clock).map_err(|e| text(&e))?;
        let wakeup = object.wakeup.try_clone().map_err(|error| error.to_string())?;
        streams.push(NewStream { source: Box::new(stream), wakeup });
        objects.push(object);
    }
    let wakeup: OwnedFd = ring
        .wakeup()
        .ok_or("a channel has no pipe")?
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| error.to_string())?;
    ring.close_wakeup();
    let object =
        ChannelObject { image: ring.image().to_vec(), wakeup, streams: objects, _held: held };
    Ok((ring, streams, object, place))
}
