//! How the C library's allocator behaves in a daemon.

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
