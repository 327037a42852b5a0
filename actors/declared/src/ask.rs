//! Asking a daemon at its socket.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use lttngd_handle::Versioned;
use thiserror::Error;

use crate::{DeclareError, DeclareReply, DeclareRequest, REQUEST_MAX_LEN};

/// Longest reply that is read, in bytes: of all documents that there may be.
pub const REPLY_MAX_LEN: u32 = 256 << 20;
/// Longest time for the daemon to take the request.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody can be asked there.
    #[error("no daemon can be asked at {path}: {source}")]
    NotThere {
        /// The socket.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon said nothing, or not all.
    #[error("the daemon does not answer: {0}")]
    NoAnswer(#[from] io::Error),
    /// The connection ended without an answer.
    #[error(
        "the daemon closed the connection: this user has as many of them as he may, or the request is not understood"
    )]
    Closed,
    /// What is to be asked is too long.
    #[error("{0} bytes are too long a request: the document has too much in it")]
    TooLong(usize),
    /// What came is no reply of this version.
    #[error("the daemon's answer is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The daemon answered an error.
    #[error(transparent)]
    Refused(#[from] DeclareError),
}

/// Asks the daemon whose socket is at `path`, and waits for its answer: for as long as its applications and consumer
/// daemons take for what is asked.
///
/// # Errors
/// [`AskError`].
pub fn ask(path: &Path, request: &DeclareRequest) -> Result<DeclareReply, AskError> {
    let text = serde_json::to_vec(&Versioned::new(request))?;
    let len = u32::try_from(text.len()).ok().filter(|len| *len <= REQUEST_MAX_LEN);
    let len = len.ok_or(AskError::TooLong(text.len()))?;
    let mut socket = UnixStream::connect(path)
        .map_err(|source| AskError::NotThere { path: path.display().to_string(), source })?;
    socket.set_write_timeout(Some(REQUEST_DEADLINE))?;
    let closed = |error: io::Error| match error.kind() {
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset => AskError::Closed,
        _ => AskError::NoAnswer(error),
    };
    let request = [&len.to_ne_bytes()[..], &text].concat();
    socket.write_all(&request).map_err(closed)?;
    let mut len = [0; 4];
    socket.read_exact(&mut len).map_err(closed)?;
    let len = u32::from_ne_bytes(len).min(REPLY_MAX_LEN);
    let mut reply = Vec::new();
    socket.take(len.into()).read_to_end(&mut reply).map_err(closed)?;
    let told: Versioned<Result<DeclareReply, DeclareError>> = serde_json::from_slice(&reply)?;
    Ok(told.content?)
}
