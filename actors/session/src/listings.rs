//! What LIST_SESSIONS shows, and where a session is found by its name, to be read in any thread without asking an
//! actor.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use actix::Addr;
use lttngd_model::{Credentials, SessionId, SessionListing};

use crate::{Session, SessionFigures, figures::UnderWay};

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
    /// What is in it is shared with those who read, so that the lock is held for the copying of addresses alone.
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    shown: BTreeMap<SessionId, Shown>,
    names: HashMap<String, SessionId>,
}

#[derive(Debug)]
struct Shown {
    found: FoundSession,
    listing: Arc<SessionListing>,
    figures: SessionFigures,
}

/// A session and its owner.
#[derive(Clone, Debug)]
pub struct FoundSession {
    /// Its actor.
    pub session: Addr<Session>,
    /// Its owner.
    pub owner: Credentials,
    /// Its commands that are not answered.
    pub under_way: UnderWay,
}

/// A session as whoever looks at the daemon sees it.
#[derive(Clone, Debug)]
pub struct ShownSession {
    /// Its id.
    pub id: SessionId,
    /// How it is listed.
    pub listing: Arc<SessionListing>,
    /// Its owner.
    pub owner: Credentials,
    /// What it records and loses, as it showed last.
    pub figures: SessionFigures,
    /// How many of its commands are not answered.
    pub commands: usize,
}

impl SessionListings {
    /// Shows a session from now on, which is found by the name that is in its listing.
    pub fn publish(&self, id: SessionId, found: FoundSession, listing: SessionListing) {
        let mut sessions = self.sessions();
        sessions.names.insert(listing.name.clone(), id);
        let (listing, figures) = (Arc::new(listing), SessionFigures::default());
        sessions.shown.insert(id, Shown { found, listing, figures });
        self.changed();
    }

    /// Shows a session as it is now, unless it is not shown any more.
    pub fn update(&self, id: SessionId, listing: SessionListing) {
        if let Some(shown) = self.sessions().shown.get_mut(&id) {
            shown.listing = Arc::new(listing);
        }
        self.changed();
    }

    /// Changes what is shown of what a session records and loses. Its listing stays what it is.
    pub(crate) fn change_figures(&self, id: SessionId, change: impl FnOnce(&mut SessionFigures)) {
        if let Some(shown) = self.sessions().shown.get_mut(&id) {
            change(&mut shown.figures);
        }
    }

    /// Another actor takes the place of a session's own.
    pub fn replace(&self, id: SessionId, session: Addr<Session>, under_way: UnderWay) {
        if let Some(shown) = self.sessions().shown.get_mut(&id) {
            shown.found.session = session;
            shown.found.under_way = under_way;
        }
    }

    /// Shows a session no longer. Its name is free; one that has it already when this is said again keeps it.
    pub fn withdraw(&self, id: SessionId) {
        let mut sessions = self.sessions();
        if let Some(shown) = sessions.shown.remove(&id) {
            sessions.names.remove(&shown.listing.name);
        }
        self.changed();
    }

    /// Which session has this name.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<SessionId> {
        self.sessions().names.get(name).copied()
    }

    /// The session of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<FoundSession> {
        let sessions = self.sessions();
        let id = sessions.names.get(name)?;
        sessions.shown.get(id).map(|shown| shown.found.clone())
    }

    /// The sessions that `requester` may access, newest first.
    #[must_use]
    pub fn visible_to(&self, requester: Credentials) -> Vec<Arc<SessionListing>> {
        let sessions = self.sessions();
        let visible = |shown: &&Shown| requester.may_access(shown.found.owner);
        let visible = sessions.shown.values().rev().filter(visible);
        visible.map(|shown| Arc::clone(&shown.listing)).collect()
    }

    /// The same with what they record and lose.
    #[must_use]
    pub fn looked_at_by(&self, requester: Credentials) -> Vec<ShownSession> {
        let sessions = self.sessions();
        let visible = |(_, shown): &(_, &Shown)| requester.may_access(shown.found.owner);
        let visible = sessions.shown.iter().rev().filter(visible);
        let shown = visible.map(|(id, shown)| ShownSession {
            id: *id,
            listing: Arc::clone(&shown.listing),
            owner: shown.found.owner,
            figures: shown.figures.clone(),
            commands: shown.found.under_way.count(),
        });
        shown.collect()
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
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
