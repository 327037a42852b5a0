//! Accepting connections for ever, whatever happens to one of them.

use std::{convert::Infallible, future::Future, io, time::Duration};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::Backoff;

/// First and longest pause after a connection that could not be accepted, for want of descriptors most of
/// the time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Where connections come from.
pub trait Listen {
    /// One of them.
    type Connection;

    /// Waits for the next one. An error is one of this connection, or of this moment.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Connection>>;
}

impl Listen for UnixListener {
    type Connection = UnixStream;

    async fn accept(&mut self) -> io::Result<UnixStream> {
        UnixListener::accept(self).await.map(|(stream, _)| stream)
    }
}

impl Listen for TcpListener {
    type Connection = (TcpStream, std::net::SocketAddr);

    async fn accept(&mut self) -> io::Result<Self::Connection> {
        TcpListener::accept(self).await
    }
}

/// Accepts connections on `listener` for ever and hands each to `admit`, which has it served beside the others
/// (see [`Count`](crate::Count) for how many these are), or has no room for it. After an error of either it
/// pauses, longer each time in a row, and logs that no `who` is accepted meanwhile.
pub async fn accept_all<L: Listen>(
    who: &'static str,
    mut listener: L,
    mut admit: impl FnMut(L::Connection) -> io::Result<()>,
) -> Infallible {
    let pause = || Backoff::new(PAUSES.0, PAUSES.1);
    let mut backoff = pause();
    loop {
        match listener.accept().await.and_then(&mut admit) {
            Ok(()) => backoff = pause(),
            Err(error) => {
                tracing::warn!(%error, "no {who} is accepted for a moment");
                tokio::time::sleep(backoff.step()).await;
            }
        }
    }
}
