//! Trace chunks: made, closed, asked for.

use std::sync::Arc;

use futures::future::try_join_all;
use lttngd_runas::Owner;
use lttngd_tracefile::TraceChunk;
use lttngd_wire::consumer::{ConsumerError as Code, TraceChunkPresence};

use super::{Command, Inner, state::Closed};
use crate::{
    chunk::{Chunk, ChunkPlace},
    refusal::Refusal,
    reply::ChunkClosed,
    request::{CloseTraceChunk, CreateTraceChunk, FindTraceChunk, NewChunkPlace},
    worker::{ClosingChunk, NewRemoteChunk, Order},
};

impl Command for CreateTraceChunk {
    type Done = ();
    const NAME: &'static str = "CREATE_TRACE_CHUNK";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        let id = self.id;
        if session.state.borrow().chunks.exists(id) {
            tracing::error!(chunk = %id, "a trace chunk exists already");
            return Err(Code::CREATE_TRACE_CHUNK_FAILED.into());
        }
        let place = session.chunk_place(self).await.ok_or(Code::CREATE_TRACE_CHUNK_FAILED)?;
        let chunk = Chunk::new(session.id, id, place, session.context.events.clone());
        if !session.state.borrow_mut().enter_chunk(&chunk) {
            return Err(Code::CREATE_TRACE_CHUNK_FAILED.into());
        }
        let entered = session.workers().into_iter().map(|worker| {
            let chunk = Arc::clone(&chunk);
            worker.ask(|reply| Order::SetChunk(session.id, chunk, reply))
        });
        try_join_all(entered).await.map_err(|_| Code::CREATE_TRACE_CHUNK_FAILED)?;
        Ok(())
    }
}

impl Command for CloseTraceChunk {
    type Done = ChunkClosed;
    const NAME: &'static str = "CLOSE_TRACE_CHUNK";

    async fn perform(self, session: &Inner) -> Result<ChunkClosed, Refusal> {
        let Self { id, relay, closed_at_s, command } = self;
        let Closed { chunk, before } = session.state.borrow_mut().close_chunk(id, command)?;
        // Until its relay daemon has closed it the session is not over, and so is no connection of its
        // snapshots. A chunk that is here is held by its writers alone, who delete it then.
        let held = relay.map(|_| chunk);
        let left = session.workers().into_iter().map(|worker| {
            let (session, chunk, before) = (session.id, id, before.clone());
            worker.ask(move |reply| Order::LeaveChunk { session, chunk, before, reply })
        });
        try_join_all(left).await.map_err(|_| Code::CLOSE_TRACE_CHUNK_FAILED)?;
        let Some(net_index) = relay else { return Ok(ChunkClosed(String::new())) };
        let closing = ClosingChunk { net_index, id, closed_at_s, command };
        let remote = &session.context.remote;
        let closed = remote.ask(|answer| Order::CloseRemoteChunk(closing, answer)).await;
        drop(held);
        // What is asked next finds it gone.
        session.state.borrow_mut().chunks.forget(id);
        Ok(ChunkClosed(closed.map_err(|_| Code::CLOSE_TRACE_CHUNK_FAILED)??))
    }
}

impl Command for FindTraceChunk {
    type Done = TraceChunkPresence;
    const NAME: &'static str = "TRACE_CHUNK_EXISTS";

    async fn perform(self, session: &Inner) -> Result<TraceChunkPresence, Refusal> {
        if session.state.borrow().chunks.exists(self.id) {
            return Ok(TraceChunkPresence::Local);
        }
        let Some(relay) = self.relay else { return Ok(TraceChunkPresence::Unknown) };
        let remote = &session.context.remote;
        let asked = remote.ask(|answer| Order::RemoteChunkExists(relay, self.id, answer));
        Ok(match asked.await.map_err(|_| Code::RELAYD_FAIL)?? {
            true => TraceChunkPresence::Remote,
            false => TraceChunkPresence::Unknown,
        })
    }
}

impl Inner {
    /// The place of a new chunk, if it can be used.
    async fn chunk_place(&self, new: CreateTraceChunk) -> Option<ChunkPlace> {
        let (directory, owner) = match new.place {
            NewChunkPlace::Local(directory, owner) => (directory, owner),
            NewChunkPlace::Remote(net_index) => {
                let chunk = NewRemoteChunk {
                    net_index,
                    id: new.id,
                    name: new.name,
                    created_at_s: new.created_at_s,
                };
                let remote = &self.context.remote;
                let made = remote.ask(|answer| Order::CreateRemoteChunk(chunk, answer)).await;
                return matches!(made, Ok(Ok(()))).then_some(ChunkPlace::Remote);
            }
        };
        let owner = match owner {
            Some(owner) => self.context.runas.owner(owner).await,
            None => Ok(Owner::process()),
        };
        owner
            .and_then(|owner| TraceChunk::new(directory, owner))
            .inspect_err(|error| {
                tracing::error!(%error, "cannot use a trace chunk");
            })
            .ok()
            .map(ChunkPlace::Local)
    }
}
