//! Accepting clients.

use std::{cell::Cell, io, os::unix::net::UnixListener as StdListener, rc::Rc, time::Duration};

use lttngd_registry::Handle;
use lttngd_runtime::{Backoff, Peer};
use tokio::net::UnixListener;

use crate::connection;

/// Most clients at a time.
pub const CONNECTIONS_MAX: usize = 4096;

/// Accepts clients on `listener` for ever, each to be served through `handle`.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn listen(listener: StdListener, handle: Handle) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let open = Rc::new(Cell::new(0));
    let pause = || Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
    let mut backoff = pause();
    loop {
        if open.get() >= CONNECTIONS_MAX {
            tracing::warn!(limit = CONNECTIONS_MAX, "no client is accepted until one leaves");
            tokio::time::sleep(backoff.step()).await;
            continue;
        }
        let accepted = listener.accept().await.and_then(|(stream, _)| stream.into_std());
        match accepted.and_then(|stream| Peer::new(stream.into())) {
            Ok(peer) => {
                backoff = pause();
                open.set(open.get() + 1);
                let (open, handle) = (Rc::clone(&open), handle.clone());
                tokio::task::spawn_local(async move {
                    if let Err(error) = connection::serve(&peer, &handle).await {
                        tracing::warn!(%error, "a client was not served");
                    }
                    open.set(open.get() - 1);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no client is accepted for a moment");
                tokio::time::sleep(backoff.step()).await;
            }
        }
    }
}
