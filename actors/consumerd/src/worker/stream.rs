//! A data stream: from its buffer to its output.

use std::{os::fd::OwnedFd, sync::Arc};

use lttngd_model::ChannelKey;
use lttngd_ringbuffer::{
    BeginOutcome, Corruption, FlushMode, FlushOutcome, GetError, Losses, Mode, PacketHeader, Wakeup,
};
use lttngd_tracefile::{FileError, FileLimits, OpeningStream, StreamFile, StreamFileConfig};
use lttngd_wire::ctf::PacketIndex;

use super::{
    abandoned::Unfinished,
    new::Writing,
    relay::{Relays, RemoteStream, Sent},
    rings::Rings,
    rotation::Rotation,
};
use crate::{chunk::Chunk, clock::PacketClock};

/// Packets after which another stream gets its turn.
const TURN_PACKETS_MAX: usize = 32;
/// Bytes after which another stream gets its turn.
const TURN_BYTES_MAX: u64 = 4 << 20;

/// How far a stream came in its turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
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

/// Where packets go.
#[derive(Debug)]
pub(super) enum Output {
    /// Nowhere: there is no trace chunk, or its files failed.
    Nowhere,
    /// To files.
    Local(StreamFile),
    /// To a relay daemon.
    Remote(RemoteStream),
}

/// An output that is being opened: files, or nowhere.
#[derive(Debug, Default)]
pub(super) struct Opening(Option<OpeningStream>);

impl Opening {
    /// Waits until it is open.
    pub(super) fn finish(self) -> Result<Output, FileError> {
        self.0.map_or(Ok(Output::Nowhere), |opening| opening.finish().map(Output::Local))
    }
}

/// A stream with its output.
#[derive(Debug)]
pub(super) struct DataStream {
    pub(super) channel: ChannelKey,
    pub(super) ring: lttngd_ringbuffer::Stream,
    /// Our write end of its pipe, kept until nobody has the channel.
    pub(super) wakeup: Option<OwnedFd>,
    pub(super) writing: Arc<Writing>,
    pub(super) output: Output,
    pub(super) chunk: Option<Arc<Chunk>>,
    pub(super) rotation: Option<Rotation>,
    /// Whether a packet is to be begun that found no room when its trace chunk began, or that its relay daemon
    /// waits for.
    pub(super) packet_due: bool,
    /// Whether its relay daemon was not sent packets that it may wait for: it goes to the next trace chunk by
    /// those that come.
    pub(super) relay_misses_packets: bool,
    /// Whether a packet was opened when the stream's trace chunk began.
    pub(super) packet_opened: bool,
    pub(super) bytes_written: u64,
    /// Packets that nobody could write.
    pub(super) unwritten_packets: u64,
    /// Bytes written in its trace chunk.
    pub(super) bytes_in_chunk: u64,
    pub(super) watched: Option<usize>,
    pub(super) rings: Rings,
    /// Packets that writers left unfinished.
    pub(super) unfinished: Option<Unfinished>,
    /// Position of the last flush, since which nobody should write.
    pub(super) flushed_until: Option<u64>,
    /// Where its reading ends, when the consumer does.
    ends_at: Option<u64>,
    /// Whether it stands in line.
    pub(super) queued: bool,
    hung_up: bool,
    /// In a live session, the position up to which viewers have the metadata of packets.
    pub(super) described_until: Option<u64>,
    /// Whether metadata was asked for.
    pub(super) awaits_metadata: bool,
    is_live: bool,
    /// Whether nobody reads it but snapshots.
    is_recorder: bool,
    /// Whether it was told that writing fails, or that there is nowhere to write.
    complained: bool,
    /// Whether it was logged that its buffer is damaged, which does not end.
    is_damage_told: bool,
}

impl DataStream {
    pub(super) fn new(
        channel: ChannelKey,
        ring: lttngd_ringbuffer::Stream,
        wakeup: OwnedFd,
        writing: Arc<Writing>,
        is_live: bool,
        is_recorder: bool,
    ) -> Self {
        Self {
            channel,
            ring,
            wakeup: Some(wakeup),
            chunk: None,
            writing,
            output: Output::Nowhere,
            rotation: None,
            packet_due: false,
            relay_misses_packets: false,
            packet_opened: false,
            bytes_written: 0,
            unwritten_packets: 0,
            bytes_in_chunk: 0,
            watched: None,
            rings: Rings::default(),
            unfinished: None,
            flushed_until: None,
            ends_at: None,
            queued: false,
            hung_up: false,
            described_until: None,
            awaits_metadata: false,
            is_live,
            is_recorder,
            complained: false,
            is_damage_told: false,
        }
    }

    /// What it has lost. In discard mode numbers are left out only where packets were cleared or damaged.
    pub(super) fn losses(&self) -> Losses {
        let mut losses = self.ring.losses();
        if self.ring.mode() == Mode::Discard {
            losses.lost_packets = 0;
        }
        losses.lost_packets = losses.lost_packets.saturating_add(self.unwritten_packets);
        losses
    }

    /// Its name in the trace.
    pub(super) fn name(&self) -> String {
        format!("{}_{}", self.writing.name, self.ring.cpu())
    }

    /// Begins to open its files in a trace chunk, side by side with those of other streams.
    pub(super) fn open_files(
        &self,
        chunk: &Chunk,
        path: &str,
        indexed: bool,
    ) -> Result<Opening, FileError> {
        let Some(files) = chunk.local() else { return Ok(Opening::default()) };
        let limits = FileLimits {
            size_max_bytes: self.writing.tracefile_size_bytes,
            count_max: self.writing.tracefile_count,
        };
        let config = StreamFileConfig { directory: path, name: &self.name(), limits, indexed };
        StreamFile::open(files, &config).map(|opening| Opening(Some(opening)))
    }

    /// Takes the wake-ups out of its pipe.
    pub(super) fn woken(&mut self) -> Wakeup {
        self.ring.drain_wakeups()
    }

    /// Nobody writes to it any more.
    pub(super) fn hang_up(&mut self, clock: &PacketClock) {
        self.hung_up = true;
        // One that no application ever had is in no metadata: a packet of it would make the whole trace
        // unreadable.
        if !self.ring.is_untouched() {
            self.finish(clock);
        }
        self.finish_all_abandoned(clock);
    }

    /// Closes its open packet, with which its reading ends: applications may write for ever.
    pub(super) fn end(&mut self, clock: &PacketClock) {
        self.finish(clock);
        let positions = self.ring.sample_positions();
        self.ends_at = self.note(positions).map(|positions| positions.produced);
    }

    /// Closes its open packet, unless that was done when its session stopped. Snapshots need none that is
    /// closed, and old packets would make place for it.
    pub(super) fn finish(&mut self, clock: &PacketClock) {
        if self.ring.is_quiescent() {
            return;
        }
        if self.is_recorder {
            let marked = self.ring.set_quiescent(clock);
            self.note(marked);
        } else {
            let flushed = self.ring.flush_quiescent(clock);
            self.note(flushed);
        }
        let positions = self.ring.sample_positions();
        self.flushed_until = self.note(positions).map(|positions| positions.produced);
    }

    /// It is traced to again.
    pub(super) fn clear_quiescent(&mut self) {
        self.ring.clear_quiescent();
        self.flushed_until = None;
    }

    /// Closes its open packet when its switch timer fires.
    pub(super) fn switch(&mut self, clock: &PacketClock) {
        let mode = if self.is_recorder { FlushMode::Filled } else { FlushMode::Active };
        self.flush(mode, clock);
    }

    /// Closes its open packet, as a periodic flush does.
    pub(super) fn flush(&mut self, mode: FlushMode, clock: &PacketClock) {
        let flushed = self.ring.flush(mode, clock);
        self.note(flushed);
    }

    /// Logs that the stream is of no use any more, once.
    pub(super) fn note<T>(&mut self, outcome: Result<T, Corruption>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(corruption) => {
                if !std::mem::replace(&mut self.is_damage_told, true) {
                    let stream = self.name();
                    tracing::error!(session = %self.writing.session, %stream, %corruption,
                        "an application damaged the buffer of a stream, which is given up");
                }
                None
            }
        }
    }

    /// Reads and writes packets until there are none, or its turn is over.
    pub(super) fn serve(&mut self, clock: &PacketClock, relays: &mut Relays) -> Progress {
        let mut bytes = 0;
        for _ in 0..TURN_PACKETS_MAX {
            if !self.rotate_if_due(relays) {
                return Progress::Rotating;
            }
            if let Some(progress) = self.held_back() {
                return progress;
            }
            if self.is_at_end() {
                return Progress::Idle;
            }
            match self.ring.get_next() {
                Ok(_) => self.rings.meant_something(),
                Err(GetError::Damaged(damage)) => {
                    // In overwrite mode the next number tells.
                    self.unwritten_packets += u64::from(self.ring.mode() == Mode::Discard);
                    self.drop_packets();
                    self.complain("a packet was damaged", &damage);
                    continue;
                }
                Err(GetError::Empty) => {
                    if self.open_packet_if_due(clock) {
                        continue;
                    }
                    return self.nothing_left();
                }
                // Writers that finish a packet ring once more.
                Err(GetError::Uncommitted) if self.hung_up => return Progress::Ended,
                Err(GetError::Uncommitted) => return Progress::Unfinished,
                Err(GetError::Overwritten) => continue,
                Err(GetError::Corrupt(corruption)) => {
                    self.note::<()>(Err(corruption));
                    // Others do not get past a packet of which a part is sent.
                    self.release_packet(relays);
                    return self.nothing_left();
                }
            }
            match self.write_held(relays) {
                Written::Whole(len) => {
                    bytes += len;
                    self.relay_misses_packets = false;
                    self.bytes_written += len;
                    self.bytes_in_chunk += len;
                }
                Written::Nothing | Written::Lost => {}
                Written::Parked { partly } => return Progress::Parked { partly },
            }
            let put = self.ring.put_next();
            self.note(put);
            self.open_packet_if_due(clock);
            if bytes >= TURN_BYTES_MAX {
                break;
            }
        }
        Progress::More
    }

    /// Whether the next packet must not be sent yet, since viewers do not know what is in it.
    fn held_back(&mut self) -> Option<Progress> {
        if !self.is_live || !matches!(self.output, Output::Remote(_)) {
            return None;
        }
        if self.awaits_metadata {
            return Some(Progress::Idle);
        }
        if !self.ring.is_readable().is_ok_and(|readable| readable) {
            return None;
        }
        let consumed = self.ring.sample_positions().ok()?.consumed;
        let described = self
            .described_until
            .is_some_and(|until| until.wrapping_sub(consumed).cast_signed() > 0);
        (!described).then_some(Progress::Undescribed)
    }

    fn is_at_end(&mut self) -> bool {
        let Some(end) = self.ends_at else { return false };
        match self.ring.sample_positions() {
            Ok(positions) => positions.consumed.wrapping_sub(end).cast_signed() >= 0,
            Err(_) => true,
        }
    }

    fn nothing_left(&mut self) -> Progress {
        if self.hung_up { Progress::Ended } else { Progress::Idle }
    }

    /// Writes the packet that is held.
    fn write_held(&mut self, relays: &mut Relays) -> Written {
        self.reopen_if_lost();
        let Some(packet) = self.ring.packet() else { return Written::Lost };
        let written = match (&mut self.output, &self.chunk) {
            (Output::Local(file), Some(chunk)) => match chunk.local() {
                Some(files) => file
                    .write_packet(files, &packet.views(), &packet_index(packet.header))
                    .map(|()| Written::Whole(packet.size_bytes() as u64))
                    .map_err(|error| error.to_string()),
                None => Err("its trace chunk is not here".to_owned()),
            },
            (Output::Remote(remote), Some(_)) => match remote.send(&packet, relays) {
                Sent::Whole(len) => Ok(Written::Whole(len)),
                Sent::Parked { partly } => Ok(Written::Parked { partly }),
                Sent::Lost => Ok(Written::Lost),
            },
            // A stream that has left its last trace chunk ends with an open packet.
            (output, None)
                if !packet.header.has_events()
                    && (self.writing.relay.is_none() || matches!(output, Output::Remote(_))) =>
            {
                return Written::Nothing;
            }
            _ => Err("there is no trace chunk for its events".to_owned()),
        };
        match written {
            Ok(written) => {
                match written {
                    Written::Whole(_) => self.complained = false,
                    Written::Lost => self.unwritten_packets += 1,
                    Written::Nothing | Written::Parked { .. } => {}
                }
                written
            }
            Err(error) => {
                self.unwritten_packets += 1;
                self.complain("packets are lost", &error);
                Written::Lost
            }
        }
    }

    /// Opens files that could not be opened when its trace chunk began.
    fn reopen_if_lost(&mut self) {
        if let (Output::Nowhere, Some(chunk)) = (&self.output, &self.chunk)
            && let Ok(output) =
                self.open_files(chunk, &self.writing.path, true).and_then(Opening::finish)
        {
            self.output = output;
        }
    }

    fn complain(&mut self, what: &str, why: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.complained, true) {
            let (stream, session) = (self.name(), self.writing.session);
            tracing::error!(%session, %stream, %why, "{what}");
        }
    }

    /// Lets go of the packet that is held, which may be partly sent.
    pub(super) fn release_packet(&mut self, relays: &mut Relays) {
        if let (Output::Remote(remote), Some(packet)) = (&mut self.output, self.ring.last_packet())
        {
            remote.keep_rest(&packet, relays);
        }
    }

    /// Packets were dropped that nobody will send.
    pub(super) fn drop_packets(&mut self) {
        self.relay_misses_packets = matches!(self.output, Output::Remote(_));
        self.packet_due |= self.relay_misses_packets;
    }

    /// Opens a packet that is due: one that found no room when its trace chunk began, or the first one after
    /// some that its relay daemon was not sent. Whether one was.
    fn open_packet_if_due(&mut self, clock: &PacketClock) -> bool {
        if !self.packet_due || self.rotation.is_some() || self.chunk.is_none() {
            return false;
        }
        self.begin_packet(clock);
        !self.packet_due
    }

    /// Makes sure that a packet was begun by now, or is as soon as there is room: a full buffer gets some by
    /// reading, and writers that were faster come again.
    pub(super) fn begin_packet(&mut self, clock: &PacketClock) {
        let begun = if self.relay_misses_packets {
            // At once, and not when it is full or the chunk ends.
            self.ring.flush(FlushMode::Full, clock).map(|flushed| match flushed {
                FlushOutcome::Closed | FlushOutcome::Nothing => BeginOutcome::Begun,
                FlushOutcome::NoRoom | FlushOutcome::Contended => BeginOutcome::NoRoom,
            })
        } else {
            self.ring.begin_packet(clock)
        };
        self.packet_opened = self.note(begun) == Some(BeginOutcome::Begun);
        self.packet_due = !self.packet_opened;
    }
}

enum Written {
    Whole(u64),
    /// Nothing needed to be.
    Nothing,
    Lost,
    Parked {
        partly: bool,
    },
}

/// What the index says of a packet.
pub(super) fn packet_index(header: &PacketHeader) -> PacketIndex {
    PacketIndex {
        packet_size_bits: header.packet_size_bits,
        content_size_bits: header.content_size_bits,
        timestamp_begin: header.timestamp_begin,
        timestamp_end: header.timestamp_end,
        events_discarded: header.events_discarded,
        stream_id: header.stream_id.into(),
        stream_instance_id: header.stream_instance_id,
        packet_seq_num: header.sequence_number,
    }
}
