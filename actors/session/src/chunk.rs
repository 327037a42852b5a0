//! The directories of trace chunks, made and moved with the rights of the session's owner.
//!
//! The first chunk's directory is the session's own. Once a chunk was archived, each new one has a
//! directory of its own below the session's, `<begin>-<id>`; those that are over go to
//! `archives/<begin>-<end>-<id>`. A chunk stays where it is until nobody writes to it, and goes from
//! there to where it ends in one step: whatever fails on the way, it is in a place that can be seen.

use std::{
    collections::BTreeSet,
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
/// Where chunks end.
const ARCHIVES: &str = "archives";

/// A trace chunk.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) id: ChunkId,
    pub(crate) begun_at: Timestamp,
    /// The directory of the session, or of the snapshot, in which it was made; empty when a relay
    /// daemon has it.
    pub(crate) root: PathBuf,
    /// Directory below that one; empty for that one itself.
    pub(crate) location: String,
    /// Its directory of the user-space domain; `None` when a relay daemon has it.
    pub(crate) domain_directory: Option<Arc<OwnedFd>>,
}

impl Chunk {
    /// A chunk that a relay daemon has.
    pub(crate) fn at_relayd(id: ChunkId, begun_at: Timestamp) -> Self {
        let (root, location) = (PathBuf::new(), String::new());
        Self { id, begun_at, root, location, domain_directory: None }
    }

    /// What is moved or removed of it as a whole, below its root.
    pub(crate) fn place(&self) -> &str {
        if self.location.is_empty() { UST } else { &self.location }
    }

    /// Where that is.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.join(self.place())
    }
}

/// What became of a chunk that was to go somewhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Moved {
    /// It is there.
    To(PathBuf),
    /// It was not where it had been made.
    Gone,
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
    ///
    /// # Errors
    /// What the system says. Nothing of it is left then, as far as that goes.
    pub(crate) async fn make(
        &self,
        id: ChunkId,
        begun_at: Timestamp,
        own: bool,
        sets: &[String],
    ) -> io::Result<Chunk> {
        let location =
            if own { format!("{}-{id}", begun_at.iso8601_basic()) } else { String::new() };
        let (owner, root) = self.open().await?;
        let made = async {
            let domain = Below::new(&root, Path::new(&location).join(UST));
            let domain = Arc::new(owner.make_directory(domain).await?);
            let directories = sets.iter().map(|set| {
                let place = Below::new(&domain, Path::new(set).join("index"));
                owner.make_directory(place).into_future()
            });
            try_join_all(directories).await?;
            Ok(domain)
        }
        .await;
        match made {
            Ok(domain) => {
                let root = self.path.clone();
                Ok(Chunk { id, begun_at, root, location, domain_directory: Some(domain) })
            }
            Err(error) => {
                remove_empty(&owner, &root, &location, sets).await;
                Err(error)
            }
        }
    }

    /// Removes the directories of a chunk to which nobody wrote. One that has something in it stays.
    pub(crate) async fn unmake(&self, chunk: &Chunk, sets: &[String]) {
        if let Ok((owner, root)) = self.open().await {
            remove_empty(&owner, &root, &chunk.location, sets).await;
        }
    }

    /// Moves a chunk to the archives.
    ///
    /// # Errors
    /// What the system says. The chunk is where it was.
    pub(crate) async fn archive(&self, chunk: &Chunk, ended_at: Timestamp) -> io::Result<Moved> {
        let name =
            format!("{}-{}-{}", chunk.begun_at.iso8601_basic(), ended_at.iso8601_basic(), chunk.id);
        let (owner, root) = self.open().await?;
        let archives = Arc::new(owner.make_directory(Below::new(&root, ARCHIVES)).await?);
        let from = Below::new(&root, chunk.place());
        let renamed = if chunk.location.is_empty() {
            // The session's directory has more in it than the chunk.
            let archive = Arc::new(owner.make_directory(Below::new(&archives, &name)).await?);
            let renamed = owner.rename(from, Below::new(&archive, UST)).await;
            if renamed.is_err() {
                // It stays when it was moved all the same.
                let _ = owner.remove_directory(Below::new(&archives, &name)).await;
            }
            renamed
        } else {
            owner.rename(from, Below::new(&archives, &name)).await
        };
        match renamed {
            Ok(()) => Ok(Moved::To(self.path.join(ARCHIVES).join(name))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Moved::Gone),
            Err(error) => Err(error),
        }
    }

    /// Removes a chunk. The consumer has removed its files.
    ///
    /// # Errors
    /// What the system says. What is left of it is where it was.
    pub(crate) async fn remove(&self, chunk: &Chunk) -> io::Result<()> {
        let (owner, root) = self.open().await?;
        match owner.remove_tree(Below::new(&root, chunk.place())).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes a chunk that has a directory of its own one that has the session's, as the first one of a
    /// session.
    ///
    /// # Errors
    /// What the system says. The chunk is where it was.
    pub(crate) async fn move_to_root(&self, chunk: &mut Chunk) -> io::Result<()> {
        let (owner, root) = self.open().await?;
        let domain = Below::new(&root, Path::new(&chunk.location).join(UST));
        owner.rename(domain, Below::new(&root, UST)).await?;
        let location = std::mem::take(&mut chunk.location);
        // An empty directory that stays does no harm.
        let _ = owner.remove_directory(Below::new(&root, location)).await;
        Ok(())
    }
}

/// Removes what is empty of the directories that [`ChunkRoot::make`] makes.
async fn remove_empty(owner: &Owner, root: &Arc<OwnedFd>, location: &str, sets: &[String]) {
    let domain = Path::new(location).join(UST);
    let deepest = sets.iter().map(|set| domain.join(set).join("index"));
    let deepest: Vec<PathBuf> = deepest.chain([domain.clone()]).collect();
    let ancestors = deepest.iter().flat_map(|path| path.ancestors());
    let all: BTreeSet<&Path> = ancestors.filter(|path| !path.as_os_str().is_empty()).collect();
    // Those within others come first.
    for directory in all.into_iter().rev() {
        let _ = owner.remove_directory(Below::new(root, directory)).await;
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
        let sets = ["uid/0/64-bit".to_owned()];
        let first = root.make(ChunkId(0), begin, false, &sets).await.unwrap();
        assert!(root.path.join("ust/uid/0/64-bit/index").is_dir());
        let second = root.make(ChunkId(1), end, true, &sets).await.unwrap();
        assert!(second.path().join("ust/uid/0/64-bit/index").is_dir());
        let name = format!("{}-{}-0", begin.iso8601_basic(), end.iso8601_basic());
        let archive = root.path.join("archives").join(name);
        let moved = root.archive(&first, end).await.unwrap();
        assert_eq!(moved, Moved::To(archive.clone()));
        assert!(archive.join("ust/uid/0/64-bit/index").is_dir());
        assert!(!root.path.join("ust").exists());
        assert_eq!(root.archive(&first, end).await.unwrap(), Moved::Gone);
        let mut moved = second.clone();
        root.move_to_root(&mut moved).await.unwrap();
        assert_eq!(moved.path(), root.path.join("ust"));
        assert!(moved.path().join("uid/0/64-bit/index").is_dir());
        root.remove(&moved).await.unwrap();
        root.remove(&moved).await.unwrap();
        assert_eq!(left(&root), ["archives"]);
    }

    fn left(root: &ChunkRoot) -> Vec<std::ffi::OsString> {
        fs::read_dir(&root.path).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[tokio::test]
    async fn of_a_chunk_that_cannot_be_made_nothing_is_left() {
        let place = tempfile::tempdir().unwrap();
        let root = root(&place);
        let begin = Timestamp { epoch_s: 0 };
        let sets = ["uid/0/64-bit".to_owned(), format!("pid/{}", "x".repeat(300))];
        root.make(ChunkId(0), begin, true, &sets).await.unwrap_err();
        assert_eq!(left(&root), [""; 0]);
        // What somebody else has there is not touched.
        fs::create_dir_all(root.path.join("ust/uid/0")).unwrap();
        fs::write(root.path.join("ust/uid/0/file"), "").unwrap();
        root.make(ChunkId(0), begin, false, &sets).await.unwrap_err();
        assert!(root.path.join("ust/uid/0/file").exists());
        assert!(!root.path.join("ust/uid/0/64-bit").exists());
    }
}
