//! The life of trace chunks: how a session enters one, its streams leave it, and the consumer daemons know it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use actix::Addr;
use futures::future::join_all;
use lttngd_buffers as buffers;
use lttngd_clock::now;
use lttngd_consumer::{
    ChunkPlace, CloseCommand, CloseTraceChunk, Consumer, ConsumerError, CreateTraceChunk,
    TraceChunkExists, TraceChunkPresence,
};
use lttngd_model::{ChunkId, ConsumerKind, ErrorCode, NetIndex};
use lttngd_runtime::{Backoff, fail_point};
use tokio::time::Instant;

use crate::{
    Output,
    actor::Inner,
    chunk::{Chunk, ChunkRoot},
    complain::complain,
    error::consumer_code,
    state::{
        Published,
        leftovers::{ChunkFate, LeftChunk},
    },
};

/// First and longest pause between two looks whether the consumer has written everything.
const CHUNK_PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(500));
/// How long a relay daemon may take to write a trace chunk that streams have left, which may have to
/// get there over a slow network first.
const RELAYD_WRITE_DEADLINE: Duration = Duration::from_secs(600);
/// How long it may go on saying so when all of it has been sent there.
const RELAYD_CLOSE_DEADLINE: Duration = Duration::from_secs(60);

/// Until when a trace chunk that streams have left is waited for. No input or output.
#[derive(Debug)]
struct Unwritten {
    until: Instant,
    /// Since when only its relay daemon has it.
    sent_since: Option<Instant>,
}

impl Unwritten {
    /// From now on, for so long.
    fn new(now: Instant, deadline: Duration) -> Self {
        Self { until: now + deadline, sent_since: None }
    }

    /// It is not written yet, and this is who has it.
    fn is_at(&mut self, presence: TraceChunkPresence, now: Instant) {
        match presence {
            TraceChunkPresence::Remote => drop(self.sent_since.get_or_insert(now)),
            TraceChunkPresence::Local | TraceChunkPresence::Unknown => self.sent_since = None,
        }
    }

    fn until(&self) -> Instant {
        let sent = self.sent_since.map(|since| since + RELAYD_CLOSE_DEADLINE);
        sent.map_or(self.until, |sent| sent.min(self.until))
    }
}

impl Inner {
    /// The directory that a chunk was made in, if it is on this machine.
    pub(crate) fn root_of(&self, chunk: &Chunk) -> Option<ChunkRoot> {
        chunk.is_here().then(|| self.root_at(chunk.root.clone()))
    }

    /// The session's directory on this machine, if it has one.
    fn chunk_root(&self) -> Option<ChunkRoot> {
        match &self.state().output {
            Output::Local(path) => Some(self.root_at(path.clone())),
            Output::None | Output::Network(_) => None,
        }
    }

    /// A directory of this machine for chunks of the session.
    pub(crate) fn root_at(&self, path: PathBuf) -> ChunkRoot {
        ChunkRoot { path, owner: self.config.owner, runas: self.config.runas.clone() }
    }

    /// Makes the chunk of a session with an output that starts and has none.
    pub(crate) async fn enter_chunk(&self) -> Result<(), ErrorCode> {
        if self.state().output == Output::None || self.state().chunk.is_some() {
            return Ok(());
        }
        let _alone = self.chunk_gate.close().await.map_err(|_| ErrorCode::Fatal)?;
        // What still fails is told there, and no reason not to go on.
        let _ = self.settle().await;
        let own = self.state().rotations.rotated || self.state().leftovers.are_at_root();
        let chunk = self.make_chunk(own).await?;
        // Buffers of an earlier start have streams that are in no chunk.
        if let Err(code) = self.rotate_sets().await {
            // The next start begins with another chunk. Nothing was recorded in this one; where the first
            // one of a session is, that start uses its files.
            let own = !chunk.location.is_empty();
            let command = own.then_some(CloseCommand::Delete);
            let _ = self.close_chunk(chunk.id, command, self.net_index()).await;
            if own {
                let (leaving, ended_at) = (ChunkFate::Delete, now());
                let (relayd_path, failure) = (String::new(), None);
                self.keep_in_mind(LeftChunk { chunk, leaving, ended_at, relayd_path, failure });
            }
            return Err(code);
        }
        self.state_mut().chunk = Some(chunk);
        Ok(())
    }

    /// Moves all streams out of the current chunk: into a new one if the session goes on, else into
    /// none. `None` when there is no current chunk. With an error all is as it was.
    pub(crate) async fn leave_chunk(
        &self,
        leaving: ChunkFate,
        goes_on: bool,
    ) -> Result<Option<LeftChunk>, ErrorCode> {
        let _alone = self.chunk_gate.close().await.map_err(|_| ErrorCode::Fatal)?;
        // What still fails is told there, and no reason not to go on.
        let _ = self.settle().await;
        let Some(chunk) = self.state().chunk.clone() else { return Ok(None) };
        let ended_at = now();
        let new = if goes_on {
            // Both are there for a while, so that a step that fails leaves either as it is.
            Some(self.make_chunk(leaving != ChunkFate::Stay).await?)
        } else {
            None
        };
        self.state_mut().chunk = new;
        let rotated = self.rotate_sets().await;
        if leaving != ChunkFate::Stay {
            self.state_mut().rotations.left_chunk(goes_on);
        }
        let leaving = match (leaving, rotated) {
            // Streams that stayed would write to files that are to be deleted.
            (ChunkFate::Delete, Err(_)) if self.state().rotations.rotated => ChunkFate::Archive,
            (ChunkFate::Delete, Err(_)) => ChunkFate::Stay,
            _ => leaving,
        };
        let command = match leaving {
            ChunkFate::Archive => Some(CloseCommand::MoveToCompleted),
            ChunkFate::Delete => Some(CloseCommand::Delete),
            ChunkFate::Stay => None,
        };
        let closed = self.close_chunk(chunk.id, command, self.net_index()).await;
        let failure = rotated.err().or(closed.as_ref().err().copied());
        let relayd_path = closed.unwrap_or_default();
        Ok(Some(LeftChunk { chunk, leaving, ended_at, relayd_path, failure }))
    }

    /// Moves the current chunk to where the first one of a session is, once that place is free again.
    pub(crate) async fn return_to_root(&self) {
        let free = !self.state().rotations.rotated && !self.state().leftovers.are_at_root();
        let chunk = self.state().chunk.clone().filter(|chunk| free && !chunk.location.is_empty());
        let Some(mut chunk) = chunk else { return };
        let Some(root) = self.root_of(&chunk) else { return };
        match root.move_to_root(&mut chunk).await {
            Ok(()) => self.state_mut().chunk = Some(chunk),
            // It can be seen where it is.
            Err(error) => {
                complain!(self, "a trace chunk keeps a directory of its own", path = ?chunk.path(), %error);
            }
        }
    }

    /// Makes the directories of the next chunk and publishes it to the consumers.
    async fn make_chunk(&self, own: bool) -> Result<Chunk, ErrorCode> {
        let sets = self.state().all_directories();
        let id = self.state_mut().rotations.next_chunk();
        let chunk = match self.chunk_root() {
            Some(root) => root.make(id, now(), own, &sets).await.map_err(|error| {
                complain!(self, "the output directory cannot be made", path = ?root.path, %error);
                ErrorCode::CreateDirFail
            })?,
            None => Chunk::at_relayd(id, now()),
        };
        let published = self.publish_chunk(&chunk, String::new(), self.net_index()).await;
        if published.is_err()
            && let Some(root) = self.root_of(&chunk)
        {
            root.unmake(&chunk, &sets).await;
        }
        published.map(|()| chunk)
    }

    /// Makes a chunk known to the consumers, or to none: one of a directory, or of the relay daemon
    /// at `relayd`.
    pub(crate) async fn publish_chunk(
        &self,
        chunk: &Chunk,
        override_name: String,
        relayd: Option<NetIndex>,
    ) -> Result<(), ErrorCode> {
        let place = |kind: ConsumerKind| match (chunk.directories.get(&kind.tracer()), relayd) {
            (Some(directory), _) => {
                let (owner, directory) = (self.config.owner, Arc::clone(directory));
                Ok(ChunkPlace::Directory { owner, directory })
            }
            (None, Some(relayd)) => Ok(ChunkPlace::Relayd(relayd)),
            (None, None) => Err(ErrorCode::RelaydConnectFail),
        };
        let mut consumers = self.consumers();
        let recorded: Vec<_> = self.state().domains.recorded().collect();
        consumers.retain(|(kind, _)| recorded.contains(&kind.tracer()));
        let places = consumers.iter().map(|(kind, _)| place(*kind));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let to = consumers.iter().map(|(kind, _)| *kind).collect();
        self.state_mut().published.insert(chunk.id, Published { relayd, to });
        for (told, ((kind, consumer), place)) in consumers.iter().zip(places).enumerate() {
            let create = CreateTraceChunk {
                session: self.config.id,
                chunk: chunk.id,
                created_at_s: chunk.begun_at.epoch_s,
                place,
                override_name: override_name.clone(),
            };
            if let Err(error) = self.ask_consumer(consumer, create).await {
                complain!(self, "no trace chunk", %error);
                // What went wrong first says more.
                let _ = self.close_chunk_at(&consumers[..told], chunk.id, None, relayd).await;
                let refused = ErrorCode::CreateTraceChunkFailConsumer;
                return Err(consumer_code(kind.tracer(), &error, refused));
            }
        }
        fail_point::reached("Session chunk_published");
        Ok(())
    }

    async fn rotate_sets(&self) -> Result<(), ErrorCode> {
        self.on_all_sets(buffers::Rotate).await.map_err(|error| {
            complain!(self, "streams do not leave the trace chunk", %error);
            error.code(ErrorCode::RotationFailConsumer)
        })
    }

    /// Lets go of a chunk; what the relay daemon calls it.
    pub(crate) async fn close_chunk(
        &self,
        chunk: ChunkId,
        command: Option<CloseCommand>,
        relayd: Option<NetIndex>,
    ) -> Result<String, ErrorCode> {
        let mut consumers = self.consumers();
        if let Some(published) = self.state().published.get(&chunk) {
            consumers.retain(|(kind, _)| published.to.contains(kind));
        }
        self.close_chunk_at(&consumers, chunk, command, relayd).await
    }

    async fn close_chunk_at(
        &self,
        consumers: &[(ConsumerKind, Addr<Consumer>)],
        chunk: ChunkId,
        command: Option<CloseCommand>,
        relayd: Option<NetIndex>,
    ) -> Result<String, ErrorCode> {
        let (session, closed_at_s) = (self.config.id, now().epoch_s);
        let closed = consumers.iter().map(async |(kind, consumer)| {
            let close = CloseTraceChunk { session, chunk, closed_at_s, command, relayd };
            self.ask_consumer(consumer, close).await.map_err(|error| (kind.tracer(), error))
        });
        let closed: Result<Vec<_>, _> = join_all(closed).await.into_iter().collect();
        self.state_mut().published.remove(&chunk);
        closed.map(|paths| paths.into_iter().next().unwrap_or_default()).map_err(
            |(tracer, error)| {
                complain!(self, "the trace chunk is not closed", %error);
                consumer_code(tracer, &error, ErrorCode::CloseTraceChunkFailConsumer)
            },
        )
    }

    /// Waits until no stream writes to a chunk any more: one look at once, then at growing distances.
    pub(crate) async fn written(&self, chunk: ChunkId) -> Result<(), ErrorCode> {
        let (session, relayd) = (self.config.id, self.net_index());
        let deadline = match relayd {
            Some(_) => RELAYD_WRITE_DEADLINE,
            None => self.config.consumer_deadline,
        };
        let mut unwritten = Unwritten::new(Instant::now(), deadline);
        for (kind, consumer) in &self.consumers() {
            let mut pause = Backoff::new(CHUNK_PAUSES.0, CHUNK_PAUSES.1);
            let written = loop {
                let exists = TraceChunkExists { session, chunk, relayd };
                let asked = self.ask_consumer(consumer, exists);
                match tokio::time::timeout_at(unwritten.until(), asked).await {
                    Ok(Ok(TraceChunkPresence::Unknown)) => break Ok(()),
                    Ok(Ok(presence)) => unwritten.is_at(presence, Instant::now()),
                    Ok(Err(error)) => break Err(error),
                    Err(_) => break Err(ConsumerError::TimedOut),
                }
                let next = Instant::now() + pause.step();
                if next >= unwritten.until() {
                    break Err(ConsumerError::TimedOut);
                }
                tokio::time::sleep_until(next).await;
            };
            written.map_err(|error| {
                complain!(self, "a trace chunk is not written", %kind, %error);
                consumer_code(kind.tracer(), &error, ErrorCode::TraceChunkExistsFailConsumer)
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_waited_for_shorter_than_what_is_on_its_way() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut unwritten = Unwritten::new(start, RELAYD_WRITE_DEADLINE);
        unwritten.is_at(TraceChunkPresence::Local, at(100));
        assert_eq!(unwritten.until(), start + RELAYD_WRITE_DEADLINE);
        for seconds in [200, 220] {
            unwritten.is_at(TraceChunkPresence::Remote, at(seconds));
            assert_eq!(unwritten.until(), at(200) + RELAYD_CLOSE_DEADLINE, "from the first time");
        }
        unwritten.is_at(TraceChunkPresence::Local, at(230));
        assert_eq!(unwritten.until(), start + RELAYD_WRITE_DEADLINE, "more is sent");
        unwritten.is_at(TraceChunkPresence::Remote, at(590));
        assert_eq!(unwritten.until(), start + RELAYD_WRITE_DEADLINE, "never longer than that");
    }
}
