//! Waiting as long as there is progress.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::sync::oneshot;

use crate::{AskError, wait_for_progress};

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn an_answer_or_its_absence_ends_the_wait() {
    let now = Instant::now();
    for deadline in [None, Some(SHORT)] {
        let (reply, done) = oneshot::channel();
        reply.send(7).unwrap();
        let waited = wait_for_progress(done, &Cell::new(now), now, deadline).await;
        assert_eq!(waited, Ok(7));
        let (reply, done) = oneshot::channel::<()>();
        drop(reply);
        let waited = wait_for_progress(done, &Cell::new(now), now, deadline).await;
        assert_eq!(waited, Err(AskError::Gone));
    }
}

#[tokio::test]
async fn the_deadline_counts_from_the_last_progress() {
    let begun = Instant::now();
    let progress = Cell::new(begun);
    let (_reply, done) = oneshot::channel::<()>();
    let wait = wait_for_progress(done, &progress, begun, Some(SHORT));
    let advance = async {
        tokio::time::sleep(SHORT / 2).await;
        progress.set(Instant::now());
    };
    let (waited, ()) = tokio::join!(wait, advance);
    assert_eq!(waited, Err(AskError::TimedOut));
    assert!(Instant::now() >= progress.get() + SHORT);
}

#[tokio::test]
async fn whoever_comes_after_the_deadline_does_not_wait() {
    let long_ago = Instant::now().checked_sub(SHORT * 2).unwrap();
    let (_reply, done) = oneshot::channel::<()>();
    let progress = Cell::new(long_ago);
    let wait = wait_for_progress(done, &progress, long_ago, Some(SHORT));
    assert_eq!(wait.now_or_never(), Some(Err(AskError::TimedOut)));
}
