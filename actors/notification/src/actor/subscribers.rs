//! Those who are notified: they come, subscribe and go.

use actix::{Handler, Message};
use lttngd_model::{Credentials, ErrorCode, trigger::Condition};
use lttngd_runtime::{Outlet, feed};
use lttngd_wire::notification::Status;

use super::Triggers;
use crate::{
    NOTIFICATIONS_MAX, Notifications, SubscribeNotifications,
    book::{ConditionKey, condition_key},
    subscriber::Deliver,
    subscriptions::{Notice, Sink, SubscriberId},
};

/// A subscriber at a socket has shaken hands. `None` when there are too many.
#[derive(Debug, Message)]
#[rtype(result = "Option<SubscriberId>")]
pub(crate) struct Join {
    pub(crate) who: Credentials,
    pub(crate) is_own: bool,
    pub(crate) sink: Outlet<Deliver>,
}

/// It is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Leave(pub(crate) SubscriberId);

/// It subscribes.
#[derive(Debug, Message)]
#[rtype(result = "StatusReply")]
pub(crate) struct Subscribe {
    pub(crate) id: SubscriberId,
    pub(crate) condition: Condition,
}

/// It unsubscribes.
#[derive(Debug, Message)]
#[rtype(result = "StatusReply")]
pub(crate) struct Unsubscribe {
    pub(crate) id: SubscriberId,
    pub(crate) key: ConditionKey,
}

/// What becomes of either.
#[derive(Clone, Copy, Debug, actix::MessageResponse)]
pub(crate) struct StatusReply(pub(crate) Status);

impl Triggers {
    /// Tells a new subscriber of a condition that is true.
    fn tell_state(&self, id: SubscriberId, condition: &Condition, key: &ConditionKey) {
        let Some((evaluation, owner)) = self.sessions.state_of(condition) else { return };
        for registered in self.book.notifying(key) {
            let (registered, evaluation) = (registered.clone(), evaluation.clone());
            let notice = Notice { registered, evaluation, object: Some(owner) };
            self.subscriptions.tell_one(id, &notice);
        }
    }
}

impl Handler<SubscribeNotifications> for Triggers {
    type Result = Result<Notifications, ErrorCode>;

    fn handle(&mut self, request: SubscribeNotifications, _: &mut Self::Context) -> Self::Result {
        let SubscribeNotifications { requester, conditions, capacity } = request;
        conditions.iter().try_for_each(Condition::check)?;
        let (feeder, notifications) = feed(capacity.clamp(1, NOTIFICATIONS_MAX));
        let id = self.subscriptions.join(requester, true, Sink::Stream(feeder));
        let id = id.ok_or(ErrorCode::Overflow)?;
        for condition in conditions {
            let key = condition_key(&condition);
            if self.subscriptions.subscribe(id, &key) == Status::Ok {
                self.tell_state(id, &condition, &key);
            }
        }
        Ok(Notifications(notifications))
    }
}

impl Handler<Join> for Triggers {
    type Result = Option<SubscriberId>;

    fn handle(&mut self, join: Join, _: &mut Self::Context) -> Self::Result {
        self.subscriptions.join(join.who, join.is_own, Sink::Socket(join.sink))
    }
}

impl Handler<Leave> for Triggers {
    type Result = ();

    fn handle(&mut self, Leave(id): Leave, _: &mut Self::Context) {
        self.subscriptions.leave(id);
    }
}

impl Handler<Subscribe> for Triggers {
    type Result = StatusReply;

    /// What is true already is told before the reply.
    fn handle(&mut self, subscribe: Subscribe, _: &mut Self::Context) -> Self::Result {
        let Subscribe { id, condition } = subscribe;
        let key = condition_key(&condition);
        let status = self.subscriptions.subscribe(id, &key);
        if status == Status::Ok {
            self.tell_state(id, &condition, &key);
        }
        StatusReply(status)
    }
}

impl Handler<Unsubscribe> for Triggers {
    type Result = StatusReply;

    fn handle(
        &mut self,
        Unsubscribe { id, key }: Unsubscribe,
        _: &mut Self::Context,
    ) -> StatusReply {
        StatusReply(self.subscriptions.unsubscribe(id, &key))
    }
}
