//! The run-as worker: a process that makes directories and files of sessions with the rights of their
//! owners, so that the kernel decides what an owner may do and where.
//!
//! ```text
//!   daemon of root                                  worker: CAP_SETUID, CAP_SETGID, few system calls
//!   Runas --- Owner --- Act ...                      thread: groups, fsgid, fsuid of the requester,
//!               |   one socket, packets:                     then mkdir, open, rename, unlink
//!               +-- Link: requests side by side, ---> thread
//!                   replies with descriptors         thread ...
//! ```
//!
//! * A process that is not root has no worker: it acts itself for its own user, and for no other.
//! * What is below a directory is reached without following links, whatever others do meanwhile.
//! * Each request ends by its deadline, whatever the file system or the worker do. A user has a few
//!   threads of the worker and no more, so one whose file system hangs delays nobody else.
//! * A worker that dies fails the requests that it has; the next one starts another.

mod below;
mod confine;
mod faults;
mod kept;
mod link;
mod liveness;
mod operation;
mod owner;
mod packet;
mod process;
mod protocol;
mod queue;
mod report;
#[cfg(test)]
mod tests;
mod trusted;
mod worker;

pub use faults::{Fault, Faults};
pub use kept::keep_file_rights;
pub use operation::{Below, Opening};
pub use owner::{Act, DEADLINE, Owner, Runas};
pub use process::PROGRAM;
pub use protocol::GROUPS_MAX;
pub use queue::{IN_FLIGHT_EACH_MAX, IN_FLIGHT_MAX, WAITING_MAX};
pub use report::{RunasReport, RunasState};
pub use worker::{is_meant, main};
