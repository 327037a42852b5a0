//! The directories of trace chunks, made and moved with the rights of the session's owner.
//!
//! The first chunk's directory is the session's own. Once a chunk was archived, each new one has a
//! directory of its own below the session's, `<begin>-<id>`; those that are over go to
//! `archives/<begin>-<end>-<id>`, by way of `.tmp_old_chunk` while streams still write to them.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::try_join_all;
use lttngd_model::{ChunkId, Credentials, Timestamp};
use lttngd_runas::{Below, Owner, Runas};

/// Directory of the user-space domain in a chunk.
const UST: &str = "ust";
/// Where a chunk waits for its last stream.
const OLD_CHUNK: &str = ".tmp_old_chunk";
/// Where chunks end.
const ARCHIVES: &str = "archives";

/// A trace chunk.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) id: ChunkId,
    pub(crate) begun_at: Timestamp,
    /// Directory below the session's; empty for the session's own.
    pub(crate) location: String,
    /// Its directory of the user-space domain; `None` when a relay daemon has it.
    pub(crate) domain_directory: Option<Arc<OwnedFd>>,
}

impl Chunk {
    /// A chunk that a relay daemon has.
    pub(crate) fn at_relayd(id: ChunkId, begun_at: Timestamp) -> Self {
        Self { id, begun_at, location: String::new(), domain_directory: None }
    }
}

/// The directory of a session.
#[derive(Clone, Debug)]
pub(crate) struct ChunkRoot {
    pub(crate) path: PathBuf,
    pub(crate) owner: Credentials,
    pub(crate) runas: Runas,
}

impl ChunkRoot {
    /// The owner, and the directory, which is made when it is missing.
    async fn open(&self) -> io::Result<(Owner, Arc<OwnedFd>)> {
        let owner = self.runas.owner(self.owner).await?;
        let root = owner.make_root_directory(&self.path).await?;
        Ok((owner, Arc::new(root)))
    }

    /// Makes a chunk with the directories of the buffer sets that will write to it. `own` is whether
    /// it gets a directory of its own.
    pub(crate) async fn make(
        &self,
        id: ChunkId,
        begun_at: Timestamp,
        own: bool,
        sets: Vec<String>,
    ) -> io::Result<Chunk> {
        let location =
            if own { format!("{}-{id}", begun_at.iso8601_basic()) } else { String::new() };
        let (owner, root) = self.open().await?;
        let domain = Below::new(&root, Path::new(&location).join(UST));
        let domain = Arc::new(owner.make_directory(domain).await?);
        let directories = sets.iter().map(|set| {
            owner.make_directory(Below::new(&domain, Path::new(set).join("index"))).into_future()
        });
        try_join_all(directories).await?;
        Ok(Chunk { id, begun_at, location, domain_directory: Some(domain) })
    }

    /// Moves a chunk that streams may still write to out of the way.
    pub(crate) async fn set_aside(&self, chunk: &Chunk) -> io::Result<()> {
        let (owner, root) = self.open().await?;
        let (from, to) = if chunk.location.is_empty() {
            owner.make_directory(Below::new(&root, OLD_CHUNK)).await?;
            (UST, Path::new(OLD_CHUNK).join(UST))
        } else {
            (chunk.location.as_str(), OLD_CHUNK.into())
        };
        owner.rename(Below::new(&root, from), Below::new(&root, to)).await
    }

    /// Moves a chunk that was set aside to the archives, and returns where it is now.
    pub(crate) async fn archive(&self, chunk: &Chunk, ended_at: Timestamp) -> io::Result<PathBuf> {
        let name =
            format!("{}-{}-{}", chunk.begun_at.iso8601_basic(), ended_at.iso8601_basic(), chunk.id);
        let (owner, root) = self.open().await?;
        let archives = Arc::new(owner.make_directory(Below::new(&root, ARCHIVES)).await?);
        owner.rename(Below::new(&root, OLD_CHUNK), Below::new(&archives, &name)).await?;
        Ok(self.path.join(ARCHIVES).join(name))
    }

    /// Removes a chunk that was set aside. The consumer has removed its files.
    pub(crate) async fn remove(&self) -> io::Result<()> {
        let (owner, root) = self.open().await?;
        owner.remove_tree(Below::new(&root, OLD_CHUNK)).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    fn root(place: &tempfile::TempDir) -> ChunkRoot {
        let owner = Credentials {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        };
        ChunkRoot { path: place.path().join("s"), owner, runas: Runas::new(None) }
    }

    #[tokio::test]
    async fn chunks_come_and_go() {
        let place = tempfile::tempdir().unwrap();
        let root = root(&place);
        let (begin, end) =
            (Timestamp { epoch_s: 1_000_000_000 }, Timestamp { epoch_s: 1_000_000_009 });
        let sets = || vec!["uid/0/64-bit".to_owned()];
        let first = root.make(ChunkId(0), begin, false, sets()).await.unwrap();
        assert!(root.path.join("ust/uid/0/64-bit/index").is_dir());
        root.set_aside(&first).await.unwrap();
        assert!(!root.path.join("ust").exists());
        let second = root.make(ChunkId(1), end, true, sets()).await.unwrap();
        assert!(root.path.join(&second.location).join("ust/uid/0/64-bit/index").is_dir());
        let archive = root.archive(&first, end).await.unwrap();
        let name = format!("{}-{}-0", begin.iso8601_basic(), end.iso8601_basic());
        assert_eq!(archive, root.path.join("archives").join(name));
        assert!(archive.join("ust/uid/0/64-bit/index").is_dir());
        root.set_aside(&second).await.unwrap();
        root.remove().await.unwrap();
        let left: Vec<_> =
            fs::read_dir(&root.path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["archives"]);
    }
}
