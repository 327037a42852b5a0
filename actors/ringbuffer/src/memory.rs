//! Memory that is shared with other processes. All of it may change at any time, so it is only
//! reached by atomic operations and by system calls; there is no reference to its bytes.

use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use lttngd_model::Bitness;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::bytes::SharedBytes;

/// A whole object, mapped.
#[derive(Debug)]
pub(crate) struct Mapping {
    bitness: Bitness,
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: nothing about a mapping belongs to the thread that made it, and it is reached atomically.
unsafe impl Send for Mapping {}
// SAFETY: threads that reach it at the same time do so atomically or by system calls, as other processes do.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of `memory` for reading and writing, shared with applications of `bitness`.
    pub fn new(memory: BorrowedFd<'_>, len: usize, bitness: Bitness) -> rustix::io::Result<Self> {
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
        Ok(Self { bitness, base, len })
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

    /// The word size of the applications.
    pub fn bitness(&self) -> Bitness {
        self.bitness
    }

    /// The word at `offset`.
    #[inline]
    pub fn word(&self, offset: u64) -> Word<'_> {
        match self.bitness {
            Bitness::Bits32 => Word::Bits32(self.u32(offset)),
            Bitness::Bits64 => Word::Bits64(self.u64(offset)),
        }
    }

    /// The 8 bytes at `offset`.
    #[inline]
    pub fn u64(&self, offset: u64) -> &AtomicU64 {
        let place = self.place(offset, size_of::<u64>()).cast::<u64>();
        assert!(place.is_aligned(), "the 8 bytes at {offset} are not aligned");
        // SAFETY: it is within the mapping, which lives as long as `self`, it is aligned, and this
        // process reaches it by atomic operations alone.
        unsafe { AtomicU64::from_ptr(place.as_ptr()) }
    }

    /// The 4 bytes at `offset`.
    #[inline]
    pub fn u32(&self, offset: u64) -> &AtomicU32 {
        let place = self.place(offset, size_of::<u32>()).cast::<u32>();
        assert!(place.is_aligned(), "the 4 bytes at {offset} are not aligned");
        // SAFETY: it is within the mapping, which lives as long as `self`, it is aligned, and this
        // process reaches it by atomic operations alone.
        unsafe { AtomicU32::from_ptr(place.as_ptr()) }
    }

    /// A view of the bytes from `offset`.
    pub fn bytes(&self, offset: u64, len: usize) -> SharedBytes<'_> {
        SharedBytes { start: self.place(offset, len).as_ptr(), len, lives: PhantomData }
    }
}

/// A `long` of applications. What it holds of a larger value are its low bits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word<'a> {
    Bits32(&'a AtomicU32),
    Bits64(&'a AtomicU64),
}

impl Word<'_> {
    #[inline]
    pub fn load(self, order: Ordering) -> u64 {
        match self {
            Self::Bits32(word) => word.load(order).into(),
            Self::Bits64(word) => word.load(order),
        }
    }

    #[inline]
    pub fn store(self, value: u64, order: Ordering) {
        match self {
            Self::Bits32(word) => word.store(value as u32, order),
            Self::Bits64(word) => word.store(value, order),
        }
    }

    /// Puts `new` in the place of `current`; what is there else.
    #[inline]
    pub fn exchange(self, current: u64, new: u64) -> Result<u64, u64> {
        use Ordering::SeqCst;
        match self {
            Self::Bits32(word) => word
                .compare_exchange(current as u32, new as u32, SeqCst, SeqCst)
                .map(u64::from)
                .map_err(u64::from),
            Self::Bits64(word) => word.compare_exchange(current, new, SeqCst, SeqCst),
        }
    }

    /// Adds to it, and says what there is then.
    #[inline]
    pub fn add(self, value: u64, order: Ordering) -> u64 {
        match self {
            Self::Bits32(word) => {
                let value = value as u32;
                word.fetch_add(value, order).wrapping_add(value).into()
            }
            Self::Bits64(word) => word.fetch_add(value, order).wrapping_add(value),
        }
    }

    /// Takes these bits out of it.
    #[inline]
    pub fn remove_bits(self, bits: u64, order: Ordering) {
        match self {
            Self::Bits32(word) => drop(word.fetch_and(!(bits as u32), order)),
            Self::Bits64(word) => drop(word.fetch_and(!bits, order)),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`; views of it live no longer than `self`.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
    }
}
