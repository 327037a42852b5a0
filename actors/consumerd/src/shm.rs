//! Shared memory in files, where the user wants it to be found after a crash.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use lttngd_ringbuffer::{Channel, CreateError, Storage, Stream, StreamObject};
use lttngd_runas::{Below, Opening, Owner, Runas};
use lttngd_wire::consumer::AskChannel;

use crate::clock::PacketClock;

/// Mode of the files.
const FILE_MODE: u32 = 0o600;

/// Where a channel's files are. They are removed with it, and so are directories that become empty.
#[derive(Debug)]
pub(crate) struct ShmPlace {
    /// The directory that the session has to itself.
    root: PathBuf,
    /// Directory of the files, and what their names begin with.
    prefix: PathBuf,
    owner: Owner,
    cpu_count: u32,
}

impl ShmPlace {
    /// The place that a channel is asked for with, if any.
    ///
    /// # Errors
    /// When the owner's rights cannot be had.
    pub(crate) fn of(ask: &AskChannel, cpu_count: u32, runas: &Runas) -> io::Result<Option<Self>> {
        if ask.shm_path.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            root: ask.root_shm_path.clone().into(),
            prefix: ask.shm_path.clone().into(),
            owner: runas.look_up(ask.buffer_owner)?,
            cpu_count,
        }))
    }

    fn name(&self, cpu: u32) -> io::Result<PathBuf> {
        let mut name = self.prefix.file_name().ok_or(rustix::io::Errno::INVAL)?.to_os_string();
        name.push(cpu.to_string());
        Ok(name.into())
    }

    fn directory(&self) -> io::Result<Arc<OwnedFd>> {
        let path = self.prefix.parent().ok_or(rustix::io::Errno::INVAL)?;
        self.owner.open_directory(path).wait().map(Arc::new)
    }

    /// Makes the file of a stream, which must not be there.
    fn make(&self, cpu: u32) -> io::Result<OwnedFd> {
        let place = Below::new(&self.directory()?, self.name(cpu)?);
        self.owner.open_file(place, Opening::New, FILE_MODE).wait()
    }

    /// Removes the files, and the directories that are empty then.
    fn remove(&self) -> io::Result<()> {
        let directory = self.directory()?;
        let names: Vec<_> =
            (0..self.cpu_count).map(|cpu| self.name(cpu)).collect::<Result<_, _>>()?;
        let removed: Vec<_> = names
            .into_iter()
            .map(|name| self.owner.remove_file(Below::new(&directory, name)))
            .collect();
        for act in removed {
            match act.wait() {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        for path in self.prefix.ancestors().skip(1) {
            // Other channels' files keep a directory.
            if !path.starts_with(&self.root)
                || self.root.as_os_str().is_empty()
                || self.remove_directory(path).is_err()
            {
                break;
            }
        }
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(rustix::io::Errno::INVAL.into());
        };
        let parent = Arc::new(self.owner.open_directory(parent).wait()?);
        self.owner.remove_directory(Below::new(&parent, name)).wait()
    }
}

impl Drop for ShmPlace {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            let path = self.prefix.display();
            tracing::error!(?path, %error, "files of shared memory stay");
        }
    }
}

/// Makes a stream, in a file when there is a place for it.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn create_stream(
    channel: &Channel,
    cpu: u32,
    place: Option<&ShmPlace>,
    clock: &PacketClock,
) -> Result<(Stream, StreamObject), CreateError> {
    let storage = match place {
        None => Storage::Memory,
        Some(place) => Storage::File(place.make(cpu).map_err(|source| CreateError::System {
            what: "create the file of a stream",
            source,
        })?),
    };
    channel.create_stream(cpu, storage, clock)
}
