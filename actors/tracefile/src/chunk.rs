//! Trace chunks.

use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use lttngd_runas::{Act, Below, Opening, Owner};
use rustix::fs::{AtFlags, FileType, StatxFlags};

use crate::{FileError, place::StreamPlace};

/// Mode of trace files.
const FILE_MODE: u32 = 0o660;
/// Most faults that a deletion reports.
const FAULTS_MAX: usize = 16;
/// Most files that are deleted side by side.
const DELETIONS_MAX: usize = 64;

/// A trace chunk of which the files are here: a directory that the session daemon made and sent, and
/// the owner of what is made below it.
#[derive(Debug)]
pub struct TraceChunk {
    directory: Arc<OwnedFd>,
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
        // What the system knows without asking a file system, which may stand still.
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        let status = rustix::fs::statx(&directory, c"", flags, StatxFlags::TYPE)?;
        if FileType::from_raw_mode(status.stx_mode.into()) != FileType::Directory {
            return Err(rustix::io::Errno::NOTDIR.into());
        }
        Ok(Self { directory: Arc::new(directory), owner, opened: Mutex::default() })
    }

    /// Begins to open a stream's data file, and its index file when it has one: both are empty then.
    pub(crate) fn open_stream(
        &self,
        place: &StreamPlace,
        number: u64,
        indexed: bool,
    ) -> (OpeningFile, Option<OpeningFile>) {
        self.remember(place, number, indexed);
        let index = indexed.then(|| place.index(number));
        (self.open(place.data(number)), index.map(|path| self.open(path)))
    }

    /// Removes a file that was opened in the chunk.
    pub(crate) fn remove(&self, path: &str) -> io::Result<()> {
        self.owner.remove_file(Below::new(&self.directory, path)).wait()
    }

    fn open(&self, path: String) -> OpeningFile {
        let place = Below::new(&self.directory, &path);
        OpeningFile { path, act: self.owner.open_file(place, Opening::Emptied, FILE_MODE) }
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
        let mut paths = all.into_iter().flat_map(|(place, opened)| {
            (0..=opened.last).flat_map(move |number| {
                let index = opened.indexed.then(|| place.index(number));
                [Some(place.data(number)), index].into_iter().flatten()
            })
        });
        let mut faults = Vec::new();
        loop {
            // So many side by side.
            let removed: Vec<_> = paths
                .by_ref()
                .take(DELETIONS_MAX)
                .map(|path| (self.owner.remove_file(Below::new(&self.directory, &path)), path))
                .collect();
            if removed.is_empty() {
                return faults;
            }
            for (act, path) in removed {
                match act.wait() {
                    Err(source)
                        if source.kind() != io::ErrorKind::NotFound
                            && faults.len() < FAULTS_MAX =>
                    {
                        faults.push(DeletionFault { path, source });
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A file that is being opened.
#[derive(Debug)]
pub(crate) struct OpeningFile {
    path: String,
    act: Act<OwnedFd>,
}

impl OpeningFile {
    /// Waits until it is open.
    pub(crate) fn finish(self) -> Result<OwnedFd, FileError> {
        let Self { path, act } = self;
        act.wait().map_err(|source| FileError::Open { path, source })
    }
}
