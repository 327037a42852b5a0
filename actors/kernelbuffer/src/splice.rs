//! Packets whose pages are moved out of their buffer: to a file, or to be read.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    io::Errno,
    pipe::{PipeFlags, SpliceFlags, pipe_with, splice},
};

use crate::calls::Calls;

/// Most bytes that the kernel moves at a time: as many pages as a pipe has at least.
const MOVED_MAX: usize = 16 * 4096;

/// The pipe through which packets go, and the one that was read last.
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

    /// Reads the first `len` bytes of the packet that is held, which is no longer in its buffer then.
    pub(crate) fn read(&mut self, calls: &dyn Calls, len: usize) -> Result<(), Errno> {
        self.bytes.resize(len, 0);
        let mut taken = 0;
        while taken < len {
            let moved = self.fill(calls, taken, len)?;
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

    /// Moves the first `len` bytes of the packet that is held to a file, from `offset` on. They are no longer in its
    /// buffer then, also when it fails.
    pub(crate) fn move_to(
        &mut self,
        calls: &dyn Calls,
        len: usize,
        file: BorrowedFd<'_>,
        offset: u64,
    ) -> Result<(), Errno> {
        let mut taken = 0;
        while taken < len {
            let moved = self.fill(calls, taken, len)?;
            let written = self.drain(moved, file, offset + taken as u64);
            if written.is_err() {
                self.empty();
                return written;
            }
            taken += moved;
        }
        Ok(())
    }

    /// Moves what follows the first `taken` bytes of the packet to the pipe, which has nothing; how much it was.
    fn fill(&self, calls: &dyn Calls, taken: usize, len: usize) -> Result<usize, Errno> {
        match calls.splice(taken as u64, self.writer.as_fd(), MOVED_MAX.min(len - taken))? {
            0 => Err(Errno::IO),
            moved => Ok(moved),
        }
    }

    /// Moves `len` bytes from the pipe to a file.
    fn drain(&mut self, len: usize, file: BorrowedFd<'_>, offset: u64) -> Result<(), Errno> {
        let (mut at, end) = (offset, offset + len as u64);
        while at < end {
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            match splice(&self.reader, None, file, Some(&mut at), left, SpliceFlags::MOVE) {
                Ok(0) => return Err(Errno::IO),
                Ok(_) | Err(Errno::INTR) => {}
                // A file system that takes no pages takes bytes.
                Err(Errno::INVAL) => at += self.copy(left, file, at)?,
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Copies up to `len` bytes from the pipe to a file; how many.
    fn copy(&mut self, len: usize, file: BorrowedFd<'_>, offset: u64) -> Result<u64, Errno> {
        self.bytes.resize(len, 0);
        let read = rustix::io::read(&self.reader, &mut self.bytes[..])?;
        let mut written = 0;
        while written < read {
            match rustix::io::pwrite(file, &self.bytes[written..read], offset + written as u64) {
                Ok(0) => return Err(Errno::NOSPC),
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        if read == 0 { Err(Errno::PIPE) } else { Ok(read as u64) }
    }

    /// Drops what is in the pipe.
    fn empty(&mut self) {
        self.bytes.resize(MOVED_MAX, 0);
        // It has nothing left when it would have to be waited for.
        while rustix::io::read(&self.reader, &mut self.bytes[..]).is_ok_and(|read| read > 0) {}
    }

    /// The packet that was read.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lets go of memory: nothing comes for a while.
    pub(crate) fn rest(&mut self) {
        self.bytes = Vec::new();
    }
}
