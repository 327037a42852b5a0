//! Points in the middle of what a session does, at which tests have it fail. In other builds they are
//! nothing.

/// Where a session can be made to fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailPoint {
    /// The consumers know of a new trace chunk, and the session does not have it yet.
    ChunkPublished,
    /// Buffers are there for an application, which does not have them yet.
    BuffersPrepared,
    /// Applications are kept from recording for a clear.
    Paused,
    /// A snapshot is recorded, whose trace chunk is open.
    SnapshotRecorded,
    /// A session that ends was taken out of its applications.
    Forgotten,
}

#[cfg(any(test, feature = "fail-points"))]
thread_local! {
    static FAILS_AT: std::cell::Cell<Option<FailPoint>> = const { std::cell::Cell::new(None) };
}

/// Makes the next session of this thread fail that reaches the point.
#[cfg(any(test, feature = "fail-points"))]
pub fn fail_at(point: FailPoint) {
    FAILS_AT.set(Some(point));
}

/// Whether the last [`fail_at`] has had its session fail.
#[cfg(any(test, feature = "fail-points"))]
#[must_use]
pub fn has_failed() -> bool {
    FAILS_AT.get().is_none()
}

/// The session is at this point.
#[cfg(any(test, feature = "fail-points"))]
pub(crate) fn reached(point: FailPoint) {
    if FAILS_AT.get() == Some(point) {
        FAILS_AT.set(None);
        panic!("a test has a session fail: {point:?}");
    }
}

/// The session is at this point.
#[cfg(not(any(test, feature = "fail-points")))]
pub(crate) const fn reached(_: FailPoint) {}
