//! The health socket: whether a daemon still does its work, asked from a thread of its own, so that a
//! daemon that hangs is found out and not waited for.
//!
//! A client sends 4 bytes (`struct health_comm_msg`, whatever the command) and reads 8: a mask of the
//! parts that are unhealthy (`struct health_comm_reply`, `include/lttng/health-internal.h`). What the bits
//! mean is the daemon's business.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// How long a client may take for its request.
const CLIENT_DEADLINE: Duration = Duration::from_secs(5);
/// Pause after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Most clients that have not said all; the oldest is closed when there are more.
const CLIENTS_MAX: usize = 64;
/// Size of a request in bytes.
const REQUEST_LEN: usize = 4;

/// The thread that answers. Dropping it ends it.
#[derive(Debug)]
pub struct Health {
    /// By which the thread is told to end. Its socket may outlive it, with those who wait there.
    end: Arc<OwnedFd>,
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
        listener.set_nonblocking(true)?;
        let end = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let told = Arc::clone(&end);
        let thread = thread::Builder::new()
            .name(thread.to_owned())
            .spawn(move || serve(&listener, &told, mask))?;
        Ok(Self { end, thread: Some(thread) })
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        // There is room for it: it is all that is ever written.
        let _ = rustix::io::write(&self.end, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            // It fails only when the thread panicked, which has been reported then.
            let _ = thread.join();
        }
    }
}

/// A client that has not said all.
struct Waiting {
    client: UnixStream,
    since: Instant,
    /// Bytes of its request that have not come.
    left: usize,
}

impl Waiting {
    /// Takes what has come, and answers when that is all. Whether it has to wait longer.
    fn waits(&mut self, mask: &impl Fn() -> u64) -> io::Result<bool> {
        match self.client.read(&mut [0; REQUEST_LEN][..self.left]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.left -= count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if self.left > 0 {
            return Ok(self.since.elapsed() < CLIENT_DEADLINE);
        }
        // There is room for it: it is all that is ever written.
        self.client.write_all(&mask().to_ne_bytes())?;
        Ok(false)
    }
}

/// Serves all clients, each when it has said what it asks, until the `end` is told.
fn serve(listener: &UnixListener, end: &OwnedFd, mask: impl Fn() -> u64) {
    let mut waiting: VecDeque<Waiting> = VecDeque::new();
    loop {
        if is_over(listener, end, &waiting) {
            return;
        }
        match listener.accept().and_then(|(client, _)| accepted(client)) {
            Ok(client) => waiting.push_back(client),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::warn!(%error, "no health client is accepted for a moment");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
        waiting.retain_mut(|client| {
            client.waits(&mask).unwrap_or_else(|error| {
                tracing::debug!(%error, "a health client was not served");
                false
            })
        });
        if waiting.len() > CLIENTS_MAX {
            // Whoever asks at once is answered before it is the oldest.
            waiting.pop_front();
        }
    }
}

fn accepted(client: UnixStream) -> io::Result<Waiting> {
    client.set_nonblocking(true)?;
    Ok(Waiting { client, since: Instant::now(), left: REQUEST_LEN })
}

/// Waits until somebody comes or says something, or the first of those that wait has taken too long, or the end is
/// told. Whether it is.
fn is_over(listener: &UnixListener, end: &OwnedFd, waiting: &VecDeque<Waiting>) -> bool {
    let clients = waiting.iter().map(|it| PollFd::new(&it.client, PollFlags::IN));
    let own = [PollFd::new(end, PollFlags::IN), PollFd::new(listener, PollFlags::IN)];
    let mut all: Vec<_> = own.into_iter().chain(clients).collect();
    let oldest = waiting.front().map(|it| CLIENT_DEADLINE.saturating_sub(it.since.elapsed()));
    let timeout = oldest.and_then(|left| Timespec::try_from(left).ok());
    if let Err(error) = poll(&mut all, timeout.as_ref()) {
        tracing::debug!(%error, "health clients are looked at without waiting for them");
    }
    !all[0].revents().is_empty()
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
    fn a_socket_that_another_holds_goes_on_at_the_end() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("health");
        let listener = UnixListener::bind(&path).unwrap();
        let held = listener.try_clone().unwrap();
        drop(Health::start(listener, "health", || 1).unwrap());
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(&[0; REQUEST_LEN]).unwrap();
        let _health = Health::start(held, "health", || 2).unwrap();
        let mut reply = [0; 8];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(u64::from_ne_bytes(reply), 2, "who came in between is answered by the next");
    }

    #[test]
    fn a_client_that_leaves_is_not_told() {
        let (client, served) = UnixStream::pair().unwrap();
        drop(client);
        assert!(accepted(served).unwrap().waits(&|| 0).is_err());
    }

    #[test]
    fn nobody_waits_for_clients_that_say_nothing_or_half_of_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("health");
        let _health = Health::start(UnixListener::bind(&path).unwrap(), "health", || 7).unwrap();
        let mut others = Vec::new();
        for number in 0..2 * CLIENTS_MAX {
            let mut other = UnixStream::connect(&path).unwrap();
            if number % 2 == 0 {
                other.write_all(&[0; REQUEST_LEN - 1]).unwrap();
            }
            others.push(other);
            let begun = Instant::now();
            let mut client = UnixStream::connect(&path).unwrap();
            client.write_all(&[0; REQUEST_LEN]).unwrap();
            let mut reply = [0; 8];
            client.read_exact(&mut reply).unwrap();
            assert_eq!(u64::from_ne_bytes(reply), 7);
            assert!(begun.elapsed() < CLIENT_DEADLINE, "{number} others are waited for");
        }
        // The oldest of them is closed.
        assert_eq!(others[1].read(&mut [0; 1]).unwrap(), 0);
    }
}
