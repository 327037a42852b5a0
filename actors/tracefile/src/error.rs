//! What can go wrong with a file.

use std::io;

use thiserror::Error;

/// Why nothing was written. The trace is as it was before.
#[derive(Debug, Error)]
pub enum FileError {
    /// A name or path that cannot be one of a trace's file.
    #[error("{0:?} cannot be the name of a trace file")]
    Name(String),
    /// A file could not be opened or made.
    #[error("cannot open the trace file {path:?}: {source}")]
    Open {
        /// The file, below the trace chunk.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write to the trace file {path:?}: {source}")]
    Write {
        /// The file, below the trace chunk.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file was removed: what is written there nobody will read.
    #[error("the trace file `{path}` was removed")]
    Removed {
        /// The file, below the trace chunk.
        path: String,
    },
    /// A file could not be cut.
    #[error("cannot cut the trace file {path:?} to its whole packets: {source}")]
    Cut {
        /// The file, below the trace chunk.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    /// What the system said.
    #[must_use]
    pub fn source_error(&self) -> Option<&io::Error> {
        match self {
            Self::Name(_) | Self::Removed { .. } => None,
            Self::Open { source, .. } | Self::Write { source, .. } | Self::Cut { source, .. } => {
                Some(source)
            }
        }
    }

    /// Whether the same may be done when it is tried again: there is room, the directory is back, the disk answers.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Name(_))
    }

    /// Whether it is for want of space: the disk, the owner's quota or the limit of a file's size.
    /// Later packets may find room again.
    #[must_use]
    pub fn is_out_of_space(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        self.source_error()
            .is_some_and(|error| matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }
}
