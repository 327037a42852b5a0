//! A session: its trace chunks and channels. Its commands follow each other in a queue; what it is told by
//! data threads it notes at once. A command or handler that panics ends the actor, and its owner is told.

mod channel;
mod chunk;
mod counts;
mod creation;
mod kernel;
mod kernel_text;
mod metadata;
mod state;
mod streams;

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use actix::{Actor, Addr, Handler, Message as ActixMessage, ResponseFuture};
use lttngd_model::{ChannelKey, ChunkId, SessionId};
use lttngd_runas::Runas;
use lttngd_runtime::{FailureNotice, Queue, UserDescriptors, Works, fail_point};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{Instrument, Span};

use self::state::State;
use crate::{
    book::Life,
    clock::PacketClock,
    event::Event,
    makers::Makers,
    refusal::Refusal,
    samples::{Monitor, SampledStream},
    source::Source,
    workers::WorkerHandle,
};

/// Most commands that wait for a session: each connection of the session daemon has one on its way.
const COMMANDS_MAX: usize = 4096;

/// A channel is over.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(crate) struct ChannelEnded(pub(crate) ChannelKey);

/// A trace chunk is over.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(crate) struct ChunkEnded(pub(crate) ChunkId);

/// A channel's metadata is wanted from the session daemon.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(crate) struct FetchMetadata(pub(crate) ChannelKey);

/// All text that the kernel has made is to be given to the data threads: the consumer daemon ends.
#[derive(Debug, ActixMessage)]
#[rtype(result = "()")]
pub(crate) struct ReadLastText;

/// Who has the sessions. It is told, and asked nothing.
pub(crate) trait Owner {
    /// A data channel runs, and is to be sampled.
    fn channel_runs(&self, key: ChannelKey, monitor: Monitor);

    /// Streams of a data channel that runs came later, and are to be sampled with it.
    fn streams_came(&self, key: ChannelKey, streams: Vec<SampledStream>);

    /// There is no such channel any more.
    fn channel_gone(&self, key: ChannelKey);

    /// A session has neither channels nor trace chunks, and may be forgotten if nothing is on its way to it.
    fn session_empty(&self, id: SessionId, has_snapshots: bool);

    /// The actor of a session is gone.
    fn session_gone(&self, id: SessionId, life: Life);
}

/// What a session is surrounded by.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) local: WorkerHandle,
    pub(crate) remote: WorkerHandle,
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) clock: PacketClock,
    pub(crate) runas: Runas,
    pub(crate) source: Source,
    pub(crate) channels: Rc<UserDescriptors>,
    pub(crate) makers: Addr<Makers>,
    /// Whether anything was ever connected to a relay daemon.
    pub(crate) had_relays: Rc<Cell<bool>>,
    pub(crate) owner: Weak<dyn Owner>,
}

impl Context {
    fn tell(&self, tell: impl FnOnce(&dyn Owner)) {
        if let Some(owner) = self.owner.upgrade() {
            tell(&*owner);
        }
    }
}

/// A command for one session. The type of its request says what it is, and what comes of it.
pub(crate) trait Command:
    ActixMessage<Result = Result<Self::Done, Refusal>> + Send + 'static
{
    /// What comes of it.
    type Done: Send + 'static;
    /// LTTng's name of it.
    const NAME: &'static str;

    /// Carries it out.
    async fn perform(self, session: &Inner) -> Result<Self::Done, Refusal>;
}

/// The actor of one session.
pub(crate) struct Session {
    inner: Rc<Inner>,
    commands: Queue<Self>,
    /// What it waits for besides commands.
    works: Works,
    _failure: FailureNotice,
}

/// What commands have of a session.
pub(crate) struct Inner {
    id: SessionId,
    /// In which all is logged that is done for it by this thread.
    span: Span,
    context: Context,
    state: RefCell<State>,
}

impl Session {
    pub(crate) fn new(id: SessionId, life: Life, context: Context) -> Self {
        let span = tracing::error_span!(parent: None, "session", %id);
        let owner = Weak::clone(&context.owner);
        let failure = FailureNotice::of(move || {
            if let Some(owner) = owner.upgrade() {
                owner.session_gone(id, life);
            }
        });
        Self {
            inner: Rc::new(Inner { id, span, context, state: RefCell::default() }),
            commands: Queue::new(COMMANDS_MAX),
            works: Works::default(),
            _failure: failure,
        }
    }
}

impl Actor for Session {
    type Context = actix::Context<Self>;
}

impl Inner {
    /// The data threads that have channels of the session. To others it is nothing: a channel that goes to one
    /// has with it what it needs.
    fn workers(&self) -> Vec<&WorkerHandle> {
        let state = self.state.borrow();
        let both = [&self.context.local, &self.context.remote];
        both.into_iter().filter(|worker| state.has_channel_in(worker)).collect()
    }

    /// Tells when nothing is left. It is told after what made it so, not before: what a command makes is to
    /// be found by the next one.
    fn tell_if_empty(&self) {
        let has_snapshots = self.state.borrow().empty();
        if let Some(has_snapshots) = has_snapshots {
            self.context.tell(|owner| owner.session_empty(self.id, has_snapshots));
        }
    }
}

impl<C: Command> Handler<C> for Session {
    type Result = ResponseFuture<Result<C::Done, Refusal>>;

    fn handle(&mut self, command: C, context: &mut Self::Context) -> Self::Result {
        let perform = |session: &mut Self, _: &mut Self::Context| {
            let inner = Rc::clone(&session.inner);
            async move {
                fail_point::reached(format_args!("Session before {}", C::NAME));
                let outcome = command.perform(&inner).await;
                inner.tell_if_empty();
                outcome
            }
            .instrument(session.inner.span.clone())
        };
        Queue::run(|session| &mut session.commands, self, context, C::NAME, perform)
    }
}

impl Handler<ChannelEnded> for Session {
    type Result = ();

    fn handle(&mut self, ChannelEnded(key): ChannelEnded, _: &mut Self::Context) {
        self.inner.state.borrow_mut().forget_channel(key);
        self.inner.tell_if_empty();
    }
}

impl Handler<ChunkEnded> for Session {
    type Result = ();

    fn handle(&mut self, ChunkEnded(id): ChunkEnded, _: &mut Self::Context) {
        self.inner.state.borrow_mut().chunks.forget(id);
        self.inner.tell_if_empty();
    }
}

impl Handler<FetchMetadata> for Session {
    type Result = ();

    fn handle(&mut self, FetchMetadata(key): FetchMetadata, context: &mut Self::Context) {
        let inner = Rc::clone(&self.inner);
        // The session daemon's answer is waited for apart from everything else.
        let refreshed = async move { inner.refresh_metadata(key).await };
        self.works.begin(context, refreshed.instrument(self.inner.span.clone()));
    }
}

impl Handler<ReadLastText> for Session {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, ReadLastText: ReadLastText, _: &mut Self::Context) -> Self::Result {
        let inner = Rc::clone(&self.inner);
        // No command is waited for: what it waits for may be at its end.
        Box::pin(async move { inner.refresh_all_text().await })
    }
}

#[cfg(test)]
mod tests;
