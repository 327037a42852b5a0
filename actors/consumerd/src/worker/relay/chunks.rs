//! Trace chunks at relay daemons, and streams that move from one to the next.

use std::sync::Arc;

use lttngd_model::{ChannelKey, ChunkId, NetIndex};
use lttngd_wire::{
    consumer::ConsumerError as Code,
    relay::{CloseTraceChunk, ConsumerCommand, CreateTraceChunk, RotationPosition},
};

use super::connections::{Awaited, Relays};
use crate::{
    chunk::Chunk,
    worker::{
        new::{ClosingChunk, NewRemoteChunk},
        order::Answer,
        remote::RemoteStream,
        rotation::RemoteRotation,
    },
};

impl Relays {
    pub(in crate::worker) fn create_chunk(&mut self, chunk: NewRemoteChunk, answer: Answer) {
        let command = ConsumerCommand::CreateTraceChunk(CreateTraceChunk {
            chunk_id: chunk.id,
            created_at_s: chunk.created_at_s,
            name: Some(chunk.name).filter(|name| !name.is_empty()),
        });
        self.command(chunk.net_index, &command, Awaited::ChunkMade(chunk.id, answer));
    }

    pub(in crate::worker) fn close_chunk(&mut self, chunk: ClosingChunk, answer: Answer<String>) {
        let command = ConsumerCommand::CloseTraceChunk(CloseTraceChunk {
            chunk_id: chunk.id,
            closed_at_s: chunk.closed_at_s,
            command: chunk.command,
        });
        self.command(chunk.net_index, &command, Awaited::ChunkClosed(chunk.id, answer));
    }

    pub(in crate::worker) fn chunk_exists(
        &mut self,
        net_index: NetIndex,
        chunk: ChunkId,
        answer: Answer<bool>,
    ) {
        if !self.lives(net_index) {
            return answer.answer(Err(Code::INVALID_PARAMETERS));
        }
        let command = ConsumerCommand::TraceChunkExists(chunk);
        self.command(net_index, &command, Awaited::ChunkExists(answer));
    }

    /// Tells a relay daemon with which packets the next trace chunk begins.
    pub(in crate::worker) fn rotate_channel(
        &mut self,
        key: ChannelKey,
        rotation: RemoteRotation,
        answer: Answer,
    ) {
        let net_index = rotation.net_index;
        let awaited = Awaited::ChannelRotated(key, answer);
        self.command(net_index, &rotation.into_command(), awaited);
    }

    /// Moves metadata at a relay daemon, where all of it is sent again.
    pub(in crate::worker) fn rotate_metadata(
        &mut self,
        key: ChannelKey,
        remote: &RemoteStream,
        from: Option<Arc<Chunk>>,
        to: Option<Arc<Chunk>>,
        answer: Answer,
    ) {
        let handle = remote.handle();
        let rotation = RemoteRotation {
            net_index: remote.net_index,
            to: to.as_ref().map(|chunk| chunk.id),
            positions: vec![RotationPosition { handle, at_packet_seq_num: 0 }],
        };
        let awaited = Awaited::MetadataRotated { key, from, to, answer };
        self.command(remote.net_index, &rotation.into_command(), awaited);
    }
}
