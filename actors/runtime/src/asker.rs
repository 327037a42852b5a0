//! Whether who asked for something still waits for it.

use futures::{
    FutureExt,
    future::{Shared, pending},
};
use tokio::sync::oneshot;

/// Somebody waits for what he asked, until this is dropped.
#[derive(Debug)]
#[must_use = "who asked is gone when it is dropped"]
pub struct Waits {
    _gone: oneshot::Sender<()>,
}

/// Who asked, as those who do what he asked see him. Copies are the same one.
///
/// What changes something is done to its end whether he waits or not. What changes nothing is not done any more when he
/// has gone, and of what others wait for behind him only that which they need.
#[derive(Clone, Debug, Default)]
pub struct Asker(Option<Shared<oneshot::Receiver<()>>>);

impl Asker {
    /// One who waits as long as the other is there.
    pub fn new() -> (Waits, Self) {
        let (gone, waits) = oneshot::channel();
        (Waits { _gone: gone }, Self(Some(waits.shared())))
    }

    /// It is not known who asked.
    #[must_use]
    pub const fn nobody() -> Self {
        Self(None)
    }

    /// Whether it is known who asked. Nobody else is ever gone.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Whether he has gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.as_ref().is_some_and(|waits| waits.clone().now_or_never().is_some())
    }

    /// Over when he has gone.
    pub async fn gone(&self) {
        match self.0.clone() {
            // It says nothing: it is dropped.
            Some(waits) => {
                let _ = waits.await;
            }
            None => pending().await,
        }
    }

    /// What is done as long as he waits; `None` when he has gone before it was done.
    pub async fn while_waits<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.gone() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn work_is_done_as_long_as_who_asked_waits() {
        let (waits, asker) = Asker::new();
        assert!(asker.is_known() && !asker.is_gone());
        assert_eq!(asker.while_waits(ready(7)).await, Some(7));
        let copy = asker.clone();
        let given_up = tokio::spawn(async move { copy.while_waits(pending::<()>()).await });
        drop(waits);
        assert_eq!(given_up.await.ok(), Some(None));
        assert!(asker.is_gone());
        assert_eq!(asker.while_waits(ready(7)).await, Some(7), "what is done is done");
    }

    #[tokio::test]
    async fn nobody_is_never_gone() {
        let nobody = Asker::nobody();
        assert!(!nobody.is_known() && !nobody.is_gone());
        assert_eq!(nobody.while_waits(ready(7)).await, Some(7));
    }
}
