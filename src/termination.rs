//! The signals that end the daemon: `SIGTERM` and `SIGINT`.

use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Catches the signals from its making on, so that one that arrives while the daemon starts ends it
/// in order too.
pub struct Termination {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    /// Starts to catch the signals.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn catch() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (terminate, interrupt) = {
            let _context = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        Ok(Self { runtime, terminate, interrupt })
    }

    /// Waits for a signal, and returns its name.
    ///
    /// # Errors
    ///
    /// What `other` gives, when that comes first.
    pub fn wait_beside<E>(&mut self, other: impl Future<Output = E>) -> Result<&'static str, E> {
        let Self { runtime, terminate, interrupt } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => Ok("SIGTERM"),
                _ = interrupt.recv() => Ok("SIGINT"),
                failure = other => Err(failure),
            }
        })
    }
}
