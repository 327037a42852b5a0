//! What is told to somebody for whom nobody waits: what does not fit any more is dropped, and he learns how
//! many that were and where.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures::{Stream, task::AtomicWaker};
use tokio::{sync::mpsc, task::unconstrained};

/// What comes of a feed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fed<T> {
    /// The next item.
    Item(T),
    /// At this point so many were dropped.
    Missed(u64),
}

/// Where the items come out, in their order. It ends when the other end is dropped.
#[derive(Debug)]
pub struct Feed<T> {
    items: mpsc::Receiver<Delivery<T>>,
    missed: Arc<Missed>,
    /// How many he was told that he missed.
    told: u64,
    /// An item of which the `Missed` before it was given first.
    next: Option<T>,
}

/// Where they are put in, by one thread at a time.
#[derive(Debug)]
pub struct Feeder<T> {
    items: mpsc::Sender<Delivery<T>>,
    missed: Arc<Missed>,
}

#[derive(Debug)]
struct Delivery<T> {
    /// How many were dropped before it.
    missed: u64,
    item: T,
}

/// What was dropped.
#[derive(Debug, Default)]
struct Missed {
    count: AtomicU64,
    subscriber: AtomicWaker,
}

impl Missed {
    /// What was delivered before one of them was dropped can be taken by whoever has seen this number.
    fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}

/// A feed in which at most `capacity` items wait, at least one.
#[must_use]
pub fn feed<T>(capacity: usize) -> (Feeder<T>, Feed<T>) {
    let (sender, items) = mpsc::channel(capacity.max(1));
    let missed = Arc::new(Missed::default());
    let feeder = Feeder { items: sender, missed: Arc::clone(&missed) };
    (feeder, Feed { items, missed, told: 0, next: None })
}

impl<T> Feeder<T> {
    /// Whether nobody takes anything any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.items.is_closed()
    }

    /// Lets him know that an item was dropped.
    pub fn miss(&self) {
        self.missed.count.fetch_add(1, Ordering::AcqRel);
        // He may have taken the last item just now and found nothing missed.
        self.missed.subscriber.wake();
    }

    /// Puts in an item, which is made only when there is room for it. Whether somebody still takes them.
    pub fn offer(&self, item: impl FnOnce() -> T) -> bool {
        match self.items.try_reserve() {
            Ok(room) => {
                room.send(Delivery { missed: self.missed.count(), item: item() });
                true
            }
            Err(mpsc::error::TrySendError::Full(())) => {
                self.miss();
                true
            }
            Err(mpsc::error::TrySendError::Closed(())) => false,
        }
    }
}

impl<T: Unpin> Stream for Feed<T> {
    type Item = Fed<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Fed<T>>> {
        if let Some(item) = self.next.take() {
            return Poll::Ready(Some(Fed::Item(item)));
        }
        self.missed.subscriber.register(context.waker());
        let this = &mut *self;
        let mut found = this.items.poll_recv(context);
        let mut missed = this.missed.count();
        if found.is_pending() && missed > this.told {
            // What was delivered before that stands before it: it is there now, even where the runtime would
            // have this task give way.
            let items = poll_fn(|context| this.items.poll_recv(context));
            found = pin!(unconstrained(items)).poll(context);
        }
        let is_over = matches!(found, Poll::Ready(None));
        match found {
            Poll::Ready(Some(delivery)) => {
                missed = delivery.missed;
                this.next = Some(delivery.item);
            }
            // Nothing is dropped any more.
            Poll::Ready(None) => missed = this.missed.count(),
            Poll::Pending => {}
        }
        let untold = missed.saturating_sub(this.told);
        if untold > 0 {
            this.told = missed;
            return Poll::Ready(Some(Fed::Missed(untold)));
        }
        match this.next.take() {
            Some(item) => Poll::Ready(Some(Fed::Item(item))),
            None if is_over => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
