//! The system calls: directories and files below a directory, never through links.

use std::{
    ffi::OsStr,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path},
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags},
    io::Errno,
};

use crate::{Below, Opening};

/// Mode of the directories that hold traces.
pub(crate) const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o770);
/// How often others may come between looking for a file and making it.
const OPEN_TRIES: usize = 8;
/// Most directories within each other that are removed; each is open meanwhile.
const TREE_DEPTH_MAX: usize = 64;

pub(crate) const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Makes a directory with all its parents, where they are missing, and opens it. Links in the path
/// lead where they lead whoever asks.
pub(crate) fn make_root(path: &Path) -> io::Result<OwnedFd> {
    if !path.is_absolute() {
        return Err(Errno::INVAL.into());
    }
    let is_missing =
        |path: &&Path| rustix::fs::statat(CWD, *path, AtFlags::SYMLINK_NOFOLLOW).is_err();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    for directory in missing.into_iter().rev() {
        match rustix::fs::mkdirat(CWD, directory, DIRECTORY_MODE) {
            Ok(()) => {
                let made = rustix::fs::openat(
                    CWD,
                    directory,
                    DIRECTORY | OFlags::NOFOLLOW,
                    Mode::empty(),
                )?;
                // The process' umask had its say in mkdirat.
                rustix::fs::fchmod(&made, DIRECTORY_MODE)?;
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    open_directory(path)
}

/// Opens a directory.
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    if !path.is_absolute() {
        return Err(Errno::INVAL.into());
    }
    Ok(rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty())?)
}

/// Makes a directory with all its parents, where they are missing, and opens it. The result is below
/// the given directory whatever others do meanwhile.
pub(crate) fn make_directory(place: &Below) -> io::Result<OwnedFd> {
    let mut directory = place.directory.as_fd().try_clone_to_owned()?;
    for part in place.path.components() {
        let Component::Normal(name) = part else { return Err(Errno::INVAL.into()) };
        let made = match rustix::fs::mkdirat(&directory, name, DIRECTORY_MODE) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno.into()),
        };
        directory =
            rustix::fs::openat(&directory, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        if made {
            // The process' umask had its say in mkdirat.
            rustix::fs::fchmod(&directory, DIRECTORY_MODE)?;
        }
    }
    Ok(directory)
}

/// Opens a file.
pub(crate) fn open_file(place: &Below, opening: Opening, mode: u32) -> io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(mode & 0o777);
    match opening {
        Opening::New => open_new(place, OFlags::RDWR, mode),
        Opening::Emptied => open_emptied(place, mode),
        Opening::Followed => {
            let resolve = ResolveFlags::NO_MAGICLINKS;
            let flags = WRITING | OFlags::CLOEXEC;
            let empty = Mode::empty();
            let opened =
                match rustix::fs::openat2(&place.directory, &place.path, flags, empty, resolve) {
                    Err(Errno::NOSYS | Errno::PERM) => {
                        rustix::fs::openat(&place.directory, &place.path, flags, empty)
                    }
                    opened => opened,
                };
            emptied(opened?)
        }
    }
}

const WRITING: OFlags = OFlags::WRONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

fn open_new(place: &Below, access: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let file = open(place, access | OFlags::CREATE | OFlags::EXCL, mode)?;
    // The process' umask had its say in openat.
    rustix::fs::fchmod(&file, mode)?;
    Ok(file)
}

fn open_emptied(place: &Below, mode: Mode) -> io::Result<OwnedFd> {
    for _ in 0..OPEN_TRIES {
        match open_new(place, WRITING, mode) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened,
        }
        match open(place, WRITING, Mode::empty()) {
            Ok(file) => return emptied(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::AGAIN.into())
}

fn emptied(file: OwnedFd) -> io::Result<OwnedFd> {
    let status = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        // What opening it for writing answers when it is a directory or a pipe without a reader.
        return Err(Errno::NXIO.into());
    }
    rustix::fs::ftruncate(&file, 0)?;
    Ok(file)
}

fn open(place: &Below, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(&place.directory, &place.path, flags, mode, resolve) {
        // Not in kernels before 5.6, and kept from some containers.
        Err(Errno::NOSYS | Errno::PERM) => {
            let (parent, name) = parent(place)?;
            Ok(rustix::fs::openat(&parent, name, flags, mode)?)
        }
        outcome => Ok(outcome?),
    }
}

/// The directory that a file is in, and the file's name there.
fn parent(place: &Below) -> io::Result<(OwnedFd, &OsStr)> {
    let name = place.path.file_name().ok_or(Errno::INVAL)?;
    let mut directory = place.directory.as_fd().try_clone_to_owned()?;
    for part in place.path.parent().into_iter().flat_map(Path::components) {
        let Component::Normal(part) = part else { return Err(Errno::INVAL.into()) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        directory = rustix::fs::openat(&directory, part, flags, Mode::empty())?;
    }
    Ok((directory, name))
}

/// Removes a file.
pub(crate) fn remove_file(place: &Below) -> io::Result<()> {
    let (parent, name) = parent(place)?;
    Ok(rustix::fs::unlinkat(&parent, name, AtFlags::empty())?)
}

/// Removes an empty directory.
pub(crate) fn remove_directory(place: &Below) -> io::Result<()> {
    let (parent, name) = parent(place)?;
    Ok(rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?)
}

/// Removes a directory and everything in it.
pub(crate) fn remove_tree(place: &Below) -> io::Result<()> {
    let (parent, name) = parent(place)?;
    remove_tree_in(&parent, name, TREE_DEPTH_MAX)
}

fn remove_tree_in(parent: &OwnedFd, name: &OsStr, depth_left: usize) -> io::Result<()> {
    let depth_left = depth_left.checked_sub(1).ok_or(Errno::LOOP)?;
    let directory = rustix::fs::openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
    let mut entries = Dir::read_from(&directory)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        let name = std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes());
        match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => remove_tree_in(&directory, name, depth_left)?,
            // Others may be at it as well.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// Moves a file or directory.
pub(crate) fn rename(from: &Below, to: &Below) -> io::Result<()> {
    let (old_parent, old) = parent(from)?;
    let (new_parent, new) = parent(to)?;
    let flags = RenameFlags::empty();
    Ok(rustix::fs::renameat_with(&old_parent, old, &new_parent, new, flags)?)
}
