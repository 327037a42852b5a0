//! Trace chunks: made, closed, asked for.

use std::{os::fd::OwnedFd, sync::Arc};

use lttngd_model::{ChunkId, NetIndex};
use lttngd_runas::Owner;
use lttngd_tracefile::TraceChunk;
use lttngd_wire::consumer::{CloseCommand, ConsumerError as Code, Message, TraceChunkPresence};

use super::Inner;
use crate::{
    chunk::{Chunk, ChunkPlace},
    request::Reply,
    worker::{ClosingChunk, NewRemoteChunk, Order},
};

impl Inner {
    /// Makes a chunk known and the current one of all channels.
    pub(super) async fn create_chunk(&self, message: Message, directory: Option<OwnedFd>) -> Reply {
        let failed = Reply::from(Code::CREATE_TRACE_CHUNK_FAILED);
        let Message::CreateTraceChunk {
            relayd_id,
            override_name,
            chunk_id,
            creation_timestamp_s,
            owner,
            ..
        } = message
        else {
            return Code::INVALID_PARAMETERS.into();
        };
        if self.state.borrow().chunks.exists(chunk_id) {
            tracing::error!(session = %self.id, chunk = %chunk_id, "a trace chunk exists already");
            return failed;
        }
        let place = match (relayd_id, directory) {
            (None, Some(directory)) => {
                let owner = match owner {
                    Some(owner) => self.context.runas.owner(owner).await,
                    None => Ok(Owner::process()),
                };
                match owner.and_then(|owner| TraceChunk::new(directory, owner)) {
                    Ok(chunk) => ChunkPlace::Local(chunk),
                    Err(error) => {
                        tracing::error!(session = %self.id, %error, "cannot use a trace chunk");
                        return failed;
                    }
                }
            }
            (Some(net_index), None) => {
                let chunk = NewRemoteChunk {
                    net_index: NetIndex(net_index),
                    id: chunk_id,
                    name: override_name,
                    created_at_s: creation_timestamp_s,
                };
                let made =
                    self.context.remote.ask(|answer| Order::CreateRemoteChunk(chunk, answer));
                match made.await {
                    Ok(Ok(())) => ChunkPlace::Remote,
                    _ => return failed,
                }
            }
            _ => return failed,
        };
        let chunk = Chunk::new(self.id, chunk_id, place, self.context.events.clone());
        {
            let mut state = self.state.borrow_mut();
            if !state.chunks.publish(&chunk) {
                return failed;
            }
            state.current = Some(Arc::clone(&chunk));
            for channel in state.channels.values_mut() {
                channel.set_chunk(Some(&chunk));
            }
        }
        for worker in self.workers() {
            let (session, chunk) = (self.id, Arc::clone(&chunk));
            if worker.ask(|reply| Order::SetChunk(session, chunk, reply)).await.is_err() {
                return failed;
            }
        }
        Reply::OK
    }

    /// Takes a chunk from the channels that have it. What is still written to it keeps it.
    pub(super) async fn close_chunk(&self, message: Message) -> Reply {
        let Message::CloseTraceChunk { relayd_id, chunk_id, close_timestamp_s, command, .. } =
            message
        else {
            return Code::INVALID_PARAMETERS.into();
        };
        let refused = |code: Code| Reply::ChunkClosed { code: code.0, path: String::new() };
        let Some(chunk) = self.state.borrow_mut().chunks.close(chunk_id) else {
            return refused(Code::UNKNOWN_TRACE_CHUNK);
        };
        if command == Some(CloseCommand::Delete) {
            chunk.delete_at_end();
        }
        let before = {
            let mut state = self.state.borrow_mut();
            // A session daemon that gives a new chunk up goes on in the one before it.
            let before = state.chunks.newest_published();
            if state.current.as_ref().is_some_and(|current| current.id == chunk_id) {
                state.current.clone_from(&before);
            }
            for channel in state.channels.values_mut() {
                channel.leave_chunk(chunk_id, before.as_ref());
            }
            before
        };
        // Until its relay daemon has closed it the session is not over, and so is no connection of its
        // snapshots. A chunk that is here is held by its writers alone, who delete it then.
        let held = relayd_id.map(|_| chunk);
        for worker in self.workers() {
            let (session, chunk, before) = (self.id, chunk_id, before.clone());
            let left = worker.ask(|reply| Order::LeaveChunk { session, chunk, before, reply });
            if left.await.is_err() {
                return refused(Code::CLOSE_TRACE_CHUNK_FAILED);
            }
        }
        let Some(net_index) = relayd_id else {
            return Reply::ChunkClosed { code: 0, path: String::new() };
        };
        let closing = ClosingChunk {
            net_index: NetIndex(net_index),
            id: chunk_id,
            closed_at_s: close_timestamp_s,
            command,
        };
        let closed =
            self.context.remote.ask(|answer| Order::CloseRemoteChunk(closing, answer)).await;
        drop(held);
        // What is asked next finds it gone.
        self.state.borrow_mut().chunks.forget(chunk_id);
        match closed {
            Ok(Ok(path)) => Reply::ChunkClosed { code: 0, path },
            Ok(Err(code)) => refused(code),
            Err(_) => refused(Code::CLOSE_TRACE_CHUNK_FAILED),
        }
    }

    /// Whether somebody still has the chunk.
    pub(super) async fn chunk_exists(&self, relayd_id: Option<u64>, chunk: ChunkId) -> Reply {
        if self.state.borrow().chunks.exists(chunk) {
            return TraceChunkPresence::Local.status().into();
        }
        let Some(net_index) = relayd_id else {
            return TraceChunkPresence::Unknown.status().into();
        };
        let asked = self
            .context
            .remote
            .ask(|answer| Order::RemoteChunkExists(NetIndex(net_index), chunk, answer));
        match asked.await {
            Ok(Ok(true)) => TraceChunkPresence::Remote.status().into(),
            Ok(Ok(false)) => TraceChunkPresence::Unknown.status().into(),
            Ok(Err(code)) => code.into(),
            Err(_) => Code::RELAYD_FAIL.into(),
        }
    }
}
