//! Requests of which it is not known yet in which version they are meant.

use lttngd_model::ErrorCode;

use super::{CommandKind, Dialect, Dialects, Reply, Request, shape};
use crate::DecodeError;

/// The fixed part of a request of which it is not known yet in which version it is meant: its form is the same in
/// all of them, and each has numbers of its own for the commands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked(Request);

impl Asked {
    /// Decodes [`REQUEST_LEN`](super::REQUEST_LEN) bytes.
    ///
    /// # Errors
    /// When there are fewer or more bytes, the session's name is not NUL-terminated UTF-8, or more
    /// descriptors are announced than one message can carry.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Request::decode(bytes, Dialect::V2_13).map(Self)
    }

    /// Its command, when that is the same in all versions of which it may be.
    #[must_use]
    pub fn kind(&self) -> Option<CommandKind> {
        let mut kinds = self.dialects().iter().map(|it| CommandKind::from_raw(self.0.command, it));
        let first = kinds.next()?;
        first.filter(|_| kinds.all(|kind| kind == first))
    }

    /// The raw number of its command.
    #[must_use]
    pub fn command(&self) -> u32 {
        self.0.command
    }

    /// The versions of which a client may have sent it, as far as its form shows that: which of session, domain and
    /// members it names.
    #[must_use]
    pub fn dialects(&self) -> Dialects {
        shape::dialects(&self.0)
    }

    /// Whether it is one command in all of these versions, which is asked and answered alike.
    #[must_use]
    pub fn is_one_command(&self, dialects: Dialects) -> bool {
        shape::is_one_command(&self.0, dialects)
    }

    /// Whether a client of this version cannot have meant it.
    #[must_use]
    pub fn contradicts(&self, dialect: Dialect) -> bool {
        shape::contradicts(&self.0, dialect)
    }

    /// Whether it makes a session record, or stop or end, or lose what it recorded, when it is meant in this version.
    #[must_use]
    pub fn starts_or_ends(&self, dialect: Dialect) -> bool {
        let kind = CommandKind::from_raw(self.0.command, dialect);
        kind.is_some_and(CommandKind::starts_or_ends)
    }

    /// What it is in this version.
    #[must_use]
    pub fn in_dialect(self, dialect: Dialect) -> Request {
        let Self(mut request) = self;
        request.dialect = dialect;
        request
    }

    /// The session that it names, empty for none.
    #[must_use]
    pub fn session_name(&self) -> &str {
        &self.0.session_name
    }

    /// The answer that it is not understood, which clients of all versions read.
    #[must_use]
    pub fn refusal(&self, error: ErrorCode) -> Reply {
        Reply::error(&self.0, error)
    }
}
