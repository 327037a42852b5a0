//! The health socket: whether a daemon still does its work, asked from a thread of its own, so that a
//! daemon that hangs is found out and not waited for.
//!
//! A client sends 4 bytes (`struct health_comm_msg`, whatever the command) and reads 8: a mask of the
//! parts that are unhealthy (`struct health_comm_reply`, `include/lttng/health-internal.h`). What the bits
//! mean is the daemon's business.

use std::{
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long a client may take for its request and for taking the reply.
const CLIENT_DEADLINE: Duration = Duration::from_secs(5);
/// Pause after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Size of a request in bytes.
const REQUEST_LEN: usize = 4;

/// The thread that answers. Dropping it ends it.
#[derive(Debug)]
pub struct Health {
    /// The listening socket, to wake the thread by shutting it down.
    socket: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Health {
    /// Answers on `listener`, in a thread of this name, what `mask` says: a set bit is a part that is
    /// unhealthy.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(
        listener: UnixListener,
        thread: &str,
        mask: impl Fn() -> u64 + Send + 'static,
    ) -> io::Result<Self> {
        listener.set_nonblocking(false)?;
        let socket = OwnedFd::from(listener.try_clone()?);
        let thread =
            thread::Builder::new().name(thread.to_owned()).spawn(move || serve(&listener, mask))?;
        Ok(Self { socket, thread: Some(thread) })
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        // It fails only for a socket that does not listen any more.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // It fails only when the thread panicked, which has been reported then.
            let _ = thread.join();
        }
    }
}

/// Serves one client after the other until the socket is shut down.
fn serve(listener: &UnixListener, mask: impl Fn() -> u64) {
    loop {
        match listener.accept() {
            Ok((client, _)) => {
                if let Err(error) = answer(client, &mask) {
                    tracing::debug!(%error, "a health client was not served");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                tracing::warn!(%error, "no health client is accepted for a moment");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

fn answer(mut client: UnixStream, mask: impl Fn() -> u64) -> io::Result<()> {
    client.set_read_timeout(Some(CLIENT_DEADLINE))?;
    client.set_write_timeout(Some(CLIENT_DEADLINE))?;
    client.read_exact(&mut [0; REQUEST_LEN])?;
    client.write_all(&mask().to_ne_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_mask_is_told_until_the_end() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("health");
        let health = Health::start(UnixListener::bind(&path).unwrap(), "health", || 0b101).unwrap();
        // One that only looks whether somebody is here keeps nobody from the answer.
        drop(UnixStream::connect(&path).unwrap());
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(&5_u32.to_ne_bytes()).unwrap();
        let mut reply = [0; 8];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(u64::from_ne_bytes(reply), 0b101);
        drop(health);
        assert!(UnixStream::connect(&path).is_err());
    }

    #[test]
    fn a_client_that_leaves_is_not_told() {
        let (client, served) = UnixStream::pair().unwrap();
        drop(client);
        assert!(answer(served, || 0).is_err());
    }
}
