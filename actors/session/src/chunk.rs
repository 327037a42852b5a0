//! The directories of trace chunks, made and moved with the rights of the session's owner.
//!
//! The first chunk's directory is the session's own. Once a chunk was archived, each new one has a
//! directory of its own below the session's, `<begin>-<id>`; those that are over go to
//! `archives/<begin>-<end>-<id>`. A chunk stays where it is until nobody writes to it, and goes from
//! there to where it ends in one step: whatever fails on the way, it is in a place that can be seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::join_all;
use lttngd_model::{ChunkId, Credentials, Timestamp, Tracer};
use lttngd_runas::{Below, Owner, Runas};

/// Where chunks end.
const ARCHIVES: &str = "archives";

/// The directories of buffer sets, below those of their tracers.
pub(crate) type SetDirectories = BTreeMap<Tracer, Vec<String>>;

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
    /// Its directories of tracers; none when a relay daemon has it.
    pub(crate) directories: BTreeMap<Tracer, Arc<OwnedFd>>,
}

impl Chunk {
    /// A chunk that a relay daemon has.
    pub(crate) fn at_relayd(id: ChunkId, begun_at: Timestamp) -> Self {
        let (root, location) = (PathBuf::new(), String::new());
        Self { id, begun_at, root, location, directories: BTreeMap::new() }
    }

    /// Whether it has a directory on this machine.
    pub(crate) fn is_here(&self) -> bool {
        !self.directories.is_empty()
    }

    /// What is removed of it, below its root.
    fn places(&self) -> Vec<&str> {
        if self.location.is_empty() { self.tracers() } else { vec![&self.location] }
    }

    /// The names of its tracers' directories.
    fn tracers(&self) -> Vec<&'static str> {
        self.directories.keys().map(|tracer| tracer.directory()).collect()
    }

    /// Where that is; the directory around it if that is several.
    pub(crate) fn path(&self) -> PathBuf {
        match self.places()[..] {
            [place] => self.root.join(place),
            _ => self.root.clone(),
        }
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
        sets: &SetDirectories,
    ) -> io::Result<Chunk> {
        let location =
            if own { format!("{}-{id}", begun_at.iso8601_basic()) } else { String::new() };
        let (owner, root) = self.open().await?;
        let made = async {
            let mut directories = BTreeMap::new();
            for (tracer, sets) in sets {
                let domain = Path::new(&location).join(tracer.directory());
                let domain = Arc::new(owner.make_directory(Below::new(&root, domain)).await?);
                let made = sets.iter().map(|set| {
                    let place = Below::new(&domain, Path::new(set).join("index"));
                    owner.make_directory(place).into_future()
                });
                // None is under way when what was made is removed after a failure.
                let made: io::Result<Vec<_>> = join_all(made).await.into_iter().collect();
                made?;
                directories.insert(*tracer, domain);
            }
            Ok(directories)
        }
        .await;
        match made {
            Ok(directories) => {
                let root = self.path.clone();
                Ok(Chunk { id, begun_at, root, location, directories })
            }
            Err(error) => {
                remove_empty(&owner, &root, &location, sets).await;
                Err(error)
            }
        }
    }

    /// Removes the directories of a chunk to which nobody wrote. One that has something in it stays.
    pub(crate) async fn unmake(&self, chunk: &Chunk, sets: &SetDirectories) {
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
        let renamed = if chunk.location.is_empty() {
            // The session's directory has more in it than the chunk.
            let archive = Arc::new(owner.make_directory(Below::new(&archives, &name)).await?);
            let renamed = move_all(&owner, &chunk.tracers(), (&root, ""), (&archive, "")).await;
            if renamed.is_err() {
                // It stays when it was moved all the same.
                let _ = owner.remove_directory(Below::new(&archives, &name)).await;
            }
            renamed
        } else {
            owner.rename(Below::new(&root, &chunk.location), Below::new(&archives, &name)).await
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
        for place in chunk.places() {
            match owner.remove_tree(Below::new(&root, place)).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes a chunk that has a directory of its own one that has the session's, as the first one of a
    /// session.
    ///
    /// # Errors
    /// What the system says. The chunk is where it was.
    pub(crate) async fn move_to_root(&self, chunk: &mut Chunk) -> io::Result<()> {
        let (owner, root) = self.open().await?;
        move_all(&owner, &chunk.tracers(), (&root, &chunk.location), (&root, "")).await?;
        let location = std::mem::take(&mut chunk.location);
        // An empty directory that stays does no harm.
        let _ = owner.remove_directory(Below::new(&root, location)).await;
        Ok(())
    }
}

/// Moves the directories of tracers from one place to another: all of them, or none.
async fn move_all(
    owner: &Owner,
    tracers: &[&str],
    from: (&Arc<OwnedFd>, &str),
    to: (&Arc<OwnedFd>, &str),
) -> io::Result<()> {
    let at = |(root, location): (&Arc<OwnedFd>, &str), tracer: &str| {
        Below::new(root, Path::new(location).join(tracer))
    };
    for (moved, tracer) in tracers.iter().enumerate() {
        if let Err(error) = owner.rename(at(from, tracer), at(to, tracer)).await {
            for tracer in &tracers[..moved] {
                if let Err(error) = owner.rename(at(to, tracer), at(from, tracer)).await {
                    tracing::error!(tracer, %error, "a trace chunk is in two places");
                }
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Removes what is empty of the directories that [`ChunkRoot::make`] makes.
async fn remove_empty(owner: &Owner, root: &Arc<OwnedFd>, location: &str, sets: &SetDirectories) {
    let deepest = sets.iter().flat_map(|(tracer, sets)| {
        let domain = Path::new(location).join(tracer.directory());
        let sets: Vec<_> = sets.iter().map(|set| domain.join(set).join("index")).collect();
        sets.into_iter().chain([domain])
    });
    let deepest: Vec<PathBuf> = deepest.collect();
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
        let sets = SetDirectories::from([(Tracer::Ust, vec!["uid/0/64-bit".to_owned()])]);
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
        let sets = SetDirectories::from([(Tracer::Ust, sets.to_vec())]);
        root.make(ChunkId(0), begin, true, &sets).await.unwrap_err();
        assert_eq!(left(&root), [""; 0]);
        // What somebody else has there is not touched.
        fs::create_dir_all(root.path.join("ust/uid/0")).unwrap();
        fs::write(root.path.join("ust/uid/0/file"), "").unwrap();
        root.make(ChunkId(0), begin, false, &sets).await.unwrap_err();
        assert!(root.path.join("ust/uid/0/file").exists());
        assert!(!root.path.join("ust/uid/0/64-bit").exists());
    }

    #[tokio::test]
    async fn a_chunk_has_a_directory_for_each_domain_and_they_go_together() {
        let place = tempfile::tempdir().unwrap();
        let root = root(&place);
        let (begin, end) = (Timestamp { epoch_s: 0 }, Timestamp { epoch_s: 9 });
        let sets = SetDirectories::from([
            (Tracer::Ust, vec!["uid/0/64-bit".to_owned()]),
            (Tracer::Kernel, vec![String::new()]),
        ]);
        let first = root.make(ChunkId(0), begin, false, &sets).await.unwrap();
        assert!(root.path.join("ust/uid/0/64-bit/index").is_dir());
        assert!(root.path.join("kernel/index").is_dir());
        // Nothing of it is moved when a part cannot be.
        fs::rename(root.path.join("kernel"), root.path.join("away")).unwrap();
        assert_eq!(root.archive(&first, end).await.unwrap(), Moved::Gone);
        assert!(root.path.join("ust/uid").is_dir());
        fs::rename(root.path.join("away"), root.path.join("kernel")).unwrap();
        let Moved::To(archive) = root.archive(&first, end).await.unwrap() else { panic!("gone") };
        assert!(archive.join("ust/uid").is_dir() && archive.join("kernel/index").is_dir());
        let mut second = root.make(ChunkId(1), end, true, &sets).await.unwrap();
        assert!(second.path().join("kernel/index").is_dir());
        root.move_to_root(&mut second).await.unwrap();
        assert!(root.path.join("ust").is_dir() && root.path.join("kernel/index").is_dir());
        root.remove(&second).await.unwrap();
        assert_eq!(left(&root), ["archives"]);
        let third = root.make(ChunkId(2), end, false, &sets).await.unwrap();
        root.unmake(&third, &sets).await;
        assert_eq!(left(&root), ["archives"]);
    }
}
