//! What an application does with the event notifiers that it was given.

use lttngd_wire::ust::Abi;
use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
    sync::Arc,
};

use lttngd_model::TracerToken;
use lttngd_wire::ust::notification::EventNotification;

/// What an application got for event notifiers. Copies are the same.
#[derive(Clone, Debug, Default)]
pub struct Notifiers {
    /// Where it tells of events.
    pub(crate) pipe: Option<Arc<File>>,
    /// Where it counts those that it cannot tell, for each CPU.
    pub(crate) counters: Vec<Arc<File>>,
}

impl Notifiers {
    /// Whether it has a group.
    #[must_use]
    pub fn has_pipe(&self) -> bool {
        self.pipe.is_some()
    }

    /// Count of CPUs for which it has counters.
    #[must_use]
    pub fn cpus(&self) -> usize {
        self.counters.len()
    }

    /// Tells of an event, as LTTng-UST does, in one piece or not at all.
    ///
    /// # Errors
    /// `WouldBlock` when the pipe is full, `BrokenPipe` when nobody reads it.
    pub fn tell(&self, token: u64, captures: &[u8]) -> io::Result<()> {
        self.write(&EventNotification { token: TracerToken(token), captures }.encode(Abi::V9))
    }

    /// Writes anything into the pipe.
    ///
    /// # Errors
    /// As [`Notifiers::tell`].
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut pipe = self.pipe.as_deref().unwrap();
        let written = pipe.write(bytes)?;
        assert_eq!(written, bytes.len(), "a pipe takes a small piece whole");
        Ok(())
    }

    /// Count of bytes that were written into the pipe and not read yet.
    #[must_use]
    pub fn unread(&self) -> u64 {
        rustix::io::ioctl_fionread(self.pipe.as_deref().unwrap()).unwrap()
    }

    /// Counts events that could not be told, on a CPU.
    pub fn count(&self, cpu: usize, index: u64, value: i32) {
        self.counters[cpu].write_all_at(&value.to_ne_bytes(), 4 * index).unwrap();
    }
}
