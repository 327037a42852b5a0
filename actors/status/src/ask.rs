//! Asking a daemon at its socket.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use lttngd_handle::{GetStatus, Status, Versioned};
use lttngd_model::ErrorCode;
use thiserror::Error;

/// Longest reply that is read, in bytes: of more sessions and applications than one daemon has.
pub const REPLY_MAX_LEN: u64 = 256 << 20;
/// Longest silence of the daemon.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

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
    /// What came is no status of this version.
    #[error("the daemon's answer is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The daemon answered an error.
    #[error("the daemon answers: {0}")]
    Refused(ErrorCode),
}

/// Asks the daemon whose socket is at `path`, and waits for its answer.
///
/// # Errors
/// [`AskError`].
pub fn ask(path: &Path, request: GetStatus) -> Result<Status, AskError> {
    let mut socket = UnixStream::connect(path)
        .map_err(|source| AskError::NotThere { path: path.display().to_string(), source })?;
    socket.set_read_timeout(Some(ANSWER_DEADLINE))?;
    socket.set_write_timeout(Some(ANSWER_DEADLINE))?;
    let mut line = serde_json::to_vec(&Versioned::new(request))?;
    line.push(b'\n');
    // One that refuses has closed already.
    let sent = socket.write_all(&line);
    let mut reply = Vec::new();
    match socket.take(REPLY_MAX_LEN).read_to_end(&mut reply).and(sent) {
        Ok(()) if reply.is_empty() => return Err(AskError::Closed),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(AskError::Closed),
        other => other?,
    }
    let told: Versioned<Result<Status, ErrorCode>> = serde_json::from_slice(&reply)?;
    told.content.map_err(AskError::Refused)
}
