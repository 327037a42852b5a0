//! What others want of a peer that may be slow: the newest wish for each purpose, and who waits for it.

use std::{cell::RefCell, collections::HashMap, hash::Hash};

use tokio::sync::oneshot;

/// The newest wish `W` for each purpose `K`, and who waits for it to come true or for why it does not, a
/// `T`. Shared by the actor that takes wishes and the driver that makes them true, in the same thread.
#[derive(Debug)]
pub struct Wishes<K, W, T> {
    /// `None` to end what was wished before.
    newest: RefCell<HashMap<K, Option<W>>>,
    waiting: RefCell<HashMap<K, Vec<oneshot::Sender<T>>>>,
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
}

impl<K, W, T> Default for Wishes<K, W, T> {
    fn default() -> Self {
        Self { newest: RefCell::default(), waiting: RefCell::default() }
    }
}

impl<K: Copy + Eq + Hash, W: Clone, T> Wishes<K, W, T> {
    /// A wish that replaces the one before; `None` to end that.
    pub fn wish(&self, purpose: K, wish: Option<W>) -> Wished<T> {
        if wish.is_none() && !self.is_known(purpose) {
            // A peer that does not answer is not waited for.
            return Wished::Nothing;
        }
        self.newest.borrow_mut().insert(purpose, wish);
        let (reply, done) = oneshot::channel();
        let mut waiting = self.waiting.borrow_mut();
        let waiting = waiting.entry(purpose).or_default();
        let is_queued = !waiting.is_empty();
        // Whoever gave up needs no reply any more.
        waiting.retain(|reply| !reply.is_closed());
        waiting.push(reply);
        if is_queued { Wished::Queued(done) } else { Wished::Queue(done) }
    }

    /// Whether something is wished, or not ended yet.
    pub fn is_known(&self, purpose: K) -> bool {
        self.newest.borrow().contains_key(&purpose)
    }

    /// The newest wish, `None` when the peer is to have nothing for this purpose.
    pub fn newest(&self, purpose: K) -> Option<W> {
        self.newest.borrow().get(&purpose).cloned().flatten()
    }

    /// The job for a purpose begins: who is told its end. Who comes from now on needs another job.
    pub fn begin(&self, purpose: K) -> Vec<oneshot::Sender<T>> {
        self.waiting.borrow_mut().remove(&purpose).unwrap_or_default()
    }

    /// The peer has nothing for this purpose any more. Whether that is what is wished still.
    pub fn ended(&self, purpose: K) -> bool {
        let mut newest = self.newest.borrow_mut();
        let is_wished = newest.get(&purpose).is_some_and(Option::is_some);
        if !is_wished {
            newest.remove(&purpose);
        }
        !is_wished
    }
}
