//! The consumer daemon: takes the place of `lttng-consumerd -u` 2.13 beside a session daemon, ours or
//! the stock one. It makes the buffers of applications, reads them, and writes traces to files and to
//! relay daemons.
//!
//! ```text
//!   session daemon            control thread (actors)                 data threads
//!   command socket  ----->  command -> Control -> Session  --orders-->  Worker: streams, timers,
//!   metadata socket <-----  Source  <----------------------  events --         files, relays
//!   error socket    <-----  process
//!   monitor pipe    <-----  Control
//! ```
//!
//! The control thread understands commands and knows which sessions, trace chunks and channels there
//! are. A data thread has the streams themselves: each stream belongs to one thread, which alone reads
//! its buffer. What is written here has a thread of its own, so that it waits neither for relay daemons
//! nor for snapshots.

mod alarm;
mod apart;
mod book;
mod chunk;
mod clock;
mod command;
mod connections;
mod control;
mod dispatch;
mod event;
mod halves;
mod health;
mod makers;
mod mounts;
mod options;
mod process;
mod refusal;
mod removed;
mod reply;
mod request;
mod samples;
mod session;
mod shm;
mod source;
mod worker;
mod workers;

pub use clock::PacketClock;
pub use options::{Options, PROGRAM, is_meant};
pub use process::{ConsumerdError, run};
