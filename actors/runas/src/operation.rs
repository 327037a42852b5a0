//! What can be done with an owner's rights.

use std::{
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use lttngd_elf::{ElfError, Sought};
use rustix::io::Errno;

use crate::{
    below,
    trusted::{self, Missing},
};

/// Bytes that are written at a time.
const STEP_LEN: usize = 64 << 10;

/// A place below an open directory. No link on the way to it is followed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Below<D = Arc<OwnedFd>> {
    pub(crate) directory: D,
    pub(crate) path: PathBuf,
}

impl Below {
    /// The place `path`, which has names in it and nothing else.
    #[must_use]
    pub fn new(directory: &Arc<OwnedFd>, path: impl Into<PathBuf>) -> Self {
        Self { directory: Arc::clone(directory), path: path.into() }
    }
}

impl<D> Below<D> {
    fn try_map<E>(self, mut attach: impl FnMut(D) -> Option<E>) -> Option<Below<E>> {
        Some(Below { directory: attach(self.directory)?, path: self.path })
    }
}

/// How a file is opened. The descriptor is close-on-exec.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opening {
    /// It must not be there and is made, to be read and written.
    New,
    /// It is made, or it is a regular file there and is emptied, to be written. Never waits for
    /// others: what is there may be a pipe, or leased.
    Emptied,
    /// It is a regular file there and is emptied, to be written. Links lead to it as they lead its
    /// owner, unlike everywhere else.
    Followed,
}

/// One thing to do. `D` is a directory's descriptor, or nothing where descriptors go apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Operation<D = Arc<OwnedFd>> {
    /// Make the directory of this absolute path with all its parents, and open it.
    MakeRoot(PathBuf),
    /// Open the directory of this absolute path.
    OpenDirectory(PathBuf),
    /// Make a directory with all its parents, and open it.
    MakeDirectory(Below<D>),
    /// Open a file; one that is made gets the mode.
    OpenFile(Below<D>, Opening, u32),
    /// Open a file like [`Operation::OpenFile`], and write into it what another one has in it, which is open. What could not be written
    /// whole is removed.
    WriteFile(Below<D>, Opening, u32, D),
    /// Remove a file.
    RemoveFile(Below<D>),
    /// Remove an empty directory.
    RemoveDirectory(Below<D>),
    /// Remove a directory with all that is in it.
    RemoveTree(Below<D>),
    /// Move the first to the second.
    Rename(Below<D>, Below<D>),
    /// Look where in a program, which is open, something is.
    FindPlaces(D, Sought),
}

/// What comes of it.
#[derive(Debug)]
pub(crate) enum Done {
    /// Nothing that is told.
    Nothing,
    /// What was opened.
    Opened(OwnedFd),
    /// Where in a program something is, in bytes from the beginning of its file.
    Places(Vec<u64>),
}

impl Done {
    /// What was opened.
    ///
    /// # Errors
    /// `EPROTO` when it is something else.
    pub(crate) fn opened(self) -> io::Result<OwnedFd> {
        if let Self::Opened(opened) = self { Ok(opened) } else { Err(Errno::PROTO.into()) }
    }

    /// The places in a program.
    ///
    /// # Errors
    /// `EPROTO` when it is something else.
    pub(crate) fn places(self) -> io::Result<Vec<u64>> {
        if let Self::Places(places) = self { Ok(places) } else { Err(Errno::PROTO.into()) }
    }
}

impl<D> Operation<D> {
    /// The same with other descriptors, in the order of [`Operation::descriptors`]; `None` when
    /// there are too few.
    pub(crate) fn try_map<E>(self, mut attach: impl FnMut(D) -> Option<E>) -> Option<Operation<E>> {
        Some(match self {
            Self::MakeRoot(path) => Operation::MakeRoot(path),
            Self::OpenDirectory(path) => Operation::OpenDirectory(path),
            Self::MakeDirectory(place) => Operation::MakeDirectory(place.try_map(attach)?),
            Self::OpenFile(place, opening, mode) => {
                Operation::OpenFile(place.try_map(attach)?, opening, mode)
            }
            Self::WriteFile(place, opening, mode, text) => {
                Operation::WriteFile(place.try_map(&mut attach)?, opening, mode, attach(text)?)
            }
            Self::RemoveFile(place) => Operation::RemoveFile(place.try_map(attach)?),
            Self::RemoveDirectory(place) => Operation::RemoveDirectory(place.try_map(attach)?),
            Self::RemoveTree(place) => Operation::RemoveTree(place.try_map(attach)?),
            Self::Rename(from, to) => {
                Operation::Rename(from.try_map(&mut attach)?, to.try_map(attach)?)
            }
            Self::FindPlaces(program, sought) => Operation::FindPlaces(attach(program)?, sought),
        })
    }

    /// The directories, the program, or what is to be written, that it is about.
    pub(crate) fn descriptors(&self) -> Vec<&D> {
        match self {
            Self::MakeRoot(_) | Self::OpenDirectory(_) => Vec::new(),
            Self::MakeDirectory(place)
            | Self::OpenFile(place, ..)
            | Self::RemoveFile(place)
            | Self::RemoveDirectory(place)
            | Self::RemoveTree(place) => vec![&place.directory],
            Self::WriteFile(place, _, _, text) => vec![&place.directory, text],
            Self::Rename(from, to) => vec![&from.directory, &to.directory],
            Self::FindPlaces(program, _) => vec![program],
        }
    }

    /// The paths that it names, or the names of what is looked for.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        match self {
            Self::MakeRoot(path) | Self::OpenDirectory(path) => vec![path],
            Self::MakeDirectory(place)
            | Self::OpenFile(place, ..)
            | Self::WriteFile(place, ..)
            | Self::RemoveFile(place)
            | Self::RemoveDirectory(place)
            | Self::RemoveTree(place) => vec![&place.path],
            Self::Rename(from, to) => vec![&from.path, &to.path],
            Self::FindPlaces(_, Sought::Function(name)) => vec![Path::new(name)],
            Self::FindPlaces(_, Sought::Tracepoint { provider, name }) => {
                vec![Path::new(provider), Path::new(name)]
            }
        }
    }
}

impl Operation {
    /// Does it as the process itself.
    ///
    /// # Errors
    /// As [`Operation::perform`]; `ELOOP` for root where somebody else's link is on an absolute path.
    pub(crate) fn perform_as_process(&self) -> io::Result<Done> {
        match self {
            Self::MakeRoot(path) if rustix::process::geteuid().is_root() => {
                trusted::open(path, Missing::Make).map(Done::Opened)
            }
            Self::OpenDirectory(path) if rustix::process::geteuid().is_root() => {
                trusted::open(path, Missing::Fail).map(Done::Opened)
            }
            other => other.perform(),
        }
    }

    /// Does it, with the rights that the thread has.
    ///
    /// # Errors
    /// What the system calls say; `EINVAL` for a path of the wrong kind; why something is nowhere in a program.
    pub(crate) fn perform(&self) -> io::Result<Done> {
        match self {
            Self::MakeRoot(path) => below::make_root(path).map(Done::Opened),
            Self::OpenDirectory(path) => below::open_directory(path).map(Done::Opened),
            Self::MakeDirectory(place) => below::make_directory(place).map(Done::Opened),
            Self::OpenFile(place, opening, mode) => {
                below::open_file(place, *opening, *mode).map(Done::Opened)
            }
            Self::WriteFile(place, opening, mode, text) => {
                write_file(place, (*opening, *mode), text).map(|()| Done::Nothing)
            }
            Self::RemoveFile(place) => below::remove_file(place).map(|()| Done::Nothing),
            Self::RemoveDirectory(place) => below::remove_directory(place).map(|()| Done::Nothing),
            Self::RemoveTree(place) => below::remove_tree(place).map(|()| Done::Nothing),
            Self::Rename(from, to) => below::rename(from, to).map(|()| Done::Nothing),
            Self::FindPlaces(program, sought) => find_places(program, sought).map(Done::Places),
        }
    }
}

fn write_file(
    place: &Below,
    (opening, mode): (Opening, u32),
    text: &Arc<OwnedFd>,
) -> io::Result<()> {
    let (file, text) = (below::open_file(place, opening, mode)?.into(), text.try_clone()?.into());
    copy(&text, &file).inspect_err(|_| {
        // What is left when this fails too is not whole, and is not loaded.
        let _ = below::remove_file(place);
    })
}

/// Without the system calls that copy between files by themselves, which a worker has given up.
fn copy(from: &File, to: &File) -> io::Result<()> {
    let (mut step, mut offset) = (vec![0; STEP_LEN], 0);
    loop {
        let len = from.read_at(&mut step, offset)?;
        if len == 0 {
            return Ok(());
        }
        to.write_all_at(&step[..len], offset)?;
        offset += len as u64;
    }
}

fn find_places(program: &Arc<OwnedFd>, sought: &Sought) -> io::Result<Vec<u64>> {
    let file = File::from(program.try_clone()?);
    lttngd_elf::places(&file, sought).map_err(|error| match error {
        ElfError::Read(error) => error,
        missing @ ElfError::Missing(_) => io::Error::new(io::ErrorKind::NotFound, missing),
        wrong => io::Error::new(io::ErrorKind::InvalidData, wrong),
    })
}
