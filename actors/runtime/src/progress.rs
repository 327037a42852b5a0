//! Waiting for a peer that may be slow, as long as it does something.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::AskError;

/// Waits for what a peer's driver answers, as long as the peer makes progress: until it has done nothing
/// for `deadline`, counted from now or from its last `progress`. `None` waits for ever.
///
/// # Errors
/// [`AskError::Gone`] when the driver ended, [`AskError::TimedOut`] after `deadline`.
pub async fn wait_for_progress<T>(
    mut done: oneshot::Receiver<T>,
    progress: &Cell<Instant>,
    deadline: Option<Duration>,
) -> Result<T, AskError> {
    let Some(deadline) = deadline else { return done.await.map_err(|_| AskError::Gone) };
    let begun = Instant::now();
    loop {
        let until = progress.get().max(begun) + deadline;
        match tokio::time::timeout_at(until.into(), &mut done).await {
            Ok(outcome) => return outcome.map_err(|_| AskError::Gone),
            Err(_) if progress.get().max(begun) + deadline <= until => {
                return Err(AskError::TimedOut);
            }
            Err(_) => {}
        }
    }
}
