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

    /// Room for a document that is to be kept. Where it takes another's place, that one has its own until then.
    ///
    /// # Errors
    /// When there is none for what this user declares.
    pub(crate) fn room(
        &self,
        owner: Credentials,
        document: &Document,
    ) -> Result<Lease, DeclareError> {
        let len = json(document).len() as u64;
        let taken =
            self.room.take_of(DOCUMENTS_MAX_LEN, (owner.uid, len), "a document is not applied");
        taken.map_err(|_| DeclareError::NoRoom)
    }

    /// Keeps a document in the place of that of the same session. One with the same end keeps the moment of it: when
    /// the session ends by itself.
    pub(crate) fn keep(
        &mut self,
        owner: Credentials,
        document: Document,
        ends_at: Option<Instant>,
        room: Lease,
    ) -> Option<Instant> {
        let before = self.entries.remove(&document.session);
        let ends_at = match &before {
            Some(before) if before.document.end == document.end => before.ends_at,
            _ => ends_at,
        };
        let entry = Entry { owner, document, ends_at, _room: room };
        self.entries.insert(entry.document.session.clone(), entry);
        ends_at
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use lttngd_document::End;

    use super::*;

    const ROOT: Credentials = Credentials { uid: 0, gid: 0 };
    const ONE: Credentials = Credentials { uid: 54_321, gid: 54_321 };
    const OTHER: Credentials = Credentials { uid: 54_322, gid: 54_322 };

    fn document(session: &str, end: Option<End>) -> Document {
        let text = "version: 1\nsession: s\nstarted: false\n";
        let document = lttngd_document::read(text).unwrap().remove(0);
        Document { session: session.to_owned(), end, ..document }
    }

    #[test]
    fn one_thing_at_a_time_is_done_with_a_session() {
        let mut book = Book::new(0);
        book.begin("a").unwrap();
        assert_eq!(book.begin("a"), Err(DeclareError::Busy("a".to_owned())));
        book.begin("b").unwrap();
        book.over("a");
        book.begin("a").unwrap();
    }

    #[test]
    fn documents_take_no_room_that_is_another_s() {
        let mut book = Book::new(0);
        let large = document(&"s".repeat(200_000), None);
        let mut taken = Vec::new();
        while let Ok(room) = book.room(ONE, &large) {
            taken.push(room);
            assert!(book.room.taken() <= DOCUMENTS_MAX_LEN);
        }
        assert!(!taken.is_empty());
        assert_eq!(book.room(ONE, &large).unwrap_err(), DeclareError::NoRoom);
        drop(book.room(OTHER, &document("small", None)).unwrap());
        drop(book.room(ROOT, &document("small", None)).unwrap());
        // What is applied again takes the place of what was.
        taken.pop();
        let room = book.room(ONE, &document("again", None)).unwrap();
        book.keep(ONE, document("again", None), None, room);
        let before = book.room.taken();
        let room = book.room(ONE, &document("again", None)).unwrap();
        book.keep(ONE, document("again", None), None, room);
        assert_eq!(book.room.taken(), before);
        book.forget("again");
        assert!(book.room.taken() < before);
    }

    #[test]
    fn who_applies_the_same_end_again_keeps_the_moment() {
        let (mut book, now) = (Book::new(0), Instant::now());
        let (first, second) = (now + Duration::from_secs(10), now + Duration::from_secs(20));
        let mut keep = |end, at| {
            let document = document("s", end);
            let room = book.room(ONE, &document).unwrap();
            book.keep(ONE, document, at, room)
        };
        assert_eq!(keep(Some(End::AfterS(10)), Some(first)), Some(first));
        assert_eq!(keep(Some(End::AfterS(10)), Some(second)), Some(first));
        assert_eq!(keep(Some(End::AfterS(20)), Some(second)), Some(second));
        assert_eq!(book.is_due("s", first), None);
        assert_eq!(book.is_due("s", second), Some(ONE));
        assert!(book.find("s", OTHER).is_none() && book.find("s", ROOT).is_some());
    }
}
