//! A room: an arbiter of its own, and a socket whose connections live there. Those in one room take no time of
//! those in another.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::{Arbiter, ArbiterHandle};
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use crate::{
    error::{DaemonFailed, StartError},
    listening::serve,
};

/// Connections of clients.
pub const CLIENTS: Name = Name(c"lttngd-clients");
/// What is told of events, what follows from it, and who is notified.
pub const TRIGGERS: Name = Name(c"lttngd-triggers");

/// Applications.
pub const APPS: Name = Name(c"lttngd-apps");

/// Those who look at the daemon.
pub const STATUS: Name = Name(c"lttngd-status");

/// The name of a room's thread.
#[derive(Clone, Copy, Debug)]
pub struct Name(&'static std::ffi::CStr);

/// An arbiter, and what listens there.
pub struct Room {
    name: Name,
    arbiter: ArbiterHandle,
    /// There until the end.
    thread: Option<Arbiter>,
    /// A listener ends when its is dropped.
    listens: Vec<oneshot::Sender<()>>,
}

impl Room {
    /// An empty one.
    ///
    /// # Errors
    /// [`StartError::Thread`] when the thread cannot be made.
    pub fn open(name: Name) -> Result<Self, StartError> {
        // It has no other way to tell.
        let thread =
            catch_unwind(AssertUnwindSafe(Arbiter::new)).map_err(|_| StartError::Thread)?;
        let arbiter = thread.handle();
        arbiter.spawn_fn(move || {
            if let Err(error) = rustix::thread::set_name(name.0) {
                tracing::debug!(thread = ?name.0, %error, "a thread has no name");
            }
        });
        Ok(Self { name, arbiter, thread: Some(thread), listens: Vec::new() })
    }

    /// Where actors are started that are to live here.
    pub fn arbiter(&self) -> &ArbiterHandle {
        &self.arbiter
    }

    /// Has what `listening` makes serve `socket` here, until the room is closed or it cannot. `failures` are told
    /// when it fails.
    pub fn listen<F>(
        &mut self,
        socket: &'static str,
        listening: impl FnOnce() -> F + Send + 'static,
        failures: UnboundedSender<DaemonFailed>,
    ) where
        F: Future<Output = std::io::Result<()>> + 'static,
    {
        let (listens, closed) = oneshot::channel::<()>();
        self.arbiter.spawn_fn(move || {
            tokio::task::spawn_local(async move {
                tokio::select! {
                    _ = closed => {}
                    () = serve(socket, async { listening().await }, failures) => {}
                }
            });
        });
        self.listens.push(listens);
    }

    /// Accepts no more connections. Those that are here are still served.
    pub async fn close(&mut self) {
        self.listens.clear();
        self.caught_up().await;
    }

    /// Ends what connections are left, when what could be answered by now is.
    pub async fn end(self) {
        self.caught_up().await;
    }

    /// Waits until everything that could go on by now has.
    async fn caught_up(&self) {
        let (passed, pass) = oneshot::channel();
        self.arbiter.spawn_fn(move || {
            tokio::task::spawn_local(async move { passed.send(()) });
        });
        // It fails only when the thread has ended.
        let _ = pass.await;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        thread.stop();
        if thread.join().is_err() {
            tracing::error!(thread = ?self.name.0, "a thread panicked");
        }
    }
}

#[cfg(test)]
mod tests;
