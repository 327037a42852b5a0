//! What happens in a daemon, for those who subscribed to it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use actix::{Handler, Message};
use futures::{Stream, task::AtomicWaker};
use lttngd_app::AppInfo;
use lttngd_model::{Bitness, ConsumerKind, Credentials, Domain, ErrorCode};
use lttngd_session::{SessionChanged, SessionEvent};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::Registry;

/// Most subscriptions at a time.
pub const SUBSCRIPTIONS_MAX: usize = 1 << 10;
/// Most events that wait for one subscriber.
pub const EVENTS_MAX: usize = 1 << 16;

/// Something happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Event {
    /// An application registered. Its `main` begins when every active session has synchronised it.
    AppRegistered(AppDescription),
    /// An application is gone.
    AppUnregistered(AppDescription),
    /// A logging agent registered.
    AgentRegistered {
        /// Process id, as it says.
        pid: u32,
        /// Its domain.
        domain: Domain,
    },
    /// A logging agent is gone.
    AgentUnregistered {
        /// Process id, as it said.
        pid: u32,
        /// Its domain.
        domain: Domain,
    },
    /// A session changed.
    Session {
        /// Its name.
        session: String,
        /// What happened to it.
        event: SessionEvent,
    },
    /// A consumer daemon died: sessions that it recorded for lost their buffers.
    ConsumerLost {
        /// Which.
        consumer: ConsumerKind,
    },
    /// The subscriber was slow: at this point so many events were dropped.
    Missed {
        /// How many.
        count: u64,
    },
}

/// An application as events tell it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AppDescription {
    /// Process id.
    pub pid: u32,
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Process name, as it says.
    pub name: String,
    /// Word size.
    pub bitness: Bitness,
}

impl From<&AppInfo> for AppDescription {
    fn from(info: &AppInfo) -> Self {
        let AppInfo { pid, uid, gid, bitness, .. } = *info;
        Self { pid, uid, gid, name: info.name.clone(), bitness }
    }
}

/// Begins a subscription.
///
/// Errors: `Overflow` when there are [`SUBSCRIPTIONS_MAX`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Subscription, ErrorCode>")]
pub struct Subscribe {
    /// Who wants to know.
    pub requester: Credentials,
    /// How many events may wait; at least 1, at most [`EVENTS_MAX`].
    pub capacity: usize,
}

/// What happens from its beginning on, in order, as far as the subscriber may know: of applications and
/// sessions of his own, of all for root; of agents, which do not prove whose they are, root alone.
///
/// Nobody waits for a subscriber. What does not fit any more is dropped, and [`Event::Missed`] says
/// there how many that were. The stream ends when the daemon does; dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    events: mpsc::Receiver<Delivery>,
    missed: Arc<Missed>,
    /// An event whose `Missed` was given first.
    next: Option<Event>,
}

#[derive(Debug)]
struct Delivery {
    /// How many were dropped between the one before and this.
    missed: u64,
    event: Event,
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

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self.next.take() {
            return Poll::Ready(Some(event));
        }
        self.missed.subscriber.register(context.waker());
        let missed = match self.events.poll_recv(context) {
            Poll::Ready(Some(Delivery { missed: 0, event })) => return Poll::Ready(Some(event)),
            Poll::Ready(Some(Delivery { missed, event })) => {
                self.next = Some(event);
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
        Poll::Ready(Some(Event::Missed { count: missed }))
    }
}

/// Those who subscribed.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Vec<Subscriber>);

#[derive(Debug)]
struct Subscriber {
    requester: Credentials,
    events: mpsc::Sender<Delivery>,
    missed: Arc<Missed>,
}

/// Who may know of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience {
    /// Everybody.
    All,
    /// This user, and root.
    User(Credentials),
    /// Root.
    Root,
}

impl Subscribers {
    pub(crate) fn add(&mut self, subscribe: Subscribe) -> Result<Subscription, ErrorCode> {
        self.0.retain(|subscriber| !subscriber.events.is_closed());
        if self.0.len() >= SUBSCRIPTIONS_MAX {
            return Err(ErrorCode::Overflow);
        }
        let (sender, events) = mpsc::channel(subscribe.capacity.clamp(1, EVENTS_MAX));
        let missed = Arc::new(Missed::default());
        self.0.push(Subscriber {
            requester: subscribe.requester,
            events: sender,
            missed: Arc::clone(&missed),
        });
        Ok(Subscription { events, missed, next: None })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all who may know. The event is made only when there is somebody.
    pub(crate) fn publish(&mut self, audience: Audience, event: impl FnOnce() -> Event) {
        if self.0.is_empty() {
            return;
        }
        let event = event();
        self.0.retain(|subscriber| !subscriber.may_know(audience) || subscriber.offer(&event));
    }
}

impl Subscriber {
    fn may_know(&self, audience: Audience) -> bool {
        match audience {
            Audience::All => true,
            Audience::User(owner) => self.requester.may_access(owner),
            Audience::Root => self.requester.uid == 0,
        }
    }

    /// Whether the subscription goes on.
    fn offer(&self, event: &Event) -> bool {
        match self.events.try_reserve() {
            Ok(room) => {
                room.send(Delivery { missed: self.missed.take(), event: event.clone() });
                true
            }
            Err(mpsc::error::TrySendError::Full(())) => {
                self.missed.count.fetch_add(1, Ordering::AcqRel);
                // It may have taken the last event just now and found nothing missed.
                self.missed.subscriber.wake();
                true
            }
            Err(mpsc::error::TrySendError::Closed(())) => false,
        }
    }
}

/// Whether this is a time to look what a session lost.
fn may_have_lost(event: &SessionEvent) -> bool {
    matches!(
        event,
        SessionEvent::Stopped
            | SessionEvent::RotationCompleted { .. }
            | SessionEvent::SnapshotRecorded { .. }
    )
}

impl Handler<Subscribe> for Registry {
    type Result = Result<Subscription, ErrorCode>;

    fn handle(&mut self, subscribe: Subscribe, _: &mut Self::Context) -> Self::Result {
        self.subscribers.add(subscribe)
    }
}

impl Handler<SessionChanged> for Registry {
    type Result = ();

    fn handle(&mut self, changed: SessionChanged, _: &mut Self::Context) {
        let SessionChanged { id, session, owner, event } = changed;
        if self.subscribers.is_empty() {
            return;
        }
        if may_have_lost(&event) {
            self.look_for_losses(id);
        }
        self.subscribers.publish(Audience::User(owner), || Event::Session { session, event });
    }
}
