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
    pub(crate) fn pass(&self) {
        let (open, bell) = (self.0.0.lock().unwrap(), &self.0.1);
        drop(bell.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap());
    }
}
