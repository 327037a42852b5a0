//! What a program asks to be told of from now on: typed values as requests are, whose reply is a stream.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, StreamExt};
use lttngd_model::ErrorCode;
use lttngd_notification::{NotificationEvent, Notifications, SubscribeNotifications};
use lttngd_registry::{Event, Subscribe, Subscription};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Handle;

/// A subscription, for [`Handle::subscribe_to`]. The types are those that the mailboxes of a daemon's actors take, and
/// both they and what comes of them can be written down, see [`Versioned`](crate::Versioned).
///
/// It is made with anybody as who asks: the handle puts in for whom it acts.
pub trait SubscriptionRequest: Serialize + DeserializeOwned + Send + 'static {
    /// What comes.
    type Item: Serialize + DeserializeOwned + Send + 'static;

    /// In which it comes. Dropping it ends the subscription.
    type Stream: Stream<Item = Self::Item> + Unpin + Send + 'static;

    /// Subscribes. See [`Handle::subscribe_to`].
    ///
    /// # Errors
    /// Those that the subscription documents.
    fn subscribe(
        self,
        handle: &Handle,
    ) -> impl Future<Output = Result<Self::Stream, ErrorCode>> + Send;
}

impl SubscriptionRequest for Subscribe {
    type Item = Event;
    type Stream = Subscription;

    async fn subscribe(mut self, handle: &Handle) -> Result<Subscription, ErrorCode> {
        self.requester = handle.requester();
        handle.registry(self).await?
    }
}

impl SubscriptionRequest for SubscribeNotifications {
    type Item = NotificationEvent;
    type Stream = Notifications;

    async fn subscribe(mut self, handle: &Handle) -> Result<Notifications, ErrorCode> {
        self.requester = handle.requester();
        handle.triggers(self).await
    }
}

/// Any subscription; see the type in each.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[allow(missing_docs, reason = "each is the subscription of that name")]
#[non_exhaustive]
pub enum AnySubscription {
    Subscribe(Subscribe),
    SubscribeNotifications(SubscribeNotifications),
}

/// What comes of any subscription, in the variant of its name.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[allow(missing_docs, reason = "each is what comes of the subscription of that name")]
#[non_exhaustive]
pub enum AnyEvent {
    Subscribe(Event),
    SubscribeNotifications(NotificationEvent),
}

/// In which it comes.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is the stream of the subscription of that name")]
#[non_exhaustive]
pub enum AnySubscribed {
    Subscribe(Subscription),
    SubscribeNotifications(Box<Notifications>),
}

impl From<Subscribe> for AnySubscription {
    fn from(subscribe: Subscribe) -> Self {
        Self::Subscribe(subscribe)
    }
}

impl From<SubscribeNotifications> for AnySubscription {
    fn from(subscribe: SubscribeNotifications) -> Self {
        Self::SubscribeNotifications(subscribe)
    }
}

impl SubscriptionRequest for AnySubscription {
    type Item = AnyEvent;
    type Stream = AnySubscribed;

    async fn subscribe(self, handle: &Handle) -> Result<AnySubscribed, ErrorCode> {
        Ok(match self {
            Self::Subscribe(it) => AnySubscribed::Subscribe(it.subscribe(handle).await?),
            Self::SubscribeNotifications(it) => {
                AnySubscribed::SubscribeNotifications(Box::new(it.subscribe(handle).await?))
            }
        })
    }
}

impl Stream for AnySubscribed {
    type Item = AnyEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<AnyEvent>> {
        match self.get_mut() {
            Self::Subscribe(events) => {
                events.poll_next_unpin(context).map(|it| it.map(AnyEvent::Subscribe))
            }
            Self::SubscribeNotifications(notifications) => {
                let polled = notifications.poll_next_unpin(context);
                polled.map(|it| it.map(AnyEvent::SubscribeNotifications))
            }
        }
    }
}
