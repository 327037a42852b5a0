//! Declared sessions: what brings sessions to documents, remembers these, and ends the sessions in time.
//!
//! [`apply`] is the reconciler's executor: it looks what is there, and asks an [`Engine`] for what is to be changed, by
//! typed requests alone. [`Declared`] is the actor that has the documents which were applied; one of them at a time is
//! applied to a session. [`listen`] serves a socket, and [`ask`] is the other end of it.
//!
//! A client writes a request and is written a reply, each a length of four bytes in the machine's order and so many bytes of
//! JSON ([`Versioned`](lttngd_handle::Versioned)); then the connection ends. Who it is comes from the socket, and what is
//! asked of the daemon is asked for him.
//!
//! Limits: [`CONNECTIONS_MAX`] clients at a time, [`CONNECTIONS_EACH_MAX`] of a user but root; a request of
//! [`REQUEST_MAX_LEN`] bytes within [`REQUEST_DEADLINE`], its reply taken within [`REPLY_DEADLINE`];
//! [`DOCUMENTS_MAX_LEN`] bytes of documents of all users.

mod actor;
mod ask;
mod book;
mod execute;
mod listener;
mod message;
mod request;

pub use actor::Declared;
pub use ask::{AskError, REPLY_MAX_LEN, ask};
pub use book::DOCUMENTS_MAX_LEN;
pub use execute::{Engine, apply, look, standing};
pub use listener::{
    CONNECTIONS_EACH_MAX, CONNECTIONS_MAX, REPLY_DEADLINE, REQUEST_DEADLINE, REQUEST_MAX_LEN,
    listen,
};
pub use message::{
    Applied, Apply, Asked, DeclareError, DeclareReply, DeclareRequest, DeclaredSession, Standing,
};
