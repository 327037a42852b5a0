//! What can be done with an owner's rights.

use std::{io, os::fd::OwnedFd, path::Path, path::PathBuf, sync::Arc};

use crate::{
    below,
    trusted::{self, Missing},
};

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
    /// Remove a file.
    RemoveFile(Below<D>),
    /// Remove an empty directory.
    RemoveDirectory(Below<D>),
    /// Remove a directory with all that is in it.
    RemoveTree(Below<D>),
    /// Move the first to the second.
    Rename(Below<D>, Below<D>),
}

impl<D> Operation<D> {
    /// The same with other descriptors, in the order of [`Operation::directories`]; `None` when
    /// there are too few.
    pub(crate) fn try_map<E>(self, mut attach: impl FnMut(D) -> Option<E>) -> Option<Operation<E>> {
        Some(match self {
            Self::MakeRoot(path) => Operation::MakeRoot(path),
            Self::OpenDirectory(path) => Operation::OpenDirectory(path),
            Self::MakeDirectory(place) => Operation::MakeDirectory(place.try_map(attach)?),
            Self::OpenFile(place, opening, mode) => {
                Operation::OpenFile(place.try_map(attach)?, opening, mode)
            }
            Self::RemoveFile(place) => Operation::RemoveFile(place.try_map(attach)?),
            Self::RemoveDirectory(place) => Operation::RemoveDirectory(place.try_map(attach)?),
            Self::RemoveTree(place) => Operation::RemoveTree(place.try_map(attach)?),
            Self::Rename(from, to) => {
                Operation::Rename(from.try_map(&mut attach)?, to.try_map(attach)?)
            }
        })
    }

    /// The directories that it is about.
    pub(crate) fn directories(&self) -> Vec<&D> {
        match self {
            Self::MakeRoot(_) | Self::OpenDirectory(_) => Vec::new(),
            Self::MakeDirectory(place)
            | Self::OpenFile(place, ..)
            | Self::RemoveFile(place)
            | Self::RemoveDirectory(place)
            | Self::RemoveTree(place) => vec![&place.directory],
            Self::Rename(from, to) => vec![&from.directory, &to.directory],
        }
    }

    /// The paths that it names.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        match self {
            Self::MakeRoot(path) | Self::OpenDirectory(path) => vec![path],
            Self::MakeDirectory(place)
            | Self::OpenFile(place, ..)
            | Self::RemoveFile(place)
            | Self::RemoveDirectory(place)
            | Self::RemoveTree(place) => vec![&place.path],
            Self::Rename(from, to) => vec![&from.path, &to.path],
        }
    }
}

impl Operation {
    /// Does it as the process itself.
    ///
    /// # Errors
    /// As [`Operation::perform`]; `ELOOP` for root where somebody else's link is on an absolute path.
    pub(crate) fn perform_as_process(&self) -> io::Result<Option<OwnedFd>> {
        match self {
            Self::MakeRoot(path) if rustix::process::geteuid().is_root() => {
                trusted::open(path, Missing::Make).map(Some)
            }
            Self::OpenDirectory(path) if rustix::process::geteuid().is_root() => {
                trusted::open(path, Missing::Fail).map(Some)
            }
            other => other.perform(),
        }
    }

    /// Does it, with the rights that the thread has. What is opened is returned.
    ///
    /// # Errors
    /// What the system calls say; `EINVAL` for a path of the wrong kind.
    pub(crate) fn perform(&self) -> io::Result<Option<OwnedFd>> {
        match self {
            Self::MakeRoot(path) => below::make_root(path).map(Some),
            Self::OpenDirectory(path) => below::open_directory(path).map(Some),
            Self::MakeDirectory(place) => below::make_directory(place).map(Some),
            Self::OpenFile(place, opening, mode) => {
                below::open_file(place, *opening, *mode).map(Some)
            }
            Self::RemoveFile(place) => below::remove_file(place).map(|()| None),
            Self::RemoveDirectory(place) => below::remove_directory(place).map(|()| None),
            Self::RemoveTree(place) => below::remove_tree(place).map(|()| None),
            Self::Rename(from, to) => below::rename(from, to).map(|()| None),
        }
    }
}
