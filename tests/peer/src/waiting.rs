//! Waiting for what must happen, with an end.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

/// Longest time that anything a test waits for may take. Nothing takes it unless it has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(1);

/// Waits until `happened`; the clock is the real one even where the runtime's is paused.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        tokio::task::spawn_blocking(|| std::thread::sleep(LOOK)).await.unwrap();
    }
}

/// The same for what has to be asked.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn eventually_so(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !happened().await {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        tokio::task::yield_now().await;
    }
}

/// How long nothing changes before a count is taken for one at rest.
const REST: Duration = Duration::from_millis(100);

/// A count that is taken when things are at rest, to compare with later. What is being closed at the
/// moment still counts, so that one reading alone would be too high.
#[derive(Debug)]
pub struct BaseLine<T> {
    last: T,
    since: Instant,
}

impl<T: Clone + PartialEq> BaseLine<T> {
    /// Begins with a reading.
    #[must_use]
    pub fn begin(first: T) -> Self {
        Self { last: first, since: Instant::now() }
    }

    /// Takes another reading; the count, once it has not changed for a while.
    pub fn look(&mut self, now: T) -> Option<T> {
        if self.last != now {
            *self = Self::begin(now);
        }
        (self.since.elapsed() >= REST).then(|| self.last.clone())
    }
}

/// Waits until `count` is at rest.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn at_rest<T: Clone + PartialEq>(mut count: impl FnMut() -> T) -> T {
    let mut line = BaseLine::begin(count());
    let mut rest = None;
    eventually("it is at rest", || {
        rest = line.look(count());
        rest.is_some()
    })
    .await;
    rest.unwrap()
}

/// Holds a fake back until the test opens it.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everybody through, now and later.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open, or for [`PATIENCE`].
    pub fn pass(&self) {
        let (open, bell) = (self.0.0.lock().unwrap(), &self.0.1);
        drop(bell.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap());
    }
}
