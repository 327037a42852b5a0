//! Files below a directory, never through links.

use std::{
    ffi::OsStr,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path},
};

use lttngd_ringbuffer::{Caching, SharedBytes};
use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// Mode of trace files.
const FILE_MODE: Mode = Mode::from_raw_mode(0o660);
/// How often others may come between looking for a file and making it.
const OPEN_TRIES: usize = 8;

/// A file below a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Below<'a> {
    pub(crate) directory: &'a OwnedFd,
    pub(crate) path: &'a str,
}

impl Below<'_> {
    fn open(self, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(self.directory, self.path, flags, mode, resolve) {
            // Not in kernels before 5.6, and kept from some containers.
            Err(Errno::NOSYS | Errno::PERM) => {
                let (parent, name) = parent(self)?;
                Ok(rustix::fs::openat(&parent, name, flags, mode)?)
            }
            outcome => Ok(outcome?),
        }
    }
}

/// The directory that a file is in, and the file's name there.
pub(crate) fn parent(below: Below<'_>) -> io::Result<(OwnedFd, &OsStr)> {
    let path = Path::new(below.path);
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let mut directory = below.directory.as_fd().try_clone_to_owned()?;
    for part in path.parent().into_iter().flat_map(Path::components) {
        let Component::Normal(part) = part else { return Err(Errno::INVAL.into()) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        directory = rustix::fs::openat(&directory, part, flags, Mode::empty())?;
    }
    Ok((directory, name))
}

/// Opens a regular file for writing and empties it, or makes it.
///
/// Never waits for others: what is there may be a pipe, or leased.
pub(crate) fn open_emptied(below: Below<'_>) -> io::Result<OwnedFd> {
    let writing = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    for _ in 0..OPEN_TRIES {
        match below.open(writing | OFlags::CREATE | OFlags::EXCL, FILE_MODE) {
            Ok(file) => {
                // The process' umask had its say.
                rustix::fs::fchmod(&file, FILE_MODE)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        match below.open(writing, Mode::empty()) {
            Ok(file) => {
                let status = rustix::fs::fstat(&file)?;
                if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
                    return Err(io::Error::other("it is there and is no regular file"));
                }
                rustix::fs::ftruncate(&file, 0)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::AGAIN.into())
}

/// Writes all views at `offset_bytes`, and says how many bytes they are. A failure may have written
/// some.
pub(crate) fn write_all_at(
    file: &OwnedFd,
    views: &[SharedBytes<'_>],
    offset_bytes: u64,
    caching: Caching,
) -> io::Result<u64> {
    let len: usize = views.iter().map(SharedBytes::len).sum();
    let mut done = 0;
    while done < len {
        match lttngd_ringbuffer::write_at(file, views, done, offset_bytes + done as u64, caching) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) => return Err(error),
        }
    }
    Ok(len as u64)
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
