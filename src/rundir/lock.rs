//! The lock that keeps a second daemon out of a run directory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::error::StartError;

/// How often the file may vanish under this daemon's hands because another one ends.
const ATTEMPTS: usize = 16;

/// Locks the file at `path`, which is made when missing. The lock lasts as long as the file is open
/// and excludes a stock daemon too: it is a `fcntl` write lock, but one that belongs to the open
/// file instead of the process, so that it also excludes a second daemon embedded in this process.
///
/// # Errors
///
/// [`StartError::AlreadyRunning`] when it is locked, [`StartError::Path`] when it cannot be made.
pub(super) fn acquire(path: &Path) -> Result<File, StartError> {
    for _ in 0..ATTEMPTS {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o660)
            // Nobody is waited for, if it is something else than a file.
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(StartError::path("create the lock file", path))?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
            Ok(_) if is_at(&file, path).map_err(StartError::path("look at", path))? => {
                return Ok(file);
            }
            // A daemon that ends removed the file after it was opened here: the lock is worth
            // nothing, the next daemon would lock a new file.
            Ok(_) => {}
            Err(Errno::EAGAIN | Errno::EACCES) => return Err(StartError::AlreadyRunning),
            Err(errno) => return Err(StartError::path("lock", path)(errno.into())),
        }
    }
    Err(StartError::AlreadyRunning)
}

fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Whether `path` still names the open `file`.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
