//! What has been put into the run directory and has to go again.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

#[derive(Debug, Eq, PartialEq)]
enum Leftover {
    File(PathBuf),
    Socket(PathBuf),
    Dir(PathBuf),
}

/// Entries to remove, the last one first, when dropped.
#[derive(Debug, Default)]
pub(super) struct Leftovers(Vec<Leftover>);

impl Leftovers {
    /// A file that this daemon has made.
    pub(super) fn file(&mut self, path: &Path) {
        self.0.push(Leftover::File(path.to_path_buf()));
    }

    /// A socket that is, or will be, in a place where nothing but a socket is removed.
    pub(super) fn socket(&mut self, path: &Path) {
        self.0.push(Leftover::Socket(path.to_path_buf()));
    }

    /// A directory, which goes if nothing is left in it.
    pub(super) fn dir(&mut self, path: &Path) {
        self.0.push(Leftover::Dir(path.to_path_buf()));
    }

    /// Forgets what is at `path`: it stays.
    pub(super) fn keep(&mut self, path: &Path) {
        self.0.retain(|leftover| {
            let (Leftover::File(it) | Leftover::Socket(it) | Leftover::Dir(it)) = leftover;
            it != path
        });
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        while let Some(leftover) = self.0.pop() {
            let (path, removed) = match &leftover {
                Leftover::File(path) => (path, fs::remove_file(path)),
                Leftover::Socket(path) => (path, remove_socket(path)),
                Leftover::Dir(path) => (path, fs::remove_dir(path)),
            };
            match removed {
                Ok(()) => tracing::debug!(path = ?path, "removed"),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(path = ?path, %error, "cannot remove"),
            }
        }
    }
}

/// Removes a socket. Anything else of that name is left alone, so that a mistyped path costs no
/// data.
pub(super) fn remove_socket(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.file_type().is_socket() {
        fs::remove_file(path)
    } else {
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is not a socket"))
    }
}
