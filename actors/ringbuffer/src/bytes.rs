//! Views of bytes that other processes may change, and how they leave this process.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd};

/// Most views that one call takes.
pub const VIEWS_MAX: usize = 8;

/// Bytes of this process or of shared memory. While they are looked at they may change, so there is no
/// reference to them: they are copied, or given to the system.
#[derive(Clone, Copy, Debug)]
pub struct SharedBytes<'a> {
    pub(crate) start: *const u8,
    pub(crate) len: usize,
    pub(crate) lives: PhantomData<&'a u8>,
}

// SAFETY: it is no more than a shared reference, to memory that every thread may read.
unsafe impl Send for SharedBytes<'_> {}
// SAFETY: whoever shares it can only read that memory.
unsafe impl Sync for SharedBytes<'_> {}

impl<'a> From<&'a [u8]> for SharedBytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { start: bytes.as_ptr(), len: bytes.len(), lives: PhantomData }
    }
}

impl SharedBytes<'_> {
    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first byte, readable for [`len`](Self::len) bytes, for system calls. Another process may
    /// write there at any time.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }

    /// Without the first `count` bytes, of which there must be so many.
    #[must_use]
    pub fn skip(self, count: usize) -> Self {
        assert!(count <= self.len, "{count} of {} bytes", self.len);
        // SAFETY: it does not leave the bytes, as just checked.
        Self { start: unsafe { self.start.add(count) }, len: self.len - count, ..self }
    }

    /// Reads a byte of each page, so that a guard notices which are missing.
    pub(crate) fn touch(&self, page_size: usize) {
        for offset in (0..self.len).step_by(page_size).chain(self.len.checked_sub(1)) {
            // SAFETY: the byte is among the readable ones; volatile, since it may change meanwhile.
            let _ = unsafe { self.start.add(offset).read_volatile() };
        }
    }

    /// The first `count` bytes, at most all.
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        Self { len: count.min(self.len), ..self }
    }

    /// Copies as many bytes as there is room for, and says how many.
    pub fn copy_to(&self, room: &mut [u8]) -> usize {
        let count = self.len.min(room.len());
        let (words, rest) = room[..count].as_chunks_mut::<{ size_of::<u64>() }>();
        let mut offset = 0;
        for word in words {
            // SAFETY: the word is among the readable bytes; volatile, since it may change meanwhile.
            let value = unsafe { volatile_u64(self.start.add(offset)) };
            *word = value.to_ne_bytes();
            offset += size_of::<u64>();
        }
        for byte in rest {
            // SAFETY: the byte is among the readable ones; volatile, since it may change meanwhile.
            *byte = unsafe { self.start.add(offset).read_volatile() };
            offset += 1;
        }
        count
    }
}

/// The word at any address.
///
/// # Safety
///
/// It is readable.
unsafe fn volatile_u64(address: *const u8) -> u64 {
    #[repr(C, packed)]
    #[derive(Clone, Copy)]
    struct Unaligned(u64);
    // SAFETY: the caller's promise; the type needs no alignment.
    unsafe { address.cast::<Unaligned>().read_volatile() }.0
}

/// What remains of `views` after the first `skip` bytes, for a system call.
fn vector(views: &[SharedBytes<'_>], mut skip: usize) -> ([libc::iovec; VIEWS_MAX], usize) {
    let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; VIEWS_MAX];
    assert!(views.len() <= VIEWS_MAX, "{} views of at most {VIEWS_MAX}", views.len());
    let mut count = 0;
    for view in views {
        let skipped = skip.min(view.len);
        skip -= skipped;
        let rest = view.skip(skipped);
        if !rest.is_empty() {
            parts[count] =
                libc::iovec { iov_base: rest.as_ptr().cast_mut().cast(), iov_len: rest.len() };
            count += 1;
        }
    }
    (parts, count)
}

/// Makes a call until no signal interrupts it.
fn transfer(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        if let Ok(count) = usize::try_from(call()) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Writes `views` one after another without their first `skip` bytes, and says how many bytes were
/// written, which may be fewer.
///
/// # Errors
/// As of writev(2). `EFAULT` when a buffer's file was truncated.
pub fn write(file: impl AsFd, views: &[SharedBytes<'_>], skip: usize) -> io::Result<usize> {
    let (parts, count) = vector(views, skip);
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the parts are readable; they are what is left of the views.
    transfer(|| unsafe { libc::writev(file, parts.as_ptr(), count as libc::c_int) })
}

/// What the system's cache does with what was written to a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caching {
    /// It keeps it while there is memory to spare.
    Keep,
    /// It lets go of it once it is on the disk, where the system and the file system can do that
    /// (`RWF_DONTCACHE`, Linux 6.14): then what others have in the cache stays there, and the same
    /// memory serves again.
    Drop,
}

/// As [`write()`], at the place `offset` of the file, in bytes.
///
/// # Errors
/// As of pwritev(2), and as [`write()`].
pub fn write_at(
    file: impl AsFd,
    views: &[SharedBytes<'_>],
    skip: usize,
    offset: u64,
    caching: Caching,
) -> io::Result<usize> {
    let (parts, count) = vector(views, skip);
    let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let file = file.as_fd().as_raw_fd();
    let (parts, count) = (parts.as_ptr(), count as libc::c_int);
    if caching == Caching::Drop {
        // SAFETY: so many parts there are, of memory that can be read, and the file is open: the call only reads them.
        let call = || unsafe { libc::pwritev2(file, parts, count, offset, libc::RWF_DONTCACHE) };
        match transfer(call) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            outcome => return outcome,
        }
    }
    // SAFETY: so many parts there are, of memory that can be read, and the file is open: the call only reads them.
    transfer(|| unsafe { libc::pwritev(file, parts, count, offset) })
}

/// As [`write()`], to a socket: a peer that is gone is an error, not a signal, and a full socket is
/// `WouldBlock` whatever its mode.
///
/// # Errors
/// As of sendmsg(2), and as [`write()`].
pub fn send(socket: impl AsFd, views: &[SharedBytes<'_>], skip: usize) -> io::Result<usize> {
    let (mut parts, count) = vector(views, skip);
    // SAFETY: a message of zeros is one without an address, parts and control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = count as _;
    let socket = socket.as_fd().as_raw_fd();
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: the message names parts of memory that can be read, which live until the end of this function.
    transfer(|| unsafe { libc::sendmsg(socket, &raw const message, flags) })
}
