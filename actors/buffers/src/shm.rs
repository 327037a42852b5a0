//! Buffers in files of a directory that the user chose, so that `lttng-crash` can read them when
//! everybody who held them is gone: the consumer daemon makes the files of the buffers, the set
//! makes the directories and writes the metadata beside them, as plain text.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use lttngd_consumer::MetadataText;
use lttngd_model::PATH_MAX;
use lttngd_runas::{Below, Opening};
use lttngd_runtime::outside::blocking;

use crate::BufferSetConfig;

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
    pub(crate) async fn make(&self, config: &BufferSetConfig) -> io::Result<Arc<File>> {
        let owner = config.rights().await?;
        let root = Arc::new(owner.make_root_directory(&self.root).await?);
        let directory = Arc::new(owner.make_directory(Below::new(&root, &self.below)).await?);
        let place = Below::new(&directory, METADATA);
        let file = owner.open_file(place, Opening::New, METADATA_MODE).await?;
        Ok(Arc::new(file.into()))
    }

    /// Removes the text's file, and the directories in which nothing else is left. The last of the
    /// set and the consumer daemon removes them.
    pub(crate) async fn remove(&self, config: &BufferSetConfig) -> io::Result<()> {
        let owner = config.rights().await?;
        let root = Arc::new(owner.open_directory(&self.root).await?);
        owner.remove_file(Below::new(&root, self.below.join(METADATA))).await?;
        let below = self.below.ancestors().filter(|part| !part.as_os_str().is_empty());
        for part in below {
            if owner.remove_directory(Below::new(&root, part)).await.is_err() {
                return Ok(());
            }
        }
        if let (Some(parent), Some(name)) = (self.root.parent(), self.root.file_name()) {
            let parent = Arc::new(owner.open_directory(parent).await?);
            // Something else may be in it.
            let _ = owner.remove_directory(Below::new(&parent, name)).await;
        }
        Ok(())
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
    blocking(work).await.map_err(io::Error::other)?
}
