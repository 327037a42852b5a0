//! Why the tracer cannot be used, or did not do what it was told.

use std::io;

use lttngd_model::{ErrorCode, kernel::TracerError};
use lttngd_runtime::NotRun;
use rustix::io::Errno;
use thiserror::Error;

/// There is no tracer that we can speak with.
#[derive(Clone, Debug, Error)]
pub enum TracerUnavailable {
    /// Its modules, or it, are not there.
    #[error("there is no kernel tracer: {0}")]
    Missing(String),
    /// It speaks another ABI.
    #[error("the kernel tracer is of version {0}, and what is spoken here is 2")]
    Version(String),
}

impl TracerUnavailable {
    /// What clients are told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Missing(_) => ErrorCode::KernNa,
            Self::Version(_) => ErrorCode::KernVersion,
        }
    }
}

/// A call that the tracer refused, or that was not made for want of descriptors.
#[derive(Debug, Error)]
#[error("the kernel tracer did not {doing}: {error}")]
pub struct CallError {
    /// What it was to do.
    pub doing: &'static str,
    /// Why not.
    pub error: io::Error,
}

impl CallError {
    /// Why, as the rules see it.
    #[must_use]
    pub fn kind(&self) -> TracerError {
        match Errno::from_io_error(&self.error) {
            Some(Errno::EXIST) => TracerError::Exists,
            Some(Errno::NOSYS) => TracerError::NotImplemented,
            Some(Errno::NOMEM) => TracerError::NoMemory,
            Some(Errno::INVAL) => TracerError::Invalid,
            Some(Errno::NOENT) => TracerError::Missing,
            Some(Errno::BUSY) => TracerError::Busy,
            _ => TracerError::Other,
        }
    }
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) ErrorCode);

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self(code)
    }
}

impl From<NotRun> for Refused {
    fn from(_: NotRun) -> Self {
        Self(ErrorCode::Fatal)
    }
}
