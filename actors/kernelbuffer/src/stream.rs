//! A data stream.

mod snapshot;

use std::{collections::VecDeque, os::fd::BorrowedFd, sync::Arc};

use lttngd_ringbuffer::{BeginOutcome, FlushMode, FlushOutcome, Losses, Positions, Wakeup};
use lttngd_wire::{ctf::PacketIndex, kernel::ReaderCall};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
};

use crate::{
    calls::{Calls, Mapped, Refused, refused},
    gauge::{self, KernelGauge},
    held,
    losses::LossCounter,
    splice::{NotSent, Spliced},
};

/// Bytes of a packet before its first event.
pub const PACKET_HEADER_LEN: u64 = 84;

/// What was to be done when a packet could not be moved.
const MOVING: &str = "move a packet out of its buffer";

/// Why there is no packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoKernelPacket {
    /// There is none yet.
    #[error("no packet yet")]
    Empty,
    /// There is none, and none will come: nothing writes to it any more.
    #[error("no packet any more")]
    Ended,
    /// The stream cannot be used any more.
    #[error(transparent)]
    Lost(Refused),
}

/// How the bytes of packets are had.
#[derive(Debug)]
enum Access {
    Mapped(Mapped),
    Spliced(Spliced),
}

/// The packet that is held.
#[derive(Debug)]
struct Held {
    index: PacketIndex,
    /// Where it is in what is mapped, and its length.
    at: usize,
    len: usize,
    /// Whether its bytes are at hand.
    is_read: bool,
}

/// A packet where it is.
#[derive(Clone, Copy, Debug)]
pub struct PacketView<'a> {
    /// What an index says of it.
    pub index: PacketIndex,
    /// Its bytes, with those that fill it up.
    pub bytes: &'a [u8],
}

/// A stream of packets of one processor, as its only reader has it. What ends it stays: every later call answers
/// with it.
#[derive(Debug)]
pub struct KernelStream {
    calls: Arc<dyn Calls>,
    cpu: u32,
    subbuf_size_bytes: u64,
    access: Access,
    held: Option<Held>,
    /// Packets of a snapshot.
    taken: VecDeque<(PacketIndex, Box<[u8]>)>,
    losses: LossCounter,
    is_quiescent: bool,
    lost: Option<Refused>,
}

impl KernelStream {
    /// The stream of a processor, mapped or spliced as its channel was made.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn new(calls: Arc<dyn Calls>, cpu: u32, is_mapped: bool) -> Result<Self, Refused> {
        let ask = |call| calls.ask(call).map_err(refused(call));
        let subbuf_size_bytes = ask(ReaderCall::SubbufSizeMax)?;
        if subbuf_size_bytes == 0 {
            return Err(refused(ReaderCall::SubbufSizeMax)(Errno::INVAL));
        }
        let access = if is_mapped {
            let len = usize::try_from(ask(ReaderCall::MmapLen)?).unwrap_or(usize::MAX);
            let doing = "map its packets";
            Access::Mapped(calls.map(len).map_err(|errno| Refused { doing, errno })?)
        } else {
            let doing = "make a pipe for its packets";
            Access::Spliced(Spliced::new().map_err(|errno| Refused { doing, errno })?)
        };
        Ok(Self {
            calls,
            cpu,
            subbuf_size_bytes,
            access,
            held: None,
            taken: VecDeque::new(),
            losses: LossCounter::default(),
            is_quiescent: false,
            lost: None,
        })
    }

    /// Its processor.
    #[must_use]
    pub fn cpu(&self) -> u32 {
        self.cpu
    }

    /// Bytes of a sub-buffer.
    #[must_use]
    pub fn subbuf_size_bytes(&self) -> u64 {
        self.subbuf_size_bytes
    }

    /// Most packets that it may have now.
    #[must_use]
    pub fn packets_at_most(&self) -> u64 {
        let used_bytes = self.gauge().positions().map_or(0, |at| at.used_bytes());
        used_bytes / self.subbuf_size_bytes + 2
    }

    /// Whoever looks how full it is.
    #[must_use]
    pub fn gauge(&self) -> KernelGauge {
        KernelGauge::new(&self.calls)
    }

    /// What becomes readable with a packet, and hangs up with the last one.
    #[must_use]
    pub fn wakeup_fd(&self) -> BorrowedFd<'_> {
        self.calls.descriptor()
    }

    /// Whether it woke, and whether none will write to it any more.
    #[must_use]
    pub fn wakeup(&self) -> Wakeup {
        let mut polled =
            [PollFd::from_borrowed_fd(self.calls.descriptor(), PollFlags::IN | PollFlags::PRI)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match rustix::event::poll(&mut polled, Some(&at_once)) {
            Ok(0) | Err(_) => Wakeup::None,
            Ok(_) if polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) => {
                Wakeup::HungUp
            }
            Ok(_) => Wakeup::Woken,
        }
    }

    /// Its id in the trace.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn stream_id(&mut self) -> Result<u64, Refused> {
        self.ask(ReaderCall::StreamId)
    }

    /// The time, as in its packets.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn now(&mut self) -> Result<u64, Refused> {
        self.ask(ReaderCall::CurrentTimestamp)
    }

    /// Holds the oldest packet, until it is put; the one that is held, if there is one. The bytes of one that is
    /// spliced are still to be had: see [`Self::read`] and [`Self::move_to`].
    ///
    /// # Errors
    /// Why there is none.
    pub fn get_next(&mut self) -> Result<(), NoKernelPacket> {
        self.usable().map_err(NoKernelPacket::Lost)?;
        if self.held.is_some() {
            return Ok(());
        }
        match self.calls.tell(ReaderCall::GetNext) {
            Ok(()) => {}
            Err(none @ (Errno::AGAIN | Errno::NODATA)) => {
                if let Access::Spliced(spliced) = &mut self.access {
                    spliced.rest();
                }
                let has_end = none == Errno::NODATA;
                return Err(if has_end { NoKernelPacket::Ended } else { NoKernelPacket::Empty });
            }
            Err(errno) => {
                let lost = self.lose(refused(ReaderCall::GetNext)(errno));
                return Err(NoKernelPacket::Lost(lost));
            }
        }
        let held = self.look();
        self.held = Some(held.map_err(|error| NoKernelPacket::Lost(self.lose(error)))?);
        Ok(())
    }

    /// The packet that is held.
    fn look(&self) -> Result<Held, Refused> {
        let calls = &*self.calls;
        let (index, len) = (held::index(calls)?, held::padded_len(calls)?);
        let Access::Mapped(mapped) = &self.access else {
            return Ok(Held { index, at: 0, len, is_read: false });
        };
        let at = held::mapped_at(calls)?;
        if mapped.bytes(at, len).is_none() {
            return Err(refused(ReaderCall::MmapReadOffset)(Errno::FAULT));
        }
        Ok(Held { index, at, len, is_read: true })
    }

    /// Has what is left of the packet that is held at hand, of which a socket has the beginning: zeros stand for what
    /// the socket has, and for what cannot be had.
    pub fn read_rest(&mut self) {
        // Whoever has the beginning was promised all of it, and that the stream is lost is known then.
        let _ = self.read();
        if let (Some(held), Access::Spliced(spliced)) = (&mut self.held, &mut self.access)
            && !held.is_read
        {
            spliced.fill_with_zeros(held.len);
            held.is_read = true;
        }
    }

    /// Has the bytes of the packet that is held at hand.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn read(&mut self) -> Result<(), Refused> {
        self.usable()?;
        if let (Some(held), Access::Spliced(spliced)) = (&mut self.held, &mut self.access)
            && !held.is_read
        {
            let read = spliced.read(&*self.calls, held.len);
            held.is_read = read.is_ok();
            return read.map_err(|errno| self.lose(Refused { doing: MOVING, errno }));
        }
        Ok(())
    }

    /// Length in bytes of the packet that is held, if its pages can be moved to a file or a socket: they are nowhere
    /// else yet, or a socket has the beginning.
    #[must_use]
    pub fn movable_len(&self) -> Option<u64> {
        let held = self.held.as_ref().filter(|held| !held.is_read)?;
        Some(held.len as u64)
    }

    /// Moves the packet that is held to a file, from `offset` on. It is nowhere else then, also when that fails.
    ///
    /// # Errors
    /// The file's; `EINVAL` of a packet that cannot be moved.
    pub fn move_to(&mut self, file: BorrowedFd<'_>, offset: u64) -> Result<(), Errno> {
        match (&self.held, &mut self.access) {
            (Some(Held { len, is_read: false, .. }), Access::Spliced(spliced)) => {
                spliced.move_to(&*self.calls, *len, file, offset)
            }
            _ => Err(Errno::INVAL),
        }
    }

    /// Moves more of the first `len` bytes of the packet that is held to a socket that does not block; how many, 0
    /// when it takes none now. What was moved is nowhere else.
    ///
    /// # Errors
    /// The socket's; the buffer's, with which the stream is lost; `EINVAL` of a packet that cannot be moved.
    pub fn send_to(&mut self, socket: BorrowedFd<'_>, len: u64) -> Result<usize, NotSent> {
        let sent = match (&self.held, &mut self.access) {
            (Some(held @ Held { is_read: false, .. }), Access::Spliced(spliced)) => {
                let len = usize::try_from(len).map_or(held.len, |len| len.min(held.len));
                spliced.send_to(&*self.calls, (len, held.len), socket)
            }
            _ => return Err(NotSent::Buffer(Errno::INVAL)),
        };
        if let Err(NotSent::Buffer(errno)) = sent {
            self.lose(Refused { doing: MOVING, errno });
        }
        sent
    }

    /// The packet that is held, or else the oldest that a snapshot has. Its bytes are missing until they were read.
    #[must_use]
    pub fn packet(&self) -> Option<PacketView<'_>> {
        let Some(held) = &self.held else {
            let (index, bytes) = self.taken.front()?;
            return Some(PacketView { index: *index, bytes });
        };
        let bytes = match &self.access {
            Access::Mapped(mapped) => mapped.bytes(held.at, held.len)?,
            Access::Spliced(spliced) if held.is_read => spliced.bytes(),
            Access::Spliced(_) => &[],
        };
        Some(PacketView { index: held.index, bytes })
    }

    /// Gives the packet that is held back to the writers; the reader goes on behind it.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn put_next(&mut self) -> Result<(), Refused> {
        if let Some(held) = self.take_held() {
            self.losses.count(&held.index);
            self.tell(ReaderCall::PutNext)?;
        }
        Ok(())
    }

    /// The packet that is held, which is not from now on.
    fn take_held(&mut self) -> Option<Held> {
        if let Access::Spliced(spliced) = &mut self.access {
            spliced.put();
        }
        self.held.take()
    }

    /// Whether there is a packet that is not put.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn is_readable(&mut self) -> Result<bool, Refused> {
        self.usable()?;
        if self.held.is_some() {
            return Ok(true);
        }
        match self.calls.tell(ReaderCall::GetNext) {
            Ok(()) => self.tell(ReaderCall::PutSubbuf).map(|()| true),
            Err(Errno::AGAIN | Errno::NODATA) => Ok(false),
            Err(errno) => Err(self.lose(refused(ReaderCall::GetNext)(errno))),
        }
    }

    /// Where reader and writers are.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn positions(&mut self) -> Result<Positions, Refused> {
        self.usable()?;
        let sampled = gauge::positions(&*self.calls);
        sampled.map_err(|errno| self.lose(refused(ReaderCall::SamplePositions)(errno)))
    }

    /// Packets that writers have left and the reader has not put.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn packets_left(&mut self) -> Result<u64, Refused> {
        let at = self.positions()?;
        let left = self.whole(at.produced).wrapping_sub(self.whole(at.consumed));
        Ok(if left.cast_signed() > 0 { left / self.subbuf_size_bytes } else { 0 })
    }

    /// The beginning of the sub-buffer in which a position is.
    fn whole(&self, position: u64) -> u64 {
        position - position % self.subbuf_size_bytes
    }

    /// Closes the open packet.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn flush(&mut self, mode: FlushMode) -> Result<FlushOutcome, Refused> {
        let call = match mode {
            FlushMode::Filled | FlushMode::Active => ReaderCall::Flush,
            FlushMode::Full => ReaderCall::FlushEmpty,
        };
        let before = self.positions()?;
        self.tell(call)?;
        let after = self.positions()?;
        Ok(match (before == after, call) {
            (false, _) => FlushOutcome::Closed,
            (true, ReaderCall::FlushEmpty) => FlushOutcome::NoRoom,
            (true, _) => FlushOutcome::Nothing,
        })
    }

    /// Makes sure that a packet is begun: the kernel begins one with its first event alone, so that one without any
    /// is closed.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn begin_packet(&mut self) -> Result<BeginOutcome, Refused> {
        Ok(match self.flush(FlushMode::Full)? {
            FlushOutcome::Closed | FlushOutcome::Nothing => BeginOutcome::Begun,
            FlushOutcome::NoRoom | FlushOutcome::Contended => BeginOutcome::NoRoom,
        })
    }

    /// Drops all packets.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn clear(&mut self) -> Result<FlushOutcome, Refused> {
        if self.take_held().is_some() {
            self.tell(ReaderCall::PutNext)?;
        }
        self.tell(ReaderCall::Flush)?;
        self.tell(ReaderCall::Clear)?;
        let consumed = self.positions()?.consumed;
        self.losses.skip_to(consumed / self.subbuf_size_bytes);
        Ok(FlushOutcome::Closed)
    }

    /// Counts a packet that a snapshot should have had.
    pub fn count_lost_packet(&mut self) {
        self.losses.count_lost_packet();
    }

    /// Marks that nobody writes from now on, or takes the mark away.
    pub fn set_quiescent(&mut self, is: bool) {
        self.is_quiescent = is;
    }

    /// Whether it is marked so.
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        self.is_quiescent
    }

    /// Whether it is of use.
    ///
    /// # Errors
    /// What ended it.
    pub fn usable(&self) -> Result<(), Refused> {
        self.lost.map_or(Ok(()), Err)
    }

    /// What the packets that were put tell of losses.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.losses.losses()
    }

    fn ask(&mut self, call: ReaderCall) -> Result<u64, Refused> {
        self.usable()?;
        self.calls.ask(call).map_err(|errno| self.lose(refused(call)(errno)))
    }

    fn tell(&mut self, call: ReaderCall) -> Result<(), Refused> {
        self.usable()?;
        self.calls.tell(call).map_err(|errno| self.lose(refused(call)(errno)))
    }

    fn lose(&mut self, why: Refused) -> Refused {
        *self.lost.get_or_insert(why)
    }
}
