//! A session daemon for LTTng on the actor model.

pub mod config;
mod error;
mod rundir;
mod wait_page;

pub use config::{Config, ConsumerdConfig};
pub use error::StartError;
