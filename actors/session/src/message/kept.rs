//! The end of a session at that of its daemon.

use actix::Message;
use lttngd_model::{Credentials, ErrorCode};
use serde::{Deserialize, Serialize};

/// The same when the daemon ends: applications and agents that do not answer are not waited for as long as usual.
///
/// With `keep` the last trace chunk goes to the archives, as that of a session that was rotated, and the reply is what the next daemon makes the
/// session of again, in the same place. It is `None` for a session that would have to write over what it has recorded.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Option<KeptSession>, ErrorCode>")]
pub struct DestroyAtEnd {
    /// Whether there is to be a reply.
    pub keep: bool,
}

/// What is kept of a session over the end of its daemon.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeptSession {
    /// Its owner.
    pub owner: Credentials,
    /// What it was, as `lttng save` writes it.
    pub saved: String,
}
