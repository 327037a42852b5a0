//! A buffer of a kernel, to which events of one byte are written.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard},
};

use lttngd_wire::kernel::ReaderCall;
use rustix::io::Errno;

use crate::{Calls, Mapped, PACKET_HEADER_LEN};

pub(super) const SUBBUF: u64 = 4 * PAGE as u64;

const PAGE: usize = 4096;

/// A buffer.
#[derive(Debug)]
pub(super) struct FakeBuffer {
    state: Mutex<State>,
    wakeup: OwnedFd,
}

/// A packet that was closed.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) events: Vec<u8>,
    pub(super) discarded: u64,
    pub(super) version: u64,
    pub(super) is_whole: bool,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) num_subbuf: u64,
    pub(super) overwrites: bool,
    is_mapped: bool,
    /// By its number; those before `consumed` may be gone.
    pub(super) packets: Vec<Packet>,
    pub(super) consumed: u64,
    /// What is in the open packet.
    pub(super) open: Vec<u8>,
    pub(super) discarded: u64,
    sample: (u64, u64),
    held: Option<u64>,
    pub(super) is_ended: bool,
    /// Calls that fail from now on.
    pub(super) fails: Option<(ReaderCall, Errno)>,
    /// Why no pages are moved from now on.
    pub(super) splice_fails: Option<Errno>,
    pub(super) calls: Vec<ReaderCall>,
}

impl State {
    fn produced(&self) -> u64 {
        let closed = self.packets.len() as u64 * SUBBUF;
        if self.open.is_empty() {
            closed
        } else {
            closed + PACKET_HEADER_LEN + self.open.len() as u64
        }
    }

    fn is_full(&self) -> bool {
        self.packets.len() as u64 - self.consumed >= self.num_subbuf
    }

    /// Closes the open packet, if there is room for it.
    pub(super) fn close(&mut self, also_empty: bool) {
        if self.open.is_empty() && (!also_empty || self.is_full() && !self.overwrites) {
            return;
        }
        let events = std::mem::take(&mut self.open);
        let (discarded, version) = (self.discarded, 0);
        self.packets.push(Packet { events, discarded, version, is_whole: true });
        if self.is_full() && self.overwrites {
            self.consumed = self.packets.len() as u64 - self.num_subbuf + 1;
        }
    }

    /// Something is recorded.
    pub(super) fn record(&mut self, event: u8) {
        if self.open.is_empty() && self.is_full() {
            if !self.overwrites {
                self.discarded += 1;
                return;
            }
            self.consumed += 1;
        }
        self.open.push(event);
    }

    fn get(&mut self, number: u64) -> Result<(), Errno> {
        if self.held.is_some() {
            return Err(Errno::BUSY);
        }
        if number < self.consumed || number >= self.packets.len() as u64 {
            return Err(if self.is_ended { Errno::NODATA } else { Errno::AGAIN });
        }
        self.held = Some(number);
        Ok(())
    }

    fn packet(&self) -> Result<&Packet, Errno> {
        Ok(&self.packets[usize::try_from(self.held.ok_or(Errno::INVAL)?).unwrap()])
    }

    fn call(&mut self, call: ReaderCall, told: &mut u64) -> Result<(), Errno> {
        use ReaderCall as C;
        self.calls.push(call);
        if let Some((failing, errno)) = self.fails
            && failing == call
        {
            return Err(errno);
        }
        *told = match call {
            C::SamplePositions => {
                self.sample = (self.consumed * SUBBUF, self.produced());
                0
            }
            C::ConsumedPosition => self.sample.0,
            C::ProducedPosition => self.sample.1,
            C::GetSubbuf => return self.get(*told / SUBBUF),
            C::GetNext | C::GetNextMetadata => {
                self.get(self.consumed)?;
                u64::from(self.packet()?.is_whole)
            }
            C::PutSubbuf => self.held.take().map(|_| 0).ok_or(Errno::INVAL)?,
            C::PutNext => {
                self.consumed = self.held.take().ok_or(Errno::INVAL)? + 1;
                0
            }
            C::SubbufSizeMax => SUBBUF,
            C::PaddedSubbufSize => self.packet().map(|_| SUBBUF)?,
            C::SubbufSize => self.packet()?.events.len() as u64,
            C::MmapLen if !self.is_mapped => return Err(Errno::INVAL),
            C::MmapLen => SUBBUF,
            // What is mapped are zeros, all of them the packet that is held.
            C::MmapReadOffset => self.packet().map(|_| 0)?,
            C::Flush => {
                self.close(false);
                0
            }
            C::FlushEmpty => {
                self.close(true);
                0
            }
            C::Clear => {
                self.consumed = self.packets.len() as u64;
                0
            }
            C::MetadataVersion => self.packet()?.version,
            C::PacketSize => self.packet().map(|_| SUBBUF * 8)?,
            C::ContentSize => (PACKET_HEADER_LEN + self.packet()?.events.len() as u64) * 8,
            C::EventsDiscarded => self.packet()?.discarded,
            C::TimestampBegin | C::TimestampEnd | C::CurrentTimestamp => 77,
            C::SequenceNumber => self.held.ok_or(Errno::INVAL)?,
            C::StreamId => 3,
            C::StreamInstanceId => return Err(Errno::NOTTY),
        };
        Ok(())
    }
}

impl FakeBuffer {
    pub(super) fn new(num_subbuf: u64, overwrites: bool, is_mapped: bool) -> Arc<Self> {
        let state = State {
            num_subbuf,
            overwrites,
            is_mapped,
            packets: Vec::new(),
            consumed: 0,
            open: Vec::new(),
            discarded: 0,
            sample: (0, 0),
            held: None,
            is_ended: false,
            fails: None,
            splice_fails: None,
            calls: Vec::new(),
        };
        let wakeup = File::open("/dev/null").unwrap().into();
        Arc::new(Self { state: Mutex::new(state), wakeup })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Calls for FakeBuffer {
    fn call(&self, call: ReaderCall, number: &mut u64) -> Result<(), Errno> {
        self.state().call(call, number)
    }

    fn map(&self, len: usize) -> Result<Mapped, Errno> {
        Ok(Mapped::own(vec![0; len].into()))
    }

    fn splice(&self, offset: u64, pipe: BorrowedFd<'_>, len: usize) -> Result<usize, Errno> {
        let state = self.state();
        if let Some(errno) = state.splice_fails {
            return Err(errno);
        }
        let mut bytes = vec![0; usize::try_from(PACKET_HEADER_LEN).unwrap()];
        bytes.extend(&state.packet()?.events);
        bytes.resize(usize::try_from(SUBBUF).unwrap(), 0xee);
        let from = usize::try_from(offset).unwrap();
        // As the tracer does: in pieces, of whole pages alone.
        if !from.is_multiple_of(PAGE) || !len.is_multiple_of(PAGE) {
            return Err(Errno::INVAL);
        }
        let len = len.min(PAGE).min(bytes.len() - from);
        rustix::io::write(pipe, &bytes[from..from + len])
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}
