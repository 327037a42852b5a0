//! Pipes by which writers tell that there is a packet, and by whose end it shows that nobody writes
//! any more.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use crate::error::CreateError;

/// A byte for each packet is more than enough, since one says as much as many.
const PIPE_LEN: usize = 4096;

/// What was in a pipe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wakeup {
    /// Nobody wrote.
    None,
    /// Somebody wrote.
    Woken,
    /// Nobody has the write end any more.
    HungUp,
}

/// The read end of a wake-up pipe. It does not block.
#[derive(Debug)]
pub struct WakeupReader(OwnedFd);

impl WakeupReader {
    /// Takes out all that was written: after it, another write makes the pipe readable again.
    pub fn drain(&self) -> Wakeup {
        let mut room = [0; PIPE_LEN];
        match retry_on_intr(|| rustix::io::read(&self.0, &mut room)) {
            Ok(0) => Wakeup::HungUp,
            Ok(_) => Wakeup::Woken,
            Err(Errno::AGAIN) => Wakeup::None,
            // A pipe of ours has no other errors; without one the end would never show.
            Err(_) => Wakeup::HungUp,
        }
    }
}

impl AsFd for WakeupReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A pipe: read end, write end. Neither blocks: a full pipe says all there is to say.
pub(crate) fn create() -> Result<(WakeupReader, OwnedFd), CreateError> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
        .map_err(CreateError::system("create a wake-up pipe"))?;
    // With many streams, pipes of the usual size are more than an ordinary user may have. A larger
    // one works as well.
    let _ = fcntl_setpipe_size(&writer, PIPE_LEN);
    Ok((WakeupReader(reader), writer))
}
