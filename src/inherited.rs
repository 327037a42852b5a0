//! Descriptors that the program was started with.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

use nix::libc;
use rustix::io::{Errno, FdFlags, fcntl_setfd};

/// Descriptors below are standard input, output and error.
pub const FIRST_OTHER_FD: RawFd = 3;

/// Takes over a descriptor by its number, and passes it on to no other program. To be called at the start of the
/// program, once for each number: nothing else owns it then.
///
/// # Errors
///
/// When it is a standard one, or is not open.
pub fn descriptor(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers, and says whether the descriptor is open.
    if number < FIRST_OTHER_FD || unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: it is open, as just seen, and nothing else owns it, as the caller knows.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
    Ok(descriptor)
}
