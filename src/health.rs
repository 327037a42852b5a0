//! The health socket: whether the daemon still does its work, asked from a thread of its own, so that
//! a daemon that hangs is found out and not waited for.
//!
//! A client sends 4 bytes (`struct health_comm_msg`, whatever the command) and reads 8: a mask of the
//! parts that are unhealthy (`struct health_comm_reply`, `src/bin/lttng-sessiond/health.c`). All parts
//! of ours that the mask names live in the actors' thread: they answer together or not at all.

use std::{
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use lttngd_model::ErrorCode;
use lttngd_registry::Handle;

/// How long the actors may take for an answer before they count as stuck.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long a client may take for its request and for taking the reply.
const CLIENT_DEADLINE: Duration = Duration::from_secs(5);
/// Pause after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Size of a request in bytes.
const REQUEST_LEN: usize = 4;
/// The mask's bits for what runs in the actors' thread: client commands (0), management (1),
/// registration (2), notification (6) and dispatch (7) of applications, consumer daemons (4),
/// rotation (9) and timers (10). The others name parts that are not there.
const ACTORS: u64 = 0b110_1101_0111;

/// The thread that answers. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Health {
    /// The listening socket, to wake the thread by shutting it down.
    socket: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Health {
    /// Answers on `listener` what the actors behind `handle` make known by answering.
    ///
    /// # Errors
    /// When the thread or its clock cannot be made.
    pub(crate) fn start(listener: UnixListener, handle: Handle) -> io::Result<Self> {
        listener.set_nonblocking(false)?;
        let socket = OwnedFd::from(listener.try_clone()?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = thread::Builder::new().name("lttngd-health".to_owned()).spawn(move || {
            let mask = || {
                runtime.block_on(async {
                    let answer = tokio::time::timeout(ANSWER_DEADLINE, handle.check("", None));
                    // No session has this name; what counts is that the registry says so.
                    let alive = matches!(answer.await, Ok(Err(ErrorCode::SessNotFound)));
                    if alive { 0 } else { ACTORS }
                })
            };
            serve(&listener, mask);
        })?;
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
    fn the_mask_is_told_and_a_silent_client_is_not() {
        let (mut client, served) = UnixStream::pair().unwrap();
        client.write_all(&5_u32.to_ne_bytes()).unwrap();
        answer(served, || ACTORS).unwrap();
        let mut reply = [0; 8];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(u64::from_ne_bytes(reply), 1 | 2 | 4 | 16 | 64 | 128 | 512 | 1024);
        let (client, served) = UnixStream::pair().unwrap();
        drop(client);
        assert!(answer(served, || 0).is_err());
    }

    #[test]
    fn a_socket_that_is_shut_down_ends_the_service() {
        let place = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(place.path().join("health")).unwrap();
        let socket = OwnedFd::from(listener.try_clone().unwrap());
        let thread = thread::spawn(move || serve(&listener, || 0));
        rustix::net::shutdown(&socket, rustix::net::Shutdown::Both).unwrap();
        thread.join().unwrap();
    }
}
