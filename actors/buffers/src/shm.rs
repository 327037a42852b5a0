//! Buffers in files of a directory that the user chose, so that `lttng-crash` can read them when
//! everybody who held them is gone: the consumer daemon makes the files of the buffers, the set
//! makes the directories and writes the metadata beside them, as plain text.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use lttngd_consumer::MetadataText;
use lttngd_model::{Credentials, PATH_MAX};
use lttngd_runtime::{as_owner, make_directory_below, make_root_directory};
use rustix::fs::{Mode, OFlags, openat};

/// Name of the text's file.
const METADATA: &str = "metadata";
/// Mode of the text's file.
const METADATA_MODE: u32 = 0o600;
/// Most digits of a CPU, which ends the name of a stream's file.
const CPU_DIGITS_MAX: usize = 10;

/// The directory of a set below the user's.
#[derive(Clone, Debug)]
pub(crate) struct ShmDirectory {
    root: PathBuf,
    below: PathBuf,
}

impl ShmDirectory {
    /// The directory of the set whose directory in a trace is `path` below the domain's.
    pub(crate) fn new(root: &Path, path: &str) -> Self {
        Self { root: root.to_owned(), below: Path::new("ust").join(path) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.join(&self.below)
    }

    /// What the consumer daemon is told for a channel: the user's directory, and what the names of
    /// the stream's files begin with.
    pub(crate) fn of_channel(&self, channel: &str) -> io::Result<(String, String)> {
        let prefix = format!("{}/{channel}_", self.path().display());
        if prefix.len() + CPU_DIGITS_MAX >= PATH_MAX {
            return Err(rustix::io::Errno::NAMETOOLONG.into());
        }
        Ok((self.root.display().to_string(), prefix))
    }

    /// Makes the directories and the file of the text, which must not be there.
    pub(crate) async fn make(&self, owner: Credentials) -> io::Result<Arc<File>> {
        let Self { root, below } = self.clone();
        as_owner(owner.uid, owner.gid, move || {
            let directory = make_directory_below(make_root_directory(&root)?, &below)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(METADATA_MODE);
            Ok(Arc::new(File::from(openat(&directory, METADATA, flags, mode)?)))
        })
        .await
    }

    /// Removes the text's file, and the directories in which nothing else is left. The last of the
    /// set and the consumer daemon removes them.
    pub(crate) async fn remove(&self, owner: Credentials) -> io::Result<()> {
        let Self { root, below } = self.clone();
        as_owner(owner.uid, owner.gid, move || {
            fs::remove_file(root.join(&below).join(METADATA))?;
            for part in below.ancestors() {
                if fs::remove_dir(root.join(part)).is_err() {
                    break;
                }
            }
            Ok(())
        })
        .await
    }
}

/// Writes a part of the text. One that begins anew takes the place of all there is.
pub(crate) async fn write(file: Arc<File>, text: MetadataText) -> io::Result<()> {
    let work = move || {
        if text.offset == 0 {
            file.set_len(0)?;
        }
        file.write_all_at(&text.bytes, text.offset)
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
