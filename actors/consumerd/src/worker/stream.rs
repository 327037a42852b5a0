//! A data stream: from its source to its output.

#[cfg(test)]
mod tests;

use std::{os::fd::OwnedFd, sync::Arc};

use lttngd_model::ChannelKey;
use lttngd_ringbuffer::{BeginOutcome, FlushMode, Losses, Mode, Wakeup};
use lttngd_tracefile::FileError;

use super::{
    complaints::Complaints,
    extent::Extent,
    live::{Described, Held},
    new::OutputConfig,
    output::{NotWritten, Opening, Output, write_packet},
    packet_due::{Begin, PacketDue, begun_by},
    poller::WatchToken,
    relay::Relays,
    remote::Sent,
    rotation::{Passage, Rotation},
    stream_source::{NoPacket, SourceLost, StreamSource},
    throttle::WakeupThrottle,
    turn::Turn,
    unfinished::Unfinished,
};
use crate::{chunk::Chunk, clock::PacketClock, samples::WrittenPackets};

/// How far a stream came in its turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TurnEnd {
    /// There may be more packets.
    More,
    /// There are none.
    Idle,
    /// Its next packet is left by its writers and not finished.
    Unfinished,
    /// Its relay daemon does not take more now. Whether a part of a packet is sent.
    Parked {
        /// Then it goes on before others.
        partly: bool,
    },
    /// Its next packets are not described by the metadata that viewers have.
    Undescribed,
    /// Its next packets are of the next trace chunk, to which its relay daemon has not come.
    Rotating,
    /// Nobody writes to it any more, and all was read.
    Ended,
}

/// What a stream is made of.
#[derive(Debug)]
pub(super) struct StreamParts {
    pub(super) channel: ChannelKey,
    pub(super) source: Box<dyn StreamSource>,
    /// Our write end of its pipe.
    pub(super) wakeup: Option<OwnedFd>,
    /// Counts what it writes.
    pub(super) written: WrittenPackets,
    pub(super) writing: Arc<OutputConfig>,
    pub(super) is_live: bool,
    /// Whether nobody reads it but snapshots.
    pub(super) is_recorder: bool,
}

/// A stream with its output.
#[derive(Debug)]
pub(super) struct DataStream {
    pub(super) channel: ChannelKey,
    pub(super) source: Box<dyn StreamSource>,
    /// Our write end of its pipe, kept until nobody has the channel.
    pub(super) wakeup: Option<OwnedFd>,
    pub(super) writing: Arc<OutputConfig>,
    pub(super) output: Output,
    pub(super) chunk: Option<Arc<Chunk>>,
    pub(super) rotation: Option<Rotation>,
    pub(super) packet_due: PacketDue,
    pub(super) written: WrittenPackets,
    /// Packets that nobody could write.
    pub(super) unwritten_packets: u64,
    /// Bytes written in its trace chunk.
    pub(super) bytes_in_chunk: u64,
    pub(super) watched: Option<WatchToken>,
    pub(super) throttle: WakeupThrottle,
    /// Packets that writers left unfinished.
    pub(super) unfinished: Option<Unfinished>,
    pub(super) extent: Extent,
    /// Whether it stands in line.
    pub(super) queued: bool,
    pub(super) described: Described,
    is_recorder: bool,
    /// Whether it was told that writing fails, or that there is nowhere to write.
    complaints: Complaints,
    /// Whether it was logged that it is lost, which does not end.
    is_loss_told: bool,
}

impl DataStream {
    pub(super) fn new(parts: StreamParts) -> Self {
        let StreamParts { channel, source, wakeup, written, writing, is_live, is_recorder } = parts;
        Self {
            channel,
            source,
            wakeup,
            writing,
            output: Output::Nowhere,
            chunk: None,
            rotation: None,
            packet_due: PacketDue::default(),
            written,
            unwritten_packets: 0,
            bytes_in_chunk: 0,
            watched: None,
            throttle: WakeupThrottle::default(),
            unfinished: None,
            extent: Extent::default(),
            queued: false,
            described: Described::new(is_live),
            is_recorder,
            complaints: Complaints::default(),
            is_loss_told: false,
        }
    }

    /// What it has lost. In discard mode numbers are left out only where packets were cleared or damaged.
    pub(super) fn losses(&self) -> Losses {
        let mut losses = self.source.losses();
        if self.source.mode() == Mode::Discard {
            losses.lost_packets = 0;
        }
        losses.lost_packets = losses.lost_packets.saturating_add(self.unwritten_packets);
        losses
    }

    /// Its name in the trace.
    pub(super) fn name(&self) -> String {
        self.writing.stream_name(self.source.cpu())
    }

    /// Begins to open its files in a trace chunk, side by side with those of other streams.
    pub(super) fn open_files(
        &self,
        chunk: &Chunk,
        path: &str,
        indexed: bool,
    ) -> Result<Opening, FileError> {
        Opening::begin(chunk, &self.writing, self.source.cpu(), path, indexed)
    }

    /// Takes the wake-ups of its source. Whether it is to be muted.
    pub(super) fn woken(&mut self) -> (Wakeup, bool) {
        let woken = self.source.take_wakeups();
        (woken, woken != Wakeup::HungUp && self.throttle.note_wakeup())
    }

    /// Nobody writes to it any more.
    pub(super) fn hang_up(&mut self, clock: &PacketClock) {
        self.extent.hang_up();
        // One that no application ever had is in no metadata: a packet of it would make the whole trace
        // unreadable.
        if !self.source.is_untouched() {
            self.finish(clock);
        }
        self.finish_all_abandoned(clock);
    }

    /// Closes its open packet, with which its reading ends: applications may write for ever.
    pub(super) fn end(&mut self, clock: &PacketClock) {
        self.finish(clock);
        let end = self.produced();
        self.extent.ends_at(end);
    }

    /// Closes its open packet, unless that was done when its session stopped. Snapshots need none that is
    /// closed, and old packets would make place for it.
    pub(super) fn finish(&mut self, clock: &PacketClock) {
        if self.source.is_quiescent() {
            return;
        }
        if self.is_recorder {
            let marked = self.source.set_quiescent(clock);
            self.note(marked);
        } else {
            let flushed = self.source.flush_quiescent(clock);
            self.note(flushed);
        }
        let position = self.produced();
        self.extent.flushed(position);
    }

    /// Where its writers are.
    pub(super) fn produced(&mut self) -> Option<u64> {
        let positions = self.source.positions();
        self.note(positions).map(|positions| positions.produced)
    }

    /// It is traced to again.
    pub(super) fn clear_quiescent(&mut self) {
        self.source.clear_quiescent();
        self.extent.reopened();
    }

    /// Closes its open packet when its switch timer fires.
    pub(super) fn switch(&mut self, clock: &PacketClock) {
        let mode = if self.is_recorder { FlushMode::Filled } else { FlushMode::Active };
        self.flush(mode, clock);
    }

    /// Closes its open packet, as a periodic flush does.
    pub(super) fn flush(&mut self, mode: FlushMode, clock: &PacketClock) {
        let flushed = self.source.flush(mode, clock);
        self.note(flushed);
    }

    /// Logs that the stream is of no use any more, once.
    pub(super) fn note<T>(&mut self, outcome: Result<T, SourceLost>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(why) => {
                if !std::mem::replace(&mut self.is_loss_told, true) {
                    let stream = self.name();
                    tracing::error!(session = %self.writing.session, %stream, %why,
                        "the buffer of a stream cannot be used any more: the stream is given up");
                }
                None
            }
        }
    }

    /// Reads and writes packets until there are none, or its turn is over.
    pub(super) fn serve(&mut self, clock: &PacketClock, relays: &mut Relays) -> TurnEnd {
        let mut turn = Turn::default();
        while turn.begins_packet() {
            if self.rotate_if_due(relays) == Passage::Waits {
                return TurnEnd::Rotating;
            }
            match self.held_back() {
                Some(Held::Waits) => return TurnEnd::Idle,
                Some(Held::Undescribed) => return TurnEnd::Undescribed,
                None => {}
            }
            if self.extent.has_end() && self.extent.is_over(self.source.positions().ok()) {
                return self.nothing_left();
            }
            match self.source.get_next() {
                Ok(()) => self.throttle.note_packet(),
                Err(NoPacket::Damaged(damage)) => {
                    // In overwrite mode the next number tells.
                    self.unwritten_packets += u64::from(self.source.mode() == Mode::Discard);
                    self.packet_due.dropped(self.output.is_remote());
                    self.complain("a packet was damaged", &damage);
                    continue;
                }
                Err(NoPacket::Empty) => {
                    if self.open_packet_if_due(clock) {
                        continue;
                    }
                    return self.nothing_left();
                }
                // What is left of a stream whose writers are gone does not wake once more.
                Err(NoPacket::Ended) => {
                    self.extent.hang_up();
                    return TurnEnd::Ended;
                }
                // Writers that finish a packet wake once more.
                Err(NoPacket::Uncommitted) if self.extent.is_hung_up() => return TurnEnd::Ended,
                Err(NoPacket::Uncommitted) => return TurnEnd::Unfinished,
                Err(NoPacket::Overwritten) => continue,
                Err(NoPacket::Lost(lost)) => {
                    self.note::<()>(Err(lost));
                    // Others do not get past a packet of which a part is sent.
                    self.release_packet(relays);
                    return self.nothing_left();
                }
            }
            match self.write_held(relays) {
                Written::Whole(len) => {
                    turn.wrote(len);
                    self.packet_due.written();
                    self.written.one_more(len);
                    self.bytes_in_chunk += len;
                }
                Written::Nothing | Written::Lost => {}
                Written::Parked { partly } => return TurnEnd::Parked { partly },
            }
            let put = self.source.put_next();
            self.note(put);
            self.open_packet_if_due(clock);
        }
        TurnEnd::More
    }

    /// Whether the next packet must not be sent yet, since viewers do not know what is in it.
    fn held_back(&mut self) -> Option<Held> {
        if !self.described.is_live() || !self.output.is_remote() {
            return None;
        }
        let is_readable = self.source.is_readable().is_ok_and(|is_readable| is_readable);
        let next = self.source.positions().ok().filter(|_| is_readable);
        self.described.held_back(next.map(|at| at.consumed))
    }

    fn nothing_left(&self) -> TurnEnd {
        if self.extent.is_hung_up() { TurnEnd::Ended } else { TurnEnd::Idle }
    }

    /// Writes the packet that is held.
    fn write_held(&mut self, relays: &mut Relays) -> Written {
        let reopened = self.reopen_if_lost();
        let Some(packet) = self.source.packet() else { return Written::Lost };
        let (is_remote, is_for_relay) = (self.output.is_remote(), self.writing.relay.is_some());
        if self.chunk.is_none() && is_left_open(packet.has_events, is_for_relay, is_remote) {
            return Written::Nothing;
        }
        let chunk = self.chunk.as_deref();
        let written = match self.output.take_packet(chunk, &mut *self.source, relays) {
            Some(moved) => moved.map_err(NotWritten::from),
            None => {
                let read = self.source.read();
                let read = self.note(read).and_then(|()| self.source.packet());
                let Some(packet) = read else { return Written::Lost };
                reopened.and_then(|()| {
                    write_packet(&mut self.output, self.chunk.as_deref(), &packet, relays)
                })
            }
        };
        match written {
            Ok(Sent::Whole(len)) => {
                self.complaints.works();
                Written::Whole(len)
            }
            Ok(Sent::Parked { partly }) => Written::Parked { partly },
            Ok(Sent::Lost) => {
                self.unwritten_packets += 1;
                Written::Lost
            }
            Err(error) => {
                self.unwritten_packets += 1;
                self.complain("packets are lost", &error);
                Written::Lost
            }
        }
    }

    /// Opens files that could not be opened when it, or its trace chunk, began.
    fn reopen_if_lost(&mut self) -> Result<(), NotWritten> {
        if let (Output::Nowhere, Some(chunk)) = (&self.output, &self.chunk) {
            let opening = self.open_files(chunk, &self.writing.path, true)?;
            self.output = opening.finish()?;
        }
        Ok(())
    }

    fn complain(&mut self, what: &str, why: &dyn std::fmt::Display) {
        if let Some(left_out) = self.complaints.fails(std::time::Instant::now()) {
            let (stream, session) = (self.name(), self.writing.session);
            tracing::error!(%session, %stream, %why, left_out, "{what}");
        }
    }

    /// Lets go of the packet that is held, which may be partly sent.
    pub(super) fn release_packet(&mut self, relays: &mut Relays) {
        if let Output::Remote(remote) = &mut self.output
            && relays.has_part_of(remote)
        {
            self.source.read_rest();
            let Some(packet) = self.source.last_packet() else { return };
            relays.keep_rest(remote, &packet);
        }
    }

    /// Drops all packets. Whether one is to be begun.
    pub(super) fn clear(&mut self, clock: &PacketClock, relays: &mut Relays) -> bool {
        self.release_packet(relays);
        let cleared = self.source.clear(clock);
        self.note(cleared);
        self.packet_due.dropped(self.output.is_remote());
        self.packet_due.is_due()
    }

    /// Opens a packet that is due: one that found no room when its trace chunk began, or the first one after
    /// some that its relay daemon was not sent. Whether one was.
    fn open_packet_if_due(&mut self, clock: &PacketClock) -> bool {
        if !self.packet_due.is_due() || self.rotation.is_some() || self.chunk.is_none() {
            return false;
        }
        self.begin_packet(clock);
        !self.packet_due.is_due()
    }

    /// Its session starts again: its time in the trace chunk goes on from now. Where it is about to leave, or has
    /// no trace chunk, the next one's first packet tells that; nobody closes one whose writers are gone.
    pub(super) fn restart(&mut self, clock: &PacketClock) {
        let is_here = self.chunk.is_some() && self.rotation.is_none();
        if is_here && !self.extent.is_hung_up() && !self.packet_due.is_due() {
            let begun = self.source.begin_packet(clock);
            let begun = self.note(begun);
            self.packet_due.begun(begun);
        }
    }

    /// Makes sure that a packet was begun by now, or is as soon as there is room.
    pub(super) fn begin_packet(&mut self, clock: &PacketClock) {
        let begun: Result<BeginOutcome, _> = match self.packet_due.way() {
            Begin::ByFlush => self.source.flush(FlushMode::Full, clock).map(begun_by),
            Begin::Open => self.source.begin_packet(clock),
        };
        let begun = self.note(begun);
        self.packet_due.begun(begun);
    }

    /// Finishes all packets that are not: nobody will any more.
    pub(super) fn finish_all_abandoned(&mut self, clock: &PacketClock) {
        let until = self.source.unfinished_until();
        if let Some(Some(until)) = self.note(until) {
            self.finish_abandoned(until, clock);
        }
    }

    /// Finishes packets whose writers are given up.
    pub(super) fn finish_abandoned(&mut self, until: u64, clock: &PacketClock) {
        let finished = self.source.finish_abandoned(until, clock);
        if let Some(count @ 1..) = self.note(finished) {
            let (session, stream) = (self.writing.session, self.name());
            tracing::warn!(%session, %stream, count,
                "packets were finished whose writers are gone; some events are lost");
        }
    }

    /// Whether packets of it are not where they should be.
    pub(super) fn is_pending(&mut self) -> bool {
        let at = self.source.positions().ok();
        self.extent.is_pending(at, self.source.subbuf_size_bytes())
    }
}

#[derive(Clone, Copy, Debug)]
enum Written {
    Whole(u64),
    /// Nothing needed to be.
    Nothing,
    Lost,
    Parked {
        partly: bool,
    },
}

/// Whether a packet of a stream without a trace chunk needs no place: a stream that has left its last one
/// ends with an open packet. One `is_for_relay` is there as long as the relay daemon is.
fn is_left_open(has_events: bool, is_for_relay: bool, is_remote: bool) -> bool {
    !has_events && (!is_for_relay || is_remote)
}
