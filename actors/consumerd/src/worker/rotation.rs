//! Rotation: when a stream moves to the next trace chunk, and what its relay daemon is told of it.

use std::sync::Arc;

use lttngd_model::{ChunkId, NetIndex};
use lttngd_ringbuffer::Positions;
use lttngd_tracefile::FileError;
use lttngd_wire::relay::{ConsumerCommand, RotateStreams, RotationPosition};

use super::output::Opening;
use crate::chunk::Chunk;

/// A trace chunk and the files of a stream there.
pub(super) type Target = (Arc<Chunk>, Result<Opening, FileError>);

/// Where a stream is to go, and when.
#[derive(Debug)]
pub(super) struct Rotation {
    /// Position of the first packet that belongs there.
    position: u64,
    /// `None` to no trace chunk.
    to: Option<Target>,
    /// Whether a relay daemon that has the stream still has to be told: until then it would take what
    /// follows for a part of the old trace chunk.
    untold: bool,
}

/// Whether a stream moves on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Passage {
    /// There are packets of the old trace chunk: they are read first.
    NotYet,
    /// Its relay daemon is not ready for those of the new one.
    Waits,
    /// Now.
    Now,
}

impl Rotation {
    /// With the first packet that is not closed when the writers are at `produced`.
    pub(super) fn new(
        produced: u64,
        subbuf_size_bytes: u64,
        to: Option<Target>,
        is_remote: bool,
    ) -> Self {
        Self { position: produced - produced % subbuf_size_bytes, to, untold: is_remote }
    }

    /// The number of the first packet of the new trace chunk.
    pub(super) fn packet_number(&self, subbuf_size_bytes: u64) -> u64 {
        self.position / subbuf_size_bytes
    }

    /// The relay daemon was told, where there is one. Whether there is a new trace chunk to begin.
    pub(super) fn told(&mut self) -> bool {
        self.untold = false;
        self.to.is_some()
    }

    /// Whether the stream moves on, which it does when all packets of the old trace chunk were read. Their
    /// numbers would not do to go by, since applications write them. From a stream that is lost, without
    /// positions, nothing more will come. `awaits_indexes` asks of a stream at a relay daemon whether that
    /// has to take an index.
    pub(super) fn passage(
        &self,
        at: Option<Positions>,
        holds_packet: bool,
        awaits_indexes: Option<impl FnOnce() -> bool>,
    ) -> Passage {
        let is_read = at.is_none_or(|at| {
            !holds_packet && at.consumed.wrapping_sub(self.position).cast_signed() >= 0
        });
        if !is_read {
            return Passage::NotYet;
        }
        let waits = awaits_indexes.is_some_and(|awaits| self.untold || awaits());
        if waits { Passage::Waits } else { Passage::Now }
    }

    /// Where the stream goes.
    pub(super) fn into_target(self) -> Option<Target> {
        self.to
    }
}

/// Where the streams of a channel rotate to at a relay daemon.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct RemoteRotation {
    pub(super) net_index: NetIndex,
    pub(super) to: Option<ChunkId>,
    pub(super) positions: Vec<RotationPosition>,
}

impl RemoteRotation {
    pub(super) fn into_command(self) -> ConsumerCommand {
        ConsumerCommand::RotateStreams(RotateStreams {
            new_chunk_id: self.to,
            positions: self.positions,
        })
    }
}

/// What the rotations of a channel's streams come to.
#[derive(Debug, Default)]
pub(super) struct ChannelRotation {
    /// Whether a stream is in the channel's trace chunk already: then all go to none.
    is_there: bool,
    /// Whether a stream is of use.
    is_alive: bool,
    positions: Vec<RotationPosition>,
}

impl ChannelRotation {
    /// Takes a stream, before its rotation begins.
    pub(super) fn stream_begins(&mut self, is_there: bool) {
        self.is_there |= is_there;
    }

    /// Takes a stream whose rotation has begun; `position` of one at a relay daemon.
    pub(super) fn stream_began(&mut self, is_lost: bool, position: Option<RotationPosition>) {
        self.is_alive |= !is_lost;
        self.positions.extend(position);
    }

    /// What the relay daemon of the streams is to be told, if any: nothing of streams that are all lost.
    pub(super) fn into_remote(
        self,
        relay: Option<NetIndex>,
        next: ChunkId,
    ) -> Option<RemoteRotation> {
        let net_index = relay.filter(|_| self.is_alive)?;
        let to = (!self.is_there).then_some(next);
        Some(RemoteRotation { net_index, to, positions: self.positions })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lttngd_model::{RelayStreamHandle, SessionId};
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::chunk::ChunkPlace;

    const SUBBUF: u64 = 4096;
    const RELAY: NetIndex = NetIndex(2);
    const HANDLE_5: RotationPosition =
        RotationPosition { handle: RelayStreamHandle(5), at_packet_seq_num: 1 };

    fn at(consumed: u64) -> Option<Positions> {
        Some(Positions { consumed, produced: consumed + SUBBUF })
    }

    fn local(produced: u64) -> Rotation {
        Rotation::new(produced, SUBBUF, None, false)
    }

    fn remote() -> Rotation {
        Rotation::new(SUBBUF, SUBBUF, None, true)
    }

    /// Of a stream that is written to files.
    fn passage(rotation: &Rotation, consumed: u64, holds_packet: bool) -> Passage {
        rotation.passage(at(consumed), holds_packet, None::<fn() -> bool>)
    }

    #[test]
    fn the_new_trace_chunk_begins_with_the_packet_that_is_open() {
        assert_eq!(local(3 * SUBBUF + 84).packet_number(SUBBUF), 3);
        assert_eq!(local(3 * SUBBUF).packet_number(SUBBUF), 3);
    }

    #[test]
    fn a_stream_stays_while_packets_of_the_old_trace_chunk_are_unread() {
        assert_eq!(passage(&local(2 * SUBBUF), SUBBUF, false), Passage::NotYet);
    }

    #[test]
    fn a_stream_stays_while_it_holds_a_packet() {
        assert_eq!(passage(&local(SUBBUF), SUBBUF, true), Passage::NotYet);
    }

    #[test]
    fn a_stream_moves_on_when_the_old_packets_were_read() {
        assert_eq!(passage(&local(SUBBUF), SUBBUF, false), Passage::Now);
    }

    #[test]
    fn a_reader_that_was_pushed_beyond_the_position_moves_on() {
        assert_eq!(passage(&local(SUBBUF), 5 * SUBBUF, false), Passage::Now);
    }

    #[test]
    fn a_stream_that_is_lost_moves_on_whatever_it_holds() {
        let rotation = local(SUBBUF);
        assert_eq!(rotation.passage(None, true, None::<fn() -> bool>), Passage::Now);
    }

    #[test]
    fn a_relay_daemon_has_to_be_told_first() {
        let mut rotation = remote();
        assert_eq!(rotation.passage(at(SUBBUF), false, Some(|| false)), Passage::Waits);
        assert!(!rotation.told(), "it goes to no trace chunk");
        assert_eq!(rotation.passage(at(SUBBUF), false, Some(|| false)), Passage::Now);
    }

    #[test]
    fn a_relay_daemon_has_to_have_the_last_index_of_the_old_trace_chunk() {
        let mut rotation = remote();
        rotation.told();
        assert_eq!(rotation.passage(at(SUBBUF), false, Some(|| true)), Passage::Waits);
    }

    #[test]
    fn packets_of_the_old_trace_chunk_are_sent_before_the_relay_daemon_was_told() {
        let asked = std::cell::Cell::new(false);
        let awaits = || asked.replace(true);
        assert_eq!(remote().passage(at(0), false, Some(awaits)), Passage::NotYet);
        assert!(!asked.get(), "indexes do not matter yet");
    }

    #[test]
    fn a_packet_is_begun_only_where_there_is_a_new_trace_chunk() {
        let (events, _told) = unbounded_channel();
        let chunk = Chunk::new(SessionId(1), ChunkId(1), ChunkPlace::Remote, events);
        let target = Some((chunk, Ok(Opening::default())));
        let mut rotation = Rotation::new(0, SUBBUF, target, true);
        assert!(rotation.told());
        assert_eq!(rotation.into_target().unwrap().0.id, ChunkId(1));
    }

    #[test]
    fn streams_that_are_in_no_trace_chunk_go_to_the_channels() {
        let mut rotation = ChannelRotation::default();
        rotation.stream_begins(false);
        rotation.stream_began(false, Some(HANDLE_5));
        let remote = rotation.into_remote(Some(RELAY), ChunkId(7)).unwrap();
        assert_eq!((remote.to, &remote.positions[..]), (Some(ChunkId(7)), &[HANDLE_5][..]));
        let ConsumerCommand::RotateStreams(streams) = remote.into_command() else { panic!() };
        assert_eq!((streams.new_chunk_id, streams.positions), (Some(ChunkId(7)), vec![HANDLE_5]));
    }

    #[test]
    fn streams_that_are_there_already_go_to_none() {
        let mut rotation = ChannelRotation::default();
        rotation.stream_begins(true);
        rotation.stream_began(false, Some(HANDLE_5));
        assert_eq!(rotation.into_remote(Some(RELAY), ChunkId(7)).unwrap().to, None);
    }

    #[test]
    fn one_stream_that_is_there_takes_all_to_none() {
        let mut rotation = ChannelRotation::default();
        for is_there in [false, true, false] {
            rotation.stream_begins(is_there);
            rotation.stream_began(false, None);
        }
        assert_eq!(rotation.into_remote(Some(RELAY), ChunkId(7)).unwrap().to, None);
    }

    #[test]
    fn a_relay_daemon_is_told_nothing_of_streams_that_are_all_lost() {
        let mut rotation = ChannelRotation::default();
        rotation.stream_begins(false);
        rotation.stream_began(true, None);
        assert_eq!(rotation.into_remote(Some(RELAY), ChunkId(7)), None);
    }

    #[test]
    fn a_stream_that_is_lost_does_not_keep_others_from_rotating() {
        let mut rotation = ChannelRotation::default();
        rotation.stream_began(true, None);
        rotation.stream_began(false, Some(HANDLE_5));
        assert_eq!(rotation.into_remote(Some(RELAY), ChunkId(7)).unwrap().positions, [HANDLE_5]);
    }

    #[test]
    fn streams_in_files_need_no_relay_daemon() {
        let mut rotation = ChannelRotation::default();
        rotation.stream_began(false, None);
        assert_eq!(rotation.into_remote(None, ChunkId(7)), None);
    }
}
