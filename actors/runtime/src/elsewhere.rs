//! What is kept here for those that are in another thread.

use std::{cell::RefCell, sync::mpsc};

use slab::Slab;

/// Keeps what does not go to another thread with those it belongs to. That one of them is over there wakes nobody
/// here: what is kept for it is let go when somebody looks next.
pub struct Elsewhere<T> {
    kept: RefCell<Slab<T>>,
    over: mpsc::Receiver<usize>,
    tell: mpsc::Sender<usize>,
}

/// One that is elsewhere, as long as this lives.
#[derive(Debug)]
pub struct Ticket {
    number: usize,
    tell: mpsc::Sender<usize>,
}

impl<T> Default for Elsewhere<T> {
    fn default() -> Self {
        let (tell, over) = mpsc::channel();
        Self { kept: RefCell::default(), over, tell }
    }
}

impl<T> Elsewhere<T> {
    /// Keeps this as long as the ticket lives.
    pub fn keep(&self, what: T) -> Ticket {
        let number = self.kept.borrow_mut().insert(what);
        Ticket { number, tell: self.tell.clone() }
    }

    /// Lets go what is kept for those that are over.
    pub fn let_go(&self) {
        for number in self.over.try_iter() {
            // Dropped when nothing is borrowed any more.
            let _kept = self.kept.borrow_mut().try_remove(number);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Where it was kept nothing is any more.
        let _ = self.tell.send(self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{rc::Rc, thread};

    use super::*;

    #[test]
    fn what_is_kept_is_let_go_when_somebody_looks_after_the_end() {
        let (elsewhere, kept) = (Elsewhere::default(), Rc::new(()));
        let tickets = [(); 3].map(|()| elsewhere.keep(Rc::clone(&kept)));
        elsewhere.let_go();
        assert_eq!(Rc::strong_count(&kept), 4);
        thread::spawn(|| drop(tickets)).join().unwrap();
        assert_eq!(Rc::strong_count(&kept), 4, "nobody looked");
        elsewhere.let_go();
        assert_eq!(Rc::strong_count(&kept), 1);
        let late = elsewhere.keep(Rc::clone(&kept));
        drop(elsewhere);
        assert_eq!(Rc::strong_count(&kept), 1);
        drop(late);
    }
}
