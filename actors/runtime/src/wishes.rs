//! What others want of a peer that may be slow: the newest wish for each purpose, and who waits for it.

use std::{cell::RefCell, collections::HashMap, hash::Hash};

use tokio::sync::oneshot;

/// The newest wish `W` for each purpose `K`, and who waits for it to come true or for why it does not, a
/// `T`. Shared by the actor that takes wishes and the driver that makes them true, in the same thread.
#[derive(Debug)]
pub struct Wishes<K, W, T> {
    purposes: RefCell<HashMap<K, Purpose<W, T>>>,
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
pub enum Wished<T> {
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
        Self { purposes: RefCell::default() }
    }
}

impl<K: Copy + Eq + Hash, W: Clone, T> Wishes<K, W, T> {
    /// A wish that replaces the one before; `None` to end that.
    pub fn wish(&self, purpose: K, wish: Option<W>) -> Wished<T> {
        let mut purposes = self.purposes.borrow_mut();
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
    pub fn is_known(&self, purpose: K) -> bool {
        let purposes = self.purposes.borrow();
        purposes.get(&purpose).is_some_and(|known| known.is_begun || known.newest.is_some())
    }

    /// The newest wish, `None` when the peer is to have nothing for this purpose.
    pub fn newest(&self, purpose: K) -> Option<W> {
        self.purposes.borrow().get(&purpose)?.newest.clone()
    }

    /// The job for a purpose begins: who is told its end. Who comes from now on needs another job.
    pub fn begin(&self, purpose: K) -> Vec<oneshot::Sender<T>> {
        let mut purposes = self.purposes.borrow_mut();
        let Some(known) = purposes.get_mut(&purpose) else { return Vec::new() };
        (known.is_queued, known.is_begun) = (false, true);
        std::mem::take(&mut known.waiting)
    }

    /// The peer has nothing for this purpose any more. Whether that is what is wished still.
    pub fn ended(&self, purpose: K) -> bool {
        let mut purposes = self.purposes.borrow_mut();
        let Some(known) = purposes.get_mut(&purpose) else { return true };
        if known.newest.is_some() {
            return false;
        }
        known.is_begun = false;
        if !known.is_queued {
            purposes.remove(&purpose);
        }
        true
    }
}
