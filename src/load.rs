//! Loading saved sessions when the daemon starts: finds the files, reads them, and makes the sessions
//! with the requests that a client would send.

mod place;
mod replay;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use lttngd_handle::Handle;
use lttngd_model::ErrorCode;
use lttngd_sessionfile::{
    SESSION_FILE_MAX, SavedSession, SessionFileError, decode, read, read_any,
};

use crate::process::{read_regular_file, read_to_limit};

/// What the name of a file of saved sessions ends in.
const EXTENSION: &[u8] = b".lttng";

/// Why saved sessions are not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file or directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what `lttng save` writes.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: SessionFileError,
    },
    /// A session cannot be made as it was saved; what was made of it is gone again.
    #[error("cannot load session {session:?}: {what}: LTTng error {}", *code as u32)]
    Session {
        /// Which.
        session: String,
        /// What was attempted.
        what: String,
        /// What it answered.
        code: ErrorCode,
    },
}

/// Loads the sessions of the file or directory `named`, or, without it, those of the `autoload`
/// directories that there are. A session of the same name is replaced.
///
/// # Errors
/// Of a named file or directory, whatever is not loaded. Nobody asked for those of the `autoload`
/// directories at this start: each that is not loaded is an error in the log, and nothing else.
pub(crate) async fn load(
    handle: &Handle,
    named: Option<PathBuf>,
    autoload: Vec<PathBuf>,
) -> Result<(), LoadError> {
    let is_asked_for = named.is_some();
    let found = tokio::task::spawn_blocking(move || match named {
        Some(path) => read_path(&path),
        None => Ok(read_autoload(&autoload)),
    });
    let sessions = found.await.map_err(|error| LoadError::Io {
        path: PathBuf::new(),
        source: io::Error::other(error),
    })??;
    for session in &sessions {
        match replay::replay(handle, session).await {
            Err(error) if is_asked_for => return Err(error),
            Err(error) => tracing::error!(%error, "a saved session is not loaded"),
            Ok(()) => tracing::info!(session = session.name, "loaded"),
        }
    }
    Ok(())
}

/// The session that this daemon's predecessor has written down.
pub(crate) fn written_down(text: &str) -> Result<SavedSession, SessionFileError> {
    Ok(read(text)?.remove(0))
}

pub(crate) use replay::{make, start};

fn failed(path: &Path) -> impl FnOnce(io::Error) -> LoadError {
    let path = path.to_owned();
    move |source| LoadError::Io { path, source }
}

/// The sessions of the directories that are there and that the user may be expected to trust: a
/// daemon that is not root passes over what belongs to somebody else.
fn read_autoload(directories: &[PathBuf]) -> Vec<SavedSession> {
    let own = rustix::process::getuid();
    let mut sessions = Vec::new();
    for directory in directories {
        match fs::metadata(directory) {
            Ok(status) if own.is_root() || status.uid() == own.as_raw() => {
                for file in saved_in(directory).unwrap_or_else(|error| vec![Err(error)]) {
                    match file.and_then(|path| read_autoloaded(&path)) {
                        Ok(saved) => sessions.extend(saved),
                        Err(error) => tracing::error!(%error, "saved sessions are not loaded"),
                    }
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(path = ?directory, %error, "nothing is loaded"),
        }
    }
    sessions
}

/// The sessions of a file, or of every file in a directory whose name says that it has some.
fn read_path(path: &Path) -> Result<Vec<SavedSession>, LoadError> {
    if !fs::metadata(path).map_err(failed(path))?.is_dir() {
        return read_file(path);
    }
    let mut sessions = Vec::new();
    for file in saved_in(path)? {
        sessions.extend(read_file(&file?)?);
    }
    Ok(sessions)
}

/// The files of a directory whose names say that they have sessions.
fn saved_in(directory: &Path) -> Result<Vec<Result<PathBuf, LoadError>>, LoadError> {
    let is_saved = |path: &PathBuf| {
        path.file_name().is_some_and(|name| {
            name.as_bytes().len() > EXTENSION.len() && name.as_bytes().ends_with(EXTENSION)
        })
    };
    let entries = fs::read_dir(directory).map_err(failed(directory))?;
    let paths = entries.map(|it| it.map(|entry| entry.path()).map_err(failed(directory)));
    Ok(paths.filter(|path| path.as_ref().is_ok_and(is_saved) || path.is_err()).collect())
}

/// Reads a file that nobody named: it must be one.
fn read_autoloaded(path: &Path) -> Result<Vec<SavedSession>, LoadError> {
    parse(path, &read_regular_file(path, SESSION_FILE_MAX).map_err(failed(path))?)
}

/// Reads a file that somebody named: it may be a pipe too.
fn read_file(path: &Path) -> Result<Vec<SavedSession>, LoadError> {
    let read = fs::File::open(path).and_then(|file| read_to_limit(file, SESSION_FILE_MAX));
    parse(path, &read.map_err(failed(path))?)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<SavedSession>, LoadError> {
    let (sessions, left_out) = decode(bytes)
        .and_then(|text| read_any(&text))
        .map_err(|source| LoadError::File { path: path.to_owned(), source })?;
    if !left_out.is_empty() {
        let left_out = left_out.into_iter().collect::<Vec<_>>().join(", ");
        tracing::warn!(?path, left_out, "a session file of a newer LTTng is loaded without this");
    }
    Ok(sessions)
}
