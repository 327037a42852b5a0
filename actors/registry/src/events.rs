//! What happens in a daemon, for those who subscribed to it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix::{Handler, Message};
use futures::{Stream, StreamExt};
use lttngd_app::AppInfo;
use lttngd_model::{Bitness, ConsumerKind, Credentials, Domain, ErrorCode};
use lttngd_runtime::{Fed, Feed, Feeder, feed};
use lttngd_session::{SessionChanged, SessionEvent};
use serde::{Deserialize, Serialize};

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
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Subscription, ErrorCode>")]
pub struct Subscribe {
    /// Who wants to know.
    pub requester: Credentials,
    /// How many events may wait; at least 1, at most [`EVENTS_MAX`].
    pub capacity: usize,
    /// Whether sessions look what their channels lost, of which they tell, when they stop, were rotated or
    /// recorded. Otherwise they do for somebody else alone.
    pub looks_for_losses: bool,
}

/// What happens from its beginning on, in order, as far as the subscriber may know: of applications and
/// sessions of his own, of all for root; of agents, which do not prove whose they are, root alone.
///
/// Nobody waits for a subscriber. What does not fit any more is dropped, and [`Event::Missed`] says
/// there how many that were. The stream ends when the daemon does; dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription(Feed<Event>);

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_next_unpin(context).map(|fed| {
            fed.map(|fed| match fed {
                Fed::Item(event) => event,
                Fed::Missed(count) => Event::Missed { count },
            })
        })
    }
}

/// Those who subscribed.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Vec<Subscriber>);

#[derive(Debug)]
struct Subscriber {
    requester: Credentials,
    looks_for_losses: bool,
    events: Feeder<Event>,
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
        let Subscribe { requester, capacity, looks_for_losses } = subscribe;
        let (events, subscription) = feed(capacity.clamp(1, EVENTS_MAX));
        self.0.push(Subscriber { requester, looks_for_losses, events });
        Ok(Subscription(subscription))
    }

    /// Whether somebody wants to know what a session lost.
    pub(crate) fn look_for_losses(&self) -> bool {
        self.0.iter().any(|it| it.looks_for_losses && !it.events.is_closed())
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
        self.events.offer(|| event.clone())
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
        if may_have_lost(&event) && self.subscribers.look_for_losses() {
            self.look_for_losses(id);
        }
        self.subscribers.publish(Audience::User(owner), || Event::Session { session, event });
    }
}
