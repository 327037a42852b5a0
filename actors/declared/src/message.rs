//! What is asked about declared sessions, and what is answered.

use actix::Message;
use lttngd_document::Document;
use lttngd_handle::Handle;
use lttngd_model::ErrorCode;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a client asks.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum DeclareRequest {
    /// Brings a session to a document.
    Apply(Box<Apply>),
    /// The documents that were applied.
    List,
    /// Destroys a declared session, and forgets its document.
    Delete {
        /// Name of the session.
        session: String,
    },
    /// The document of a session, whoever made it.
    Export {
        /// Name of the session.
        session: String,
    },
}

/// A document to be applied.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Apply {
    /// What the session is to be.
    pub document: Document,
    /// Home directory of who asks, below which traces go unless the document says where.
    pub home: Option<String>,
    /// Makes the session anew when something cannot be changed in place.
    pub replace: bool,
    /// Says what would be done, and does nothing.
    pub dry: bool,
}

/// The same with the way to the daemon, which acts for who asks.
#[derive(Debug, Message)]
#[rtype(result = "Result<DeclareReply, DeclareError>")]
pub struct Asked {
    /// What.
    pub request: DeclareRequest,
    /// For whom.
    pub handle: Handle,
}

/// What is answered, in the variant of the request.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum DeclareReply {
    /// What was done, or would be.
    Applied(Applied),
    /// The documents.
    Listed(Vec<DeclaredSession>),
    /// It is gone.
    Deleted,
    /// The document.
    Exported(Box<Document>),
}

/// What was done, or would be.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Applied {
    /// Commands, in plain words and their order.
    pub commands: Vec<String>,
    /// What cannot be changed in place, in plain words.
    pub obstacles: Vec<String>,
    /// Whether the session is made anew.
    pub is_replaced: bool,
}

/// A document that was applied.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DeclaredSession {
    /// The document.
    pub document: Document,
    /// Who applied it.
    pub uid: u32,
    /// What is there of it.
    pub standing: Standing,
    /// In how many seconds the session ends by itself.
    pub ends_in_s: Option<u64>,
}

/// What is there of a document.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Standing {
    /// The session is what it says.
    AsDeclared,
    /// The session was changed since.
    Differs,
    /// There is no such session any more.
    Missing,
    /// The session does not tell.
    Unknown,
}

/// Why something was not done.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub enum DeclareError {
    /// Another document is applied to the session right now.
    #[error("another command about session {0} is under way: try again")]
    Busy(String),
    /// The document says what cannot be.
    #[error("{0}")]
    Fault(String),
    /// Something cannot be changed while the session stays, and nothing was done.
    #[error("it cannot be changed in place (--replace makes the session anew, and ends its trace):\n  {}", .0.join("\n  "))]
    Obstacles(Vec<String>),
    /// A command was refused.
    #[error("{what}: {code}{}", done_text(.done))]
    Command {
        /// Which.
        what: String,
        /// What was answered.
        code: ErrorCode,
        /// What had been done before.
        done: Vec<String>,
    },
    /// The session does not say what it is, or is not for who asks.
    #[error("session {session}: {code}")]
    Session {
        /// Which.
        session: String,
        /// What was answered.
        code: ErrorCode,
    },
    /// The session has something that no document says.
    #[error("{0}")]
    NotSaid(String),
    /// No document of this session was applied.
    #[error("session {0} is not a declared one")]
    NotDeclared(String),
    /// Others need what is left of the room for documents.
    #[error("this user has as many documents as may be kept for him")]
    NoRoom,
    /// The daemon is at its end.
    #[error("the daemon ends")]
    Ending,
}

fn done_text(done: &[String]) -> String {
    if done.is_empty() { String::new() } else { format!("; done before: {}", done.join(", ")) }
}
