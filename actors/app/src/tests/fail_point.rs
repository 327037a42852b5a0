//! Places at which the actor of an application fails when a test says so.

use std::cell::Cell;

/// A place at which it may fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FailPoint {
    /// In its driver, when a request of this number is on its way.
    Request(u32),
    /// When the application has asked for an id on the notify socket.
    Notification,
    /// In the handler of a wish.
    Wish,
}

thread_local! {
    static FAILS_AT: Cell<Option<FailPoint>> = const { Cell::new(None) };
}

/// Who comes there next fails.
pub(super) fn fail_at(point: FailPoint) {
    FAILS_AT.set(Some(point));
}

/// An actor is there.
pub(crate) fn reached(point: FailPoint) {
    if FAILS_AT.get() == Some(point) {
        FAILS_AT.set(None);
        panic!("a failure that the test asked for, at {point:?}");
    }
}
