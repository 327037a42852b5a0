//! Bytes of packets.

use std::{
    io,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd},
    ptr,
};

/// Most views that one call takes.
pub const VIEWS_MAX: usize = 4;

/// Bytes that others may be writing to: they are only given to the kernel, which copies them into a
/// file or socket, and never looked at here.
#[derive(Clone, Copy, Debug)]
pub struct SharedBytes<'a> {
    start: *const u8,
    len: usize,
    lives: PhantomData<&'a u8>,
}

impl<'a> From<&'a [u8]> for SharedBytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { start: bytes.as_ptr(), len: bytes.len(), lives: PhantomData }
    }
}

impl SharedBytes<'_> {
    /// The `len` bytes at `start`.
    ///
    /// # Safety
    /// They must stay mapped for the lifetime. Others may write to them at any time.
    #[must_use]
    pub unsafe fn from_raw(start: *const u8, len: usize) -> Self {
        Self { start, len, lives: PhantomData }
    }

    /// Count of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The views without their first `skip` bytes.
fn vector(views: &[SharedBytes<'_>], mut skip: usize) -> [libc::iovec; VIEWS_MAX] {
    let mut parts = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; VIEWS_MAX];
    assert!(views.len() <= VIEWS_MAX, "{} views", views.len());
    for (part, view) in parts.iter_mut().zip(views) {
        let skipped = skip.min(view.len);
        skip -= skipped;
        let start = view.start.wrapping_add(skipped);
        *part = libc::iovec { iov_base: start.cast_mut().cast(), iov_len: view.len - skipped };
    }
    parts
}

/// Writes the views one after another, without their first `skip` bytes, at `offset_bytes` of a file,
/// as far as it takes them.
///
/// # Errors
/// As of pwritev(2).
pub fn write_at(
    file: impl AsFd,
    views: &[SharedBytes<'_>],
    skip: usize,
    offset_bytes: u64,
) -> io::Result<usize> {
    let parts = vector(views, skip);
    let offset = libc::off64_t::try_from(offset_bytes).map_err(io::Error::other)?;
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the parts are mapped, or empty; the kernel only reads them.
    let written =
        unsafe { libc::pwritev64(file, parts.as_ptr(), VIEWS_MAX as libc::c_int, offset) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// Sends the views one after another, without their first `skip` bytes, to a socket as far as it
/// takes them. Never waits and raises no signal.
///
/// # Errors
/// As of sendmsg(2).
pub fn send(socket: impl AsFd, views: &[SharedBytes<'_>], skip: usize) -> io::Result<usize> {
    let mut parts = vector(views, skip);
    // SAFETY: all zeros is a message without address, parts and control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = VIEWS_MAX as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the parts are mapped, or empty; the kernel only reads them.
    let sent = unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const message, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
