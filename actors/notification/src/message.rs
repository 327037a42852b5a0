//! What triggers are asked, and what their subscribers get.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix::Message;
use futures::{Stream, StreamExt};
use lttngd_model::{
    Credentials, ErrorCode,
    trigger::{Condition, ErrorCounter, ErrorQuery, Notification, Trigger},
};
use lttngd_runtime::{Fed, Feed};
use serde::{Deserialize, Serialize};

/// REGISTER_TRIGGER: replies with the trigger, its name filled in. Applications that are registered have its
/// event rule by then. Its condition is looked at once now.
///
/// Errors: `InvalidTrigger`, also for another user's; `FilterInval`, `InvalidCaptureExpression`,
/// `TriggerExists`, `NotSupported` for event rules of the kernel where it has no notifiers,
/// `EventNotifierErrorAccountingFull`, `Nomem` when there are too many; for event rules of the kernel those of
/// [`AddNotifier`](lttngd_kernel::AddNotifier).
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Trigger, ErrorCode>")]
pub struct RegisterTrigger {
    /// Who asks.
    pub requester: Credentials,
    /// The trigger.
    pub trigger: Trigger,
    /// Whether one without a name stays so, instead of being given one.
    pub anonymous: bool,
}

/// UNREGISTER_TRIGGER: of the one that is equal.
///
/// Errors: `InvalidTrigger`, also for another user's; `TriggerNotFound`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct UnregisterTrigger {
    /// Who asks.
    pub requester: Credentials,
    /// The trigger.
    pub trigger: Trigger,
}

/// LIST_TRIGGERS: the requester's, for root those of all; without those that are hidden. In the order in which
/// they were registered.
///
/// Errors: none of its own.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<Trigger>, ErrorCode>")]
pub struct ListTriggers {
    /// Who asks.
    pub requester: Credentials,
}

/// EXECUTE_ERROR_QUERY: what went wrong with a trigger. Nothing is counted of triggers themselves, of lists of
/// actions, and of conditions without an event rule.
///
/// Errors: `InvalidProtocol` for a path that leads to no action, `TriggerNotFound`, `InvalidTrigger` for
/// another user's.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<ErrorCounter>, ErrorCode>")]
pub struct QueryErrors {
    /// Who asks.
    pub requester: Credentials,
    /// The question.
    pub query: ErrorQuery,
}

/// Begins a subscription of a program that embeds the daemon.
///
/// Errors: `Overflow` when there are too many subscribers, `InvalidTrigger` for what is no condition.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Notifications, ErrorCode>")]
pub struct SubscribeNotifications {
    /// Who wants to know.
    pub requester: Credentials,
    /// Which conditions. They need not be those of triggers yet.
    pub conditions: Vec<Condition>,
    /// How many notifications may wait; at least 1, at most [`NOTIFICATIONS_MAX`].
    pub capacity: usize,
}

/// Most notifications that wait for one subscriber that embeds the daemon.
pub const NOTIFICATIONS_MAX: usize = 1 << 16;

/// What comes to a subscriber.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub enum NotificationEvent {
    /// A condition became true.
    Notified(Box<Notification>),
    /// The subscriber was slow: at this point so many notifications were dropped.
    Dropped {
        /// How many.
        count: u64,
    },
}

/// The notifications of triggers with a `notify` action whose conditions were subscribed to, as far as the
/// subscriber may know of them.
///
/// Nobody waits for a subscriber. What does not fit any more is dropped, and [`NotificationEvent::Dropped`] says
/// there how many that were. The stream ends when the daemon does; dropping it ends the subscription.
#[derive(Debug)]
pub struct Notifications(pub(crate) Feed<Notification>);

impl Stream for Notifications {
    type Item = NotificationEvent;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<NotificationEvent>> {
        self.0.poll_next_unpin(context).map(|fed| {
            fed.map(|fed| match fed {
                Fed::Item(notification) => NotificationEvent::Notified(Box::new(notification)),
                Fed::Missed(count) => NotificationEvent::Dropped { count },
            })
        })
    }
}
