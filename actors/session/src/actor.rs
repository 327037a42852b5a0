//! The shell: what a session holds, and which message leads where.

use std::{
    cell::{Ref, RefCell, RefMut},
    rc::Rc,
};

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, WeakAddr};
use futures::TryFutureExt;
use lttngd_agent::{AgentArrived, AgentExited};
use lttngd_app::{AppArrived, AppExited};
use lttngd_buffers::{BufferSetFailed, IdsGiven};
use lttngd_consumer::ChannelSampled;
use lttngd_kernel::KernelSessionFailed;
use lttngd_model::{Domain, ErrorCode, SessionListing};
use lttngd_relayd::ConnectionFailed;
use lttngd_runtime::{
    Asker, Beside, FailureNotice, MayBegin, Outlet, Patience, Queue, Waits, Works,
};
use tracing::{Instrument, Span, instrument::Instrumented};

use crate::{
    AddContext, AddSnapshotOutput, AddTrackerValue, Clear, CommandQueue, ConsumerLost, DataPending,
    DeleteSnapshotOutput, DescribeSession, Destroy, DestroyAtEnd, Destroyed, DisableChannel,
    DisableEvent, EnableChannel, EnableEvent, GetInclusionSet, GetQueueReport, GetRotationInfo,
    GetTrackingPolicy, KeptSession, ListChannels, ListDomains, ListEvents, ListRotationSchedules,
    ListSnapshotOutputs, ListStreams, PrepareDomain, RecordSnapshot, RegenerateMetadata,
    RegenerateStatedump, RemoveTrackerValue, Rotate, RotationInfo, RotationSchedules, Save,
    SessionConfig, SessionDescription, SessionFigures, SetConsumerUri, SetRotationSchedule,
    SetShmPath, SetTrackingPolicy, SnapshotOutput, Start, Stop, StreamSet, UnderWay, WatchUse,
    error::Refused,
    gate::ChunkGate,
    reply::{Beginning, Perform, Replying},
    rule_share::RuleShare,
    state::{State, lifecycle::Lifecycle},
    unfinished::Unfinished,
};

/// Most commands that wait for their turn, or for what they need of others in it.
pub const COMMANDS_MAX: usize = 1 << 12;

/// The actor of one session.
pub struct Session {
    /// The first to go, so that the owner knows of a failure before those who wait for a reply.
    pub(crate) failure: FailureNotice,
    /// Commands that change the session, one after the other in the order in which they came.
    pub(crate) queue: Queue<Self>,
    /// What goes on beside them: queries, and what comes of applications.
    pub(crate) works: Works,
    pub(crate) inner: Rc<Inner>,
}

/// What the commands of a session share.
pub(crate) struct Inner {
    pub(crate) config: SessionConfig,
    /// In which all is logged that the session does, see [`Inner::within`].
    pub(crate) span: Span,
    /// Looked at for moments, see [`Inner::state`].
    pub(crate) state: RefCell<State>,
    /// What it has of its owner's share for what it records.
    pub(crate) rule_share: RefCell<RuleShare>,
    pub(crate) chunk_gate: ChunkGate,
    /// Buffer sets of applications that are gone, which are being finished.
    pub(crate) finishing: Rc<Unfinished>,
    /// Trace chunks on their way to the archives.
    pub(crate) archiving: Rc<Unfinished>,
    /// The making of buffers for applications that arrive.
    pub(crate) making: Patience,
    /// Its commands that are not answered.
    pub(crate) under_way: UnderWay,
    /// Who asked for the command that runs, if that is known, and the right to go on beside it with what nobody waits
    /// for any more.
    pub(crate) asked: RefCell<Option<(Asker, Rc<MayBegin>)>>,
    /// Dropped to end what goes on so: what is done anew need not be done twice.
    pub(crate) left: RefCell<Option<Waits>>,
    /// Stops that go on so.
    pub(crate) stopping: Rc<Unfinished>,
}

/// A reply that comes when the command's turn has come and it is done.
pub(crate) type InTurn<R> = ResponseFuture<Result<R, ErrorCode>>;

impl Session {
    /// A session without channels.
    #[must_use]
    pub fn new(config: SessionConfig) -> Self {
        let state = State::of(&config);
        Self::with_state(config, state)
    }

    /// Its commands that are not answered.
    #[must_use]
    pub fn commands(&self) -> UnderWay {
        self.inner.under_way.clone()
    }

    /// How it looks in listings now.
    #[must_use]
    pub fn listing(&self) -> SessionListing {
        self.inner.state().listing(&self.inner.config)
    }

    pub(crate) fn queue(&mut self) -> &mut Queue<Self> {
        &mut self.queue
    }

    /// Runs a command that changes the session when those that came before it have replied.
    pub(crate) fn in_turn<R: 'static, F>(
        &mut self,
        context: &mut Context<Self>,
        (name, asker): (&'static str, Asker),
        command: impl FnOnce(Rc<Inner>) -> F + 'static,
    ) -> InTurn<R>
    where
        F: Future<Output = Result<R, ErrorCode>> + 'static,
    {
        let work = |session: &mut Self, context: &mut Context<Self>| {
            session.is_asked_by(asker, context);
            session.inner.within(admitted(Rc::clone(&session.inner), command))
        };
        let done = Queue::run(Self::queue, self, context, name, work);
        self.under_way(done.map_err(ErrorCode::from))
    }

    /// The same for a query about the session as it is when they have. It is let go when who asked has gone before.
    pub(crate) fn query_in_turn<R: 'static, F>(
        &mut self,
        context: &mut Context<Self>,
        named: (&'static str, Asker),
        query: impl FnOnce(Rc<Inner>) -> F + 'static,
    ) -> InTurn<R>
    where
        F: Future<Output = Result<R, ErrorCode>> + 'static,
    {
        let work = |session: &mut Self, _: &mut Context<Self>| {
            session.inner.within(admitted(Rc::clone(&session.inner), query))
        };
        let done = Queue::run_query(Self::queue, self, context, named, work);
        self.under_way(done.map_err(ErrorCode::from))
    }

    /// The same for a command that needs something of others, for which it waits when its turn has come, in
    /// its place. Some commands go past it meanwhile ([`goes_past`](crate::order::goes_past)), and what was admitted may be over then.
    pub(crate) fn in_turn_after<N: 'static, R: 'static, F>(
        &mut self,
        context: &mut Context<Self>,
        before: impl Future<Output = Result<N, ErrorCode>> + 'static,
        (name, asker): (&'static str, Asker),
        command: impl FnOnce(Rc<Inner>, N) -> F + 'static,
    ) -> InTurn<R>
    where
        F: Future<Output = Result<R, ErrorCode>> + 'static,
    {
        let prepare = |session: &mut Self| {
            let inner = Rc::clone(&session.inner);
            session.inner.within(admitted(inner, |_| before))
        };
        let work = |session: &mut Self, context: &mut Context<Self>, needed| {
            session.is_asked_by(asker, context);
            let command = |inner| command(inner, needed);
            session.inner.within(admitted(Rc::clone(&session.inner), command))
        };
        let done = Queue::run_after(Self::queue, self, context, name, prepare, work);
        self.under_way(done.map_err(ErrorCode::from))
    }

    /// A command, which is counted until it is answered.
    fn under_way<R: 'static>(
        &self,
        done: impl Future<Output = Result<R, ErrorCode>> + 'static,
    ) -> InTurn<R> {
        let one = self.inner.under_way.one_more();
        Box::pin(async move {
            let _one = one;
            done.await
        })
    }
}

impl Inner {
    /// The state, to be looked at for a moment: the borrow ends before the next await.
    pub(crate) fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    /// The state, to be changed.
    pub(crate) fn state_mut(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// Where the session stands.
    pub(crate) fn life(&self) -> Lifecycle {
        self.state().life
    }

    /// Changes where the session stands, and shows it.
    pub(crate) fn change_life(&self, change: impl FnOnce(&mut Lifecycle)) {
        change(&mut self.state_mut().life);
        self.show_changed();
    }

    /// Shows the session as it is now.
    pub(crate) fn show_changed(&self) {
        self.config.listings.update(self.config.id, self.state().listing(&self.config));
        self.show_outline();
    }

    /// Shows what the session is made of, if that has changed.
    pub(crate) fn show_outline(&self) {
        if let Some(outline) = self.state_mut().new_outline() {
            let change = |figures: &mut SessionFigures| figures.outline = outline;
            self.config.listings.change_figures(self.config.id, change);
        }
    }

    /// The same work, of which what is logged says to which session it belongs.
    pub(crate) fn within<F: Future>(&self, work: F) -> Instrumented<F> {
        work.instrument(self.span.clone())
    }

    /// What leads to the session.
    pub(crate) fn outlet<E>(&self) -> Outlet<E>
    where
        E: Message<Result = ()> + Send + 'static,
        Session: Handler<E>,
    {
        let address = self.state().address.as_ref().and_then(WeakAddr::upgrade);
        address.map_or_else(Outlet::closed, |session| Outlet::to(session.recipient()))
    }
}

/// A command whose turn has come, unless the session has ended.
pub(crate) async fn admitted<R, F>(
    inner: Rc<Inner>,
    command: impl FnOnce(Rc<Inner>) -> F,
) -> Result<R, Refused>
where
    F: Future<Output = Result<R, ErrorCode>>,
{
    inner.life().admit().inspect_err(|_| drop(inner.asked.take()))?;
    let outcome = command(Rc::clone(&inner)).await;
    inner.asked.take();
    inner.show_outline();
    Ok(outcome?)
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.inner.state_mut().address = Some(context.address().downgrade());
        if self.inner.life().failed {
            let letting_go = self.inner.finishing.begin();
            let let_go = Rc::clone(&self.inner).let_go(letting_go);
            self.works.begin(context, self.inner.within(let_go));
        }
    }
}

/// How a request is begun, with what it needs before.
macro_rules! perform {
    ($message:ident -> $reply:ty,
        |$this:ident, $session:ident, $context:ident, $before:ident| $how:expr) => {
        impl Perform for $message {
            fn perform(
                self,
                $session: &mut Session,
                $context: &mut Context<Session>,
                $before: Beginning,
            ) -> Replying<$reply> {
                let $this = self;
                $how
            }
        }
    };
}

/// Commands that change the session: each in its turn.
macro_rules! commands {
    ($($message:ident -> $reply:ty, $method:ident;)*) => {$(
        perform!($message -> $reply, |it, session, context, beginning| {
            let Beginning { before, asker } = beginning;
            let named = (stringify!($method), asker);
            Replying::InTurn(match before {
                None => session.in_turn(context, named, move |inner| inner.$method(it)),
                Some(before) => session
                    .in_turn_after(context, before, named, move |inner, ()| inner.$method(it)),
            })
        });
    )*};
}

commands! {
    EnableChannel -> (), enable_channel;
    DisableChannel -> (), disable_channel;
    EnableEvent -> (), enable_event;
    DisableEvent -> (), disable_event;
    AddContext -> (), add_context;
    SetTrackingPolicy -> (), set_tracking_policy;
    Start -> (), start;
    Stop -> (), stop;
    SetConsumerUri -> (), set_consumer_uri;
    Clear -> (), clear;
    SetRotationSchedule -> (), set_rotation_schedule;
    SetShmPath -> (), set_shm_path;
    RegenerateMetadata -> (), regenerate_metadata;
    RegenerateStatedump -> (), regenerate_statedump;
    DeleteSnapshotOutput -> (), delete_snapshot_output;
}

/// What is answered at once.
macro_rules! queries {
    ($($message:ident -> $reply:ty, $method:ident;)*) => {$(
        perform!($message -> $reply, |it, session, context, beginning| {
            Replying::after(beginning.before, session, context, move |session, _| {
                Replying::Now(session.inner.span.in_scope(|| session.inner.$method(it)))
            })
        });
    )*};
}

queries! {
    GetTrackingPolicy -> lttngd_model::TrackingPolicy, tracking_policy;
    GetInclusionSet -> Vec<lttngd_model::TrackerValue>, inclusion_set;
    ListEvents -> Vec<lttngd_model::EventListing>, list_events;
    ListDomains -> Vec<(Domain, lttngd_model::BufferScheme)>, list_domains;
    GetRotationInfo -> RotationInfo, rotation_info;
    ListRotationSchedules -> RotationSchedules, list_rotation_schedules;
    ListSnapshotOutputs -> Vec<SnapshotOutput>, list_snapshot_outputs;
    ListStreams -> Vec<StreamSet>, list_streams;
    DescribeSession -> SessionDescription, describe;
}

/// What waits for others beside the commands.
macro_rules! beside {
    ($($message:ident -> $reply:ty, $method:ident;)*) => {$(
        impl Handler<$message> for Session {
            type Result = Beside<$reply>;

            fn handle(&mut self, message: $message, _: &mut Self::Context) -> Self::Result {
                let inner = Rc::clone(&self.inner);
                let work = self.inner.span.in_scope(|| inner.$method(message));
                self.works.answer(self.inner.within(work))
            }
        }
    )*};
}

beside! {
    AppExited -> (), app_gone;
    AgentArrived -> (), agent_arrived;
    ConsumerLost -> (), consumer_lost;
    BufferSetFailed -> (), set_failed;
    KernelSessionFailed -> (), kernel_failed;
}

/// Commands that ask something of others of their own before they run.
macro_rules! longer_commands {
    ($($message:ident -> $reply:ty, $method:ident;)*) => {$(
        perform!($message -> $reply, |it, session, context, beginning| {
            Replying::InTurn(session.$method(it, context, beginning))
        });
    )*};
}

longer_commands! {
    AddTrackerValue -> (), add_tracker_value;
    RemoveTrackerValue -> (), remove_tracker_value;
    AddSnapshotOutput -> u32, add_snapshot_output;
    RecordSnapshot -> (), record_snapshot;
}

/// What is answered in another way, after what it needs.
macro_rules! others {
    ($($message:ident -> $reply:ty,
        |$this:ident, $session:ident, $context:pat_param, $asker:pat_param| $how:expr;)*) => {$(
        perform!($message -> $reply, |$this, session, context, beginning| {
            let Beginning { before, asker: $asker } = beginning;
            Replying::after(before, session, context, move |$session, $context| $how)
        });
    )*};
}

others! {
    // What it needs is all that it wants.
    PrepareDomain -> (), |_it, _session, _, _| Replying::Now(Ok(()));
    ListChannels -> Vec<lttngd_model::ChannelListing>, |it, session, _, _| {
        let listed = Rc::clone(&session.inner).list_channels(it);
        Replying::Beside(session.works.answer(session.inner.within(listed)))
    };
    Save -> (), |it, session, _, _| {
        let saved = Rc::clone(&session.inner).save(it);
        Replying::Beside(session.works.answer(session.inner.within(saved)))
    };
    DataPending -> bool, |_it, session, context, asker| {
        session.data_pending(asker, context)
    };
    Rotate -> u64, |_it, session, context, _| Replying::InTurn(session.rotate(context, |_| true));
    GetQueueReport -> CommandQueue, |_it, session, _, _| {
        Replying::Now(Ok(session.queue.report().into()))
    };
}

impl Handler<Destroy> for Session {
    type Result = InTurn<Destroyed>;

    fn handle(&mut self, _: Destroy, context: &mut Self::Context) -> Self::Result {
        self.destroy(context)
    }
}

impl Handler<DestroyAtEnd> for Session {
    type Result = InTurn<Option<KeptSession>>;

    fn handle(&mut self, request: DestroyAtEnd, context: &mut Self::Context) -> Self::Result {
        self.inner.state_mut().is_at_end = true;
        self.destroy_at_end(context, request.keep)
    }
}

impl Handler<AppArrived> for Session {
    type Result = ();

    fn handle(&mut self, arrived: AppArrived, context: &mut Self::Context) {
        if let Some(work) = self.inner.app_arrived(arrived) {
            self.works.begin(context, work);
        }
    }
}

impl Handler<IdsGiven> for Session {
    type Result = ();

    fn handle(&mut self, given: IdsGiven, _: &mut Self::Context) {
        if let Some(set) = self.inner.state_mut().sets.get_mut(&given.set) {
            set.known = given.known;
        }
    }
}

impl Handler<AgentExited> for Session {
    type Result = ();

    fn handle(&mut self, gone: AgentExited, _: &mut Self::Context) {
        self.inner.span.in_scope(|| self.inner.agent_gone(gone));
    }
}

impl Handler<ConnectionFailed> for Session {
    type Result = ();

    fn handle(&mut self, failed: ConnectionFailed, _: &mut Self::Context) {
        self.inner.span.in_scope(|| self.inner.connection_failed(failed));
    }
}

impl Handler<ChannelSampled> for Session {
    type Result = ();

    fn handle(&mut self, sampled: ChannelSampled, context: &mut Self::Context) {
        self.sampled(sampled, context);
    }
}

impl Handler<WatchUse> for Session {
    type Result = ();

    fn handle(&mut self, WatchUse(is_told): WatchUse, _: &mut Self::Context) {
        self.watch_use(is_told);
    }
}
