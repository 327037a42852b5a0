//! What is outside of the actors' threads: other threads, for what may block, processes, and the network.
//!
//! A simulation puts itself in their place, for what runs in its thread: nothing happens there then but in an order
//! that it has chosen. A build without debug assertions, as every release is one, cannot be simulated.

use std::{io, net::SocketAddr};

use tokio::{
    net::TcpStream,
    process::Command,
    task::{JoinError, spawn_blocking},
};

mod child;
#[cfg(debug_assertions)]
mod simulated;

pub use child::ChildProcess;
#[cfg(debug_assertions)]
pub use simulated::{Connecting, Outside, Played, Player, play, simulate};

/// Does what may block in a thread for that.
///
/// # Errors
/// When it panics.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    #[cfg(debug_assertions)]
    if let Some(latency) = simulated::latency() {
        tokio::time::sleep(latency).await;
        return Ok(work());
    }
    spawn_blocking(work).await
}

/// Connects to somebody in the network. What is written is sent at once.
///
/// # Errors
/// When nobody listens there, or cannot be reached.
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    #[cfg(debug_assertions)]
    if let Some(connecting) = simulated::connecting(address) {
        let socket = std::net::TcpStream::from(connecting.await?);
        socket.set_nonblocking(true)?;
        return TcpStream::from_std(socket);
    }
    let stream = TcpStream::connect(address).await?;
    // Whoever writes heads and bodies apart would wait with each body for the acknowledgement of its head, which comes
    // late.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Starts a process, which is killed when it is dropped.
///
/// # Errors
/// When the system cannot.
pub fn start(mut command: Command) -> io::Result<ChildProcess> {
    #[cfg(debug_assertions)]
    if let Some(played) = simulated::started(command.as_std().get_program().as_ref()) {
        return played.map(ChildProcess::played);
    }
    command.kill_on_drop(true).spawn().map(ChildProcess::of_system)
}
