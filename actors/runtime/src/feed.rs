//! What is told to somebody for whom nobody waits: what does not fit any more is dropped, and he learns how
//! many that were and where.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures::{Stream, task::AtomicWaker};
use tokio::sync::mpsc;

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
    /// An item of which the `Missed` before it was given first.
    next: Option<T>,
}

/// Where they are put in.
#[derive(Debug)]
pub struct Feeder<T> {
    items: mpsc::Sender<Delivery<T>>,
    missed: Arc<Missed>,
}

#[derive(Debug)]
struct Delivery<T> {
    /// How many were dropped between the one before and this.
    missed: u64,
    item: T,
}

/// What was dropped since the last delivery.
#[derive(Debug, Default)]
struct Missed {
    count: AtomicU64,
    subscriber: AtomicWaker,
}

impl Missed {
    fn take(&self) -> u64 {
        self.count.swap(0, Ordering::AcqRel)
    }
}

/// A feed in which at most `capacity` items wait, at least one.
#[must_use]
pub fn feed<T>(capacity: usize) -> (Feeder<T>, Feed<T>) {
    let (sender, items) = mpsc::channel(capacity.max(1));
    let missed = Arc::new(Missed::default());
    let feeder = Feeder { items: sender, missed: Arc::clone(&missed) };
    (feeder, Feed { items, missed, next: None })
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
                room.send(Delivery { missed: self.missed.take(), item: item() });
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
        let missed = match self.items.poll_recv(context) {
            Poll::Ready(Some(Delivery { missed: 0, item })) => {
                return Poll::Ready(Some(Fed::Item(item)));
            }
            Poll::Ready(Some(Delivery { missed, item })) => {
                self.next = Some(item);
                missed
            }
            Poll::Ready(None) => match self.missed.take() {
                0 => return Poll::Ready(None),
                missed => missed,
            },
            // All that fitted is delivered: what was dropped since came after it.
            Poll::Pending => match self.missed.take() {
                0 => return Poll::Pending,
                missed => missed,
            },
        };
        Poll::Ready(Some(Fed::Missed(missed)))
    }
}
