//! What a snapshot takes of a stream.

use std::collections::VecDeque;

use lttngd_wire::{ctf::PacketIndex, kernel::ReaderCall};
use rustix::io::Errno;

use super::{Access, Held, KernelStream};
use crate::calls::{Refused, refused};

impl KernelStream {
    /// Takes what there is, at most the newest `packets_max` packets, 0 for all, of a stream that is mapped: a packet
    /// that is spliced would be gone from its buffer. What nobody has closed cannot be
    /// read: it is closed; where there is nothing at all, a packet without events is, which tells the time.
    ///
    /// # Errors
    /// Those of a stream that is lost.
    pub fn take_snapshot(&mut self, packets_max: u64) -> Result<(), Refused> {
        if matches!(self.access, Access::Spliced(_)) {
            return Err(refused(ReaderCall::GetSubbuf)(Errno::OPNOTSUPP));
        }
        self.taken.clear();
        self.tell(ReaderCall::Flush)?;
        if self.packets_left()? == 0 {
            self.tell(ReaderCall::FlushEmpty)?;
        }
        let left = self.packets_left()?;
        let count = if packets_max == 0 { left } else { left.min(packets_max) };
        let end = self.positions()?.produced;
        let first = self.whole(end).wrapping_sub(count * self.subbuf_size_bytes);
        for number in 0..count {
            let position = first.wrapping_add(number * self.subbuf_size_bytes);
            match self.calls.call(ReaderCall::GetSubbuf, &mut { position }) {
                Ok(()) => {
                    let taken = self.copy();
                    self.tell(ReaderCall::PutSubbuf)?;
                    let taken = taken.map_err(|error| self.lose(error))?;
                    self.taken.push_back(taken);
                }
                // It was overwritten meanwhile.
                Err(Errno::AGAIN) => self.losses.count_lost_packet(),
                Err(Errno::NODATA) => break,
                Err(errno) => return Err(self.lose(refused(ReaderCall::GetSubbuf)(errno))),
            }
        }
        Ok(())
    }

    /// A copy of the packet that is held.
    fn copy(&self) -> Result<(PacketIndex, Box<[u8]>), Refused> {
        let Held { index, at, len, .. } = self.look()?;
        let bytes = match &self.access {
            Access::Mapped(mapped) => mapped.bytes(at, len),
            Access::Spliced(_) => None,
        };
        Ok((index, bytes.unwrap_or(&[]).into()))
    }

    /// Goes on to the next packet of the snapshot.
    pub fn put_snapshot_packet(&mut self) {
        self.taken.pop_front();
    }

    /// Puts all that is left of the snapshot.
    pub fn drop_snapshot(&mut self) {
        self.taken = VecDeque::new();
    }
}
