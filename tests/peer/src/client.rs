//! A program that uses `liblttng-ctl`, or pretends to.

use std::{
    io::{self, Read, Write},
    os::{fd::BorrowedFd, unix::net::UnixStream},
    path::Path,
};

use lttngd_wire::client::{Command, Dialect, Reply, ReplyHeader, Request};

use crate::{PATIENCE, send_descriptors};

/// One connection.
#[derive(Debug)]
pub struct FakeClient(UnixStream);

impl FakeClient {
    /// Connects to the socket `path`.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }

    /// A whole conversation: connects, asks, returns the reply, if any.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn call(path: &Path, bytes: &[u8]) -> io::Result<Option<Reply>> {
        Self::call_in(Dialect::V2_13, path, bytes)
    }

    /// The same by a client of any version.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn call_in(dialect: Dialect, path: &Path, bytes: &[u8]) -> io::Result<Option<Reply>> {
        let mut client = Self::connect(path)?;
        // The daemon may have closed after it has seen enough.
        let _ = client.send(bytes);
        client.reply_in(dialect)
    }

    /// The bytes of a command, as `change` leaves its request.
    #[must_use]
    pub fn bytes(command: &Command, change: impl FnOnce(Request) -> Request) -> Vec<u8> {
        let (request, payload) = Request::new(command);
        change(request).encode(&payload)
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the daemon has closed.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Sends descriptors.
    ///
    /// # Errors
    /// When the daemon has closed.
    pub fn send_descriptors(&mut self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        send_descriptors(&self.0, descriptors)
    }

    /// Sends nothing more.
    pub fn finish(&mut self) {
        // It fails only when the daemon has closed already.
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }

    /// Reads a whole reply and then the end; `None` when the daemon just closes.
    ///
    /// # Errors
    /// When neither comes in time, or the reply is cut or followed by something.
    pub fn reply(&mut self) -> io::Result<Option<Reply>> {
        self.reply_in(Dialect::V2_13)
    }

    /// The same by a client of any version.
    ///
    /// # Errors
    /// As [`FakeClient::reply`].
    pub fn reply_in(&mut self, dialect: Dialect) -> io::Result<Option<Reply>> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            read => drop(read?),
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let head = bytes.get(..dialect.reply_header_len()).unwrap_or(&bytes);
        ReplyHeader::decode(head, dialect).map_err(invalid)?;
        Reply::decode(&bytes, dialect).map_err(invalid).map(Some)
    }
}
