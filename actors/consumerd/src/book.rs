//! Which sessions and channels there are: plain values.

use std::collections::{HashMap, hash_map::Entry};

use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::{Count, Counted};

use crate::refusal::Refusal;

/// Most sessions that are known at a time.
const SESSIONS_MAX: usize = 1 << 17;

/// The sessions, each with its address `A`, and whose each channel is.
pub(crate) struct Book<A> {
    sessions: HashMap<SessionId, Known<A>>,
    channels: HashMap<ChannelKey, SessionId>,
    started: Life,
}

/// Which of the lives of one session's id an actor has: that of a session which is forgotten ends when the
/// next one of the id may run already.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Life(u64);

/// A session that is known.
struct Known<A> {
    /// `None` when it failed. It is remembered, so that nothing that comes for it makes it anew: it would have
    /// nothing of what was recorded.
    actor: Option<A>,
    life: Life,
    /// Commands that are on their way to it, or are carried out: a session that has some is not forgotten,
    /// since what they make would be found by nobody.
    asked: Count,
    /// It had nothing when it was asked last; whether it has had channels for snapshots then.
    empty: Option<bool>,
}

/// A session is forgotten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Forgotten {
    /// Whether it has had channels for snapshots.
    pub(crate) has_snapshots: bool,
}

impl<A> Default for Book<A> {
    fn default() -> Self {
        Self { sessions: HashMap::new(), channels: HashMap::new(), started: Life::default() }
    }
}

impl<A: Clone> Book<A> {
    /// The session that a command is for, which `start` makes when it is the first; it is on its way until the
    /// count is dropped.
    pub(crate) fn ask(
        &mut self,
        id: SessionId,
        start: impl FnOnce(Life) -> Result<A, Refusal>,
    ) -> Result<(A, Counted), Refusal> {
        let room = self.sessions.len() < SESSIONS_MAX;
        let known = match self.sessions.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if !room => return Err(Refusal::NoRoom),
            Entry::Vacant(vacant) => {
                self.started.0 += 1;
                let life = self.started;
                let actor = Some(start(life)?);
                vacant.insert(Known { actor, life, asked: Count::default(), empty: None })
            }
        };
        let actor = known.actor.clone().ok_or(Refusal::Failed)?;
        known.empty = None;
        Ok((actor, known.asked.one_more()))
    }

    /// A session that runs, to be told something.
    pub(crate) fn find(&self, id: SessionId) -> Option<A> {
        self.sessions.get(&id)?.actor.clone()
    }

    /// All sessions that run.
    pub(crate) fn all(&self) -> Vec<A> {
        self.sessions.values().filter_map(|known| known.actor.clone()).collect()
    }

    /// Whose a channel is.
    pub(crate) fn session_of(&self, key: ChannelKey) -> Result<SessionId, Refusal> {
        self.channels.get(&key).copied().ok_or(Refusal::UnknownChannel)
    }

    /// Remembers whose a channel is. `false` when the key is another's, who may be making it still.
    pub(crate) fn claim_channel(&mut self, key: ChannelKey, session: SessionId) -> bool {
        match self.channels.entry(key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(session);
                true
            }
        }
    }

    /// Forgets a channel, but not one of a session that failed: who asks for it is to hear that.
    pub(crate) fn forget_channel(&mut self, key: ChannelKey) {
        let Some(session) = self.channels.get(&key) else { return };
        let has_failed = |known: &Known<A>| known.actor.is_none();
        if !self.sessions.get(session).is_some_and(has_failed) {
            self.channels.remove(&key);
        }
    }

    /// A session has nothing left. It is forgotten now, or when the last command that is on its way has been
    /// carried out and left nothing either.
    pub(crate) fn is_empty(&mut self, id: SessionId, has_snapshots: bool) -> Option<Forgotten> {
        self.sessions.get_mut(&id)?.empty = Some(has_snapshots);
        self.replied(id)
    }

    /// A command has been carried out, or its asker is gone.
    pub(crate) fn replied(&mut self, id: SessionId) -> Option<Forgotten> {
        let known = self.sessions.get(&id)?;
        let has_snapshots = known.empty.filter(|_| known.asked.get() == 0)?;
        self.sessions.remove(&id);
        Some(Forgotten { has_snapshots })
    }

    /// The actor of a session is gone. Whether it failed: those that are forgotten leave as well.
    pub(crate) fn has_failed(&mut self, id: SessionId, life: Life) -> bool {
        let Some(known) = self.sessions.get_mut(&id) else { return false };
        if known.life != life {
            return false;
        }
        known.empty = None;
        known.actor.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SessionId = SessionId(3);
    const KEY: ChannelKey = ChannelKey(7);

    const FIRST: Life = Life(1);

    fn start(_: Life) -> Result<&'static str, Refusal> {
        Ok("started")
    }

    fn unstarted(_: Life) -> Result<&'static str, Refusal> {
        unreachable!("it is there")
    }

    #[test]
    fn a_session_is_started_once() {
        let mut book = Book::default();
        let first = book.ask(ID, start).ok().map(|(actor, _)| actor);
        let second = book.ask(ID, unstarted).ok().map(|(actor, _)| actor);
        assert_eq!((first, second), (Some("started"), Some("started")));
        assert_eq!(book.find(SessionId(4)), None);
    }

    #[test]
    fn a_session_that_cannot_be_started_is_not_known() {
        let mut book = Book::<&str>::default();
        let refused = book.ask(ID, |_| Err(Refusal::Ending));
        assert_eq!(refused.err(), Some(Refusal::Ending));
        assert_eq!(book.find(ID), None);
    }

    #[test]
    fn a_session_is_refused_when_as_many_are_known_as_may_be() {
        let mut book = Book::default();
        for id in 0..SESSIONS_MAX as u64 {
            assert!(book.ask(SessionId(id), start).is_ok());
        }
        let one_more = SessionId(SESSIONS_MAX as u64);
        assert_eq!(book.ask(one_more, unstarted).err(), Some(Refusal::NoRoom));
        assert!(book.ask(ID, unstarted).is_ok(), "one that is known is served");
    }

    #[test]
    fn an_empty_session_stays_while_a_command_is_on_its_way_to_it() -> Result<(), Refusal> {
        let mut book = Book::default();
        let (_, first) = book.ask(ID, start)?;
        assert_eq!(book.is_empty(ID, true), None, "the command is not replied to yet");
        let (_, second) = book.ask(ID, unstarted)?;
        drop(first);
        assert_eq!(book.replied(ID), None, "the second command may make something");
        drop(second);
        assert_eq!(book.replied(ID), None, "it has not said that there is nothing");
        assert_eq!(book.is_empty(ID, true), Some(Forgotten { has_snapshots: true }));
        assert_eq!(book.find(ID), None);
        Ok(())
    }

    #[test]
    fn a_session_whose_last_command_left_nothing_is_forgotten_at_its_reply() -> Result<(), Refusal>
    {
        let mut book = Book::default();
        let (_, asked) = book.ask(ID, start)?;
        assert_eq!(book.is_empty(ID, false), None);
        drop(asked);
        assert_eq!(book.replied(ID), Some(Forgotten { has_snapshots: false }));
        assert_eq!(book.replied(ID), None, "once");
        Ok(())
    }

    #[test]
    fn a_channel_belongs_to_who_claimed_it_first() {
        let mut book = Book::<&str>::default();
        assert!(book.claim_channel(KEY, ID));
        assert!(!book.claim_channel(KEY, SessionId(4)) && !book.claim_channel(KEY, ID));
        assert_eq!(book.session_of(KEY), Ok(ID));
        book.forget_channel(KEY);
        assert_eq!(book.session_of(KEY), Err(Refusal::UnknownChannel));
        assert!(book.claim_channel(KEY, SessionId(4)));
    }

    #[test]
    fn a_session_that_failed_is_not_made_anew_and_keeps_its_channels_keys() {
        let mut book = Book::default();
        assert!(book.ask(ID, start).is_ok() && book.claim_channel(KEY, ID));
        assert!(book.has_failed(ID, FIRST));
        assert_eq!(book.ask(ID, unstarted).err(), Some(Refusal::Failed));
        book.forget_channel(KEY);
        assert_eq!(book.session_of(KEY), Ok(ID));
        assert!(!book.has_failed(ID, FIRST), "it fails once");
        assert_eq!(book.replied(ID), None);
    }

    #[test]
    fn the_end_of_a_forgotten_sessions_actor_is_no_failure() -> Result<(), Refusal> {
        let mut book = Book::default();
        drop(book.ask(ID, start)?);
        assert!(book.is_empty(ID, false).is_some());
        assert!(!book.has_failed(ID, FIRST));
        assert!(book.ask(ID, start).is_ok(), "the id may come again");
        assert!(
            !book.has_failed(ID, FIRST),
            "nor is it the next one's, which came before that end"
        );
        assert!(book.has_failed(ID, Life(2)));
        Ok(())
    }
}
