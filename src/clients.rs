//! Where the connections of clients live: an arbiter of their own. Whoever asks much takes no time of the
//! actors by asking; what is answered from what sessions show, as the list of them, is no concern of theirs at
//! all.

use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::Arbiter;
use lttngd_handle::Handle;
use lttngd_runtime::Descriptors;
use tokio::sync::oneshot;

use crate::error::StartError;

/// The name of the arbiter's thread.
const THREAD: &std::ffi::CStr = c"lttngd-clients";

/// The socket for clients and all connections that came by it.
pub struct Clients {
    /// There until the end.
    arbiter: Option<Arbiter>,
    /// The listener ends when it is dropped.
    listens: Option<oneshot::Sender<()>>,
}

impl Clients {
    /// Accepts clients on `socket`, and serves them through `handle`.
    ///
    /// # Errors
    /// [`StartError::Thread`] when the thread cannot be made.
    pub fn start(
        socket: UnixListener,
        handle: Handle,
        descriptors: Descriptors,
    ) -> Result<Self, StartError> {
        // It has no other way to tell.
        let arbiter =
            catch_unwind(AssertUnwindSafe(Arbiter::new)).map_err(|_| StartError::Thread)?;
        let (listens, closed) = oneshot::channel::<()>();
        arbiter.spawn_fn(move || {
            if let Err(error) = rustix::thread::set_name(THREAD) {
                tracing::debug!(%error, "the clients' thread has no name");
            }
            tokio::task::spawn_local(async move {
                tokio::select! {
                    _ = closed => {}
                    Err(error) = lttngd_client::listen(socket, handle, descriptors) => {
                        tracing::error!(%error, "the socket for clients cannot be used");
                    }
                }
            });
        });
        Ok(Self { arbiter: Some(arbiter), listens: Some(listens) })
    }

    /// Accepts no more clients. Those that are here are still served.
    pub async fn close(&mut self) {
        self.listens.take();
        self.caught_up().await;
    }

    /// Ends what connections are left, when what could be answered by now is.
    pub async fn end(self) {
        self.caught_up().await;
    }

    /// Waits until everything that could go on by now has.
    async fn caught_up(&self) {
        let (passed, pass) = oneshot::channel();
        if let Some(arbiter) = &self.arbiter {
            arbiter.spawn_fn(move || {
                tokio::task::spawn_local(async move { passed.send(()) });
            });
        }
        // It fails only when the thread has ended.
        let _ = pass.await;
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let Some(arbiter) = self.arbiter.take() else { return };
        arbiter.stop();
        if arbiter.join().is_err() {
            tracing::error!("the clients' thread panicked");
        }
    }
}

#[cfg(test)]
mod tests;
