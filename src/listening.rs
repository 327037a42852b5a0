//! What serves a socket. Without it nobody is served there, so that its failure is the daemon's.

use std::{io, panic::AssertUnwindSafe};

use futures::FutureExt;
use tokio::sync::mpsc::UnboundedSender;

use crate::error::DaemonFailed;

/// Serves `socket`, which is a name like "socket for clients", by `listening` until that ends or cannot. Should it
/// fail by a fault of the daemon, `failures` are told.
pub async fn serve(
    socket: &'static str,
    listening: impl Future<Output = io::Result<()>>,
    failures: UnboundedSender<DaemonFailed>,
) {
    match AssertUnwindSafe(listening).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the {socket} cannot be used"),
        Err(_panic) => {
            // Nobody listens any more when the daemon ends as it was to.
            let _ = failures.send(DaemonFailed::of(socket));
        }
    }
}
