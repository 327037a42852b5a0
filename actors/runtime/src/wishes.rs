//! What others want of a peer that may be slow: the newest wish for each purpose, and who waits for it. No
//! input or output.
//!
//! A wish is the desired state of a peer: what it is to have in the end, not a step on the way. Whoever drives
//! the peer reconciles it with what the peer has.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::{Count, Counted, Hold, answer};

/// Who waits for a wish without a clock of his own: is let go when it has come true, and when nobody waits for
/// the peer any more.
#[derive(Debug)]
pub enum Waiter<T> {
    /// Is told which of both.
    Reply(oneshot::Sender<T>),
    /// Is kept from going on.
    Hold(Hold),
}

/// The newest wish `W` for each purpose `K`, and who waits for it to come true or for why it does not, a
/// `T`.
#[derive(Debug)]
pub(crate) struct Wishes<K, W, T> {
    purposes: BTreeMap<K, Purpose<W, T>>,
    /// Those who are kept waiting.
    kept: Count,
}

#[derive(Debug)]
struct Purpose<W, T> {
    /// `None` to end what was wished before.
    newest: Option<W>,
    waiting: Vec<oneshot::Sender<T>>,
    /// Who is kept waiting by the job that is queued, and by the one that has begun.
    keeps: [Vec<(Waiter<T>, Counted)>; 2],
    /// Whether a job is queued that has not begun.
    is_queued: bool,
    /// Whether a job has begun, so that the peer may have something.
    is_begun: bool,
}

/// What is to be done for a wish.
#[derive(Debug)]
pub(crate) enum Wished<T> {
    /// Nothing: the peer has nothing that could be ended.
    Nothing,
    /// A job is to be queued, whose end is told.
    Queue(oneshot::Receiver<T>),
    /// A job for this purpose is queued already, whose end is told.
    Queued(oneshot::Receiver<T>),
    /// The queued job is to be taken back: nothing of it was begun, and nothing is wished any more. These
    /// waited for it.
    TakeBack(Vec<oneshot::Sender<T>>),
}

impl<K, W, T> Default for Wishes<K, W, T> {
    fn default() -> Self {
        Self { purposes: BTreeMap::new(), kept: Count::default() }
    }
}

impl<T> Waiter<T> {
    fn has_given_up(&self) -> bool {
        matches!(self, Self::Reply(reply) if reply.is_closed())
    }

    fn let_go(self, outcome: impl Fn() -> T) {
        if let Self::Reply(reply) = self {
            answer(reply, outcome());
        }
    }
}

impl<W, T> Purpose<W, T> {
    fn all_who_wait(self) -> Vec<oneshot::Sender<T>> {
        let mut waiting = self.waiting;
        let kept = self.keeps.into_iter().flatten();
        waiting.extend(kept.filter_map(|(waiter, _)| match waiter {
            Waiter::Reply(reply) => Some(reply),
            Waiter::Hold(_) => None,
        }));
        waiting
    }

    fn new() -> Self {
        Self {
            newest: None,
            waiting: Vec::new(),
            keeps: Default::default(),
            is_queued: false,
            is_begun: false,
        }
    }
}

impl<K: Copy + Ord, W: Clone, T> Wishes<K, W, T> {
    /// A wish that replaces the one before; `None` to end that.
    pub(crate) fn wish(&mut self, purpose: K, wish: Option<W>) -> Wished<T> {
        let purposes = &mut self.purposes;
        if wish.is_none() {
            // A peer that does not answer is not waited for, and keeps nothing of what comes and goes
            // meanwhile.
            match purposes.get(&purpose) {
                None => return Wished::Nothing,
                Some(known) if known.is_begun => {}
                Some(_) => {
                    let known = purposes.remove(&purpose);
                    return Wished::TakeBack(known.map(Purpose::all_who_wait).unwrap_or_default());
                }
            }
        }
        let known = purposes.entry(purpose).or_insert_with(Purpose::new);
        known.newest = wish;
        let (reply, done) = oneshot::channel();
        // Whoever gave up needs no reply any more.
        known.waiting.retain(|reply| !reply.is_closed());
        known.waiting.push(reply);
        match std::mem::replace(&mut known.is_queued, true) {
            true => Wished::Queued(done),
            false => Wished::Queue(done),
        }
    }

    /// A wish that replaces the one before, and who waits for it. Whether a job is to be queued.
    pub(crate) fn keep(&mut self, purpose: K, wish: W, waiter: Option<Waiter<T>>) -> bool {
        let known = self.purposes.entry(purpose).or_insert_with(Purpose::new);
        known.newest = Some(wish);
        known.keeps[0].retain(|(waiter, _)| !waiter.has_given_up());
        known.keeps[0].extend(waiter.map(|waiter| (waiter, self.kept.one_more())));
        !std::mem::replace(&mut known.is_queued, true)
    }

    /// Whether somebody is kept waiting.
    pub(crate) fn keeps_any(&self) -> bool {
        self.kept.get() > 0
    }

    /// Lets all go who are kept waiting, with this outcome; what is wished stays so.
    pub(crate) fn keep_nobody(&mut self, outcome: impl Fn() -> T) {
        for known in self.purposes.values_mut() {
            let keeps = std::mem::take(&mut known.keeps);
            keeps.into_iter().flatten().for_each(|(waiter, _)| waiter.let_go(&outcome));
        }
    }

    /// Whether something is wished, or not ended yet.
    pub(crate) fn is_known(&self, purpose: K) -> bool {
        self.purposes.get(&purpose).is_some_and(|known| known.is_begun || known.newest.is_some())
    }

    /// The newest wish, `None` when the peer is to have nothing for this purpose.
    pub(crate) fn newest(&self, purpose: K) -> Option<W> {
        self.purposes.get(&purpose)?.newest.clone()
    }

    /// The job for a purpose begins: who is told its end. Who comes from now on needs another job.
    pub(crate) fn begin(&mut self, purpose: K) -> Vec<oneshot::Sender<T>> {
        let Some(known) = self.purposes.get_mut(&purpose) else { return Vec::new() };
        (known.is_queued, known.is_begun) = (false, true);
        let queued = std::mem::take(&mut known.keeps[0]);
        known.keeps[1].extend(queued);
        std::mem::take(&mut known.waiting)
    }

    /// The job for a purpose is done: lets go whoever was kept waiting by it, with this outcome.
    pub(crate) fn done(&mut self, purpose: K, outcome: impl Fn() -> T) {
        let Some(known) = self.purposes.get_mut(&purpose) else { return };
        let kept = std::mem::take(&mut known.keeps[1]);
        kept.into_iter().for_each(|(waiter, _)| waiter.let_go(&outcome));
        if known.newest.is_none() && !known.is_begun && !known.is_queued {
            self.purposes.remove(&purpose);
        }
    }

    /// The peer has nothing for this purpose any more. Whether that is what is wished still.
    pub(crate) fn ended(&mut self, purpose: K) -> bool {
        let Some(known) = self.purposes.get_mut(&purpose) else { return true };
        if known.newest.is_some() {
            return false;
        }
        known.is_begun = false;
        if !known.is_queued && known.keeps[1].is_empty() {
            self.purposes.remove(&purpose);
        }
        true
    }
}
