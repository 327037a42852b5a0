//! The shell: takes wishes and questions, and runs the application's driver and its notify socket in its
//! own context, so that a panic in any of them ends the actor.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use lttngd_model::{NameList, SessionId};
use lttngd_runtime::{
    Asking, Attention, Keeping, Outlet, Peer, Waiter, Waiting, complaint, fail_point,
};
use tracing::{Instrument, Span};

use crate::{
    AppAttended, AppError, AppInfo, AppRegistered, AppUnregistered, Forget, ListTracepointFields,
    ListTracepoints, RegenerateStatedump, RegisterDone, Synchronise, SynchroniseArrived,
    TracepointField,
    driver::{Driver, RUNNING_MAX},
    error::Broken,
    job::{AppAgenda, Job},
    notifier::NotifierGroup,
    notify::{self, Handles},
    permits::Permit,
    socket::CommandSocket,
};

/// The actor of one application.
pub struct App {
    info: Arc<AppInfo>,
    /// In which all is logged that is of it.
    span: Span,
    agenda: Rc<AppAgenda>,
    handles: Rc<Handles>,
    /// Until it is started.
    sockets: Option<(CommandSocket, Peer)>,
    /// Those of its command and its notify socket.
    permits: (Rc<Permit>, Rc<Permit>),
    outlets: Rc<Outlets>,
}

/// Who is told of applications.
pub(crate) struct Outlets {
    /// Of those that come.
    pub(crate) registered: Outlet<AppRegistered>,
    /// Of those that go.
    pub(crate) unregistered: Outlet<AppUnregistered>,
    /// Of those that do not answer, or do again.
    pub(crate) attended: Outlet<AppAttended>,
}

impl App {
    /// An application that has answered its version. `deadline` is how long it may go without an
    /// answer before it is set aside; `None` waits for ever.
    #[must_use]
    pub(crate) fn new(
        info: Arc<AppInfo>,
        sockets: (CommandSocket, Peer),
        permits: (Permit, Permit),
        deadline: Option<Duration>,
        outlets: Rc<Outlets>,
    ) -> Self {
        let AppInfo { id, pid, name, uid, .. } = &*info;
        let span = tracing::error_span!(parent: None, "app", pid, name);
        let (within, id, uid, attended) = (span.clone(), *id, *uid, outlets.attended.clone());
        // Also those who wait look at its patience, each in a span of its own.
        let told = move |attention| {
            attended.tell(AppAttended { id, attention });
            within.in_scope(|| match attention {
                Attention::SetAside => {
                    if let Some(left_out) = complaint("silence", uid) {
                        tracing::warn!(
                            left_out,
                            "an application does not answer and is set aside: nobody waits for it until it does"
                        );
                    }
                }
                Attention::Regained => {
                    if let Some(left_out) = complaint("end of silence", uid) {
                        tracing::warn!(left_out, "an application that was set aside answers again");
                    }
                }
            });
        };
        Self {
            info,
            span,
            agenda: Rc::new(AppAgenda::new(RUNNING_MAX, deadline, told)),
            handles: Rc::default(),
            sockets: Some(sockets),
            permits: (Rc::new(permits.0), Rc::new(permits.1)),
            outlets,
        }
    }

    /// What is to be done with it.
    pub(crate) fn agenda(&self) -> &Rc<AppAgenda> {
        &self.agenda
    }

    /// Has the state dump of a session recorded again, once however often that is asked meanwhile.
    pub(crate) fn regenerate_statedump(&self, session: SessionId) -> Waiting<(), AppError> {
        if !self.agenda.is_known(session.into()) {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.agenda.require(|reply| Job::Statedump(session, vec![reply]))
    }

    /// How many jobs wait or run.
    #[cfg(test)]
    pub(crate) fn queued(&self) -> usize {
        self.agenda.owed()
    }
}

impl Actor for App {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some((command, notify)) = self.sockets.take() else { return };
        // It is served before the first command, and stays so whatever happens to it.
        let (handles, permit) = (Rc::clone(&self.handles), Rc::clone(&self.permits.1));
        let abi = self.info.abi;
        let served = async move {
            match notify::serve(&notify, abi, &handles, &permit).await {
                Broken::Peer(end) => tracing::debug!(%end, "notify socket closed"),
                Broken::Protocol(reason) => {
                    if let Some(left_out) = complaint("notify socket", permit.uid()) {
                        tracing::warn!(
                            %reason,
                            left_out,
                            "an application's notify socket is closed: it registers no more events"
                        );
                    }
                }
            }
        };
        context.spawn(served.instrument(self.span.clone()).into_actor(self));
        let (agenda, handles) = (Rc::clone(&self.agenda), Rc::clone(&self.handles));
        let notifiers = NotifierGroup::new(Arc::clone(&self.info), Rc::clone(&self.permits.0));
        let permit = Rc::clone(&self.permits.0);
        let owing = self.info.owing.clone();
        let driver = Driver::new(command, (agenda, owing), (handles, notifiers), permit);
        let driven = async move {
            let end = driver.run().await;
            tracing::debug!(%end, "command socket closed");
        };
        let driven = driven.instrument(self.span.clone()).into_actor(self);
        context.spawn(driven.map(|(), _, context| context.stop()));
        self.span.in_scope(|| tracing::info!(uid = self.info.uid, "application registered"));
        let registered = AppRegistered { info: Arc::clone(&self.info), app: context.address() };
        self.outlets.registered.tell(registered);
    }
}

impl Drop for App {
    /// However it ended: where it failed, the application is as good as gone, since nobody serves its
    /// sockets any more.
    fn drop(&mut self) {
        self.span.in_scope(|| match std::thread::panicking() {
            true => tracing::error!(
                "an application is given up after a failure of its actor: it is as one that ended"
            ),
            false => tracing::info!("application gone"),
        });
        self.outlets.unregistered.tell(AppUnregistered { id: self.info.id });
    }
}

type Reply<T> = Waiting<T, AppError>;

impl Handler<Synchronise> for App {
    type Result = Keeping<AppError>;

    fn handle(&mut self, request: Synchronise, _: &mut Self::Context) -> Self::Result {
        fail_point::reached("App wish");
        self.agenda.keeping(request.session.into(), request.want.into())
    }
}

impl Handler<SynchroniseArrived> for App {
    type Result = ();

    fn handle(&mut self, request: SynchroniseArrived, _: &mut Self::Context) {
        fail_point::reached("App wish");
        let waiter = Waiter::Hold(request.hold);
        self.agenda.keep(request.session.into(), request.want.into(), Some(waiter));
    }
}

impl Handler<Forget> for App {
    type Result = Reply<()>;

    fn handle(&mut self, request: Forget, _: &mut Self::Context) -> Self::Result {
        fail_point::reached("App wish");
        self.agenda.wish(request.session.into(), None)
    }
}

impl Handler<RegenerateStatedump> for App {
    type Result = Reply<()>;

    fn handle(&mut self, request: RegenerateStatedump, _: &mut Self::Context) -> Self::Result {
        self.regenerate_statedump(request.session)
    }
}

impl Handler<RegisterDone> for App {
    type Result = Reply<()>;

    fn handle(&mut self, _: RegisterDone, _: &mut Self::Context) -> Self::Result {
        self.agenda.require(Job::RegisterDone)
    }
}

impl Handler<ListTracepoints> for App {
    type Result = Asking<NameList<i32>, AppError>;

    fn handle(&mut self, _: ListTracepoints, _: &mut Self::Context) -> Self::Result {
        self.agenda.asking(Job::Tracepoints)
    }
}

impl Handler<ListTracepointFields> for App {
    type Result = Asking<NameList<TracepointField>, AppError>;

    fn handle(&mut self, _: ListTracepointFields, _: &mut Self::Context) -> Self::Result {
        self.agenda.asking(Job::TracepointFields)
    }
}
