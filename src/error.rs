//! Why a daemon does not start, or does not go on.

use std::io;
use std::path::{Path, PathBuf};

/// Why a daemon does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another daemon serves the same run directory. The text is `lttng-sessiond`'s.
    #[error("A session daemon is already running.")]
    AlreadyRunning,
    /// The process may not open enough descriptors.
    #[error(transparent)]
    Descriptors(#[from] lttngd_runtime::TooFewDescriptors),
    /// A file, directory or socket of the run directory cannot be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Path {
        /// What was attempted, a verb with its object.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The clock plugin cannot be followed.
    #[error(transparent)]
    ClockPlugin(#[from] lttngd_clock::ClockPluginError),
    /// A saved session is not loaded.
    #[error(transparent)]
    Load(#[from] crate::load::LoadError),
    /// The thread of the actors could not be started, or ended at once.
    #[error("the daemon's thread did not start")]
    Thread,
}

impl StartError {
    /// Wraps what the system said about `path`.
    pub(crate) fn path(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Path { action, path, source }
    }
}

/// Why a daemon ended that nobody had stopped.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the daemon ends: its {what} failed, by a fault of the daemon (the panic is in its log); \
     what was recorded may not be whole, start it again"
)]
pub struct DaemonFailed {
    what: &'static str,
}

impl DaemonFailed {
    /// For want of this part.
    pub(crate) const fn of(what: &'static str) -> Self {
        Self { what }
    }
}
