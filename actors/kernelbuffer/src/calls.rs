//! The calls of one stream, and this machine's kernel.

use std::{
    fmt,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
};

use lttngd_wire::kernel::ReaderCall;
use rustix::{
    io::Errno,
    mm::{MapFlags, ProtFlags, mmap, munmap},
    pipe::SpliceFlags,
};

/// A call that the kernel refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the kernel did not {doing}: {errno}")]
pub struct Refused {
    /// What it was to do.
    pub doing: &'static str,
    /// Why not.
    pub errno: Errno,
}

/// The reader's side of one buffer.
pub trait Calls: fmt::Debug + Send + Sync {
    /// Makes a call; its number is what the call takes, and then what it tells.
    ///
    /// # Errors
    /// The kernel's.
    fn call(&self, call: ReaderCall, number: &mut u64) -> Result<(), Errno>;

    /// Maps the first `len` bytes.
    ///
    /// # Errors
    /// The kernel's; `EINVAL` of a buffer whose packets are spliced.
    fn map(&self, len: usize) -> Result<Mapped, Errno>;

    /// Moves up to `len` bytes of the packet that is held, from `offset`, to a pipe; how many.
    ///
    /// # Errors
    /// The kernel's.
    fn splice(&self, offset: u64, pipe: BorrowedFd<'_>, len: usize) -> Result<usize, Errno>;

    /// What becomes readable with a packet, and hangs up with the last one.
    fn descriptor(&self) -> BorrowedFd<'_>;
}

impl dyn Calls + '_ {
    /// Makes a call that tells a number.
    pub(crate) fn ask(&self, call: ReaderCall) -> Result<u64, Errno> {
        let mut number = 0;
        self.call(call, &mut number)?;
        Ok(number)
    }

    /// Makes a call that takes and tells nothing.
    pub(crate) fn tell(&self, call: ReaderCall) -> Result<(), Errno> {
        self.call(call, &mut 0)
    }
}

/// What is wrong with a call.
pub(crate) fn refused(call: ReaderCall) -> impl Fn(Errno) -> Refused {
    move |errno| Refused { doing: call.doing(), errno }
}

/// Bytes of a stream that are mapped.
#[derive(Debug)]
pub struct Mapped {
    base: NonNull<u8>,
    len: usize,
    /// Whether they are the kernel's.
    is_mapping: bool,
}

// SAFETY: nothing about it belongs to the thread that made it, and it is read alone.
unsafe impl Send for Mapped {}

impl Mapped {
    /// Bytes of this process's own, for streams that no kernel has.
    #[must_use]
    pub fn own(bytes: Box<[u8]>) -> Self {
        let len = bytes.len();
        let base = NonNull::from(Box::leak(bytes)).cast();
        Self { base, len, is_mapping: false }
    }

    /// Bytes from `offset`, of a packet that is held: its writers have left it, and come back when it is given
    /// back. `None` when they are not all there.
    pub(crate) fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        if offset.checked_add(len)? > self.len {
            return None;
        }
        // SAFETY: they are within what is mapped, as just checked, and nobody writes to a packet that is held.
        Some(unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(offset), len) })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let start = self.base.as_ptr();
        if self.is_mapping {
            // SAFETY: it is this mapping's own range, and views of it do not outlive it. It fails for no range that
            // was mapped.
            let _ = unsafe { munmap(start.cast(), self.len) };
        } else {
            // SAFETY: it was leaked from a box of this length in `own`, and nobody else frees it.
            drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(start, self.len)) });
        }
    }
}

/// A stream of this machine's kernel.
#[derive(Debug)]
pub struct Descriptor(OwnedFd);

impl From<OwnedFd> for Descriptor {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

impl Calls for Descriptor {
    fn call(&self, call: ReaderCall, number: &mut u64) -> Result<(), Errno> {
        let (to, request) = (self.0.as_raw_fd(), libc::Ioctl::from(call.number()));
        let mut short = 0_u32;
        let argument = match call.len() {
            0 => std::ptr::null_mut(),
            4 => (&raw mut short).cast::<libc::c_void>(),
            // On a machine of 32 bits it tells the lower half of a number that was 0 above: of the byte order that
            // is the tracer's there.
            _ => std::ptr::from_mut(number).cast(),
        };
        // SAFETY: the descriptor is open; the argument is as long as the call's number says, which is at most what
        // it points to, and is written by the kernel alone meanwhile.
        if unsafe { libc::ioctl(to, request, argument) } < 0 {
            return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
        }
        if call.len() == size_of_val(&short) {
            *number = short.into();
        }
        Ok(())
    }

    fn map(&self, len: usize) -> Result<Mapped, Errno> {
        // SAFETY: a new mapping at an address of the system's choice touches nothing that exists.
        let base = unsafe {
            mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, &self.0, 0)?
        };
        let base = NonNull::new(base.cast()).ok_or(Errno::NOMEM)?;
        Ok(Mapped { base, len, is_mapping: true })
    }

    fn splice(&self, offset: u64, pipe: BorrowedFd<'_>, len: usize) -> Result<usize, Errno> {
        let mut offset = offset;
        rustix::pipe::splice(&self.0, Some(&mut offset), pipe, None, len, SpliceFlags::MOVE)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
