//! A TCP connection to an agent.

use std::io;

use tokio::{io::Interest, net::TcpStream};

use crate::error::Broken;

/// A connection on which the daemon speaks and the agent answers.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Takes over an accepted connection.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        // A command is one write: there is nothing to collect.
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Fills `buffer`.
    pub(crate) async fn read_exact(&self, buffer: &mut [u8]) -> Result<(), Broken> {
        if self.read_exact_or_end(buffer).await? { Ok(()) } else { Err(Broken::Closed) }
    }

    /// Fills `buffer`, or returns `false` when the agent closed before its first byte.
    pub(crate) async fn read_exact_or_end(&self, buffer: &mut [u8]) -> Result<bool, Broken> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            let got =
                self.stream.async_io(Interest::READABLE, || self.stream.try_read(&mut *rest)).await;
            match got {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(Broken::Closed),
                Ok(got) => filled += got,
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(true)
    }

    /// Sends all of `bytes`.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let sent = self.stream.async_io(Interest::WRITABLE, || self.stream.try_write(bytes));
            bytes = &bytes[sent.await.map_err(broken)?..];
        }
        Ok(())
    }

    /// Waits until the agent closes, or says something although it was not asked. Safe to abandon.
    pub(crate) async fn ended(&self) -> Broken {
        match self.stream.peek(&mut [0]).await {
            Ok(0) => Broken::Closed,
            Ok(_) => Broken::Unsolicited,
            Err(error) => broken(error),
        }
    }
}

fn broken(error: io::Error) -> Broken {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Broken::Closed,
        _ => error.into(),
    }
}
