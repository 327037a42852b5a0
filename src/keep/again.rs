//! Kept sessions while they are made again.
//!
//! One whose relay daemon is silent takes as long as that is waited for, and what cannot reach it is not made. Nobody
//! waits for such a session, and it is kept for the next daemon.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use futures::{
    FutureExt, StreamExt,
    future::{LocalBoxFuture, join_all},
    stream::FuturesUnordered,
};
use lttngd_handle::Handle;
use lttngd_model::ErrorCode;
use lttngd_session::KeptSession;
use lttngd_sessionfile::SavedSession;
use tokio::{task::JoinHandle, time::timeout};

use crate::load::{self, LoadError};

/// Longest wait for sessions to be there, and then to record, before others are served and the daemon is ready.
const PATIENCE: Duration = Duration::from_secs(5);
const NOT_MADE: &str = "a session that was kept is not made again";

/// Sessions that are not what they were, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Rc<RefCell<BTreeMap<String, Kept>>>);

#[derive(Debug)]
struct Kept {
    session: KeptSession,
    /// It was tried, and its relay daemon could not be reached.
    is_given_up: bool,
}

impl Waiting {
    fn add(&self, name: String, session: KeptSession) {
        self.0.borrow_mut().insert(name, Kept { session, is_given_up: false });
    }

    /// What was tried with a session came to its end.
    fn ended(&self, name: &str, outcome: Result<(), &LoadError>) {
        let mut waiting = self.0.borrow_mut();
        match outcome {
            Err(LoadError::Session { code: ErrorCode::RelaydConnectFail, .. }) => {
                if let Some(kept) = waiting.get_mut(name) {
                    kept.is_given_up = true;
                }
            }
            // Another failure would be the same with the next daemon.
            Ok(()) | Err(_) => drop(waiting.remove(name)),
        }
    }

    /// What is to be kept for the next daemon, of which `ended` were sessions of this one.
    pub(super) fn with(&self, mut ended: Vec<KeptSession>) -> Vec<KeptSession> {
        let mut waiting = self.0.take();
        if waiting.is_empty() {
            return ended;
        }
        ended.retain(|session| {
            let Ok(name) = load::written_down(&session.saved).map(|saved| saved.name) else {
                return true;
            };
            match waiting.get(&name).map(|kept| kept.is_given_up) {
                None => true,
                // It has only parts of what it was.
                Some(false) => false,
                // Somebody has made another one of that name.
                Some(true) => {
                    waiting.remove(&name);
                    true
                }
            }
        });
        ended.extend(waiting.into_values().map(|kept| kept.session));
        ended
    }
}

/// A session with its owner's way in, when it is there.
type Made = Option<(Handle, SavedSession)>;

/// Sessions that are being made again.
#[derive(Default)]
pub(crate) struct MadeAgain {
    made: Vec<(Handle, SavedSession)>,
    making: FuturesUnordered<LocalBoxFuture<'static, Made>>,
    waiting: Waiting,
}

impl MadeAgain {
    /// Makes them by `handle`, each for its owner, side by side. What takes long goes on when they are started.
    pub(super) async fn make(
        sessions: Vec<KeptSession>,
        handle: &Handle,
        waiting: Waiting,
    ) -> Self {
        let mut again = Self { waiting, ..Self::default() };
        for kept in sessions {
            match load::written_down(&kept.saved) {
                Err(error) => tracing::error!(%error, "a session that was kept is not understood"),
                Ok(saved) => {
                    let handle = handle.acting_for(kept.owner);
                    again.waiting.add(saved.name.clone(), kept);
                    let made = make(handle, saved, again.waiting.clone());
                    again.making.push(made.boxed_local());
                }
            }
        }
        let all = async {
            while let Some(made) = again.making.next().await {
                again.made.extend(made);
            }
        };
        // Others are not kept waiting for them.
        let _ = timeout(PATIENCE, all).await;
        again
    }

    /// Starts those that recorded, side by side. What takes long goes on in the task that is answered.
    pub(super) async fn start(self) -> JoinHandle<()> {
        let Self { made, making, waiting } = self;
        let mut starting = tokio::task::spawn_local(async move {
            let first = join_all(made.into_iter().map(|made| start(made, &waiting)));
            let later = making.for_each_concurrent(None, async |made| {
                if let Some(made) = made {
                    start(made, &waiting).await;
                }
            });
            futures::join!(first, later);
        });
        // It answers nothing, and each that fails is told.
        let _ = timeout(PATIENCE, &mut starting).await;
        starting
    }
}

async fn make(handle: Handle, saved: SavedSession, waiting: Waiting) -> Made {
    match load::make(&handle, &saved).await {
        Err(error) => {
            tracing::error!(%error, "{NOT_MADE}");
            waiting.ended(&saved.name, Err(&error));
            None
        }
        Ok(()) => Some((handle, saved)),
    }
}

async fn start((handle, saved): (Handle, SavedSession), waiting: &Waiting) {
    let started = load::start(&handle, &saved).await;
    match &started {
        Err(error) => tracing::error!(%error, "{NOT_MADE}"),
        Ok(()) => tracing::info!(session = saved.name, "made again"),
    }
    waiting.ended(&saved.name, started.as_ref().copied());
}

#[cfg(test)]
mod tests {
    use lttngd_model::Credentials;

    use super::*;

    fn kept(name: &str, gid: u32) -> KeptSession {
        let saved = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><sessions><session><name>{name}</name><domains/>\
             <started>true</started><attributes/><output/></session></sessions>"
        );
        KeptSession { owner: Credentials { uid: 1, gid }, saved }
    }

    #[test]
    fn what_is_not_made_again_is_kept_as_it_was() {
        let waiting = Waiting::default();
        for name in ["done", "refused", "unfinished", "unreached", "replaced"] {
            waiting.add(name.to_owned(), kept(name, 1));
        }
        let refused =
            |code| LoadError::Session { session: String::new(), what: String::new(), code };
        let unreached = refused(ErrorCode::RelaydConnectFail);
        waiting.ended("done", Ok(()));
        waiting.ended("refused", Err(&refused(ErrorCode::Nomem)));
        waiting.ended("unreached", Err(&unreached));
        waiting.ended("replaced", Err(&unreached));
        let ended = ["done", "unfinished", "replaced", "new"].map(|name| kept(name, 2));
        let all = waiting.with(ended.to_vec());
        let expected = [
            kept("done", 2),
            kept("replaced", 2),
            kept("new", 2),
            kept("unfinished", 1),
            kept("unreached", 1),
        ];
        assert_eq!(all, expected);
        assert_eq!(waiting.with(vec![kept("done", 2)]), [kept("done", 2)]);
    }
}
