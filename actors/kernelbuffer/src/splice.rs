//! Packets whose pages are moved out of their buffer.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    io::Errno,
    pipe::{PipeFlags, pipe_with},
};

use crate::calls::Calls;

/// Most bytes that the kernel moves at a time: as many pages as a pipe has at least.
const MOVED_MAX: usize = 16 * 4096;

/// The pipe through which packets go, and the one that came.
#[derive(Debug)]
pub(crate) struct Spliced {
    reader: OwnedFd,
    writer: OwnedFd,
    bytes: Vec<u8>,
}

impl Spliced {
    pub(crate) fn new() -> Result<Self, Errno> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self { reader, writer, bytes: Vec::new() })
    }

    /// Takes the first `len` bytes of the packet that is held, which is no longer in its buffer then.
    pub(crate) fn take(&mut self, calls: &dyn Calls, len: usize) -> Result<(), Errno> {
        self.bytes.clear();
        self.bytes.resize(len, 0);
        let mut taken = 0;
        while taken < len {
            let wanted = MOVED_MAX.min(len - taken);
            let moved = calls.splice(taken as u64, self.writer.as_fd(), wanted)?;
            if moved == 0 {
                return Err(Errno::IO);
            }
            let end = (taken + moved).min(len);
            while taken < end {
                match rustix::io::read(&self.reader, &mut self.bytes[taken..end])? {
                    0 => return Err(Errno::PIPE),
                    read => taken += read,
                }
            }
        }
        Ok(())
    }

    /// The packet that was taken.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lets go of memory: nothing comes for a while.
    pub(crate) fn rest(&mut self) {
        self.bytes = Vec::new();
    }
}
