//! What others want of a peer that may be slow: the newest wish for each purpose, and who waits for it. No
//! input or output.
//!
//! A wish is the desired state of a peer: what it is to have in the end, not a step on the way. Whoever drives
//! the peer reconciles it with what the peer has.

use std::{collections::HashMap, hash::Hash};

use tokio::sync::oneshot;

/// The newest wish `W` for each purpose `K`, and who waits for it to come true or for why it does not, a
/// `T`.
#[derive(Debug)]
pub(crate) struct Wishes<K, W, T> {
    purposes: HashMap<K, Purpose<W, T>>,
}

#[derive(Debug)]
struct Purpose<W, T> {
    /// `None` to end what was wished before.
    newest: Option<W>,
    waiting: Vec<oneshot::Sender<T>>,
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
        Self { purposes: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash, W: Clone, T> Wishes<K, W, T> {
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
                    return Wished::TakeBack(known.map(|known| known.waiting).unwrap_or_default());
                }
            }
        }
        let known = purposes.entry(purpose).or_insert_with(|| Purpose {
            newest: None,
            waiting: Vec::new(),
            is_queued: false,
            is_begun: false,
        });
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
        std::mem::take(&mut known.waiting)
    }

    /// The peer has nothing for this purpose any more. Whether that is what is wished still.
    pub(crate) fn ended(&mut self, purpose: K) -> bool {
        let Some(known) = self.purposes.get_mut(&purpose) else { return true };
        if known.newest.is_some() {
            return false;
        }
        known.is_begun = false;
        if !known.is_queued {
            self.purposes.remove(&purpose);
        }
        true
    }
}
