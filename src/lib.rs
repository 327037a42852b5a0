//! lttngd, a session daemon for LTTng on the actor model.
//!
//! The daemon takes the place of `lttng-sessiond`. A program can also embed it: [`Daemon::start`]
//! runs it in threads of its own, and a [`Handle`] drives it with the very requests that the client
//! socket uses.

pub mod config;
mod daemon;
mod error;
mod rundir;
mod wait_page;

pub use config::{Config, ConsumerdConfig};
pub use daemon::Daemon;
pub use error::StartError;
pub use lttngd_model as model;
pub use lttngd_registry::Handle;
pub use lttngd_session as session;
