//! The event notifiers of all applications, as a part of [`Apps`].

use std::{collections::BTreeMap, sync::Arc};

use actix::{Addr, ArbiterHandle, Handler, Message, MessageResult};
use futures::{StreamExt, stream::FuturesUnordered};
use lttngd_model::ust::NotifierSet;
use lttngd_ringbuffer::possible_cpu_count;
use lttngd_runtime::{Beside, Descriptors, Hold, Keeping, Outlet, Pause, Waiter, tell};
use tokio::sync::watch;

use super::{
    ClearNotifierErrors, CountNotifierErrors, EventsNotified, SetNotifiers,
    errors::{ErrorCounters, NoCounters},
};
use crate::{App, AppError, AppInfo, Apps, RegisteredApp, purpose::Purpose};

/// What is wanted of all applications.
#[derive(Clone, Debug)]
pub(crate) struct Newest {
    /// The notifiers.
    pub(crate) set: Arc<NotifierSet>,
    /// Who is told of events.
    pub(crate) notified: Outlet<EventsNotified>,
}

/// What is wanted of one application.
#[derive(Clone, Debug)]
pub(crate) struct NotifierWish {
    /// The notifiers that it is to have.
    pub(crate) set: Arc<NotifierSet>,
    /// What is wanted at any moment.
    pub(crate) current: watch::Receiver<Newest>,
    /// Those of its user, if there are any.
    pub(crate) counters: Option<Arc<ErrorCounters>>,
    /// What its pipe is counted in.
    pub(crate) descriptors: Descriptors,
    /// Where its pipe is read.
    pub(crate) arbiter: Option<ArbiterHandle>,
    /// As long as it is on the pipe is not read.
    pub(crate) pause: Pause,
}

/// How event notifiers are served.
#[derive(Clone, Debug)]
pub struct NotifierSettings {
    /// How many notifiers can have a counter of errors, 1 to 65534. Those beyond have none.
    pub error_counters: u16,
    /// What pipes of applications are counted in; an application whose pipe does not fit has no notifiers.
    pub descriptors: Descriptors,
    /// Where pipes of applications are read: best where those live who are told of events. `None`: where the
    /// applications are.
    pub arbiter: Option<ArbiterHandle>,
    /// As long as it is on no pipe is read, as tests want it.
    pub pause: Pause,
}

impl Default for NotifierSettings {
    /// As LTTng has it, with room for all descriptors.
    fn default() -> Self {
        Self {
            error_counters: 4096,
            descriptors: Descriptors::unlimited(),
            arbiter: None,
            pause: Pause::default(),
        }
    }
}

/// The event notifiers of all applications.
pub(crate) struct AllNotifiers {
    settings: NotifierSettings,
    newest: watch::Sender<Newest>,
    /// The counters of each user's applications.
    counters: BTreeMap<u32, Arc<ErrorCounters>>,
}

impl AllNotifiers {
    /// None yet.
    pub(crate) fn new(settings: NotifierSettings) -> Self {
        let newest = Newest { set: Arc::default(), notified: Outlet::closed() };
        Self { settings, newest: watch::Sender::new(newest), counters: BTreeMap::new() }
    }

    /// What an application that has just registered is to have; `None` when it need not be asked.
    pub(crate) fn of_arrived(&mut self, info: &AppInfo) -> Option<NotifierWish> {
        let set = Arc::clone(&self.newest.borrow().set);
        (!set.is_empty() && knows_notifiers(info)).then(|| self.wish(info, set))
    }

    fn wish(&mut self, info: &AppInfo, set: Arc<NotifierSet>) -> NotifierWish {
        let counters = if set.is_empty() { None } else { self.counters_of(info.uid) };
        let current = self.newest.subscribe();
        let NotifierSettings { descriptors, arbiter, pause, .. } = self.settings.clone();
        NotifierWish { set, current, counters, descriptors, arbiter, pause }
    }

    /// Counters outlive the applications that count, as long as there are notifiers.
    fn counters_of(&mut self, uid: u32) -> Option<Arc<ErrorCounters>> {
        if let Some(known) = self.counters.get(&uid) {
            return Some(Arc::clone(known));
        }
        let made = possible_cpu_count().map_err(NoCounters::from).and_then(|cpus| {
            let NotifierSettings { error_counters, descriptors, .. } = &self.settings;
            ErrorCounters::new((*error_counters).into(), cpus, descriptors)
        });
        match made {
            Ok(made) => {
                self.counters.insert(uid, Arc::clone(&made));
                Some(made)
            }
            Err(error) => {
                tracing::warn!(uid, %error, "a user's applications do not count the events that they cannot tell");
                None
            }
        }
    }

    /// Forgets counters that nobody reads any more and no application has.
    pub(crate) fn forget_counters(&mut self) {
        if self.newest.borrow().set.is_empty() {
            self.counters.retain(|_, counters| Arc::strong_count(counters) > 1);
        }
    }
}

fn knows_notifiers(info: &AppInfo) -> bool {
    info.abi.has_event_notifiers()
}

/// Brings an application to these notifiers.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), AppError>")]
pub(crate) struct SynchroniseNotifiers {
    pub(crate) want: NotifierWish,
}

/// The same for one that has just registered: its `main` waits.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SynchroniseArrivedNotifiers {
    pub(crate) want: NotifierWish,
    pub(crate) hold: Hold,
}

impl Handler<SynchroniseNotifiers> for App {
    type Result = Keeping<AppError>;

    fn handle(&mut self, request: SynchroniseNotifiers, _: &mut Self::Context) -> Self::Result {
        self.agenda().keeping(Purpose::Notifiers, request.want.into())
    }
}

impl Handler<SynchroniseArrivedNotifiers> for App {
    type Result = ();

    fn handle(&mut self, request: SynchroniseArrivedNotifiers, _: &mut Self::Context) {
        let waiter = Waiter::Hold(request.hold);
        self.agenda().keep(Purpose::Notifiers, request.want.into(), Some(waiter));
    }
}

impl Apps {
    /// Has an application that has just registered get its notifiers while `hold` is held.
    pub(crate) fn notify_arrived(&mut self, info: &AppInfo, app: &Addr<App>, hold: &Hold) {
        if let Some(want) = self.notifiers().of_arrived(info) {
            tell(app, SynchroniseArrivedNotifiers { want, hold: hold.clone() });
        }
    }
}

impl Handler<SetNotifiers> for Apps {
    type Result = Beside<()>;

    fn handle(&mut self, request: SetNotifiers, _: &mut Self::Context) -> Self::Result {
        let SetNotifiers { set, notified } = request;
        let newest = Newest { set: Arc::clone(&set), notified };
        let before = self.notifiers().newest.send_replace(newest);
        let asked = FuturesUnordered::new();
        if !set.is_empty() || !before.set.is_empty() {
            let known: Vec<RegisteredApp> = self.registered().cloned().collect();
            for (info, app) in known.into_iter().filter(|(info, _)| knows_notifiers(info)) {
                let want = self.notifiers().wish(&info, Arc::clone(&set));
                asked.push(app.send(SynchroniseNotifiers { want }));
            }
        }
        self.notifiers().forget_counters();
        // An application that is gone, or is not waited for, has said so in the log.
        self.works().answer(asked.for_each(async |_| ()))
    }
}

impl Handler<CountNotifierErrors> for Apps {
    type Result = MessageResult<CountNotifierErrors>;

    fn handle(&mut self, request: CountNotifierErrors, _: &mut Self::Context) -> Self::Result {
        let of_all = self.notifiers().counters.values();
        MessageResult(of_all.map(|counters| counters.value(request.index)).sum())
    }
}

impl Handler<ClearNotifierErrors> for Apps {
    type Result = ();

    fn handle(&mut self, request: ClearNotifierErrors, _: &mut Self::Context) {
        self.notifiers().counters.values().for_each(|counters| counters.clear(request.index));
    }
}
