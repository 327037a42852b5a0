//! Memory that is shared with other processes. All of it may change at any time, so it is only
//! reached by atomic operations and by system calls; there is no reference to its bytes.

use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::bytes::SharedBytes;

/// A whole object, mapped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: nothing about a mapping belongs to the thread that made it, and it is reached atomically.
unsafe impl Send for Mapping {}
// SAFETY: threads that reach it at the same time do so atomically or by system calls, as other processes do.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of `memory` for reading and writing, shared.
    pub fn new(memory: BorrowedFd<'_>, len: usize) -> rustix::io::Result<Self> {
        // SAFETY: a new mapping at an address of the system's choice touches nothing that exists.
        let base = unsafe {
            mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                memory,
                0,
            )?
        };
        let base = NonNull::new(base.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { base, len })
    }

    /// Where it is, for the guard against truncated files.
    pub fn range(&self) -> (usize, usize) {
        (self.base.as_ptr() as usize, self.len)
    }

    /// A place of `len` bytes. Offsets come from our own layout: one outside is a fault of this crate.
    fn place(&self, offset: u64, len: usize) -> NonNull<u8> {
        let end = (offset as usize).checked_add(len);
        assert!(end.is_some_and(|end| end <= self.len), "{offset} is outside the stream object");
        // SAFETY: the place is within the mapping, as just checked.
        unsafe { self.base.add(offset as usize) }
    }

    /// The word at `offset`.
    #[inline]
    pub fn u64(&self, offset: u64) -> &AtomicU64 {
        let place = self.place(offset, size_of::<u64>()).cast::<u64>();
        assert!(place.is_aligned(), "the word at {offset} is not aligned");
        // SAFETY: it is within the mapping, which lives as long as `self`, it is aligned, and this
        // process reaches it by atomic operations alone.
        unsafe { AtomicU64::from_ptr(place.as_ptr()) }
    }

    /// The half word at `offset`.
    #[inline]
    pub fn u32(&self, offset: u64) -> &AtomicU32 {
        let place = self.place(offset, size_of::<u32>()).cast::<u32>();
        assert!(place.is_aligned(), "the half word at {offset} is not aligned");
        // SAFETY: it is within the mapping, which lives as long as `self`, it is aligned, and this
        // process reaches it by atomic operations alone.
        unsafe { AtomicU32::from_ptr(place.as_ptr()) }
    }

    /// A view of the bytes from `offset`.
    pub fn bytes(&self, offset: u64, len: usize) -> SharedBytes<'_> {
        SharedBytes { start: self.place(offset, len).as_ptr(), len, lives: PhantomData }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`; views of it live no longer than `self`.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
    }
}
