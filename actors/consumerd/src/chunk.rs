//! Trace chunks: who holds them, and when they are over.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use lttngd_model::{ChunkId, SessionId};
use lttngd_tracefile::TraceChunk;
use tokio::sync::mpsc::UnboundedSender;

use crate::event::Event;

/// Where a chunk's files are.
#[derive(Debug)]
pub(crate) enum ChunkPlace {
    /// Here.
    Local(TraceChunk),
    /// At the relay daemon.
    Remote,
}

/// A trace chunk. Its holders are the channels and streams that write to it; the last one to let go
/// ends it.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) session: SessionId,
    pub(crate) id: ChunkId,
    place: ChunkPlace,
    delete: AtomicBool,
    events: UnboundedSender<Event>,
}

impl Chunk {
    pub(crate) fn new(
        session: SessionId,
        id: ChunkId,
        place: ChunkPlace,
        events: UnboundedSender<Event>,
    ) -> Arc<Self> {
        Arc::new(Self { session, id, place, delete: AtomicBool::new(false), events })
    }

    /// Lets the last holder delete the files.
    pub(crate) fn delete_at_end(&self) {
        self.delete.store(true, Ordering::Relaxed);
    }

    /// The files, when they are here.
    pub(crate) fn local(&self) -> Option<&TraceChunk> {
        match &self.place {
            ChunkPlace::Local(chunk) => Some(chunk),
            ChunkPlace::Remote => None,
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if self.delete.load(Ordering::Relaxed)
            && let Some(files) = self.local()
        {
            for fault in files.delete_files() {
                let (path, error) = (fault.path, fault.source);
                tracing::error!(session = %self.session, ?path, %error, "a cleared file stays");
            }
        }
        // Nobody listens when the consumer ends.
        let _ = self.events.send(Event::ChunkEnded { session: self.session, chunk: self.id });
    }
}

/// The chunks of one session.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    known: HashMap<ChunkId, Known>,
}

#[derive(Debug)]
struct Known {
    /// Held for the session daemon until it closes the chunk.
    published: Option<Arc<Chunk>>,
    chunk: Weak<Chunk>,
}

impl Chunks {
    /// Makes a chunk known. `false` when one of this id is.
    pub(crate) fn publish(&mut self, chunk: &Arc<Chunk>) -> bool {
        if self.exists(chunk.id) {
            return false;
        }
        let known = Known { published: Some(Arc::clone(chunk)), chunk: Arc::downgrade(chunk) };
        self.known.insert(chunk.id, known);
        true
    }

    /// The chunk of this id that the session daemon has not closed.
    pub(crate) fn published(&self, id: ChunkId) -> Option<Arc<Chunk>> {
        self.known.get(&id)?.published.clone()
    }

    /// The newest chunk that the session daemon has not closed.
    pub(crate) fn newest_published(&self) -> Option<Arc<Chunk>> {
        let published = self.known.values().filter_map(|known| known.published.as_ref());
        published.max_by_key(|chunk| chunk.id).cloned()
    }

    /// Gives up what is held for the session daemon.
    pub(crate) fn close(&mut self, id: ChunkId) -> Option<Arc<Chunk>> {
        self.known.get_mut(&id)?.published.take()
    }

    /// Whether anybody holds the chunk, or its files are still being deleted.
    pub(crate) fn exists(&self, id: ChunkId) -> bool {
        self.known.contains_key(&id)
    }

    /// Forgets a chunk that is over.
    pub(crate) fn forget(&mut self, id: ChunkId) {
        if self.known.get(&id).is_some_and(|known| known.chunk.strong_count() == 0) {
            self.known.remove(&id);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
