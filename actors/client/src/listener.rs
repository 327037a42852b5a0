//! Accepting clients.

use std::{
    cell::Cell,
    io,
    os::{fd::OwnedFd, unix::net::UnixListener as StdListener},
    rc::Rc,
    time::Duration,
};

use lttngd_registry::Handle;
use lttngd_runtime::{Backoff, Peer};
use rustix::net::SocketFlags;
use tokio::net::UnixListener;

use crate::connection;

/// Most clients that are let in at once.
const BATCH: usize = 64;
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
    let admit = |peer| {
        open.set(open.get() + 1);
        let (open, handle) = (Rc::clone(&open), handle.clone());
        tokio::task::spawn_local(async move {
            if let Err(error) = connection::serve(&peer, &handle).await {
                tracing::warn!(%error, "a client was not served");
            }
            open.set(open.get() - 1);
        });
    };
    let pause = || Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
    let mut backoff = pause();
    loop {
        if open.get() >= CONNECTIONS_MAX {
            tracing::warn!(limit = CONNECTIONS_MAX, "no client is accepted until one leaves");
            tokio::time::sleep(backoff.step()).await;
            continue;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                backoff = pause();
                admit(Peer::accepted(stream));
                for socket in waiting(&listener).take(BATCH) {
                    admit(Peer::brief(socket));
                }
                // Those are served before more are let in.
                tokio::task::yield_now().await;
            }
            Err(error) => {
                tracing::warn!(%error, "no client is accepted for a moment");
                tokio::time::sleep(backoff.step()).await;
            }
        }
    }
}

/// The clients that wait already. Their requests are here too, as a rule.
fn waiting(listener: &UnixListener) -> impl Iterator<Item = OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    std::iter::from_fn(move || rustix::net::accept_with(listener, flags).ok())
}
