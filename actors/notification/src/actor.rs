//! The shell: what triggers are asked, what they are told, and what follows from that.

use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient};
use futures::future::join;
use lttngd_agent::Agents;
use lttngd_app::{Apps, ClearNotifierErrors, CountNotifierErrors, EventsNotified, SetNotifiers};
use lttngd_kernel::KernelEventsNotified;
use lttngd_model::{
    Credentials,
    trigger::{Action, Evaluation, EventNotified},
    ust::NotifierSet,
};
use lttngd_runtime::{FailureNotice, Outlet, Works, complaint, tell};
use lttngd_session::{FoundSession, Observation, SessionListings, SessionObserved, WatchUse};
use lttngd_users::Ledger;

use crate::{
    book::{Book, Due, TriggerId},
    lanes::{Lanes, WorkId},
    perform::{Outcome, perform},
    sessions::{Change, Sessions},
    subscriptions::{Notice, Subscriptions},
};

mod asked;
mod subscribers;

pub(crate) use subscribers::{Join, Leave, Subscribe, Unsubscribe};

/// Most occurrences of triggers whose actions wait or are done: of one trigger, and to one session, half at most.
pub const WORKS_MAX: usize = 1 << 14;
/// Of these, kept for root's triggers.
const WORKS_KEPT: u64 = 1 << 10;

/// What triggers are made with.
#[derive(Clone, Debug)]
pub struct TriggersConfig {
    /// Who has the event rules of user space.
    pub notifiers: Notifiers,
    /// Counters of events that applications could not tell: so many triggers may have an event rule of user
    /// space.
    pub error_counters: u64,
    /// Who has those of the kernel, where its domain is served.
    pub kernel: Option<KernelNotifiers>,
    /// Where the sessions are found that actions are about.
    pub sessions: SessionListings,
    /// Has sessions tell how their buffers are used.
    pub watch_use: Outlet<WatchUse>,
}

/// Who has the event rules of the kernel.
#[derive(Clone, Debug)]
pub struct KernelNotifiers {
    /// The notifiers in the tracer.
    pub notifiers: Addr<lttngd_kernel::Notifiers>,
    /// Counters of events that the tracer could not tell: so many triggers may have an event rule of the kernel.
    pub error_counters: u64,
}

/// Who has the event rules of user space, in applications and agents.
#[derive(Clone, Debug)]
pub struct Notifiers {
    /// Takes all of them, to have them in applications.
    pub set: Recipient<SetNotifiers>,
    /// Takes them as well, to have agents hand over what they need.
    pub set_of_agents: Recipient<lttngd_agent::SetNotifiers>,
    /// Tells how many events could not be told.
    pub count_errors: Recipient<CountNotifierErrors>,
    /// Has a counter begin anew.
    pub clear_errors: Recipient<ClearNotifierErrors>,
}

impl Notifiers {
    /// Those of all applications and agents.
    #[must_use]
    pub fn of(apps: &Addr<Apps>, agents: &Addr<Agents>) -> Self {
        Self {
            set_of_agents: agents.clone().recipient(),
            set: apps.clone().recipient(),
            count_errors: apps.clone().recipient(),
            clear_errors: apps.clone().recipient(),
        }
    }
}

/// The actor that owns the triggers.
pub struct Triggers {
    config: TriggersConfig,
    book: Book,
    notifiers: Arc<NotifierSet>,
    sessions: Sessions,
    subscriptions: Subscriptions,
    lanes: Lanes<Lane, Work>,
    works: Works,
    _failure: Option<FailureNotice>,
}

/// Works that have one of these in common are done one after the other.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Lane {
    Trigger(TriggerId),
    Session(String),
}

/// An occurrence of a trigger: what is left to do of its actions, the next one last.
struct Work {
    trigger: TriggerId,
    notice: Notice,
    left: Vec<(Due, Option<FoundSession>)>,
}

/// An action of a work was done, or not.
#[derive(Message)]
#[rtype(result = "()")]
struct Performed {
    work: WorkId,
    rest: Work,
    leaf: usize,
    outcome: Outcome,
}

impl Triggers {
    /// None is registered.
    #[must_use]
    pub fn new(config: TriggersConfig) -> Self {
        let of_kernel = config.kernel.as_ref().map(|kernel| kernel.error_counters);
        let book = Book::new(config.error_counters, of_kernel);
        let shares = Ledger::new("actions that wait", WORKS_KEPT);
        let shares = shares.owned_by(rustix::process::geteuid().as_raw());
        Self {
            config,
            book,
            notifiers: Arc::default(),
            sessions: Sessions::default(),
            subscriptions: Subscriptions::default(),
            lanes: Lanes::new(WORKS_MAX, shares),
            works: Works::default(),
            _failure: None,
        }
    }

    /// The same, whose owner is told when it fails.
    #[must_use]
    pub fn with_failure_notice(self, notice: FailureNotice) -> Self {
        Self { _failure: Some(notice), ..self }
    }

    /// Has applications and agents have the newest notifiers. Over when they do.
    fn synchronise(&self, context: &Context<Self>) -> impl Future<Output = ()> + use<> {
        let (set, notified) = (Arc::clone(&self.notifiers), context.address().recipient());
        let notified = Outlet::to(notified);
        let of_agents = lttngd_agent::SetNotifiers { set: Arc::clone(&set) };
        let of_agents = self.config.notifiers.set_of_agents.send(of_agents);
        let of_apps = self.config.notifiers.set.send(SetNotifiers { set, notified });
        async move {
            // They fail only when those actors failed, without which there are no applications and agents.
            let _ = join(of_apps, of_agents).await;
        }
    }

    /// Has sessions tell how buffers are used while triggers have to know.
    fn watch_use(&mut self) {
        let watches_use = self.book.is_about_use();
        if self.sessions.watch_use(watches_use) {
            self.config.watch_use.tell(WatchUse(watches_use));
        }
    }

    /// The condition of a trigger became true.
    fn occur(
        &mut self,
        id: TriggerId,
        evaluation: Evaluation,
        object: Option<Credentials>,
        context: &mut Context<Self>,
    ) {
        let due = self.book.occur(id);
        let Some(registered) = self.book.get(id).filter(|_| !due.is_empty()) else { return };
        let notice = Notice { registered: registered.clone(), evaluation, object };
        let is_notify = |(_, action): &Due| matches!(action, Action::Notify(_));
        let lane = Lane::Trigger(id);
        if due.iter().all(is_notify) && self.lanes.is_free(&lane) {
            due.iter().for_each(|_| self.subscriptions.tell(&notice));
            return;
        }
        let mut lanes = vec![lane];
        for session in due.iter().filter_map(|(_, action)| action.session()) {
            let lane = Lane::Session(session.to_owned());
            if !lanes.contains(&lane) {
                lanes.push(lane);
            }
        }
        let find = |due: Due| {
            let found = due.1.session().and_then(|name| self.config.sessions.find(name));
            (due, found)
        };
        let left = due.into_iter().rev().map(find).collect();
        let owner_uid = notice.registered.trigger.owner_uid;
        match self.lanes.push(owner_uid, lanes, Work { trigger: id, notice, left }) {
            Ok(work) => self.begin(work, context),
            Err(work) => self.drop_work(&work),
        }
    }

    /// There is no room for a work.
    fn drop_work(&mut self, work: &Work) {
        let trigger = &work.notice.registered.trigger;
        if let Some(left_out) = complaint("actions that wait", trigger.owner_uid) {
            tracing::warn!(trigger = ?trigger.name, left_out, "too many actions wait: those of this trigger are dropped");
        }
        for ((leaf, action), _) in &work.left {
            match action {
                Action::Notify(_) => self.subscriptions.tell_dropped(&work.notice),
                _ => self.book.failed(work.trigger, *leaf),
            }
        }
    }

    /// Begins a work if it is its turn.
    fn begin(&mut self, id: WorkId, context: &mut Context<Self>) {
        let mut turns = vec![id];
        while let Some(id) = turns.pop() {
            if let Some(work) = self.lanes.begin(id)
                && let Some(over) = self.go_on(id, work, context)
            {
                turns.extend(self.lanes.finish(over));
            }
        }
    }

    /// Does what is left of a work up to the next wait; its id when nothing is left.
    fn go_on(&mut self, id: WorkId, mut work: Work, context: &mut Context<Self>) -> Option<WorkId> {
        while let Some(((leaf, action), target)) = work.left.pop() {
            // It may have been unregistered meanwhile.
            if self.book.get(work.trigger).is_none() {
                return Some(id);
            }
            if matches!(action, Action::Notify(_)) {
                self.subscriptions.tell(&work.notice);
                continue;
            }
            let (me, owner_uid) = (context.address(), work.notice.registered.trigger.owner_uid);
            self.works.begin(context, async move {
                let outcome = perform(&action, owner_uid, target).await;
                tell(&me, Performed { work: id, rest: work, leaf, outcome });
            });
            return None;
        }
        Some(id)
    }

    /// Events matched rules.
    fn matched(&mut self, events: Vec<EventNotified>, context: &mut Context<Self>) {
        for event in events {
            let captures = event.captures.into_vec();
            let id = TriggerId::from(event.token);
            self.occur(id, Evaluation::EventRuleMatches { captures }, None, context);
        }
    }

    /// Something is new of a session.
    fn changed(
        &mut self,
        session: &str,
        owner: Credentials,
        change: &Change,
        context: &mut Context<Self>,
    ) {
        for (id, trigger) in self.book.about(session) {
            if let Some(evaluation) = change.makes_true(&trigger.condition) {
                self.occur(id, evaluation, Some(owner), context);
            }
        }
    }
}

impl Actor for Triggers {
    type Context = Context<Self>;
}

impl Handler<EventsNotified> for Triggers {
    type Result = ();

    fn handle(&mut self, notified: EventsNotified, context: &mut Self::Context) {
        let EventsNotified { app: _, events, taken: _taken } = notified;
        self.matched(events, context);
    }
}

impl Handler<KernelEventsNotified> for Triggers {
    type Result = ();

    fn handle(&mut self, notified: KernelEventsNotified, context: &mut Self::Context) {
        let KernelEventsNotified { events, taken: _taken } = notified;
        self.matched(events, context);
    }
}

impl Handler<Performed> for Triggers {
    type Result = ();

    fn handle(&mut self, performed: Performed, context: &mut Self::Context) {
        let Performed { work, rest, leaf, outcome } = performed;
        let trigger = &rest.notice.registered.trigger;
        let name = &trigger.name;
        let line = |about| complaint(about, trigger.owner_uid);
        match outcome {
            Outcome::Done => {}
            Outcome::Skipped => {
                if let Some(left_out) = line("action left alone") {
                    tracing::warn!(trigger = ?name, leaf, left_out, "an action is left alone: the session is gone, or not one that the trigger's owner may change");
                }
            }
            Outcome::Failed(code) => {
                if let Some(left_out) = line("action that failed") {
                    tracing::warn!(trigger = ?name, leaf, %code, left_out, "an action failed");
                }
                self.book.failed(rest.trigger, leaf);
            }
        }
        if let Some(over) = self.go_on(work, rest, context) {
            for next in self.lanes.finish(over) {
                self.begin(next, context);
            }
        }
    }
}

impl Handler<SessionObserved> for Triggers {
    type Result = ();

    fn handle(&mut self, observed: SessionObserved, context: &mut Self::Context) {
        let SessionObserved { id, session, owner, observation } = observed;
        let about = (id, session.as_str(), owner);
        let change = match observation {
            Observation::Ended => return self.sessions.ended(id),
            Observation::ChannelGone(key) => return self.sessions.channel_gone(id, key),
            Observation::ChannelUsed { channel, usage_bytes, consumed_bytes } => {
                self.sessions.used(about, &channel, usage_bytes, consumed_bytes)
            }
            Observation::RotationOngoing { rotation_id } => {
                Some(self.sessions.rotation_ongoing(about, rotation_id))
            }
            Observation::RotationOver { rotation_id, archive } => {
                self.sessions.rotation_over(about, rotation_id, archive.map(Into::into))
            }
        };
        if let Some(change) = change {
            self.changed(&session, owner, &change, context);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests_only {
    //! Events as applications tell them.

    use super::*;

    /// Tells events of some application. Over when they were looked at.
    pub(crate) async fn notify(triggers: &Addr<Triggers>, events: Vec<EventNotified>) {
        triggers.send(Notified(events)).await.unwrap_or_default();
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Notified(Vec<EventNotified>);

    impl Handler<Notified> for Triggers {
        type Result = ();

        fn handle(&mut self, Notified(events): Notified, context: &mut Self::Context) {
            self.matched(events, context);
        }
    }
}
