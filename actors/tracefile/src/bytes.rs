//! Bytes of packets.

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd},
    ptr,
};

/// The bytes of a packet, in memory that others may be writing to: they are only ever read by the
/// kernel, which copies them into a file or socket, and never looked at here.
///
/// The first part can be a checked copy of the packet's header (see [`Self::with_head`]), so that
/// what a file says of its packets is what was checked.
#[derive(Clone, Copy, Debug)]
pub struct PacketBytes<'a> {
    head: (*const u8, usize),
    rest: (*const u8, usize),
    memory: PhantomData<&'a [u8]>,
}

impl<'a> From<&'a [u8]> for PacketBytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { head: (ptr::null(), 0), rest: (bytes.as_ptr(), bytes.len()), memory: PhantomData }
    }
}

impl<'a> PacketBytes<'a> {
    /// The `len` bytes at `start`.
    ///
    /// # Safety
    /// They must stay mapped for `'a`. Others may write to them at any time.
    #[must_use]
    pub unsafe fn from_raw(start: *const u8, len: usize) -> Self {
        Self { head: (ptr::null(), 0), rest: (start, len), memory: PhantomData }
    }

    /// With `head` in place of as many bytes at its start, at most all.
    #[must_use]
    pub fn with_head(self, head: &'a [u8]) -> Self {
        let head = &head[..head.len().min(self.len())];
        let rest = self.skip(head.len()).rest;
        Self { head: (head.as_ptr(), head.len()), rest, memory: PhantomData }
    }

    /// Count of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.1 + self.rest.1
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Without its first `count` bytes, at most all.
    #[must_use]
    pub fn skip(self, count: usize) -> Self {
        let cut = |(start, len): (*const u8, usize), count: usize| {
            // Stays within the part or one behind it.
            (start.wrapping_add(count), len - count)
        };
        let of_head = count.min(self.head.1);
        let of_rest = (count - of_head).min(self.rest.1);
        Self { head: cut(self.head, of_head), rest: cut(self.rest, of_rest), memory: PhantomData }
    }

    /// Its first `count` bytes, at most all.
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        let of_head = count.min(self.head.1);
        let of_rest = (count - of_head).min(self.rest.1);
        Self { head: (self.head.0, of_head), rest: (self.rest.0, of_rest), memory: PhantomData }
    }

    fn parts(&self) -> [libc::iovec; 2] {
        [self.head, self.rest]
            .map(|(start, iov_len)| libc::iovec { iov_base: start.cast_mut().cast(), iov_len })
    }

    /// Writes them at `offset_bytes` of a file, as far as it takes them.
    ///
    /// # Errors
    /// What the system says, only when nothing was written.
    pub fn write_at(&self, file: impl AsFd, offset_bytes: u64) -> io::Result<usize> {
        let parts = self.parts();
        let offset = libc::off64_t::try_from(offset_bytes).map_err(io::Error::other)?;
        // SAFETY: the parts are mapped for `'a`, which outlives `self`; the kernel only reads them.
        let written =
            unsafe { libc::pwritev64(file.as_fd().as_raw_fd(), parts.as_ptr(), 2, offset) };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }
}
