//! Which sessions have data threads apart from those that all share: plain values.
//!
//! What stands still in one file system holds up its thread, and all that this thread does. So a session whose files
//! may stand still is written by a thread that only sessions of the same owner in the same mount have. Where a
//! snapshot goes is not known before it is recorded: a session with snapshots has a thread of its own.

use std::collections::HashMap;

use lttngd_model::SessionId;

use crate::mounts::Mount;

/// Most mounts that have threads of their own, of all owners.
const MOUNTS_MAX: usize = 64;
/// Most of them that are one owner's; further ones share the threads that he has.
const MOUNTS_EACH_MAX: usize = 4;
/// Most sessions with snapshots that have threads of their own; further ones share those.
const SNAPSHOTS_MAX: usize = 64;
/// Most of them that are one owner's; of those of the kernel, of which the owner is not told, all together.
const SNAPSHOTS_EACH_MAX: usize = 16;

/// Why a session has threads apart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Cause {
    /// Its files are in this mount, which may stand still, and this user's.
    Mount(u32, Mount),
    /// It has snapshots, and is this user's, if that is told.
    Snapshots(Option<u32>, SessionId),
}

impl Cause {
    /// Most such causes that have threads of their own, of all owners and of one.
    fn most(self) -> (usize, usize) {
        match self {
            Self::Mount(..) => (MOUNTS_MAX, MOUNTS_EACH_MAX),
            Self::Snapshots(..) => (SNAPSHOTS_MAX, SNAPSHOTS_EACH_MAX),
        }
    }

    /// Whether `other` is of the same kind; and whether it is of the same owner then.
    fn is_like(self, other: Self) -> (bool, bool) {
        match (self, other) {
            (Self::Mount(owner, _), Self::Mount(other, _)) => (true, owner == other),
            (Self::Snapshots(owner, _), Self::Snapshots(other, _)) => (true, owner == other),
            _ => (false, false),
        }
    }
}

/// Which of them have threads `T`.
#[derive(Debug)]
pub(crate) struct Apart<T> {
    causes: HashMap<Cause, Threads<T>>,
    sessions: HashMap<SessionId, Cause>,
}

#[derive(Debug)]
struct Threads<T> {
    threads: T,
    /// How many sessions have them.
    sessions: usize,
}

impl<T> Default for Apart<T> {
    fn default() -> Self {
        Self { causes: HashMap::new(), sessions: HashMap::new() }
    }
}

impl<T> Apart<T> {
    /// The threads of a session, if it has any apart.
    pub(crate) fn of(&self, session: SessionId) -> Option<&T> {
        let cause = self.sessions.get(&session)?;
        self.causes.get(cause).map(|threads| &threads.threads)
    }

    /// All threads.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.causes.values().map(|threads| &threads.threads)
    }

    /// A session begins for a cause, whose threads `start` makes if there are none and may be more. One that has
    /// threads apart keeps them.
    ///
    /// # Errors
    /// Those of `start`: the session has none apart then.
    pub(crate) fn enter<E>(
        &mut self,
        session: SessionId,
        cause: Cause,
        start: impl FnOnce() -> Result<T, E>,
    ) -> Result<(), E> {
        if self.sessions.contains_key(&session) {
            return Ok(());
        }
        let cause = self.shared_with(cause).unwrap_or(cause);
        if let Some(threads) = self.causes.get_mut(&cause) {
            threads.sessions += 1;
        } else {
            self.causes.insert(cause, Threads { threads: start()?, sessions: 1 });
        }
        self.sessions.insert(session, cause);
        Ok(())
    }

    /// The cause whose threads one with `cause` gets, where it gets none of its own.
    fn shared_with(&self, cause: Cause) -> Option<Cause> {
        if self.causes.contains_key(&cause) {
            return None;
        }
        let others = || self.causes.keys().filter(|other| cause.is_like(**other).0);
        let owners = || others().filter(|other| cause.is_like(**other).1);
        let fewest = |cause: &&Cause| self.causes.get(*cause).map_or(0, |it| it.sessions);
        let (all_max, each_max) = cause.most();
        let (all, own) = (others().count(), owners().count());
        if own >= each_max || (all >= all_max && own > 0) {
            return owners().min_by_key(fewest).copied();
        }
        if all >= all_max { others().min_by_key(fewest).copied() } else { None }
    }

    /// A session is over. The threads that nobody has any more.
    pub(crate) fn leave(&mut self, session: SessionId) -> Option<T> {
        let cause = self.sessions.remove(&session)?;
        let threads = self.causes.get_mut(&cause)?;
        threads.sessions -= 1;
        if threads.sessions > 0 {
            return None;
        }
        self.causes.remove(&cause).map(|threads| threads.threads)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::convert::Infallible;

    use super::*;
    use crate::mounts::example;

    /// Threads by the number of their start.
    #[derive(Default)]
    struct World {
        apart: Apart<usize>,
        started: usize,
        sessions: u64,
    }

    impl World {
        /// A new session with a cause, and its threads.
        fn enter(&mut self, cause: impl FnOnce(SessionId) -> Cause) -> (SessionId, usize) {
            self.sessions += 1;
            let session = SessionId(self.sessions);
            let started = &mut self.started;
            let start = || {
                *started += 1;
                Ok::<_, Infallible>(*started)
            };
            self.apart.enter(session, cause(session), start).unwrap();
            (session, *self.apart.of(session).unwrap())
        }

        fn mount(&mut self, owner: u32, mount: u64) -> (SessionId, usize) {
            self.enter(|_| Cause::Mount(owner, example(mount)))
        }
    }

    #[test]
    fn an_owners_sessions_in_one_mount_share_threads_with_nobody_else() {
        let mut world = World::default();
        let (first, one) = world.mount(1000, 7);
        let (second, same) = world.mount(1000, 7);
        assert_eq!(one, same);
        for (owner, mount) in [(1001, 7), (1000, 8), (0, 7)] {
            assert_ne!(world.mount(owner, mount).1, one, "{owner} {mount}");
        }
        let recorder = Cause::Snapshots(Some(1000), first);
        let again = world.apart.enter(first, recorder, || Err("it has some"));
        assert_eq!((again, world.apart.of(first)), (Ok(()), Some(&one)));
        assert_eq!(world.apart.leave(first), None, "one has them still");
        assert_eq!(world.apart.leave(second), Some(one));
        assert_eq!(world.apart.leave(second), None, "once");
        assert_ne!(world.mount(1000, 7).1, one, "the next one gets others");
        assert_eq!(world.apart.of(SessionId(99)), None);
    }

    #[test]
    fn an_owner_of_many_mounts_shares_his_threads_with_himself() {
        let mut world = World::default();
        let mut all: Vec<_> = (0..40).map(|mount| world.mount(1000, mount).1).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), MOUNTS_EACH_MAX);
        assert!(!all.contains(&world.mount(1001, 3).1));
    }

    #[test]
    fn an_owner_of_many_flight_recorders_shares_his_threads_with_himself() {
        let mut world = World::default();
        let mut recorder = |owner| world.enter(|id| Cause::Snapshots(owner, id)).1;
        let mut all: Vec<_> = (0..40).map(|_| recorder(Some(1000))).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), SNAPSHOTS_EACH_MAX);
        for other in [Some(1001), None] {
            assert!(!all.contains(&recorder(other)), "{other:?}");
        }
    }

    #[test]
    fn there_are_only_so_many_threads() {
        let mut world = World::default();
        let owners: Vec<_> = (0..200).map(|owner| world.mount(owner, 1).1).collect();
        assert_eq!(owners.iter().max(), Some(&MOUNTS_MAX));
        let mut recorder = |owner| world.enter(|id| Cause::Snapshots(Some(owner), id)).1;
        let snapshots: Vec<_> = (0..200).map(&mut recorder).collect();
        assert_eq!(world.started, MOUNTS_MAX + SNAPSHOTS_MAX);
        assert!(snapshots.iter().all(|threads| !owners.contains(threads)), "of another kind");
        assert_eq!(world.apart.all().count(), MOUNTS_MAX + SNAPSHOTS_MAX);
    }

    #[test]
    fn a_session_whose_threads_cannot_be_started_has_none() {
        let mut apart = Apart::<usize>::default();
        let session = SessionId(1);
        assert_eq!(
            apart.enter(session, Cause::Snapshots(None, session), || Err("no room")),
            Err("no room")
        );
        assert_eq!(apart.of(session), None);
        assert_eq!(apart.leave(session), None);
    }
}
