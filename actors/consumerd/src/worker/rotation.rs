//! Rotation: streams move to the next trace chunk with the packet that begins it.

use std::sync::Arc;

use lttngd_model::ChannelKey;
use lttngd_ringbuffer::{Corruption, FlushMode, Stream};
use lttngd_tracefile::FileError;
use lttngd_wire::{consumer::ConsumerError as Code, relay::RotationPosition};

use super::{
    Worker,
    order::Answer,
    relay::{Relays, RemoteRotation},
    stream::{DataStream, Opening, Output},
};
use crate::{chunk::Chunk, clock::PacketClock};

/// Where a stream is to go, and when.
#[derive(Debug)]
pub(super) struct Rotation {
    /// Position of the first packet that belongs there.
    position: u64,
    /// The trace chunk and the files there, `None` to none.
    to: Option<(Arc<Chunk>, Result<Opening, FileError>)>,
    /// Whether a relay daemon that has the stream still has to be told: until then it would take what
    /// follows for a part of the old trace chunk.
    untold: bool,
}

impl Worker {
    /// Moves the streams of a channel to its trace chunk; those that are there already, to none.
    pub(crate) fn rotate_channel(&mut self, key: ChannelKey, reply: Answer) {
        if self.metadata.contains_key(&key) {
            return self.rotate_metadata(key, reply);
        }
        let next = match self.channels.get(&key).map(|channel| channel.chunk.clone()) {
            Some(Some(next)) => next,
            unable => {
                tracing::error!(%key, "no channel with a trace chunk to rotate to");
                let code =
                    if unable.is_some() { Code::ROTATION_FAIL } else { Code::CHAN_NOT_FOUND };
                reply.answer(Err(code));
                return;
            }
        };
        let places = self.streams_of(key);
        let mut to_new_chunk = true;
        let mut positions = Vec::with_capacity(places.len());
        for place in &places {
            let stream = &mut self.streams[*place];
            if stream.chunk.as_ref().is_some_and(|chunk| Arc::ptr_eq(chunk, &next)) {
                to_new_chunk = false;
            }
            // One rotation comes to its end before the next begins.
            if stream.rotation.is_some() {
                stream.read_to_rotation(&self.setup.clock, &mut self.relays);
            }
            stream.begin_rotation(&next, &self.setup.clock);
            self.retire_if_given_up(*place);
            let stream = &self.streams[*place];
            if let (Output::Remote(remote), Some(rotation)) = (&stream.output, &stream.rotation) {
                positions.push(RotationPosition {
                    handle: remote.stream.handle(),
                    at_packet_seq_num: rotation.position / stream.ring.subbuf_size_bytes(),
                });
            }
        }
        let relay = places.first().and_then(|place| self.streams[*place].writing.relay);
        let is_over = places.iter().all(|place| self.streams[*place].ring.is_given_up());
        if let Some(net_index) = relay.filter(|_| !is_over) {
            let to = to_new_chunk.then_some(next.id);
            let rotation = RemoteRotation { net_index, to, positions };
            return self.rotate_remote_streams(key, rotation, reply);
        }
        self.complete_rotation(key);
        reply.answer(Ok(()));
    }

    /// Leaves the streams of a channel where they are.
    pub(super) fn abandon_rotation(&mut self, key: ChannelKey) {
        for place in self.streams_of(key) {
            self.streams[place].rotation = None;
            self.make_ready(place);
        }
    }

    /// Opens the packets that begin the new trace chunk, and moves the streams that have nothing left
    /// for the old one.
    pub(super) fn complete_rotation(&mut self, key: ChannelKey) {
        for place in self.streams_of(key) {
            let Some(stream) = self.streams.get_mut(place) else { continue };
            if let Some(rotation) = &mut stream.rotation {
                rotation.untold = false;
                if rotation.to.is_some() {
                    // The new trace chunk begins at the time of the rotation, whatever is traced later. Where
                    // nothing is, the packet reaches to the next rotation, which closes it.
                    stream.begin_packet(&self.setup.clock);
                }
            }
            stream.rotate_if_due(&mut self.relays);
            self.make_ready(place);
        }
    }
}

/// How many packets of a stream its writers have begun and its reader has not put.
fn packets_left(ring: &mut Stream) -> Result<u64, Corruption> {
    Ok(ring.snapshot_positions()?.len() as u64)
}

impl DataStream {
    fn begin_rotation(&mut self, next: &Arc<Chunk>, clock: &PacketClock) {
        let to = self.chunk.as_ref().is_none_or(|chunk| !Arc::ptr_eq(chunk, next));
        if self.chunk.is_some() {
            // A file without a packet is one that readers choke on.
            let left = packets_left(&mut self.ring);
            let left = self.note(left).unwrap_or(0);
            let has_one = self.packet_opened || self.bytes_in_chunk > 0 || left > 0;
            let mode = if has_one && !self.relay_misses_packets {
                FlushMode::Active
            } else {
                FlushMode::Full
            };
            self.flush(mode, clock);
        }
        let positions = self.ring.sample_positions();
        let produced = self.note(positions).map_or(0, |positions| positions.produced);
        self.packet_opened = false;
        self.packet_due = false;
        if self.ring.is_given_up() {
            // It is in no trace chunk any more, once its relay daemon was told.
            self.rotation = None;
            if !matches!(self.output, Output::Remote(_)) {
                self.output = Output::Nowhere;
                self.chunk = None;
            }
            return;
        }
        // The files of all streams are opened meanwhile.
        let to = to.then(|| {
            let path = &self.writing.path;
            (Arc::clone(next), self.open_files(next, path, true))
        });
        let position = produced - produced % self.ring.subbuf_size_bytes();
        let untold = matches!(self.output, Output::Remote(_));
        self.rotation = Some(Rotation { position, to, untold });
    }

    /// Reads all packets of the trace chunk that the stream leaves; at most what the buffer holds.
    fn read_to_rotation(&mut self, clock: &PacketClock, relays: &mut Relays) {
        for _ in 0..self.ring.num_subbuf() {
            if self.rotation.is_none() {
                return;
            }
            self.serve(clock, relays);
        }
        if let Some(rotation) = self.rotation.take() {
            self.rotate(rotation, relays);
        }
    }

    /// Moves on, when the packets of the old trace chunk were all read. Their numbers would not do to go
    /// by, since applications write them. `false` when they were and its relay daemon is not ready for
    /// those of the new one.
    pub(super) fn rotate_if_due(&mut self, relays: &mut Relays) -> bool {
        let Some(rotation) = &self.rotation else { return true };
        let (position, untold) = (rotation.position, rotation.untold);
        let due = match self.ring.sample_positions() {
            Ok(at) => !self.holds_packet() && at.consumed.wrapping_sub(position).cast_signed() >= 0,
            // Nothing more will come.
            Err(_) => true,
        };
        if !due {
            return true;
        }
        if let Output::Remote(remote) = &self.output
            && (untold || remote.awaits_indexes(relays))
        {
            return false;
        }
        if let Some(rotation) = self.rotation.take() {
            self.rotate(rotation, relays);
        }
        true
    }

    fn rotate(&mut self, rotation: Rotation, relays: &mut Relays) {
        self.bytes_in_chunk = 0;
        match (&mut self.output, rotation.to) {
            (Output::Remote(remote), to) => {
                let to = to.map(|(chunk, _)| chunk);
                if let Some(left) = std::mem::replace(&mut self.chunk, to) {
                    relays.leave(remote, left);
                }
            }
            (_, None) => {
                self.output = Output::Nowhere;
                self.chunk = None;
            }
            (_, Some((chunk, opening))) => {
                self.chunk = Some(chunk);
                match opening.and_then(Opening::finish) {
                    Ok(output) => self.output = output,
                    Err(error) => self.lose_output(&error.to_string()),
                }
            }
        }
    }

    fn lose_output(&mut self, error: &str) {
        let (session, stream) = (self.writing.session, self.name());
        tracing::error!(%session, %stream, %error, "a stream has no files in its new trace chunk");
        self.output = Output::Nowhere;
    }

    fn holds_packet(&self) -> bool {
        self.ring.packet().is_some()
    }
}
