//! The signals of a process that is a daemon and nothing else, whatever whoever started it has left it.

use std::io;

use nix::sys::signal::SigSet;

/// Unblocks all signals, which the daemon and what it starts need: those that end it, and those by which
/// it learns of ends. Lets a write beyond the limit of file sizes fail instead of ending the process. To
/// be called before threads begin; what the process executes inherits it.
pub fn settle() {
    if let Err(error) = SigSet::all().thread_unblock() {
        tracing::warn!(error = %io::Error::from(error), "blocked signals stay blocked");
    }
    // SAFETY: no handler is set.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}
