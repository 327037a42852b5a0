//! How the C library's allocator behaves in a daemon, and what it has of the system's memory.

use std::{
    io,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, executor::block_on};
use lttngd_handle::{Handle, resident_bytes};
use lttngd_registry::{Event, Subscription};
use lttngd_session::SessionEvent;

/// Freed memory at the end of a heap that is kept instead of given back to the system, in bytes.
///
/// A request and its reply are some tens of kilobytes. With the library's own 128 KiB the memory of
/// every few clients is given back and has to be faulted in again for the next ones.
#[cfg(target_env = "gnu")]
const TRIM_THRESHOLD: libc::c_int = 1 << 20;

/// By how much a heap grows at a time, in bytes. That of a thread of its own grows page by page instead, each
/// with a call of the system.
#[cfg(target_env = "gnu")]
const TOP_PAD: libc::c_int = 1 << 20;

/// Has all threads share one heap, where one of them does nearly all of the work. To be called before threads
/// begin.
pub fn share_one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only stores a number, and nothing else runs yet.
    let _unsupported =
        unsafe { (libc::mallopt(libc::M_ARENA_MAX, 1), libc::mallopt(libc::M_TOP_PAD, TOP_PAD)) };
}

/// Keeps a little freed memory at hand. To be called before threads begin.
pub fn keep_some() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only stores a number, and nothing else runs yet.
    let _unsupported = unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD) };
}

/// Resident memory with which nothing is given back, in bytes: a daemon that serves hundreds has as much.
const KEPT: u64 = 32 << 20;
/// How long after somebody left memory is looked at, and how long that is doubled as long as there is much: a crowd
/// does not leave all at once, and the buffers of applications that are gone are read to their end before they go.
const CALM: Duration = Duration::from_secs(1);
/// See [`CALM`].
const CALM_MAX: Duration = Duration::from_secs(64);
/// How many times as long as giving back took it is not done again: everybody who allocates waits for it.
const PAUSES: u32 = 100;

/// Gives memory that is free back to the system when those who had it have left, from a thread of its own, as long
/// as there is the daemon. Without it the allocator gives back no memory that lies below some that is in use.
///
/// # Errors
/// There is no thread for it, or the daemon has ended.
pub fn give_back(handle: &Handle) -> io::Result<()> {
    let told = block_on(handle.subscribe_without_losses(1));
    let told = told.map_err(|code| io::Error::other(code.to_string()))?;
    let thread = std::thread::Builder::new().name("lttngd-memory".to_owned());
    thread.spawn(move || give_back_while(told)).map(drop)
}

fn give_back_while(mut told: Subscription) {
    while let Some(event) = block_on(told.next()) {
        let mut calm = has_left(&event).then_some(CALM);
        while let Some(wait) = calm {
            std::thread::sleep(wait);
            let mut more = false;
            while let Some(Some(event)) = told.next().now_or_never() {
                more |= has_left(&event);
            }
            calm = next_look(wait, more, resident_bytes());
            if calm.is_some() {
                let begun = Instant::now();
                trim();
                let took = begun.elapsed();
                tracing::debug!(?took, "memory that was free is given back");
                std::thread::sleep(took * PAUSES);
            }
        }
    }
}

/// When memory is looked at again after a look `wait` after the one before: never where there is not much. `more` have
/// left meanwhile.
fn next_look(wait: Duration, more: bool, resident_bytes: Option<u64>) -> Option<Duration> {
    let next = if more { CALM } else { wait * 2 };
    (next <= CALM_MAX && resident_bytes.is_none_or(|bytes| bytes > KEPT)).then_some(next)
}

/// Whether somebody is gone who may have had much memory.
fn has_left(event: &Event) -> bool {
    match event {
        Event::AppUnregistered(_)
        | Event::AgentUnregistered { .. }
        | Event::ConsumerLost { .. }
        // Whoever it was of.
        | Event::Missed { .. } => true,
        Event::Session { event, .. } => {
            matches!(event, SessionEvent::Destroyed | SessionEvent::Failed)
        }
        _ => false,
    }
}

/// Gives back all that is free, but for a little at the end of the heap.
fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes nothing but a number, and may be called at any time.
    let _whether_some_was = unsafe { libc::malloc_trim(TRIM_THRESHOLD as libc::size_t) };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn whoever_comes_gives_nothing_back() {
        let session = |event| Event::Session { session: "s".to_owned(), event };
        assert!(!has_left(&session(SessionEvent::Created)));
        assert!(!has_left(&session(SessionEvent::Stopped)));
        assert!(has_left(&session(SessionEvent::Destroyed)));
        assert!(has_left(&Event::Missed { count: 3 }), "one of them may be an end");
    }

    #[test]
    fn memory_is_looked_at_for_a_while_after_the_last_one_left() {
        let much = Some(2 * KEPT);
        let mut waits = vec![CALM];
        while let Some(next) = next_look(waits[waits.len() - 1], false, much) {
            waits.push(next);
        }
        assert_eq!(waits.last(), Some(&CALM_MAX));
        assert_eq!(next_look(CALM_MAX, true, much), Some(CALM), "who leaves begins it anew");
        assert_eq!(next_look(CALM, true, Some(KEPT)), None, "there is nothing to give");
        assert!(next_look(CALM, false, None).is_some(), "nobody knows");
    }

    #[test]
    fn it_is_known_what_is_in_memory() {
        let before = resident_bytes().unwrap();
        let filled = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident_bytes().unwrap() > before + (32 << 20));
        drop(filled);
    }
}
