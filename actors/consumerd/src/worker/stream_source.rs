//! Where the packets of a stream come from: the seam below which the layout of a buffer is known. The shared
//! memory of applications is one source, a stream of the [kernel](super::kernel_source) is another.

use std::{fmt, io, os::fd::BorrowedFd};

use lttngd_kernelbuffer::{NoKernelPacket, NotSent, PacketView, Refused};

use lttngd_ringbuffer::{
    BeginOutcome, Clock, Corruption, Damage, FlushMode, FlushOutcome, GetError, Losses, Mode,
    Packet, Positions, SharedBytes, Stream, Wakeup,
};
use lttngd_wire::ctf::PacketIndex;
use rustix::io::Errno;

use crate::clock::PacketClock;

/// A stream of which nothing more comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum SourceLost {
    /// Its shared memory is not as writers leave it.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The kernel does not give what is in it.
    #[error(transparent)]
    Kernel(#[from] Refused),
}

/// Why there is no packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum NoPacket {
    /// There is none yet.
    #[error("no packet yet")]
    Empty,
    /// There is none, and none will come.
    #[error("no packet any more")]
    Ended,
    /// Its writers have left it and one of them has not finished.
    #[error("packet not finished by its writers yet")]
    Uncommitted,
    /// It was overwritten meanwhile.
    #[error("packet is gone")]
    Overwritten,
    /// It cannot be used and was passed over.
    #[error("damaged packet: {0}")]
    Damaged(Damage),
    /// The stream cannot be used any more.
    #[error(transparent)]
    Lost(SourceLost),
}

impl From<GetError> for NoPacket {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Empty => Self::Empty,
            GetError::Uncommitted => Self::Uncommitted,
            GetError::Overwritten => Self::Overwritten,
            GetError::Damaged(damage) => Self::Damaged(damage),
            GetError::Corrupt(corruption) => Self::Lost(corruption.into()),
        }
    }
}

impl From<NoKernelPacket> for NoPacket {
    fn from(error: NoKernelPacket) -> Self {
        match error {
            NoKernelPacket::Empty => Self::Empty,
            NoKernelPacket::Ended => Self::Ended,
            NoKernelPacket::Lost(refused) => Self::Lost(refused.into()),
        }
    }
}

/// A packet where it is, with what an index says of it.
#[derive(Debug)]
pub(crate) struct SourcePacket<'a> {
    pub(crate) index: PacketIndex,
    /// Whether there is anything in it but its header.
    pub(crate) has_events: bool,
    /// All its bytes, in their order; the last ones fill it up.
    pub(crate) views: [SharedBytes<'a>; 2],
}

impl<'a> SourcePacket<'a> {
    /// Bytes of the packet with what fills it up.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.views.iter().map(|view| view.len() as u64).sum()
    }

    /// Its bytes without those that fill it up, and how many these are.
    pub(crate) fn content(&self) -> ([SharedBytes<'a>; 2], usize) {
        let content_len = usize::try_from(self.index.content_size_bits / 8).unwrap_or(usize::MAX);
        let [first, second] = self.views;
        let first_len = content_len.min(first.len());
        let second_len = (content_len - first_len).min(second.len());
        let padding_len = first.len() - first_len + second.len() - second_len;
        ([first.first(first_len), second.first(second_len)], padding_len)
    }
}

impl<'a> From<Packet<'a>> for SourcePacket<'a> {
    fn from(packet: Packet<'a>) -> Self {
        let header = packet.header;
        let index = PacketIndex {
            packet_size_bits: header.packet_size_bits,
            content_size_bits: header.content_size_bits,
            timestamp_begin: header.timestamp_begin,
            timestamp_end: header.timestamp_end,
            events_discarded: header.events_discarded,
            stream_id: header.stream_id.into(),
            stream_instance_id: header.stream_instance_id,
            packet_seq_num: header.sequence_number,
        };
        Self { index, has_events: header.has_events(), views: packet.views() }
    }
}

impl<'a> From<PacketView<'a>> for SourcePacket<'a> {
    fn from(PacketView { index, bytes }: PacketView<'a>) -> Self {
        let has_events = index.content_size_bits > lttngd_kernelbuffer::PACKET_HEADER_LEN * 8;
        Self { index, has_events, views: [bytes.into(), (&[][..]).into()] }
    }
}

/// A stream of packets as its only reader has it. Nothing in it blocks. What ends it stays: every later call
/// answers with it.
pub(crate) trait StreamSource: fmt::Debug + Send {
    /// The stream's CPU.
    fn cpu(&self) -> u32;
    /// What its writers do when there is no room.
    fn mode(&self) -> Mode;
    /// Bytes of a sub-buffer: the most that a packet can have.
    fn subbuf_size_bytes(&self) -> u64;
    /// Sub-buffers that the writers have.
    fn num_subbuf(&self) -> u64;
    /// What becomes readable with a packet.
    fn wakeup_fd(&self) -> BorrowedFd<'_>;
    /// Takes the wake-ups: a packet that comes later wakes again.
    fn take_wakeups(&mut self) -> Wakeup;
    /// Whether it stays readable as long as it has packets, so that only what is new is to wake.
    fn stays_readable(&self) -> bool {
        false
    }
    /// The time, as in its packets.
    fn now(&mut self, clock: &PacketClock) -> Result<u64, SourceLost> {
        Ok(clock.now())
    }

    /// Holds the oldest packet, until it is put.
    fn get_next(&mut self) -> Result<(), NoPacket>;
    /// Has the bytes of the packet that is held at hand, if they are not from the beginning.
    fn read(&mut self) -> Result<(), SourceLost> {
        Ok(())
    }
    /// Length in bytes of the packet that is held, if it can be moved without a look at its bytes, to a file or a
    /// socket.
    fn movable_len(&self) -> Option<u64> {
        None
    }
    /// Moves it to a file. It is nowhere else then, also when that fails.
    fn move_to(&mut self, _file: BorrowedFd<'_>, _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Moves more of its first `len` bytes to a socket that does not block; how many, 0 when it takes none now. What
    /// was moved is nowhere else.
    fn send_to(&mut self, _socket: BorrowedFd<'_>, _len: u64) -> Result<usize, NotSent> {
        Err(NotSent::Buffer(Errno::OPNOTSUPP))
    }
    /// Has the bytes of a packet at hand of which a socket has the beginning, also of a stream that is lost.
    fn read_rest(&mut self) {}
    /// The packet that is held, or else the oldest that a snapshot has.
    fn packet(&self) -> Option<SourcePacket<'_>>;
    /// The same, also of a stream that is lost: for whoever has sent a part of it.
    fn last_packet(&self) -> Option<SourcePacket<'_>>;
    /// Gives the packet that is held back to the writers; the reader goes on behind it.
    fn put_next(&mut self) -> Result<(), SourceLost>;
    /// Whether there is a packet that is not put.
    fn is_readable(&mut self) -> Result<bool, SourceLost>;
    /// Where reader and writers are.
    fn positions(&mut self) -> Result<Positions, SourceLost>;
    /// Packets that writers have left and the reader has not put.
    fn packets_left(&mut self) -> Result<u64, SourceLost>;

    /// Closes the open packet.
    fn flush(&mut self, mode: FlushMode, clock: &PacketClock) -> Result<FlushOutcome, SourceLost>;
    /// Closes the open packet for good: nobody writes from now on.
    fn flush_quiescent(&mut self, clock: &PacketClock) -> Result<FlushOutcome, SourceLost>;
    /// Marks that nobody writes from now on, and closes nothing.
    fn set_quiescent(&mut self, clock: &PacketClock) -> Result<(), SourceLost>;
    /// Takes the mark away.
    fn clear_quiescent(&mut self);
    /// Whether it is marked so.
    fn is_quiescent(&self) -> bool;
    /// Makes sure that a packet is begun.
    fn begin_packet(&mut self, clock: &PacketClock) -> Result<BeginOutcome, SourceLost>;
    /// Drops all packets.
    fn clear(&mut self, clock: &PacketClock) -> Result<FlushOutcome, SourceLost>;

    /// Up to which position packets are left that their writers have not finished, if there are such.
    fn unfinished_until(&mut self) -> Result<Option<u64>, SourceLost>;
    /// Whether a writer may have died with a sub-buffer whose packet was read: then it is unfinished as well.
    fn awaits_owners(&mut self) -> bool {
        false
    }
    /// Finishes them; how many they were.
    fn finish_abandoned(&mut self, until: u64, clock: &PacketClock) -> Result<usize, SourceLost>;

    /// Takes what there is, at most the newest `packets_max` packets, 0 for all. Whether writers left
    /// something unfinished.
    fn take_snapshot(&mut self, packets_max: u64, clock: &PacketClock) -> Result<bool, SourceLost>;
    /// Goes on to the next packet of the snapshot.
    fn put_snapshot_packet(&mut self) -> Result<(), SourceLost>;
    /// Puts all that is left of the snapshot.
    fn drop_snapshot(&mut self);

    /// Whether it is of use. To be called when the bytes of a packet could not be read.
    fn check(&mut self) -> Result<(), SourceLost>;
    /// Whether it is known that it is lost.
    fn is_lost(&self) -> bool;
    /// Whether nothing was ever written to it.
    fn is_untouched(&mut self) -> bool;
    /// What is lost so far, as far as can be told.
    fn losses(&self) -> Losses;
    /// Counts a packet that a snapshot should have had.
    fn count_lost_packet(&mut self);
}

impl StreamSource for Stream {
    fn cpu(&self) -> u32 {
        self.cpu()
    }

    fn mode(&self) -> Mode {
        self.mode()
    }

    fn subbuf_size_bytes(&self) -> u64 {
        self.subbuf_size_bytes()
    }

    fn num_subbuf(&self) -> u64 {
        self.num_subbuf()
    }

    fn wakeup_fd(&self) -> BorrowedFd<'_> {
        self.wakeup_reader()
    }

    fn take_wakeups(&mut self) -> Wakeup {
        self.drain_wakeups()
    }

    fn get_next(&mut self) -> Result<(), NoPacket> {
        Ok(self.get_next().map(|_| ())?)
    }

    fn packet(&self) -> Option<SourcePacket<'_>> {
        self.packet().map(Into::into)
    }

    fn last_packet(&self) -> Option<SourcePacket<'_>> {
        self.last_packet().map(Into::into)
    }

    fn put_next(&mut self) -> Result<(), SourceLost> {
        Ok(self.put_next()?)
    }

    fn is_readable(&mut self) -> Result<bool, SourceLost> {
        Ok(self.is_readable()?)
    }

    fn positions(&mut self) -> Result<Positions, SourceLost> {
        Ok(self.sample_positions()?)
    }

    fn packets_left(&mut self) -> Result<u64, SourceLost> {
        Ok(self.snapshot_positions()?.len() as u64)
    }

    fn flush(&mut self, mode: FlushMode, clock: &PacketClock) -> Result<FlushOutcome, SourceLost> {
        Ok(self.flush(mode, clock)?)
    }

    fn flush_quiescent(&mut self, clock: &PacketClock) -> Result<FlushOutcome, SourceLost> {
        Ok(self.flush_quiescent(clock)?)
    }

    fn set_quiescent(&mut self, clock: &PacketClock) -> Result<(), SourceLost> {
        Ok(self.set_quiescent(clock)?)
    }

    fn clear_quiescent(&mut self) {
        self.clear_quiescent();
    }

    fn is_quiescent(&self) -> bool {
        self.is_quiescent()
    }

    fn begin_packet(&mut self, clock: &PacketClock) -> Result<BeginOutcome, SourceLost> {
        Ok(self.begin_packet(clock)?)
    }

    fn clear(&mut self, clock: &PacketClock) -> Result<FlushOutcome, SourceLost> {
        Ok(self.clear(clock)?)
    }

    fn unfinished_until(&mut self) -> Result<Option<u64>, SourceLost> {
        Ok(self.unfinished_until()?)
    }

    fn awaits_owners(&mut self) -> bool {
        Self::awaits_owners(self)
    }

    fn finish_abandoned(&mut self, until: u64, clock: &PacketClock) -> Result<usize, SourceLost> {
        Ok(self.finish_abandoned(until, clock)?)
    }

    fn take_snapshot(&mut self, packets_max: u64, clock: &PacketClock) -> Result<bool, SourceLost> {
        Ok(self.take_snapshot(packets_max, clock)?)
    }

    fn put_snapshot_packet(&mut self) -> Result<(), SourceLost> {
        Ok(self.put_snapshot_packet()?)
    }

    fn drop_snapshot(&mut self) {
        self.drop_snapshot();
    }

    fn check(&mut self) -> Result<(), SourceLost> {
        Ok(self.check()?)
    }

    fn is_lost(&self) -> bool {
        self.is_given_up()
    }

    fn is_untouched(&mut self) -> bool {
        self.is_untouched()
    }

    fn losses(&self) -> Losses {
        self.losses_now()
    }

    fn count_lost_packet(&mut self) {
        self.count_lost_packet();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet<'a>(first: &'a [u8], second: &'a [u8], content_len: u64) -> SourcePacket<'a> {
        let index = PacketIndex { content_size_bits: content_len * 8, ..PacketIndex::default() };
        SourcePacket { index, has_events: true, views: [first.into(), second.into()] }
    }

    fn lens(packet: &SourcePacket<'_>) -> ([usize; 2], usize) {
        let (content, padding_len) = packet.content();
        (content.map(|view| view.len()), padding_len)
    }

    #[test]
    fn what_fills_a_packet_up_is_not_content() {
        assert_eq!(lens(&packet(&[1; 84], &[2; 100], 90)), ([84, 6], 94));
        assert_eq!(packet(&[1; 84], &[2; 100], 90).size_bytes(), 184);
    }

    #[test]
    fn a_packet_in_one_piece_is_cut_as_well() {
        assert_eq!(lens(&packet(&[1; 100], &[], 60)), ([60, 0], 40));
    }

    #[test]
    fn a_packet_that_says_more_than_it_has_is_sent_whole() {
        assert_eq!(lens(&packet(&[1; 84], &[2; 100], u64::MAX / 8)), ([84, 100], 0));
    }

    #[test]
    fn why_there_is_no_packet_is_told_in_the_words_of_the_buffer() {
        let corruption = Corruption::Truncated;
        assert_eq!(
            NoPacket::from(GetError::Corrupt(corruption)),
            NoPacket::Lost(SourceLost::Corrupt(corruption))
        );
        assert_eq!(NoPacket::from(GetError::Empty), NoPacket::Empty);
        assert_eq!(NoPacket::from(GetError::Uncommitted), NoPacket::Uncommitted);
        assert_eq!(NoPacket::from(GetError::Overwritten), NoPacket::Overwritten);
        assert_eq!(SourceLost::from(corruption).to_string(), corruption.to_string());
    }
}
