//! Which documents were applied, and which sessions are being brought to one. No input or output.

use std::collections::{BTreeMap, BTreeSet};

use lttngd_document::{Document, json};
use lttngd_model::Credentials;
use lttngd_users::{Lease, Ledger};
use tokio::time::Instant;

use crate::DeclareError;

/// Most bytes of documents that are kept, of all users together.
pub const DOCUMENTS_MAX_LEN: u64 = 64 << 20;
/// Of these, for root's.
const DOCUMENTS_KEPT_LEN: u64 = 4 << 20;

/// A document that was applied.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) owner: Credentials,
    pub(crate) document: Document,
    /// When its session ends by itself.
    pub(crate) ends_at: Option<Instant>,
    _room: Lease,
}

/// All of them.
pub(crate) struct Book {
    entries: BTreeMap<String, Entry>,
    busy: BTreeSet<String>,
    room: Ledger,
}

impl Book {
    pub(crate) fn new(owner: u32) -> Self {
        let room = Ledger::new("bytes of declared sessions", DOCUMENTS_KEPT_LEN).owned_by(owner);
        Self { entries: BTreeMap::new(), busy: BTreeSet::new(), room }
    }

    /// Begins something with a session.
    ///
    /// # Errors
    /// When something else is under way with it.
    pub(crate) fn begin(&mut self, session: &str) -> Result<(), DeclareError> {
        if self.busy.insert(session.to_owned()) {
            return Ok(());
        }
        Err(DeclareError::Busy(session.to_owned()))
    }

    /// It is over.
    pub(crate) fn over(&mut self, session: &str) {
        self.busy.remove(session);
    }

    /// Keeps a document in the place of that of the same session. One with the same end keeps the moment of it.
    ///
    /// # Errors
    /// When there is no room for what this user declares.
    pub(crate) fn keep(
        &mut self,
        owner: Credentials,
        document: Document,
        ends_at: Option<Instant>,
    ) -> Result<Option<Instant>, DeclareError> {
        let before = self.entries.remove(&document.session);
        let ends_at = match &before {
            Some(before) if before.document.end == document.end => before.ends_at,
            _ => ends_at,
        };
        drop(before);
        let len = json(&document).len() as u64;
        let left = DOCUMENTS_MAX_LEN.saturating_sub(self.room.taken());
        let room = self.room.take(owner.uid, len, left).map_err(|refused| {
            refused.tell("a document is not kept");
            DeclareError::NoRoom
        })?;
        let entry = Entry { owner, document, ends_at, _room: room };
        self.entries.insert(entry.document.session.clone(), entry);
        Ok(ends_at)
    }

    /// The document of a session, for who may know it.
    pub(crate) fn find(&self, session: &str, requester: Credentials) -> Option<&Entry> {
        self.entries.get(session).filter(|entry| may_know(entry, requester))
    }

    /// Forgets it.
    pub(crate) fn forget(&mut self, session: &str) {
        self.entries.remove(session);
    }

    /// All that somebody may know.
    pub(crate) fn known_to(&self, requester: Credentials) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(move |entry| may_know(entry, requester))
    }

    /// A session's moment has come: whose it is.
    pub(crate) fn is_due(&self, session: &str, now: Instant) -> Option<Credentials> {
        let entry = self.entries.get(session)?;
        entry.ends_at.is_some_and(|ends_at| ends_at <= now).then_some(entry.owner)
    }
}

fn may_know(entry: &Entry, requester: Credentials) -> bool {
    [0, entry.owner.uid].contains(&requester.uid)
}
