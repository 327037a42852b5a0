//! The turn of data threads on the processors, when applications want more of them than there are.

use std::io;

/// The lowest of the real-time priorities: enough to come before all applications that have none.
const PRIORITY: libc::c_int = 1;
/// That of threads without one.
const NO_PRIORITY: libc::c_int = 0;

/// Lets the calling thread come before all threads without a real-time priority, whose buffers it
/// empties: a short turn for each packet, soon, is what keeps programs that emit as fast as they can
/// from losing most of their events. A better niceness does not do: it gives a thread more of the
/// processors' time, but not soon. What the thread starts has the usual priority.
///
/// # Errors
/// `EPERM` for a user who has neither the right nor a limit (`RLIMIT_RTPRIO`) that allows it.
pub fn come_first() -> io::Result<()> {
    schedule(libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, PRIORITY)
}

/// Whether the calling thread comes before all without a real-time priority.
#[must_use]
pub fn is_first() -> bool {
    // SAFETY: the call has no arguments but the calling thread.
    let policy = unsafe { libc::sched_getscheduler(0) };
    policy & !libc::SCHED_RESET_ON_FORK == libc::SCHED_RR
}

/// Has the calling thread, which came first, wait for its turn as all threads without a real-time priority do.
///
/// # Errors
/// What the system says; it lets a thread of any user do so.
pub fn come_after() -> io::Result<()> {
    // Who has no rights may not take the mark away.
    schedule(libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK, NO_PRIORITY)
}

/// The same for a thread that such threads wait for, and for the threads that it starts.
///
/// # Errors
/// `EPERM`, see [`come_first`].
pub fn come_first_with_children() -> io::Result<()> {
    schedule(libc::SCHED_RR, PRIORITY)
}

/// Threads of the same priority take turns.
fn schedule(policy: libc::c_int, priority: libc::c_int) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: the call reads the parameters, which outlive it; 0 is the calling thread.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_thread_comes_first_or_is_not_allowed_to() {
        // A thread of its own, which is the only one that changes.
        std::thread::spawn(|| {
            // SAFETY: the call has no arguments but the calling thread.
            let policy = || unsafe { libc::sched_getscheduler(0) };
            // Twice: one that came after may come first again.
            for _ in 0..2 {
                match come_first() {
                    Ok(()) => {
                        assert!(is_first());
                        assert_eq!(policy(), libc::SCHED_RR | libc::SCHED_RESET_ON_FORK);
                    }
                    Err(error) => {
                        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
                        assert_eq!(policy() & !libc::SCHED_RESET_ON_FORK, libc::SCHED_OTHER);
                    }
                }
                come_after().unwrap();
                assert!(!is_first());
                assert_eq!(policy(), libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK);
            }
        })
        .join()
        .unwrap();
    }
}
