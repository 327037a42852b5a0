//! Waiting for a peer that may be slow, as long as it does something.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::AskError;

/// Waits for what a peer's driver answers, as long as the peer makes progress: until it has done nothing
/// for `deadline`, counted from `since` or from its last `progress`. `None` waits for ever.
///
/// # Errors
/// [`AskError::Gone`] when the driver ended, [`AskError::TimedOut`] after `deadline`.
pub async fn wait_for_progress<T>(
    mut done: oneshot::Receiver<T>,
    progress: &Cell<Instant>,
    since: Instant,
    deadline: Option<Duration>,
) -> Result<T, AskError> {
    let Some(deadline) = deadline else { return done.await.map_err(|_| AskError::Gone) };
    loop {
        let until = progress.get().max(since) + deadline;
        match tokio::time::timeout_at(until.into(), &mut done).await {
            Ok(outcome) => return outcome.map_err(|_| AskError::Gone),
            Err(_) if progress.get().max(since) + deadline <= until => {
                return Err(AskError::TimedOut);
            }
            Err(_) => {}
        }
    }
}
