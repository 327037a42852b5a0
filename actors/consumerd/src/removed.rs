//! Sockets of the process that go with it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A file that is removed when this is dropped, unless another one is there by then: that of the next consumer
/// daemon, when this one took long to end.
#[derive(Debug)]
pub(crate) struct RemovedAtEnd {
    path: PathBuf,
    /// Its device and number.
    file: Option<(u64, u64)>,
}

impl RemovedAtEnd {
    /// The file that is there now.
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), file: identity(path) }
    }
}

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        if self.file.is_some() && self.file == identity(&self.path) {
            // The session daemon may have removed it before.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Which file is there.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let file = fs::symlink_metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_socket_is_removed_by_its_own_process_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("command");
        for other in [false, true] {
            fs::write(&path, "").unwrap();
            let removed_at_end = RemovedAtEnd::of(&path);
            if other {
                let next = directory.path().join("next");
                fs::write(&next, "").unwrap();
                fs::rename(&next, &path).unwrap();
            }
            drop(removed_at_end);
            assert_eq!(path.exists(), other);
        }
    }
}
