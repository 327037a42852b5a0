//! Which requests wait, which are with the worker, and whose is the next: no socket, no clock.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use lttngd_runtime::answer;
use rustix::io::Errno;
use tokio::sync::oneshot;

use crate::{
    liveness::{Liveness, Look},
    operation::{Done, Operation},
    protocol::Identity,
    report::{RunasReport, RunasState},
};

/// Most requests that a worker has at a time, each in a thread of its own.
pub const IN_FLIGHT_MAX: usize = 256;
/// Most of them for one user: those whose file system hangs leave the others to everybody else.
pub const IN_FLIGHT_EACH_MAX: usize = 8;
/// Most requests that wait for their turn.
pub const WAITING_MAX: usize = 1 << 16;

/// What becomes of a request.
pub(crate) type Outcome = io::Result<Done>;

/// A request that was not sent yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) identity: Arc<Identity>,
    pub(crate) operation: Operation,
    pub(crate) deadline: Instant,
    pub(crate) reply: oneshot::Sender<Outcome>,
}

/// A request that the worker has.
#[derive(Debug)]
struct InFlight {
    uid: u32,
    deadline: Instant,
    /// `None` when nobody waits for it any more. The worker still does.
    reply: Option<oneshot::Sender<Outcome>>,
}

/// The requests to one worker.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    next_id: u64,
    /// By user, in the order in which they came; no user without one.
    waiting: BTreeMap<u32, VecDeque<Waiting>>,
    waiting_count: usize,
    /// The users with requests that wait, in the order of their turns.
    turns: VecDeque<u32>,
    in_flight: BTreeMap<u64, InFlight>,
    in_flight_each: HashMap<u32, usize>,
    /// Whether the worker runs, if anything was ever sent.
    liveness: Option<Liveness>,
    /// Why the worker is gone.
    closed: Option<(io::ErrorKind, String)>,
    /// Whether nothing is to expire as far as whoever expires it knows.
    resting: bool,
}

/// Why a request is not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The worker is gone for this reason: another must be started. Here is the request.
    Closed(Box<Waiting>, io::Error),
    /// Too many wait.
    Full,
}

impl Queue {
    /// Takes a request. Returns whether whoever expires requests must be told.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) fn admit(&mut self, request: Waiting) -> Result<bool, Refused> {
        if let Some((kind, text)) = &self.closed {
            return Err(Refused::Closed(Box::new(request), io::Error::new(*kind, text.clone())));
        }
        if self.waiting_count >= WAITING_MAX {
            return Err(Refused::Full);
        }
        let uid = request.identity.credentials.uid;
        let queue = self.waiting.entry(uid).or_default();
        if queue.is_empty() {
            self.turns.push_back(uid);
        }
        queue.push_back(request);
        self.waiting_count += 1;
        Ok(std::mem::take(&mut self.resting))
    }

    /// The request to send now, if there is one, with its number. It counts as sent.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(u64, Waiting)> {
        for _ in 0..self.turns.len() {
            if self.in_flight.len() >= IN_FLIGHT_MAX {
                return None;
            }
            let uid = self.turns.pop_front()?;
            let has_its_share = self.in_flight_each.get(&uid) >= Some(&IN_FLIGHT_EACH_MAX);
            if has_its_share {
                self.turns.push_back(uid);
                continue;
            }
            while let Some(request) = self.take_waiting(uid) {
                // Nobody wants what nobody waits for.
                if request.reply.is_closed() {
                    continue;
                }
                if request.deadline <= now {
                    answer(request.reply, Err(Errno::TIMEDOUT.into()));
                    continue;
                }
                if self.waiting.contains_key(&uid) {
                    self.turns.push_back(uid);
                }
                *self.in_flight_each.entry(uid).or_default() += 1;
                self.next_id += 1;
                return Some((self.next_id, request));
            }
        }
        None
    }

    fn take_waiting(&mut self, uid: u32) -> Option<Waiting> {
        let queue = self.waiting.get_mut(&uid)?;
        let request = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&uid);
        }
        self.waiting_count -= usize::from(request.is_some());
        request
    }

    /// A request is about to be sent.
    pub(crate) fn begins(&mut self, now: Instant) {
        let is_waited_for = self.is_waited_for();
        let liveness = self.liveness.get_or_insert_with(|| Liveness::new(now));
        if !is_waited_for {
            liveness.begins(now);
        }
    }

    /// What waits and what the worker has, of which the longest that is waited for has waited so long: each may for
    /// `deadline`.
    pub(crate) fn report(&self, deadline: Duration, now: Instant) -> RunasReport {
        let sent = self.in_flight.values().filter(|it| it.reply.is_some()).map(|it| it.deadline);
        let waiting = self.waiting.values().flatten().map(|it| it.deadline);
        let left = sent.chain(waiting).min().map(|at| at.saturating_duration_since(now));
        let is_silent = self.liveness.as_ref().is_some_and(Liveness::is_asked);
        RunasReport {
            state: match &self.closed {
                Some(_) => RunasState::Gone,
                None if is_silent => RunasState::Silent,
                None => RunasState::Running,
            },
            waiting: self.waiting_count,
            in_flight: self.in_flight.len(),
            oldest_waits: left.map(|left| deadline.saturating_sub(left)),
        }
    }

    fn is_waited_for(&self) -> bool {
        self.in_flight.values().any(|request| request.reply.is_some())
    }

    /// What is to be done about the worker; nothing when nobody waits for it.
    pub(crate) fn look(&self, now: Instant) -> Option<Look> {
        self.liveness.as_ref().filter(|_| self.is_waited_for()).map(|worker| worker.look(now))
    }

    /// The number of the question whether it runs.
    pub(crate) fn ask(&mut self, now: Instant) -> u64 {
        self.next_id += 1;
        if let Some(liveness) = &mut self.liveness {
            liveness.asked(self.next_id, now);
        }
        self.next_id
    }

    /// The worker answered. Whether it was asked nothing but that.
    pub(crate) fn heard(&mut self, id: u64, now: Instant) -> bool {
        self.liveness.as_mut().is_some_and(|liveness| liveness.heard(id, now))
    }

    /// The request was sent.
    pub(crate) fn sent(&mut self, id: u64, request: Waiting) {
        let (uid, deadline) = (request.identity.credentials.uid, request.deadline);
        self.in_flight.insert(id, InFlight { uid, deadline, reply: Some(request.reply) });
    }

    /// The request could not be sent.
    pub(crate) fn refused(&mut self, request: Waiting, error: io::Error) {
        self.release(request.identity.credentials.uid);
        answer(request.reply, Err(error));
    }

    /// The request cannot be sent before a reply comes.
    pub(crate) fn put_back(&mut self, request: Waiting) {
        if self.in_flight.is_empty() {
            return self.refused(request, Errno::NOBUFS.into());
        }
        let uid = request.identity.credentials.uid;
        self.release(uid);
        let queue = self.waiting.entry(uid).or_default();
        if queue.is_empty() {
            self.turns.push_front(uid);
        }
        queue.push_front(request);
        self.waiting_count += 1;
    }

    fn release(&mut self, uid: u32) {
        if let Some(count) = self.in_flight_each.get_mut(&uid) {
            *count -= 1;
            if *count == 0 {
                self.in_flight_each.remove(&uid);
            }
        }
    }

    /// A reply came. `false` when there is no such request.
    pub(crate) fn replied(&mut self, id: u64, outcome: Outcome) -> bool {
        let Some(InFlight { uid, reply, .. }) = self.in_flight.remove(&id) else { return false };
        self.release(uid);
        if let Some(reply) = reply {
            answer(reply, outcome);
        }
        true
    }

    /// Tells those whose deadline has passed. What the worker has counts until it replies.
    pub(crate) fn expire(&mut self, now: Instant) {
        for request in self.in_flight.values_mut().filter(|request| request.deadline <= now) {
            if let Some(reply) = request.reply.take() {
                answer(reply, Err(Errno::TIMEDOUT.into()));
            }
        }
        let is_late = |queue: &VecDeque<Waiting>| queue.front().is_some_and(|r| r.deadline <= now);
        let late: Vec<u32> =
            self.waiting.iter().filter(|(_, queue)| is_late(queue)).map(|(uid, _)| *uid).collect();
        for uid in late {
            while self.waiting.get(&uid).is_some_and(is_late) {
                if let Some(request) = self.take_waiting(uid) {
                    answer(request.reply, Err(Errno::TIMEDOUT.into()));
                }
            }
            if !self.waiting.contains_key(&uid) {
                self.turns.retain(|turn| *turn != uid);
            }
        }
    }

    /// How long until something may expire. When nothing may, `linger` the first time, so that a
    /// quick succession of requests tells nobody; then `None`, and the next request tells.
    pub(crate) fn rest(
        &mut self,
        now: Instant,
        linger: Duration,
        lingered: bool,
    ) -> Option<Duration> {
        let sent = self.in_flight.values().filter(|r| r.reply.is_some()).map(|r| r.deadline);
        let waiting = self.waiting.values().filter_map(|queue| Some(queue.front()?.deadline));
        match sent.chain(waiting).min() {
            Some(deadline) => Some(deadline.saturating_duration_since(now)),
            None if !lingered => Some(linger),
            None => {
                self.resting = true;
                None
            }
        }
    }

    /// Whether [`Queue::close`] was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// The worker is gone: everybody is told why.
    pub(crate) fn close(&mut self, kind: io::ErrorKind, text: &str) {
        if self.is_closed() {
            return;
        }
        self.closed = Some((kind, text.to_owned()));
        let sent = std::mem::take(&mut self.in_flight).into_values().filter_map(|r| r.reply);
        let waiting = std::mem::take(&mut self.waiting).into_values().flatten().map(|r| r.reply);
        for reply in sent.chain(waiting) {
            answer(reply, Err(io::Error::new(kind, text)));
        }
        (self.waiting_count, self.in_flight_each) = (0, HashMap::new());
        self.turns.clear();
    }
}
