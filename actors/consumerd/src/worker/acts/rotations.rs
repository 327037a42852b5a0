//! Trace chunks: streams and metadata that are given one, taken from one, or moved.

use std::sync::Arc;

use lttngd_model::{ChannelKey, ChunkId, SessionId};
use lttngd_wire::{consumer::ConsumerError as Code, relay::RotationPosition};

use crate::{
    chunk::Chunk,
    worker::{order::Answer, rotation::ChannelRotation, state::Worker},
};

impl Worker {
    /// Gives the channels of a session their new trace chunk.
    pub(in crate::worker) fn set_chunk(&mut self, session: SessionId, chunk: &Arc<Chunk>) {
        for channel in self.channels.values_mut().filter(|c| c.session == session) {
            channel.chunk = Some(Arc::clone(chunk));
        }
        for metadata in self.metadata.values_mut().filter(|m| m.session() == session) {
            metadata.next_chunk = Some(Arc::clone(chunk));
        }
    }

    /// Takes a trace chunk from the channels of a session, for the one before it if there is one.
    /// Streams keep it until they leave it.
    pub(in crate::worker) fn leave_chunk(
        &mut self,
        session: SessionId,
        id: ChunkId,
        before: Option<&Arc<Chunk>>,
    ) {
        let channels = self.channels.values_mut().filter(|channel| channel.session == session);
        let metadata = self.metadata.values_mut().filter(|metadata| metadata.session() == session);
        let chunks = channels.map(|channel| &mut channel.chunk);
        for chunk in chunks.chain(metadata.map(|metadata| &mut metadata.next_chunk)) {
            if chunk.as_ref().is_some_and(|chunk| chunk.id == id) {
                *chunk = before.cloned();
            }
        }
    }

    /// Moves the streams of a channel to its trace chunk; those that are there already, to none.
    pub(in crate::worker) fn rotate_channel(&mut self, key: ChannelKey, answer: Answer) {
        if self.metadata.contains_key(&key) {
            return self.rotate_metadata(key, answer);
        }
        let next = match self.channels.get(&key).map(|channel| channel.chunk.clone()) {
            Some(Some(next)) => next,
            unable => {
                tracing::error!(%key, "no channel with a trace chunk to rotate to");
                let code =
                    if unable.is_some() { Code::ROTATION_FAIL } else { Code::CHAN_NOT_FOUND };
                return answer.answer(Err(code));
            }
        };
        let slots = self.streams_of(key);
        let mut rotation = ChannelRotation::default();
        for slot in &slots {
            let stream = &mut self.streams[*slot];
            rotation.stream_begins(stream.is_in(&next));
            // One rotation comes to its end before the next begins.
            if stream.rotation.is_some() {
                stream.read_to_rotation(&self.setup.clock, &mut self.relays);
            }
            stream.begin_rotation(&next, &self.setup.clock);
            self.retire_if_lost(*slot);
            let stream = &self.streams[*slot];
            let remote = stream.output.remote().zip(stream.rotation.as_ref());
            let position = remote.map(|(remote, rotation)| RotationPosition {
                handle: remote.handle(),
                at_packet_seq_num: rotation.packet_number(stream.source.subbuf_size_bytes()),
            });
            rotation.stream_began(stream.source.is_lost(), position);
        }
        let relay = slots.first().and_then(|slot| self.streams[*slot].writing.relay);
        match rotation.into_remote(relay, next.id) {
            Some(rotation) => self.relays.rotate_channel(key, rotation, answer),
            None => {
                self.complete_rotation(key);
                answer.answer(Ok(()));
            }
        }
    }

    /// A relay daemon goes to another trace chunk with the streams of a channel, or does not.
    pub(in crate::worker) fn channel_rotated(
        &mut self,
        key: ChannelKey,
        goes: bool,
        answer: Answer,
    ) {
        if goes {
            self.complete_rotation(key);
        } else {
            self.abandon_rotation(key);
        }
        answer.answer(if goes { Ok(()) } else { Err(Code::ROTATION_FAIL) });
    }

    /// The same of a metadata channel: it goes to `to`, or stays in `from`.
    pub(in crate::worker) fn metadata_rotated(
        &mut self,
        key: ChannelKey,
        goes: bool,
        from: Option<Arc<Chunk>>,
        to: Option<Arc<Chunk>>,
        answer: Answer,
    ) {
        let Some(metadata) = self.metadata.get_mut(&key) else {
            return answer.answer(Err(Code::ROTATION_FAIL));
        };
        if goes {
            metadata.rotated_remote(to);
        } else {
            metadata.chunk = from;
        }
        self.send_metadata(key);
        answer.answer(if goes { Ok(()) } else { Err(Code::ROTATION_FAIL) });
    }

    /// Leaves the streams of a channel where they are.
    fn abandon_rotation(&mut self, key: ChannelKey) {
        for slot in self.streams_of(key) {
            self.streams[slot].rotation = None;
            self.make_ready(slot);
        }
    }

    /// Opens the packets that begin the new trace chunk, and moves the streams that have nothing left
    /// for the old one.
    fn complete_rotation(&mut self, key: ChannelKey) {
        for slot in self.streams_of(key) {
            if let Some(stream) = self.streams.get_mut(slot) {
                stream.rotation_told(&self.setup.clock, &mut self.relays);
                self.make_ready(slot);
            }
        }
    }
}
