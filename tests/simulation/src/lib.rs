//! Whole lives of the daemon's actors on virtual time: clients give commands at random, and the peers are played
//! in the same thread, by tasks that are late, refuse, say something wrong, fall silent and die. Everything is chosen
//! by a seed, so that a life that went wrong can be lived again.
//!
//! What is real: the registry, sessions, buffer sets, applications, relay connections, triggers and the actor of the
//! consumer daemon with all its sockets, over the sockets of the system; files are made in a directory of the life's
//! own. What is played: applications, the consumer daemon, relay daemons, and with them processes, the network and the
//! threads for what may block ([`lttngd_runtime::outside`]). What is not there: the sockets of clients and agents, the
//! kernel's domain, other users than one, and more than one thread.
//!
//! What is looked at in every life, see `client` and `rest`:
//!
//! - a command that is refused changes nothing that is listed, and one that is done changes that and nothing else;
//! - whoever needs no peer waits for none;
//! - a session that is destroyed has nothing anywhere, and nothing is made for it again;
//! - keys of channels and ids of trace chunks are never given twice, and a session has one current trace chunk;
//! - when peers answer again, applications record what sessions want;
//! - every command is answered, and the daemon ends in time;
//! - nothing panics.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod app;
mod chance;
mod client;
mod consumer;
mod life;
mod model;
mod relay;
mod rest;
mod story;
mod world;

pub use life::{Ending, Faults, Life, smallest};

#[cfg(test)]
mod tests;
