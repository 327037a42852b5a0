//! Bytes of a file.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use lttngd_ringbuffer::{Caching, SharedBytes};
use rustix::io::Errno;

/// Writes all views at `offset_bytes`, and says how many bytes they are. A failure may have written
/// some.
pub(crate) fn write_all_at(
    file: impl AsFd,
    views: &[SharedBytes<'_>],
    offset_bytes: u64,
    caching: Caching,
) -> io::Result<u64> {
    let len: usize = views.iter().map(SharedBytes::len).sum();
    let mut done = 0;
    while done < len {
        match lttngd_ringbuffer::write_at(&file, views, done, offset_bytes + done as u64, caching) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) => return Err(error),
        }
    }
    Ok(len as u64)
}

/// Whether a file has a name still, by which it can be found.
pub(crate) fn has_name(file: &OwnedFd) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| stat.st_nlink > 0)
}

/// Cuts a file.
pub(crate) fn cut(file: &OwnedFd, len_bytes: u64) -> io::Result<()> {
    loop {
        match rustix::fs::ftruncate(file, len_bytes) {
            Err(Errno::INTR) => {}
            outcome => return Ok(outcome?),
        }
    }
}
