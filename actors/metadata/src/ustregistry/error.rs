//! Why a registration failed.

use rustix::io::Errno;
use thiserror::Error;

use super::{ENUMERATION_ENTRIES_MAX, ENUMERATIONS_MAX, EVENTS_PER_CHANNEL_MAX};
use crate::tsdl::{FieldError, METADATA_MAX_LEN};

/// Why a registration failed. The application goes on without what it wanted to register.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum RegistryError {
    /// No channel has this id.
    #[error("no channel {0} in this trace")]
    UnknownChannel(u32),
    /// The channel is full.
    #[error(
        "more than {EVENTS_PER_CHANNEL_MAX} events in one channel; enable fewer or use more channels"
    )]
    TooManyEvents,
    /// The trace has no room for another enumeration.
    #[error(
        "more than {ENUMERATIONS_MAX} enumerations, or {ENUMERATION_ENTRIES_MAX} entries of them, in one trace"
    )]
    TooManyEnumerations,
    /// The channel was registered with other context fields, so that one description cannot serve both.
    #[error("context fields of channel {0} differ from those of the first application")]
    ContextMismatch(u32),
    /// Old sequences have no modern form to compare with.
    #[error("context field {0:?} is a sequence of an ABI 8 application")]
    LegacySequence(String),
    /// A field cannot be described.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The text would become too long.
    #[error("more than {METADATA_MAX_LEN} bytes of metadata in one trace")]
    MetadataFull,
    /// The user's applications have announced as much as is held of one user.
    #[error(
        "applications of user {uid} have announced {held} bytes of events, enumerations and contexts; what is left is for others"
    )]
    NoRoom {
        /// Who.
        uid: u32,
        /// What is held of it.
        held: u64,
    },
}

impl RegistryError {
    /// The negative errno for the reply to the application.
    #[must_use]
    pub fn errno(&self) -> i32 {
        let errno = match self {
            Self::TooManyEvents | Self::Field(FieldError::UnknownEnumeration { .. }) => {
                Errno::NOENT
            }
            Self::TooManyEnumerations => Errno::OVERFLOW,
            Self::NoRoom { .. } => Errno::NOMEM,
            Self::UnknownChannel(_)
            | Self::ContextMismatch(_)
            | Self::LegacySequence(_)
            | Self::Field(_)
            | Self::MetadataFull => Errno::INVAL,
        };
        -errno.raw_os_error()
    }
}
