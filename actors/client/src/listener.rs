//! Accepting clients.

use std::{io, os::unix::net::UnixListener, rc::Rc, time::Duration};

use lttngd_handle::Handle;
use lttngd_runtime::{Backoff, Count, Descriptors, Held, PeerError, Purpose};
use rustix::{io::Errno, net::SocketFlags};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    at_once::{AtOnce, Left},
    connection::{self, ConnectionError},
    listers::Listers,
};

/// Most clients that are let in at once.
const BATCH: usize = 64;
/// Most clients at a time.
pub const CONNECTIONS_MAX: usize = 4096;
/// Descriptors of a client: its socket, which is watched by another one when it has to be waited for.
const DESCRIPTORS_EACH: usize = 2;

/// Accepts clients on `listener` for ever, each to be served through `handle`. They are counted in
/// `descriptors`; those that do not fit wait to be accepted.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn listen(
    listener: UnixListener,
    handle: Handle,
    descriptors: Descriptors,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    // SAFETY: the socket is owned by what is registered, and nothing closes it before.
    let listener = unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }?;
    let open = Count::default();
    let mut at_once = AtOnce::new(handle.clone());
    let listers = Rc::new(Listers::default());
    let mut backoff = pause();
    loop {
        if open.get() >= CONNECTIONS_MAX {
            tracing::warn!(limit = CONNECTIONS_MAX, "no client is accepted until one leaves");
            tokio::time::sleep(backoff.step()).await;
            continue;
        }
        let mut ready = listener.readable().await?;
        for admitted in 1.. {
            let held = match descriptors.take(Purpose::Clients, DESCRIPTORS_EACH) {
                Ok(held) => held,
                Err(error) => {
                    tracing::warn!(%error, "no client is accepted until one leaves");
                    tokio::time::sleep(backoff.step()).await;
                    break;
                }
            };
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match rustix::net::accept_with(listener.get_ref(), flags) {
                Ok(socket) => {
                    backoff = pause();
                    admit(&open, (&handle, &listers), held, at_once.look(socket));
                }
                Err(Errno::AGAIN) => {
                    ready.clear_ready();
                    break;
                }
                // The client went away before it was accepted.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(error) => {
                    tracing::warn!(%error, "no client is accepted for a moment");
                    tokio::time::sleep(backoff.step()).await;
                    break;
                }
            }
            if admitted == BATCH {
                // Those are served before more are let in.
                tokio::task::yield_now().await;
                break;
            }
        }
    }
}

fn pause() -> Backoff {
    Backoff::new(Duration::from_millis(10), Duration::from_secs(1))
}

/// Does what is left to do for a client, beside the others. `open` counts those.
fn admit(open: &Count, (handle, listers): (&Handle, &Rc<Listers>), held: Held, left: Left) {
    if matches!(left, Left::Nothing) {
        return;
    }
    let counted = open.one_more();
    let (handle, listers) = (handle.clone(), Rc::clone(listers));
    tokio::task::spawn_local(async move {
        let served = match &left {
            Left::Nothing => Ok(()),
            Left::Serve(peer) => connection::serve(peer, &handle, &listers).await,
            Left::Send(peer, rest) => connection::send(peer, rest).await,
        };
        match served {
            Ok(()) => {}
            // As those do that do not wait for the end of a session.
            Err(ConnectionError::Reply(PeerError::Closed)) => {
                tracing::debug!("a client left before it was answered");
            }
            Err(error) => tracing::warn!(%error, "a client was not served"),
        }
        drop((left, held, counted));
    });
}
