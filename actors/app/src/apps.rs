//! Which applications are registered, and which sessions they concern.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use actix::{Actor, Addr, Context, Handler, Message, MessageResult};
use lttngd_model::{
    SessionId,
    ust::{TrackedProcess, Trackers},
};
use lttngd_runtime::{
    Attention, Beside, Directory, FailureNotice, Hold, Outlet, Works, fail_point,
};

use crate::{
    App, AppAttended, AppId, AppInfo, AppRegistered, AppUnregistered, NotifierSettings,
    RegisterDone, notifier::AllNotifiers,
};

/// A registered application and its actor, whose address is shared: it is not cheap to clone.
pub type RegisteredApp = (Arc<AppInfo>, Arc<Addr<App>>);

/// Follows the applications that trackers let through, from now on: replies with those that are registered.
/// A second time it replaces the trackers.
#[derive(Debug, Message)]
#[rtype(result = "Vec<(AppId, RegisteredApp)>")]
pub struct FollowApps {
    /// The session.
    pub session: SessionId,
    /// Which applications it records.
    pub trackers: Trackers,
    /// Is told of those that come.
    pub arrived: Outlet<AppArrived>,
    /// Is told of those that go.
    pub gone: Outlet<AppExited>,
}

/// The session is not told any more which applications come, but still which of those that it was given or
/// told of go.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct AwaitNoApps {
    /// The session.
    pub session: SessionId,
}

/// The session has ended: it is told of nothing.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct LeaveApps {
    /// The session.
    pub session: SessionId,
}

/// Asks for all registered applications.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<RegisteredApp>")]
pub struct ListApps;

/// An application registered that a session follows.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct AppArrived {
    /// What it is.
    pub info: Arc<AppInfo>,
    /// Its actor.
    pub app: Arc<Addr<App>>,
    /// Held until it has what the session wants, or has not answered in time: its `main` waits for that.
    pub hold: Hold,
}

/// An application that concerned a session is gone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct AppExited {
    /// Which.
    pub id: AppId,
}

/// An application registered, or is gone.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct AppsChanged {
    /// Which.
    pub info: Arc<AppInfo>,
    /// Whether it is registered now.
    pub is_registered: bool,
}

/// Asks how all registered applications do. It is answered at once: no application is asked.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<AppReport>")]
pub struct ReportApps;

/// How an application does.
#[derive(Clone, Debug)]
pub struct AppReport {
    /// What it is.
    pub info: Arc<AppInfo>,
    /// Since when it is set aside, if it is: nobody waits for it until it answers.
    pub set_aside_since: Option<Instant>,
}

struct Follower {
    arrived: Outlet<AppArrived>,
    gone: Outlet<AppExited>,
}

/// The actor that knows which applications are registered, and which sessions each of them concerns. Who
/// does not follow them is told of none.
pub struct Apps {
    directory: Directory<AppId, RegisteredApp, SessionId, Arc<Follower>>,
    changed: Outlet<AppsChanged>,
    /// The beginnings of `main` that are waited for, and applications that get event notifiers.
    works: Works,
    notifiers: AllNotifiers,
    /// Those that do not answer, since when.
    set_aside: BTreeMap<AppId, Instant>,
    _failure: Option<FailureNotice>,
}

impl Apps {
    /// No application is registered. `changed` is told of all that come and go.
    #[must_use]
    pub fn new(changed: Outlet<AppsChanged>) -> Self {
        Self {
            directory: Directory::default(),
            changed,
            works: Works::default(),
            notifiers: AllNotifiers::new(NotifierSettings::default()),
            set_aside: BTreeMap::new(),
            _failure: None,
        }
    }

    /// The same, with event notifiers served so.
    #[must_use]
    pub fn with_notifiers(self, settings: NotifierSettings) -> Self {
        Self { notifiers: AllNotifiers::new(settings), ..self }
    }

    /// The same, whose owner is told when it fails.
    #[must_use]
    pub fn with_failure_notice(self, notice: FailureNotice) -> Self {
        Self { _failure: Some(notice), ..self }
    }

    /// Event notifiers of all applications.
    pub(crate) fn notifiers(&mut self) -> &mut AllNotifiers {
        &mut self.notifiers
    }

    /// The applications that are registered.
    pub(crate) fn registered(&self) -> impl Iterator<Item = &RegisteredApp> {
        self.directory.peers()
    }

    /// What it does beside its mailbox.
    pub(crate) fn works(&self) -> &Works {
        &self.works
    }
}

impl Actor for Apps {
    type Context = Context<Self>;
}

impl Handler<AppRegistered> for Apps {
    type Result = Beside<()>;

    /// Over when its `main` begins.
    fn handle(&mut self, registered: AppRegistered, _: &mut Self::Context) -> Self::Result {
        let AppRegistered { info, app } = registered;
        fail_point::reached("Apps register");
        self.changed.tell(AppsChanged { info: Arc::clone(&info), is_registered: true });
        let app = Arc::new(app);
        let (hold, released) = Hold::new();
        for follower in self.directory.come(info.id, (Arc::clone(&info), Arc::clone(&app))) {
            let (info, app, hold) = (Arc::clone(&info), Arc::clone(&app), hold.clone());
            follower.arrived.tell(AppArrived { info, app, hold });
        }
        self.notify_arrived(&info, &app, &hold);
        drop(hold);
        let begins = async move {
            released.await;
            // What it refuses has been logged.
            let _ = app.send(RegisterDone).await;
        };
        self.works.answer(begins)
    }
}

impl Handler<AppUnregistered> for Apps {
    type Result = ();

    fn handle(&mut self, gone: AppUnregistered, _: &mut Self::Context) {
        let Some(((info, _), followers)) = self.directory.go(gone.id) else { return };
        self.set_aside.remove(&gone.id);
        for follower in followers {
            follower.gone.tell(AppExited { id: gone.id });
        }
        self.changed.tell(AppsChanged { info, is_registered: false });
        self.notifiers.forget_counters();
    }
}

impl Handler<AppAttended> for Apps {
    type Result = ();

    fn handle(&mut self, attended: AppAttended, _: &mut Self::Context) {
        match attended.attention {
            Attention::SetAside => drop(self.set_aside.insert(attended.id, Instant::now())),
            Attention::Regained => drop(self.set_aside.remove(&attended.id)),
        }
    }
}

impl Handler<ReportApps> for Apps {
    type Result = MessageResult<ReportApps>;

    fn handle(&mut self, _: ReportApps, _: &mut Self::Context) -> Self::Result {
        let report = |(info, _): &RegisteredApp| AppReport {
            info: Arc::clone(info),
            set_aside_since: self.set_aside.get(&info.id).copied(),
        };
        MessageResult(self.directory.peers().map(report).collect())
    }
}

impl Handler<FollowApps> for Apps {
    type Result = MessageResult<FollowApps>;

    fn handle(&mut self, request: FollowApps, _: &mut Self::Context) -> Self::Result {
        let FollowApps { session, trackers, arrived, gone } = request;
        let fits = move |(info, _): &RegisteredApp| {
            trackers.track(TrackedProcess { pid: info.pid, uid: info.uid, gid: info.gid })
        };
        let follower = Arc::new(Follower { arrived, gone });
        MessageResult(self.directory.follow(session, follower, Box::new(fits)))
    }
}

impl Handler<AwaitNoApps> for Apps {
    type Result = ();

    fn handle(&mut self, request: AwaitNoApps, _: &mut Self::Context) {
        self.directory.rest(request.session);
    }
}

impl Handler<LeaveApps> for Apps {
    type Result = ();

    fn handle(&mut self, request: LeaveApps, _: &mut Self::Context) {
        self.directory.leave(request.session);
    }
}

impl Handler<ListApps> for Apps {
    type Result = MessageResult<ListApps>;

    fn handle(&mut self, _: ListApps, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.directory.peers().cloned().collect())
    }
}
