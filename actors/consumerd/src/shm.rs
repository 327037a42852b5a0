//! Shared memory in files, where the user wants it to be found after a crash.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use lttngd_ringbuffer::{Channel, CreateError, Storage, Stream, StreamObject};
use lttngd_tracefile::Owner;
use lttngd_wire::consumer::AskChannel;
use rustix::fs::{AtFlags, Mode, OFlags};

use crate::clock::PacketClock;

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
    pub(crate) fn of(ask: &AskChannel, cpu_count: u32) -> io::Result<Option<Self>> {
        if ask.shm_path.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            root: ask.root_shm_path.clone().into(),
            prefix: ask.shm_path.clone().into(),
            owner: Owner::look_up(ask.buffer_owner)?,
            cpu_count,
        }))
    }

    fn name(&self, cpu: u32) -> io::Result<PathBuf> {
        let mut name = self.prefix.file_name().ok_or(rustix::io::Errno::INVAL)?.to_os_string();
        name.push(cpu.to_string());
        Ok(name.into())
    }

    fn directory(&self) -> io::Result<OwnedFd> {
        let path = self.prefix.parent().ok_or(rustix::io::Errno::INVAL)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(path, flags, Mode::empty())?)
    }

    /// Removes the files, and the directories that are empty then.
    fn remove(&self) -> io::Result<()> {
        let directory = self.directory()?;
        for cpu in 0..self.cpu_count {
            match rustix::fs::unlinkat(&directory, self.name(cpu)?, AtFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        for path in self.prefix.ancestors().skip(1) {
            // Other channels' files keep a directory.
            if !path.starts_with(&self.root)
                || self.root.as_os_str().is_empty()
                || std::fs::remove_dir(path).is_err()
            {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for ShmPlace {
    fn drop(&mut self) {
        if let Err(error) = self.owner.act(|| self.remove()) {
            let path = self.prefix.display();
            tracing::error!(%path, %error, "files of shared memory stay");
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
    let Some(place) = place else { return channel.create_stream(cpu, Storage::Memory, clock) };
    let refused = |what| move |source| CreateError::System { what, source };
    let (directory, name) = place
        .directory()
        .and_then(|directory| Ok((directory, place.name(cpu)?)))
        .map_err(refused("find the directory of a stream's file"))?;
    let storage = Storage::File { directory: directory.as_fd(), name: Path::new(&name) };
    place
        .owner
        .act(|| Ok(channel.create_stream(cpu, storage, clock)))
        .map_err(refused("take the rights of a stream's owner"))?
}
