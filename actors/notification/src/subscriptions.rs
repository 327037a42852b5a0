//! Who subscribed to what, and who is told of what. No input or output.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use lttngd_model::{
    Credentials,
    trigger::{Evaluation, Notification, Trigger},
};
use lttngd_runtime::{Feeder, Outlet};
use lttngd_wire::notification::{Status, encode_notification};

use crate::{
    book::{ConditionKey, Registered},
    outgoing::Encoded,
    subscriber::Deliver,
};

/// Most subscribers at a time.
pub const SUBSCRIBERS_MAX: usize = 4096;
/// Most of them that are one user's, but root's.
pub const SUBSCRIBERS_EACH_MAX: usize = 256;
/// Most subscriptions of a subscriber.
pub const SUBSCRIPTIONS_EACH_MAX: usize = 4096;

/// A subscriber, from its coming on. Never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct SubscriberId(u64);

/// Where a subscriber is told.
#[derive(Debug)]
pub(crate) enum Sink {
    /// At its socket.
    Socket(Outlet<Deliver>),
    /// In this process.
    Stream(Feeder<Notification>),
}

#[derive(Debug)]
struct Subscriber {
    who: Credentials,
    /// Whether it is the daemon's own process.
    is_own: bool,
    sink: Sink,
    conditions: HashSet<ConditionKey>,
}

/// What subscribers are told of.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) registered: Registered,
    pub(crate) evaluation: Evaluation,
    /// Whose session it is about, if it is about one.
    pub(crate) object: Option<Credentials>,
}

/// All subscribers.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    all: BTreeMap<SubscriberId, Subscriber>,
    by_condition: HashMap<ConditionKey, BTreeSet<SubscriberId>>,
    next: u64,
}

impl Subscriptions {
    /// Somebody came; `None` when there are too many.
    pub(crate) fn join(
        &mut self,
        who: Credentials,
        is_own: bool,
        sink: Sink,
    ) -> Option<SubscriberId> {
        let is_closed = |sink: &Sink| matches!(sink, Sink::Stream(feeder) if feeder.is_closed());
        let closed = self.all.iter().filter(|(_, known)| is_closed(&known.sink));
        let closed: Vec<_> = closed.map(|(id, _)| *id).collect();
        closed.into_iter().for_each(|id| self.leave(id));
        let of_user = || self.all.values().filter(|known| known.who.uid == who.uid).count();
        let is_full =
            self.all.len() >= SUBSCRIBERS_MAX || who.uid != 0 && of_user() >= SUBSCRIBERS_EACH_MAX;
        if is_full {
            return None;
        }
        let id = SubscriberId(self.next);
        self.next += 1;
        self.all.insert(id, Subscriber { who, is_own, sink, conditions: HashSet::new() });
        Some(id)
    }

    /// Somebody went.
    pub(crate) fn leave(&mut self, id: SubscriberId) {
        let Some(subscriber) = self.all.remove(&id) else { return };
        for condition in subscriber.conditions {
            self.forget(&condition, id);
        }
    }

    fn forget(&mut self, condition: &ConditionKey, id: SubscriberId) {
        if let Some(ids) = self.by_condition.get_mut(condition) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_condition.remove(condition);
            }
        }
    }

    pub(crate) fn subscribe(&mut self, id: SubscriberId, condition: &ConditionKey) -> Status {
        let Some(subscriber) = self.all.get_mut(&id) else { return Status::Error };
        if subscriber.conditions.contains(condition) {
            return Status::AlreadySubscribed;
        }
        if subscriber.conditions.len() >= SUBSCRIPTIONS_EACH_MAX {
            return Status::Error;
        }
        subscriber.conditions.insert(Arc::clone(condition));
        self.by_condition.entry(Arc::clone(condition)).or_default().insert(id);
        Status::Ok
    }

    pub(crate) fn unsubscribe(&mut self, id: SubscriberId, condition: &ConditionKey) -> Status {
        let subscriber = self.all.get_mut(&id);
        let was_there = subscriber.is_some_and(|known| known.conditions.remove(condition));
        if !was_there {
            return Status::UnknownCondition;
        }
        self.forget(condition, id);
        Status::Ok
    }

    /// Tells all who subscribed and may know.
    pub(crate) fn tell(&mut self, notice: &Notice) {
        let Some(ids) = self.by_condition.get(&notice.registered.condition) else { return };
        let mut frame = None;
        let mut gone = Vec::new();
        for id in ids {
            let Some(subscriber) = self.all.get(id) else { continue };
            if subscriber.may_know(notice) && !subscriber.tell(notice, &mut frame) {
                gone.push(*id);
            }
        }
        gone.into_iter().for_each(|id| self.leave(id));
    }

    /// Tells one of them.
    pub(crate) fn tell_one(&self, id: SubscriberId, notice: &Notice) {
        if let Some(subscriber) = self.all.get(&id).filter(|known| known.may_know(notice)) {
            subscriber.tell(notice, &mut None);
        }
    }

    /// Tells all that something was dropped of which they would have been told.
    pub(crate) fn tell_dropped(&self, notice: &Notice) {
        let ids = self.by_condition.get(&notice.registered.condition).into_iter().flatten();
        for subscriber in ids.filter_map(|id| self.all.get(id)) {
            if subscriber.may_know(notice) {
                subscriber.sink.drop_one();
            }
        }
    }
}

/// A notification as all clients read it, made when the first needs it; `None` in it when it is too large for
/// any.
type Frame = Option<Option<Encoded>>;

impl Subscriber {
    fn may_know(&self, notice: &Notice) -> bool {
        let trigger: &Trigger = &notice.registered.trigger;
        let may_know_object = notice.object.is_none_or(|object| {
            self.who.uid == object.uid || self.who.gid == object.gid || self.who.uid == 0
        });
        (!trigger.is_hidden || self.is_own) && may_know_object && self.who.uid == trigger.owner_uid
    }

    /// Whether the subscription goes on.
    fn tell(&self, notice: &Notice, frame: &mut Frame) -> bool {
        match &self.sink {
            Sink::Socket(outlet) => {
                let encode = || {
                    let Registered { bytes, trigger, .. } = &notice.registered;
                    let probe = trigger.condition.userspace_probe();
                    let binary = probe.and_then(|probe| probe.binary.clone());
                    let fd_count = u32::from(binary.is_some());
                    let bytes = encode_notification(bytes, &notice.evaluation, fd_count)?;
                    Some(Encoded { bytes: bytes.into(), binary })
                };
                let frame = frame.get_or_insert_with(encode);
                outlet.tell(
                    frame
                        .as_ref()
                        .map_or(Deliver::Dropped, |frame| Deliver::Notification(frame.clone())),
                );
                true
            }
            Sink::Stream(feeder) => feeder.offer(|| Notification {
                trigger: Trigger::clone(&notice.registered.trigger),
                evaluation: notice.evaluation.clone(),
            }),
        }
    }
}

impl Sink {
    fn drop_one(&self) {
        match self {
            Self::Socket(outlet) => outlet.tell(Deliver::Dropped),
            Self::Stream(feeder) => feeder.miss(),
        }
    }
}
