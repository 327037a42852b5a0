//! A stream that moves to the next trace chunk with the packet that begins it.

use std::sync::Arc;

use super::{
    output::{Opening, Output},
    relay::Relays,
    rotation::{Passage, Rotation},
    stream::DataStream,
};
use crate::{chunk::Chunk, clock::PacketClock};

impl DataStream {
    /// Closes the packet with which it leaves its trace chunk, and opens its files in `next`; where it is
    /// there already it goes to no trace chunk.
    pub(super) fn begin_rotation(&mut self, next: &Arc<Chunk>, clock: &PacketClock) {
        let is_there = self.is_in(next);
        if self.chunk.is_some() {
            let left = self.source.packets_left();
            let left = self.note(left).unwrap_or(0);
            self.flush(self.packet_due.closing(self.bytes_in_chunk, left), clock);
        }
        let produced = self.produced().unwrap_or(0);
        self.packet_due.chunk_left();
        if self.source.is_lost() {
            // It is in no trace chunk any more, once its relay daemon was told.
            self.rotation = None;
            if !self.output.is_remote() {
                self.output = Output::Nowhere;
                self.chunk = None;
            }
            return;
        }
        // The files of all streams are opened meanwhile.
        let to = (!is_there).then(|| {
            let path = &self.writing.path;
            (Arc::clone(next), self.open_files(next, path, true))
        });
        let subbuf_size = self.source.subbuf_size_bytes();
        self.rotation = Some(Rotation::new(produced, subbuf_size, to, self.output.is_remote()));
    }

    /// Whether it is in a trace chunk.
    pub(super) fn is_in(&self, chunk: &Arc<Chunk>) -> bool {
        self.chunk.as_ref().is_some_and(|own| Arc::ptr_eq(own, chunk))
    }

    /// Reads all packets of the trace chunk that the stream leaves; at most what the buffer holds.
    pub(super) fn read_to_rotation(&mut self, clock: &PacketClock, relays: &mut Relays) {
        for _ in 0..self.source.num_subbuf() {
            if self.rotation.is_none() {
                return;
            }
            self.serve(clock, relays);
        }
        if let Some(rotation) = self.rotation.take() {
            self.rotate(rotation, relays);
        }
    }

    /// The relay daemon of the stream was told of its rotation, where it has one.
    pub(super) fn rotation_told(&mut self, clock: &PacketClock, relays: &mut Relays) {
        if let Some(rotation) = &mut self.rotation
            && rotation.told()
        {
            // The new trace chunk begins at the time of the rotation, whatever is traced later. Where
            // nothing is, the packet reaches to the next rotation, which closes it.
            self.begin_packet(clock);
        }
        self.rotate_if_due(relays);
    }

    /// Moves on when that is due.
    pub(super) fn rotate_if_due(&mut self, relays: &mut Relays) -> Passage {
        let Some(rotation) = &self.rotation else { return Passage::NotYet };
        let at = self.source.positions().ok();
        let holds_packet = self.source.packet().is_some();
        let remote = self.output.remote();
        let passage =
            rotation.passage(at, holds_packet, remote.map(|it| || relays.awaits_indexes(it)));
        if passage == Passage::Now
            && let Some(rotation) = self.rotation.take()
        {
            self.rotate(rotation, relays);
        }
        passage
    }

    fn rotate(&mut self, rotation: Rotation, relays: &mut Relays) {
        self.bytes_in_chunk = 0;
        match (&mut self.output, rotation.into_target()) {
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
                self.output = opening.and_then(Opening::finish).unwrap_or_else(|error| {
                    let (session, stream) = (self.writing.session, self.name());
                    tracing::error!(%session, %stream, %error,
                        "a stream has no files in its new trace chunk");
                    Output::Nowhere
                });
            }
        }
    }

    /// Its relay daemon is lost, which had not confirmed `unanswered` packets: it goes nowhere from now on.
    pub(super) fn lose_output(&mut self, unanswered: u64) {
        self.unwritten_packets += unanswered;
        self.output = Output::Nowhere;
        self.chunk = None;
        self.rotation = None;
    }

    /// Leaves its relay daemon, if it is at one.
    pub(super) fn leave_relay(&mut self, relays: &mut Relays) {
        if !self.output.is_remote() {
            return;
        }
        self.release_packet(relays);
        self.rotation = None;
        let left = self.chunk.take();
        if let Output::Remote(remote) = std::mem::replace(&mut self.output, Output::Nowhere) {
            relays.close(&remote);
            if let Some(left) = left {
                relays.leave(&remote, left);
            }
        }
    }
}
