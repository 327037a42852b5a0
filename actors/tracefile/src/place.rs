//! Where a stream's files are below the directory of a trace chunk.

use lttngd_model::PATH_MAX;

use crate::FileError;

/// Longest name of a stream in bytes: with a number and `.idx` it is a file's name.
pub const STREAM_NAME_MAX: usize = 230;

/// How large data files get, and how many there are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FileLimits {
    /// Size of a data file in bytes which no packet may pass, unless the packet alone does; 0 for one
    /// file of any size.
    pub size_max_bytes: u64,
    /// Count of data files, after which the first is written anew; 0 for any.
    pub count_max: u32,
}

impl FileLimits {
    /// The number of the file that follows.
    pub(crate) fn next(self, number: u64) -> u64 {
        match u64::from(self.count_max) {
            0 => number + 1,
            count => (number + 1) % count,
        }
    }
}

/// Place of a stream's files.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct StreamPlace {
    directory: String,
    name: String,
    /// Whether the files have numbers.
    numbered: bool,
}

impl StreamPlace {
    /// The place of the stream `name` in `directory`, which may be empty.
    ///
    /// # Errors
    /// [`FileError::Name`].
    pub(crate) fn new(directory: &str, name: &str, numbered: bool) -> Result<Self, FileError> {
        let bad_name = name.is_empty()
            || name.len() > STREAM_NAME_MAX
            || name.contains(['/', '\0'])
            || [".", ".."].contains(&name);
        if bad_name {
            return Err(FileError::Name(name.to_owned()));
        }
        let directory = directory.trim_end_matches('/');
        // What it would resolve to below the chunk is the kernel's to say.
        if directory.contains('\0') || directory.len() + name.len() + 32 > PATH_MAX {
            return Err(FileError::Name(directory.to_owned()));
        }
        Ok(Self { directory: directory.to_owned(), name: name.to_owned(), numbered })
    }

    fn path(&self, subdirectory: &str, number: u64, suffix: &str) -> String {
        let Self { directory, name, numbered } = self;
        let slash = if directory.is_empty() { "" } else { "/" };
        if *numbered {
            format!("{directory}{slash}{subdirectory}{name}_{number}{suffix}")
        } else {
            format!("{directory}{slash}{subdirectory}{name}{suffix}")
        }
    }

    /// Path of a data file.
    pub(crate) fn data(&self, number: u64) -> String {
        self.path("", number, "")
    }

    /// Path of an index file.
    pub(crate) fn index(&self, number: u64) -> String {
        self.path("index/", number, ".idx")
    }
}
