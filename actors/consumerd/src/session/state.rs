//! What a session has, and what is decided by that: plain values.

use std::{collections::HashMap, os::fd::OwnedFd, sync::Arc};

use lttngd_model::{ChannelKey, ChannelOutput, ChunkId};
use lttngd_wire::consumer::{AddChannel, CloseCommand, ConsumerError as Code, MetadataRequest};

use super::{counts::KnownCounts, kernel_text::TextReader};
use crate::{
    chunk::{Chunk, Chunks},
    refusal::Refusal,
    reply::ChannelObject,
    samples::Monitor,
    worker::{NewChannel, NewMetadata},
    workers::WorkerHandle,
};

/// Most channels of a session.
const CHANNELS_MAX: usize = 1 << 18;

/// What a session has.
#[derive(Default)]
pub(super) struct State {
    /// Whether it has had channels of which snapshots are recorded.
    has_snapshots: bool,
    pub(super) chunks: Chunks,
    /// The chunk that a snapshot goes to.
    current: Option<Arc<Chunk>>,
    channels: HashMap<ChannelKey, Channel>,
    pub(super) counts: KnownCounts,
}

/// A channel, as its session sees it.
struct Channel {
    worker: WorkerHandle,
    phase: Phase,
}

enum Phase {
    /// It was asked for and not fetched.
    Asked(Box<Asked>),
    /// It runs.
    Running(Running),
}

/// What is known of a channel that runs.
enum Running {
    /// One of applications. Metadata is known by how it is asked for.
    Ust(Option<MetadataRequest>),
    /// One of the kernel.
    Kernel {
        is_mapped: bool,
        monitored: bool,
        /// Who reads it, if it is metadata.
        text: Option<TextReader>,
    },
}

/// A channel of the kernel whose streams have not all come.
pub(super) struct Announced {
    pub(super) add: Box<AddChannel>,
    pub(super) chunk: Option<Arc<Chunk>>,
    /// By their processors.
    pub(super) streams: Vec<(u32, OwnedFd)>,
}

/// What becomes of a stream of the kernel.
pub(super) enum Streamed {
    /// It waits for others.
    Waits,
    /// It was the last one of a channel, which runs from now on.
    Whole(WorkerHandle, Box<Announced>),
    /// Its channel runs.
    Late { worker: WorkerHandle, is_mapped: bool, stream: (u32, OwnedFd) },
}

/// What becomes of a channel that is to be destroyed.
pub(super) enum Destroyed {
    /// It is gone.
    Gone,
    /// Its data thread has it.
    Runs(WorkerHandle),
    /// It stays.
    Stays,
}

/// A channel that is made and has no reader yet.
pub(super) enum Asked {
    Data { channel: Box<NewChannel>, object: Box<ChannelObject>, monitor: Monitor },
    Metadata(Box<NewMetadata>),
    Kernel(Box<Announced>),
}

/// A data channel that is to run.
pub(super) struct Fetched {
    pub(super) worker: WorkerHandle,
    pub(super) channel: Box<NewChannel>,
    /// What applications need of it.
    pub(super) object: Box<ChannelObject>,
    pub(super) monitor: Monitor,
}

/// A trace chunk that was taken from the channels.
pub(super) struct Closed {
    pub(super) chunk: Arc<Chunk>,
    /// What they have instead.
    pub(super) before: Option<Arc<Chunk>>,
}

impl Asked {
    fn chunk(&mut self) -> &mut Option<Arc<Chunk>> {
        match self {
            Self::Data { channel, .. } => &mut channel.chunk,
            Self::Metadata(metadata) => &mut metadata.chunk,
            Self::Kernel(announced) => &mut announced.chunk,
        }
    }

    pub(super) fn is_monitored(&self) -> bool {
        match self {
            Self::Data { channel, .. } => channel.monitored,
            Self::Metadata(metadata) => metadata.monitored,
            Self::Kernel(announced) => announced.add.monitor,
        }
    }
}

impl State {
    /// Whether nothing is left, and whether there have been channels for snapshots then.
    pub(super) fn empty(&self) -> Option<bool> {
        (self.channels.is_empty() && self.chunks.is_empty()).then_some(self.has_snapshots)
    }

    /// Whether another channel may be made, and the trace chunk that it begins in.
    pub(super) fn admit_channel(&self, chunk: Option<ChunkId>) -> Result<Option<Arc<Chunk>>, Code> {
        if self.channels.len() >= CHANNELS_MAX {
            tracing::error!("a session has too many channels");
            return Err(Code::CHANNEL_FAIL);
        }
        let Some(id) = chunk else { return Ok(None) };
        let chunk = self.chunks.published(id);
        if chunk.is_none() {
            tracing::error!(chunk = %id, "a channel's trace chunk is not known");
        }
        chunk.map(Some).ok_or(Code::CHANNEL_FAIL)
    }

    /// A channel is made.
    pub(super) fn add_channel(&mut self, key: ChannelKey, worker: WorkerHandle, asked: Asked) {
        self.has_snapshots |= !asked.is_monitored();
        self.channels.insert(key, Channel { worker, phase: Phase::Asked(Box::new(asked)) });
    }

    /// There is no such channel any more.
    pub(super) fn forget_channel(&mut self, key: ChannelKey) {
        self.channels.remove(&key);
        self.counts.forget(key);
    }

    /// The data thread of a channel.
    pub(super) fn worker_of(&self, key: ChannelKey) -> Result<WorkerHandle, Refusal> {
        let channel = self.channels.get(&key).ok_or(Refusal::UnknownChannel)?;
        Ok(channel.worker.clone())
    }

    /// Whether a data thread has channels, or gets some that were made for it.
    pub(super) fn has_channel_in(&self, worker: &WorkerHandle) -> bool {
        self.channels.values().any(|channel| channel.worker.is(worker))
    }

    /// How text of a metadata channel that runs is asked for.
    pub(super) fn metadata_request(&self, key: ChannelKey) -> Option<MetadataRequest> {
        match self.channels.get(&key)?.phase {
            Phase::Running(Running::Ust(request)) => request,
            Phase::Running(Running::Kernel { .. }) | Phase::Asked(_) => None,
        }
    }

    /// Who reads the text of a metadata channel of the kernel that runs.
    pub(super) fn text_reader(&self, key: ChannelKey) -> Option<TextReader> {
        match &self.channels.get(&key)?.phase {
            Phase::Running(Running::Kernel { text, .. }) => text.clone(),
            Phase::Running(Running::Ust(_)) | Phase::Asked(_) => None,
        }
    }

    /// All of them.
    pub(super) fn text_readers(&self) -> Vec<TextReader> {
        self.channels.keys().filter_map(|key| self.text_reader(*key)).collect()
    }

    /// The text of a metadata channel of the kernel is read.
    pub(super) fn add_text_reader(&mut self, key: ChannelKey, reader: TextReader) {
        if let Some(Channel { phase: Phase::Running(Running::Kernel { text, .. }), .. }) =
            self.channels.get_mut(&key)
        {
            *text = Some(reader);
        }
    }

    /// A stream came, of a processor.
    pub(super) fn add_stream(
        &mut self,
        key: ChannelKey,
        stream: (u32, OwnedFd),
    ) -> Result<Streamed, Refusal> {
        let channel = self.channels.get_mut(&key).ok_or(Refusal::UnknownChannel)?;
        let worker = channel.worker.clone();
        let announced = match &mut channel.phase {
            Phase::Running(Running::Kernel { is_mapped, text: None, .. }) => {
                return Ok(Streamed::Late { worker, is_mapped: *is_mapped, stream });
            }
            Phase::Asked(asked) => match &mut **asked {
                Asked::Kernel(announced) => announced,
                Asked::Data { .. } | Asked::Metadata(_) => return Err(Refusal::UnknownChannel),
            },
            Phase::Running(_) => return Err(Refusal::UnknownChannel),
        };
        announced.streams.push(stream);
        if announced.streams.len() < announced.add.nb_init_streams as usize {
            return Ok(Streamed::Waits);
        }
        let is_mapped = announced.add.output == ChannelOutput::Mmap;
        let running = Running::Kernel { is_mapped, monitored: announced.add.monitor, text: None };
        match std::mem::replace(&mut channel.phase, Phase::Running(running)) {
            Phase::Asked(asked) => match *asked {
                Asked::Kernel(announced) => Ok(Streamed::Whole(worker, announced)),
                Asked::Data { .. } | Asked::Metadata(_) => Err(Refusal::UnknownChannel),
            },
            Phase::Running(_) => Err(Refusal::UnknownChannel),
        }
    }

    /// A data channel is fetched: it runs from now on.
    pub(super) fn fetch(&mut self, key: ChannelKey) -> Result<Fetched, Refusal> {
        let channel = self.channels.get_mut(&key).ok_or(Refusal::UnknownChannel)?;
        match std::mem::replace(&mut channel.phase, Phase::Running(Running::Ust(None))) {
            Phase::Asked(asked) => match *asked {
                Asked::Data { channel: new, object, monitor } => {
                    let worker = channel.worker.clone();
                    return Ok(Fetched { worker, channel: new, object, monitor });
                }
                other => channel.phase = Phase::Asked(Box::new(other)),
            },
            running @ Phase::Running(_) => channel.phase = running,
        }
        Err(Refusal::UnknownChannel)
    }

    /// A metadata channel is set up: it runs from now on.
    pub(super) fn set_up(
        &mut self,
        key: ChannelKey,
    ) -> Result<(WorkerHandle, Box<NewMetadata>), Refusal> {
        let channel = self.channels.get_mut(&key).ok_or(Refusal::UnknownChannel)?;
        match std::mem::replace(&mut channel.phase, Phase::Running(Running::Ust(None))) {
            Phase::Asked(asked) => match *asked {
                Asked::Metadata(metadata) => {
                    let request = metadata.writing.metadata_request;
                    channel.phase = Phase::Running(Running::Ust(Some(request)));
                    return Ok((channel.worker.clone(), metadata));
                }
                other => channel.phase = Phase::Asked(Box::new(other)),
            },
            running @ Phase::Running(_) => channel.phase = running,
        }
        Err(Code::ERROR_METADATA.into())
    }

    /// Drops a channel that was not fetched, or one of the kernel that nobody reads but snapshots.
    pub(super) fn destroy(&mut self, key: ChannelKey) -> Destroyed {
        match self.channels.get(&key).map(|channel| &channel.phase) {
            Some(Phase::Asked(_)) => {
                self.channels.remove(&key);
                Destroyed::Gone
            }
            Some(Phase::Running(Running::Kernel { monitored: false, .. })) => {
                self.worker_of(key).map_or(Destroyed::Stays, Destroyed::Runs)
            }
            Some(Phase::Running(_)) | None => Destroyed::Stays,
        }
    }

    /// What a snapshot of a channel is written by, and where to.
    pub(super) fn record(&self, key: ChannelKey) -> Result<(WorkerHandle, Arc<Chunk>), Refusal> {
        let worker = self.worker_of(key)?;
        let Some(chunk) = self.current.clone() else {
            tracing::error!(%key, "a snapshot needs a trace chunk");
            return Err(Code::SNAPSHOT_FAILED.into());
        };
        Ok((worker, chunk))
    }

    /// Makes a chunk the current one, and that of channels that no data thread has yet. `false` when one of
    /// its id is known.
    pub(super) fn enter_chunk(&mut self, chunk: &Arc<Chunk>) -> bool {
        if !self.chunks.publish(chunk) {
            return false;
        }
        self.current = Some(Arc::clone(chunk));
        for channel in self.channels.values_mut() {
            if let Phase::Asked(asked) = &mut channel.phase {
                *asked.chunk() = Some(Arc::clone(chunk));
            }
        }
        true
    }

    /// Takes a chunk from those that have it. A session daemon that gives a new chunk up goes on in the one
    /// before it.
    pub(super) fn close_chunk(
        &mut self,
        id: ChunkId,
        command: Option<CloseCommand>,
    ) -> Result<Closed, Code> {
        let chunk = self.chunks.close(id).ok_or(Code::UNKNOWN_TRACE_CHUNK)?;
        if command == Some(CloseCommand::Delete) {
            chunk.delete_at_end();
        }
        let before = self.chunks.newest_published();
        let is_it = |held: &Option<Arc<Chunk>>| held.as_ref().is_some_and(|held| held.id == id);
        if is_it(&self.current) {
            self.current.clone_from(&before);
        }
        for channel in self.channels.values_mut() {
            if let Phase::Asked(asked) = &mut channel.phase
                && is_it(asked.chunk())
            {
                asked.chunk().clone_from(&before);
            }
        }
        Ok(Closed { chunk, before })
    }
}

#[cfg(test)]
mod tests;
