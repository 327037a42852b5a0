//! Trace chunks.

use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use rustix::fs::{AtFlags, FileType};

use crate::{
    FileError, Owner,
    file::{self, Below},
    place::StreamPlace,
};

/// Most faults that a deletion reports.
const FAULTS_MAX: usize = 16;

/// A trace chunk of which the files are here: a directory that the session daemon made and sent, and
/// the owner of what is made below it.
#[derive(Debug)]
pub struct TraceChunk {
    directory: OwnedFd,
    owner: Owner,
    opened: Mutex<BTreeMap<StreamPlace, Opened>>,
}

/// Which files a stream opened.
#[derive(Clone, Copy, Debug)]
struct Opened {
    /// Highest number of a data file.
    last: u64,
    /// Whether they have indexes.
    indexed: bool,
}

/// A file that could not be deleted.
#[derive(Debug)]
pub struct DeletionFault {
    /// The file, below the trace chunk.
    pub path: String,
    /// What the system said.
    pub source: io::Error,
}

impl TraceChunk {
    /// The chunk in `directory`.
    ///
    /// # Errors
    /// What the system says; `ENOTDIR` when it is no directory.
    pub fn new(directory: OwnedFd, owner: Owner) -> io::Result<Self> {
        let status = rustix::fs::fstat(&directory)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::Directory {
            return Err(rustix::io::Errno::NOTDIR.into());
        }
        Ok(Self { directory, owner, opened: Mutex::default() })
    }

    /// Opens a stream's data file, and its index file when it has one: both are empty then.
    pub(crate) fn open_stream(
        &self,
        place: &StreamPlace,
        number: u64,
        indexed: bool,
    ) -> Result<(OwnedFd, Option<OwnedFd>), FileError> {
        self.remember(place, number, indexed);
        let data = self.open(place.data(number))?;
        let index = if indexed { Some(self.open(place.index(number))?) } else { None };
        Ok((data, index))
    }

    fn open(&self, path: String) -> Result<OwnedFd, FileError> {
        let below = Below { directory: &self.directory, path: &path };
        self.owner
            .act(|| file::open_emptied(below))
            .map_err(|source| FileError::Open { path, source })
    }

    /// Remembers files before they are made: one that is not there is no fault of a deletion.
    fn remember(&self, place: &StreamPlace, number: u64, indexed: bool) {
        let mut all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(place) {
            Some(opened) => {
                opened.last = opened.last.max(number);
                opened.indexed |= indexed;
            }
            None => {
                all.insert(place.clone(), Opened { last: number, indexed });
            }
        }
    }

    /// Deletes every file that was opened in the chunk and forgets them. The directories are the
    /// session daemon's to delete. May take long: one system call per file.
    ///
    /// Returns the files that are still there, the first few of them.
    pub fn delete_files(&self) -> Vec<DeletionFault> {
        let all = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        let mut faults = Vec::new();
        for (place, opened) in all {
            for number in 0..=opened.last {
                let index = opened.indexed.then(|| place.index(number));
                for path in [Some(place.data(number)), index].into_iter().flatten() {
                    if let Err(source) = self.delete(&path)
                        && faults.len() < FAULTS_MAX
                    {
                        faults.push(DeletionFault { path, source });
                    }
                }
            }
        }
        faults
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        self.owner.act(|| {
            let below = Below { directory: &self.directory, path };
            match file::parent(below).and_then(|(parent, name)| {
                Ok(rustix::fs::unlinkat(&parent, name, AtFlags::empty())?)
            }) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                outcome => outcome,
            }
        })
    }
}
