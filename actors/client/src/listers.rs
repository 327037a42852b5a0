//! Clients that list a session while it goes: which answers their library turns into its own word for that.
//!
//! A listing is made of many commands, each on a connection of its own. Of most of them the library passes on
//! that the session was not found. Of the inclusion set and the policy of a tracker it takes one code for it,
//! which is another; and of the policy that it asks for first, to see whether there is such a tracker, the
//! command line shows every error as an unknown one. A client that had begun to list the session before it
//! went is told there that nothing is filtered, and by the command after it that the session is gone.

use std::{cell::RefCell, collections::VecDeque, time::Duration};

use lttngd_model::{ErrorCode, TrackingPolicy};
use lttngd_wire::client::{CommandKind, Reply, Request, encode_tracking_policy};
use tokio::time::Instant;

/// Most clients that are remembered, the last ones.
const LISTERS_MAX: usize = 1024;
/// How long a client is.
const LISTING_MAX: Duration = Duration::from_secs(60);

/// The clients that began to list a session, in the order in which they did.
pub(crate) struct Listers {
    begun: RefCell<VecDeque<Listing>>,
    /// Who is to know the same.
    tell: Box<dyn Fn(ListersChange)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// Of the client's process.
    pid: u32,
    session: String,
    at: Instant,
}

/// What is new of them.
#[derive(Debug)]
pub(crate) enum ListersChange {
    Begun(Listing),
    /// The client with this process.
    Ended(u32),
}

impl Listers {
    /// Nobody has begun. `tell` is told what is new here.
    pub(crate) fn new(tell: impl Fn(ListersChange) + 'static) -> Self {
        Self { begun: RefCell::default(), tell: Box::new(tell) }
    }

    /// The client of process `pid` asks this.
    pub(crate) fn asks(&self, pid: u32, request: &Request) {
        // Whoever destroys a session knows that it is gone.
        if request.kind() == Some(CommandKind::DestroySession) && self.end(pid) {
            (self.tell)(ListersChange::Ended(pid));
        }
    }

    /// What the client of process `pid` is told of `reply`, now.
    pub(crate) fn told(&self, pid: u32, request: &Request, reply: Reply, now: Instant) -> Reply {
        let is_gone = reply.failure() == Some(ErrorCode::SessNotFound);
        match request.kind() {
            // A listing asks this of a session before it asks for its trackers.
            Some(CommandKind::SessionListRotationSchedules) if reply.failure().is_none() => {
                self.begin(pid, &request.session_name, now);
            }
            Some(CommandKind::TrackerGetPolicy)
                if is_gone && self.has_begun(pid, &request.session_name, now) =>
            {
                let policy = encode_tracking_policy(TrackingPolicy::IncludeAll);
                return Reply::ok(request).with_data(policy);
            }
            Some(CommandKind::TrackerSetPolicy | CommandKind::TrackerGetInclusionSet)
                if is_gone =>
            {
                return Reply::error(request, ErrorCode::SessionNotExist);
            }
            _ => {}
        }
        reply
    }

    fn begin(&self, pid: u32, session: &str, now: Instant) {
        // A process of another pid namespace is nobody that could be known again.
        if pid == 0 {
            return;
        }
        let listing = Listing { pid, session: session.to_owned(), at: now };
        (self.tell)(ListersChange::Begun(listing.clone()));
        self.add(listing);
    }

    fn add(&self, listing: Listing) {
        self.end(listing.pid);
        let mut begun = self.begun.borrow_mut();
        while begun.len() >= LISTERS_MAX || begun.front().is_some_and(|it| it.is_old(listing.at)) {
            begun.pop_front();
        }
        begun.push_back(listing);
    }

    /// Whether it had begun.
    fn end(&self, pid: u32) -> bool {
        let mut begun = self.begun.borrow_mut();
        let before = begun.len();
        begun.retain(|listing| listing.pid != pid);
        begun.len() < before
    }

    /// Something is new elsewhere.
    pub(crate) fn learn(&self, change: ListersChange) {
        match change {
            ListersChange::Begun(listing) => self.add(listing),
            ListersChange::Ended(pid) => drop(self.end(pid)),
        }
    }

    fn has_begun(&self, pid: u32, session: &str, now: Instant) -> bool {
        let begun = self.begun.borrow();
        begun.iter().any(|it| it.pid == pid && it.session == session && !it.is_old(now))
    }
}

impl Listing {
    fn is_old(&self, now: Instant) -> bool {
        now.duration_since(self.at) > LISTING_MAX
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::rc::Rc;

    use lttngd_wire::client::{Command, Dialect};

    use super::*;

    /// A command to a session.
    fn request(kind: CommandKind, session: &str) -> Request {
        let (request, _) = Request::new(&Command::Undefined(kind.to_raw(Dialect::V2_13).unwrap()));
        request.in_session(session)
    }

    /// What the client of a process is told of success or failure of a command.
    fn told(
        listers: &Listers,
        (pid, now): (u32, Instant),
        (kind, session): (CommandKind, &str),
        outcome: Option<ErrorCode>,
    ) -> Option<ErrorCode> {
        let request = request(kind, session);
        listers.asks(pid, &request);
        let reply = match outcome {
            Some(code) => Reply::error(&request, code),
            None => Reply::ok(&request),
        };
        listers.told(pid, &request, reply, now).failure()
    }

    /// Of one place alone.
    fn alone() -> Listers {
        Listers::new(drop)
    }

    const SCHEDULES: CommandKind = CommandKind::SessionListRotationSchedules;
    const POLICY: CommandKind = CommandKind::TrackerGetPolicy;
    const GONE: Option<ErrorCode> = Some(ErrorCode::SessNotFound);

    #[test]
    fn only_who_began_to_list_the_session_is_told_a_policy_of_it() {
        let (listers, now) = (alone(), Instant::now());
        assert_eq!(told(&listers, (1, now), (POLICY, "s"), GONE), GONE, "it never listed");
        assert_eq!(told(&listers, (1, now), (SCHEDULES, "s"), None), None);
        assert_eq!(told(&listers, (1, now), (POLICY, "s"), GONE), None);
        assert_eq!(told(&listers, (1, now), (POLICY, "t"), GONE), GONE, "another session");
        assert_eq!(told(&listers, (2, now), (POLICY, "s"), GONE), GONE, "another client");
        let denied = Some(ErrorCode::Eperm);
        assert_eq!(told(&listers, (1, now), (POLICY, "s"), denied), denied);
        let late = now + LISTING_MAX * 2;
        assert_eq!(told(&listers, (1, late), (POLICY, "s"), GONE), GONE, "long ago");
        assert_eq!(told(&listers, (1, now), (CommandKind::DestroySession, "s"), None), None);
        assert_eq!(told(&listers, (1, now), (POLICY, "s"), GONE), GONE, "it knows");
        assert_eq!(told(&listers, (0, now), (SCHEDULES, "s"), None), None);
        assert_eq!(told(&listers, (0, now), (POLICY, "s"), GONE), GONE, "it is nobody known");
        assert_eq!(told(&listers, (1, now), (SCHEDULES, "s"), GONE), GONE);
        assert_eq!(told(&listers, (1, now), (POLICY, "s"), GONE), GONE, "it saw no session");
    }

    #[test]
    fn trackers_of_a_session_that_is_gone_have_a_code_of_their_own() {
        let (listers, now) = (alone(), Instant::now());
        for kind in [CommandKind::TrackerSetPolicy, CommandKind::TrackerGetInclusionSet] {
            let not_there = Some(ErrorCode::SessionNotExist);
            assert_eq!(told(&listers, (1, now), (kind, "s"), GONE), not_there);
            let other = Some(ErrorCode::Eperm);
            assert_eq!(told(&listers, (1, now), (kind, "s"), other), other);
        }
        let added = told(&listers, (1, now), (CommandKind::TrackerAddValue, "s"), GONE);
        assert_eq!(added, GONE);
    }

    #[test]
    fn what_is_new_in_one_place_is_known_in_the_other() {
        let (here, now) = (alone(), Instant::now());
        let news = Rc::new(RefCell::new(Vec::new()));
        let told_there = Rc::clone(&news);
        let there = Listers::new(move |change| told_there.borrow_mut().push(change));
        told(&there, (1, now), (SCHEDULES, "s"), None);
        news.take().into_iter().for_each(|change| here.learn(change));
        assert_eq!(told(&here, (1, now), (POLICY, "s"), GONE), None);
        told(&there, (2, now), (SCHEDULES, "t"), None);
        told(&there, (1, now), (CommandKind::DestroySession, "s"), None);
        told(&there, (3, now), (CommandKind::DestroySession, "s"), None);
        let news = news.take();
        assert_eq!(news.len(), 2, "that of a client that listed nothing is no news: {news:?}");
        news.into_iter().for_each(|change| here.learn(change));
        assert_eq!(told(&here, (2, now), (POLICY, "t"), GONE), None);
        assert_eq!(told(&here, (1, now), (POLICY, "s"), GONE), GONE);
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let (listers, now) = (alone(), Instant::now());
        for pid in 1..=2 * u32::try_from(LISTERS_MAX).unwrap_or(0) {
            told(&listers, (pid, now), (SCHEDULES, "s"), None);
            told(&listers, (pid, now), (SCHEDULES, "s"), None);
        }
        assert_eq!(listers.begun.borrow().len(), LISTERS_MAX);
        told(&listers, (1, now + LISTING_MAX * 2), (SCHEDULES, "s"), None);
        assert_eq!(listers.begun.borrow().len(), 1, "the old ones are forgotten");
    }
}
