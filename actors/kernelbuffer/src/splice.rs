//! Packets whose pages are moved out of their buffer: to a file, to a socket, or to be read.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    io::Errno,
    param::page_size,
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
    /// Of the packet that is held: how much has left its buffer for a socket, and how much of that is in the pipe.
    moved: usize,
    in_pipe: usize,
}

/// Why pages do not go to a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotSent {
    /// The kernel does not give them.
    #[error("the kernel did not move a packet out of its buffer: {0}")]
    Buffer(Errno),
    /// The socket failed.
    #[error("the socket took no pages: {0}")]
    Socket(Errno),
}

impl Spliced {
    pub(crate) fn new() -> Result<Self, Errno> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self { reader, writer, bytes: Vec::new(), moved: 0, in_pipe: 0 })
    }

    /// Reads the first `len` bytes of the packet that is held, which is no longer in its buffer then. What a socket
    /// has of them, and what cannot be read, are zeros.
    pub(crate) fn read(&mut self, calls: &dyn Calls, len: usize) -> Result<(), Errno> {
        self.bytes.clear();
        self.bytes.resize(len, 0);
        let mut taken = self.moved - self.in_pipe;
        while taken < len {
            self.refill(calls, len)?;
            while self.in_pipe > 0 {
                let end = (taken + self.in_pipe).min(len);
                match rustix::io::read(&self.reader, &mut self.bytes[taken..end])? {
                    0 => return Err(Errno::PIPE),
                    read => (taken, self.in_pipe) = (taken + read, self.in_pipe - read),
                }
            }
        }
        Ok(())
    }

    /// Moves more of the first `len` bytes of the packet that is held, which has `padded_len`, to a socket that does not
    /// block; how many, 0 when it takes none now. They are no longer in their buffer then.
    pub(crate) fn send_to(
        &mut self,
        calls: &dyn Calls,
        (len, padded_len): (usize, usize),
        socket: BorrowedFd<'_>,
    ) -> Result<usize, NotSent> {
        // The kernel gives whole pages alone: what follows the content on its last one stays in the pipe.
        let pages_len = len.next_multiple_of(page_size()).min(padded_len);
        self.refill(calls, pages_len).map_err(NotSent::Buffer)?;
        let left = self.in_pipe.min(len.saturating_sub(self.moved - self.in_pipe));
        // The socket need not send what it has at once when there is more.
        let more = if self.moved < len { SpliceFlags::MORE } else { SpliceFlags::empty() };
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK | more;
        loop {
            match splice(&self.reader, None, socket, None, left, flags) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                Err(errno) => return Err(NotSent::Socket(errno)),
                Ok(sent) => {
                    self.in_pipe -= sent.min(self.in_pipe);
                    return Ok(sent);
                }
            }
        }
    }

    /// Moves what follows to the pipe, if that has nothing.
    fn refill(&mut self, calls: &dyn Calls, len: usize) -> Result<(), Errno> {
        if self.in_pipe == 0 && self.moved < len {
            self.in_pipe = self.fill(calls, self.moved, len)?;
            self.moved += self.in_pipe;
        }
        Ok(())
    }

    /// The packet that was held is not any more.
    pub(crate) fn put(&mut self) {
        if self.in_pipe > 0 {
            self.empty();
        }
        (self.moved, self.in_pipe) = (0, 0);
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

    /// Has zeros for a packet that cannot be read.
    pub(crate) fn fill_with_zeros(&mut self, len: usize) {
        self.bytes.clear();
        self.bytes.resize(len, 0);
    }

    /// Lets go of memory: nothing comes for a while.
    pub(crate) fn rest(&mut self) {
        self.bytes = Vec::new();
    }
}
