//! What LIST_SESSIONS shows, to be read in any thread without asking an actor.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use lttngd_model::{Credentials, SessionId, SessionListing};

/// The sessions as listings show them. A session writes its own entry before anybody is told that it
/// changed, so whoever was answered reads what the answer caused.
#[derive(Clone, Debug, Default)]
pub struct SessionListings {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Grows with every change, after it was made.
    generation: AtomicU64,
    /// Shared with those who read, so that the lock is held for the copying of addresses alone.
    sessions: Mutex<BTreeMap<SessionId, (Credentials, Arc<SessionListing>)>>,
}

impl SessionListings {
    /// Shows a session of `owner` from now on.
    pub fn publish(&self, id: SessionId, owner: Credentials, listing: SessionListing) {
        self.sessions().insert(id, (owner, Arc::new(listing)));
        self.changed();
    }

    /// Shows a session as it is now, unless it is not shown any more.
    pub fn update(&self, id: SessionId, listing: SessionListing) {
        if let Some((_, shown)) = self.sessions().get_mut(&id) {
            *shown = Arc::new(listing);
        }
        self.changed();
    }

    /// Shows a session no longer.
    pub fn withdraw(&self, id: SessionId) {
        self.sessions().remove(&id);
        self.changed();
    }

    /// The sessions that `requester` may access, newest first.
    #[must_use]
    pub fn visible_to(&self, requester: Credentials) -> Vec<Arc<SessionListing>> {
        let sessions = self.sessions();
        let visible = |(owner, _): &&(Credentials, _)| requester.may_access(*owner);
        sessions.values().rev().filter(visible).map(|(_, listing)| Arc::clone(listing)).collect()
    }

    /// A number that is another after every change. What was read after it shows at least the changes
    /// up to it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    fn changed(&self) {
        self.shared.generation.fetch_add(1, Ordering::Release);
    }

    /// Each change is whole, so a thread that panicked left nothing half done.
    fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionId, (Credentials, Arc<SessionListing>)>> {
        self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
