//! Pure codecs of the protocols around a session daemon, one module per protocol: bytes to values
//! and values to bytes, no input or output. Everything is in the machine's byte order unless an item
//! says otherwise. Every length that a peer sends is checked against a named limit before it is used.

mod cursor;
mod error;
mod number;
mod sparse;

pub mod agent;
pub mod client;
pub mod consumer;
pub mod ctf;
pub mod kernel;
pub mod notification;
pub mod relay;
pub mod ust;

pub use cursor::{Reader, Writer};
pub use error::DecodeError;
pub use sparse::Sparse;
