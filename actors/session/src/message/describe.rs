//! What a session is, as a whole.

use actix::Message;
use lttngd_model::ErrorCode;
use serde::{Deserialize, Serialize};

/// Asks for all that a session is, without a file: LTTng has no such command of its own.
///
/// Errors: none of its own.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<SessionDescription, ErrorCode>")]
pub struct DescribeSession;

/// What a session is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SessionDescription {
    /// As `lttng save` writes it.
    pub saved: String,
    /// Whether it was ever started: it takes no new channels and contexts then.
    pub was_started: bool,
}
