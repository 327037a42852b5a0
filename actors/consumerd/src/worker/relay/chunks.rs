//! Trace chunks at relay daemons, and streams that move from one to the next.

use std::sync::Arc;

use lttngd_model::{ChannelKey, ChunkId, NetIndex};
use lttngd_wire::{
    consumer::ConsumerError as Code,
    relay::{
        CloseTraceChunk, ConsumerCommand, ConsumerReply, CreateTraceChunk, RotateStreams,
        RotationPosition,
    },
};

use super::Worker;
use crate::{
    chunk::Chunk,
    worker::{
        metadata::MetadataOutput,
        new::{ClosingChunk, NewRemoteChunk},
        order::Answer,
    },
};

/// Where the streams of a channel rotate to at a relay daemon.
#[derive(Debug)]
pub(in crate::worker) struct RemoteRotation {
    pub(in crate::worker) net_index: NetIndex,
    pub(in crate::worker) to: Option<ChunkId>,
    pub(in crate::worker) positions: Vec<RotationPosition>,
}

impl RemoteRotation {
    fn command(self) -> ConsumerCommand {
        ConsumerCommand::RotateStreams(RotateStreams {
            new_chunk_id: self.to.map(|id| id.0),
            positions: self.positions,
        })
    }
}

impl Worker {
    pub(crate) fn create_remote_chunk(&mut self, chunk: NewRemoteChunk, answer: Answer) {
        let command = ConsumerCommand::CreateTraceChunk(CreateTraceChunk {
            chunk_id: chunk.id.0,
            created_at_s: chunk.created_at_s,
            name: Some(chunk.name).filter(|name| !name.is_empty()),
        });
        let (net_index, id) = (chunk.net_index, chunk.id);
        self.command(net_index, &command, move |_, outcome| {
            let outcome = outcome.map(|_| ()).map_err(|error| {
                tracing::error!(relayd = %net_index, chunk = %id, %error, "no trace chunk is made");
                Code::CREATE_TRACE_CHUNK_FAILED
            });
            answer.answer(outcome);
        });
    }

    pub(crate) fn close_remote_chunk(&mut self, chunk: ClosingChunk, answer: Answer<String>) {
        let command = ConsumerCommand::CloseTraceChunk(CloseTraceChunk {
            chunk_id: chunk.id.0,
            closed_at_s: chunk.closed_at_s,
            command: chunk.command,
        });
        let (net_index, id) = (chunk.net_index, chunk.id);
        self.command(net_index, &command, move |_, outcome| {
            let outcome = match outcome {
                Ok(ConsumerReply::ChunkClosed { path }) => Ok(path),
                failed => {
                    tracing::error!(relayd = %net_index, chunk = %id, ?failed,
                        "a trace chunk is not closed");
                    Err(Code::CLOSE_TRACE_CHUNK_FAILED)
                }
            };
            answer.answer(outcome);
        });
    }

    pub(crate) fn remote_chunk_exists(
        &mut self,
        net_index: NetIndex,
        chunk: ChunkId,
        answer: Answer<bool>,
    ) {
        if !self.relay_lives(net_index) {
            answer.answer(Err(Code::INVALID_PARAMETERS));
            return;
        }
        self.command(net_index, &ConsumerCommand::TraceChunkExists(chunk.0), |_, outcome| {
            answer.answer(match outcome {
                Ok(ConsumerReply::ChunkExists(exists)) => Ok(exists),
                _ => Err(Code::RELAYD_FAIL),
            });
        });
    }

    /// Tells a relay daemon with which packets the next trace chunk begins.
    pub(in crate::worker) fn rotate_remote_streams(
        &mut self,
        key: ChannelKey,
        rotation: RemoteRotation,
        answer: Answer,
    ) {
        let net_index = rotation.net_index;
        self.command(net_index, &rotation.command(), move |worker, outcome| {
            let outcome = match outcome {
                Ok(_) => {
                    worker.complete_rotation(key);
                    Ok(())
                }
                Err(error) => {
                    tracing::error!(relayd = %net_index, %key, %error, "a rotation failed");
                    worker.abandon_rotation(key);
                    Err(Code::ROTATION_FAIL)
                }
            };
            answer.answer(outcome);
        });
    }

    /// Moves metadata at a relay daemon, where all of it is sent again.
    pub(in crate::worker) fn rotate_remote_metadata(
        &mut self,
        key: ChannelKey,
        to: Option<Arc<Chunk>>,
        answer: Answer,
    ) {
        let Some(MetadataOutput::Remote(remote)) =
            self.metadata.get(&key).map(|metadata| &metadata.output)
        else {
            answer.answer(Err(Code::ROTATION_FAIL));
            return;
        };
        let handle = remote.stream.handle();
        let net_index = remote.net_index;
        let rotation = RemoteRotation {
            net_index,
            to: to.as_ref().map(|chunk| chunk.id),
            positions: vec![RotationPosition { handle, at_packet_seq_num: 0 }],
        };
        // Text that comes meanwhile waits: it would be in the new trace chunk ahead of all other.
        let from = self.metadata.get_mut(&key).and_then(|metadata| metadata.chunk.take());
        self.command(net_index, &rotation.command(), move |worker, outcome| {
            let outcome = match (outcome, worker.metadata.get_mut(&key)) {
                (Ok(_), Some(metadata)) => {
                    let goes_on = to.is_some();
                    metadata.chunk = to;
                    if goes_on {
                        metadata.written = 0;
                        worker.send_metadata(key);
                    }
                    Ok(())
                }
                (failed, Some(metadata)) => {
                    tracing::error!(relayd = %net_index, %key, ?failed, "metadata does not rotate");
                    metadata.chunk = from;
                    worker.send_metadata(key);
                    Err(Code::ROTATION_FAIL)
                }
                (_, None) => Err(Code::ROTATION_FAIL),
            };
            answer.answer(outcome);
        });
    }
}
