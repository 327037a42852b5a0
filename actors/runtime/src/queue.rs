//! Commands of an actor that must not overlap: they wait in a bounded line that is part of the actor's
//! state, and the actor begins the next one when the one before has replied.
//!
//! A command runs in the actor's own context: its panic ends the actor, and whoever waits is answered.
//! Messages that are no commands of the line are handled meanwhile.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, MessageResponse, ResponseFuture, WrapFuture,
    fut::ActorFuture,
};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{answer, fail_point};

/// Why a command did not run, or not to its end.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum NotRun {
    /// Too many commands wait already.
    #[error("too many commands wait")]
    Full,
    /// The actor ended before the command had replied.
    #[error("the actor ended before the command had replied")]
    Ended,
}

/// What waits in a line, and for how long.
#[derive(Clone, Copy, Debug, Default, Eq, MessageResponse, PartialEq)]
pub struct QueueReport {
    /// Commands that have not begun.
    pub waiting: usize,
    /// The command that runs, and since when.
    pub running: Option<(&'static str, Duration)>,
    /// How long the oldest of those that wait has waited.
    pub oldest_waits: Option<Duration>,
}

/// A bounded first-in first-out line of an actor's commands, of which one runs at a time.
pub struct Queue<A: Actor<Context = Context<A>>> {
    limit: usize,
    waiting: VecDeque<Waiting<A>>,
    running: Option<(&'static str, Instant)>,
}

struct Waiting<A: Actor<Context = Context<A>>> {
    name: &'static str,
    since: Instant,
    begin: Begin<A>,
}

type Begin<A> = Box<dyn FnOnce(&mut A, &mut Context<A>, QueueOf<A>)>;

/// Where an actor has the line.
pub type QueueOf<A> = fn(&mut A) -> &mut Queue<A>;

impl<A: Actor<Context = Context<A>>> Queue<A> {
    /// A line in which at most `limit` commands wait.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, waiting: VecDeque::new(), running: None }
    }

    /// What waits now.
    #[must_use]
    pub fn report(&self) -> QueueReport {
        QueueReport {
            waiting: self.waiting.len(),
            running: self.running.map(|(name, since)| (name, since.elapsed())),
            oldest_waits: self.waiting.front().map(|first| first.since.elapsed()),
        }
    }

    /// Runs the command `name` when those before it have replied, and gives its reply.
    ///
    /// `work` is called when its turn has come, with the state of that moment.
    ///
    /// # Errors
    /// Those of the command, and the ones of [`NotRun`].
    pub fn run<F, R, E>(
        queue_of: QueueOf<A>,
        actor: &mut A,
        context: &mut Context<A>,
        name: &'static str,
        work: impl FnOnce(&mut A, &mut Context<A>) -> F + 'static,
    ) -> ResponseFuture<Result<R, E>>
    where
        F: Future<Output = Result<R, E>> + 'static,
        R: 'static,
        E: From<NotRun> + 'static,
    {
        let queue = queue_of(actor);
        if queue.waiting.len() >= queue.limit {
            return Box::pin(async { Err(NotRun::Full.into()) });
        }
        Self::run_always(queue_of, actor, context, name, work)
    }

    /// As [`run`](Self::run), however many commands wait: for the last one of an actor, which must not be
    /// refused for want of room.
    pub fn run_always<F, R, E>(
        queue_of: QueueOf<A>,
        actor: &mut A,
        context: &mut Context<A>,
        name: &'static str,
        work: impl FnOnce(&mut A, &mut Context<A>) -> F + 'static,
    ) -> ResponseFuture<Result<R, E>>
    where
        F: Future<Output = Result<R, E>> + 'static,
        R: 'static,
        E: From<NotRun> + 'static,
    {
        let work = |actor: &mut A, context: &mut Context<A>| work(actor, context).into_actor(actor);
        Self::run_on_actor(queue_of, actor, context, name, work)
    }

    /// As [`run_always`](Self::run_always), for work that looks at the actor again when it has waited for
    /// its peers.
    pub fn run_on_actor<F, R, E>(
        queue_of: QueueOf<A>,
        actor: &mut A,
        context: &mut Context<A>,
        name: &'static str,
        work: impl FnOnce(&mut A, &mut Context<A>) -> F + 'static,
    ) -> ResponseFuture<Result<R, E>>
    where
        F: ActorFuture<A, Output = Result<R, E>> + 'static,
        R: 'static,
        E: From<NotRun> + 'static,
    {
        let (reply, replied) = oneshot::channel();
        let begin = move |actor: &mut A, context: &mut Context<A>, queue_of: QueueOf<A>| {
            let work = fail_point::command(name, work(actor, context)).map(
                move |outcome, actor: &mut A, context| {
                    answer(reply, outcome);
                    queue_of(actor).running = None;
                    Self::begin_next(queue_of, actor, context);
                },
            );
            context.spawn(work);
        };
        let since = Instant::now();
        queue_of(actor).waiting.push_back(Waiting { name, since, begin: Box::new(begin) });
        Self::begin_next(queue_of, actor, context);
        Box::pin(async move { replied.await.unwrap_or_else(|_| Err(NotRun::Ended.into())) })
    }

    fn begin_next(queue_of: QueueOf<A>, actor: &mut A, context: &mut Context<A>) {
        let queue = queue_of(actor);
        if queue.running.is_some() {
            return;
        }
        let Some(Waiting { name, begin, .. }) = queue.waiting.pop_front() else { return };
        queue.running = Some((name, Instant::now()));
        begin(actor, context, queue_of);
    }
}
