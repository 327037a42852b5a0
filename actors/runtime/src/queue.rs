//! Commands of an actor that must not overlap: they wait in a bounded line that is part of the actor's
//! state, and the actor begins the next one when the one before has replied.
//!
//! A command runs in the actor's own context: its panic ends the actor, and whoever waits is answered.
//! Messages that are no commands of the line are handled meanwhile.
//!
//! A command that needs something of others which may take long is prepared when its turn has come, and keeps its
//! place: those behind it wait, but for the ones that the actor lets go past.

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

use crate::{Asker, answer, fail_point};

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
    /// Commands that have not begun, those that are being prepared among them.
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
    goes_past: GoesPast,
    /// Whether what waits is not held up by the one that runs either.
    is_over: bool,
    /// Of the next command that comes.
    next_id: u64,
}

/// Whether a command of this name goes past one that came before it.
pub type GoesPast = fn(&'static str, Ahead) -> bool;

/// A command that another one finds before it in the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ahead {
    /// What it is.
    pub name: &'static str,
    /// How far it is.
    pub progress: Progress,
}

/// How far a command is that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// It is to be prepared when its turn has come.
    Unprepared,
    /// It is being prepared.
    Preparing,
    /// It can begin.
    Ready,
}

struct Waiting<A: Actor<Context = Context<A>>> {
    id: u64,
    ahead: Ahead,
    since: Instant,
    /// Who asked, of a command that changes nothing: when he has gone it is let go.
    asker: Asker,
    /// Its preparation or the command itself; `None` while it is being prepared.
    begin: Option<Begin<A>>,
}

type Begin<A> = Box<dyn FnOnce(&mut A, &mut Context<A>)>;

/// Where an actor has the line.
pub type QueueOf<A> = fn(&mut A) -> &mut Queue<A>;

impl<A: Actor<Context = Context<A>>> Queue<A> {
    /// A line in which at most `limit` commands wait.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self::letting_past(limit, |_, _| false)
    }

    /// The same, in which commands go past those before them that are held up, as `goes_past` says.
    #[must_use]
    pub const fn letting_past(limit: usize, goes_past: GoesPast) -> Self {
        let waiting = VecDeque::new();
        Self { limit, waiting, running: None, goes_past, is_over: false, next_id: 0 }
    }

    /// From now on nothing holds up what comes behind it: what waits has only to be refused.
    pub fn let_all_past(&mut self) {
        self.goes_past = |_, _| true;
    }

    /// The same while the last command runs: what waits is begun beside it.
    pub fn let_all_go(queue_of: QueueOf<A>, actor: &mut A, context: &mut Context<A>) {
        let queue = queue_of(actor);
        queue.let_all_past();
        queue.is_over = true;
        Self::go_on(queue_of, actor, context);
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
        if queue_of(actor).is_full() {
            return Box::pin(async { Err(NotRun::Full.into()) });
        }
        Self::run_always(queue_of, actor, context, name, work)
    }

    /// As [`run`](Self::run), for a command that changes nothing: if its turn has not come when who asked has gone, it is
    /// let go. It takes nobody's place then.
    pub fn run_query<F, R, E>(
        queue_of: QueueOf<A>,
        actor: &mut A,
        context: &mut Context<A>,
        (name, asker): (&'static str, Asker),
        work: impl FnOnce(&mut A, &mut Context<A>) -> F + 'static,
    ) -> ResponseFuture<Result<R, E>>
    where
        F: Future<Output = Result<R, E>> + 'static,
        R: 'static,
        E: From<NotRun> + 'static,
    {
        if queue_of(actor).is_full() {
            return Box::pin(async { Err(NotRun::Full.into()) });
        }
        let work = |actor: &mut A, context: &mut Context<A>| work(actor, context).into_actor(actor);
        Self::run_for(queue_of, actor, context, (name, asker), work)
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
        Self::run_for(queue_of, actor, context, (name, Asker::nobody()), work)
    }

    /// Puts a command that needs no preparation in line.
    fn run_for<F, R, E>(
        queue_of: QueueOf<A>,
        actor: &mut A,
        context: &mut Context<A>,
        (name, asker): (&'static str, Asker),
        work: impl FnOnce(&mut A, &mut Context<A>) -> F + 'static,
    ) -> ResponseFuture<Result<R, E>>
    where
        F: ActorFuture<A, Output = Result<R, E>> + 'static,
        R: 'static,
        E: From<NotRun> + 'static,
    {
        let (reply, replied) = oneshot::channel();
        let begin = Self::beginning(queue_of, name, reply, work);
        queue_of(actor).push((name, asker), Progress::Ready, |_| begin);
        Self::go_on(queue_of, actor, context);
        reply_of(replied)
    }

    /// As [`run`](Self::run), for a command that is prepared when its turn has come: `prepare` is called then,
    /// and `work` with what its future gives, when that is there and nothing runs.
    ///
    /// # Errors
    /// Those of the preparation and of the command, and the ones of [`NotRun`].
    pub fn run_after<P, N, F, R, E>(
        queue_of: QueueOf<A>,
        actor: &mut A,
        context: &mut Context<A>,
        name: &'static str,
        prepare: impl FnOnce(&mut A) -> P + 'static,
        work: impl FnOnce(&mut A, &mut Context<A>, N) -> F + 'static,
    ) -> ResponseFuture<Result<R, E>>
    where
        P: Future<Output = Result<N, E>> + 'static,
        N: 'static,
        F: Future<Output = Result<R, E>> + 'static,
        R: 'static,
        E: From<NotRun> + 'static,
    {
        if queue_of(actor).is_full() {
            return Box::pin(async { Err(NotRun::Full.into()) });
        }
        let (reply, replied) = oneshot::channel();
        let begin = |id| -> Begin<A> {
            Box::new(move |actor, context| {
                let prepared = prepare(actor).into_actor(actor);
                let then = move |prepared, actor: &mut A, context: &mut Context<A>| {
                    match prepared {
                        Ok(needed) => {
                            let work = move |actor: &mut A, context: &mut Context<A>| {
                                work(actor, context, needed).into_actor(actor)
                            };
                            let begin = Self::beginning(queue_of, name, reply, work);
                            queue_of(actor).is_ready(id, begin);
                        }
                        Err(error) => {
                            queue_of(actor).waiting.retain(|waiting| waiting.id != id);
                            answer(reply, Err(error));
                        }
                    }
                    Self::go_on(queue_of, actor, context);
                };
                context.spawn(prepared.map(then));
            })
        };
        queue_of(actor).push((name, Asker::nobody()), Progress::Unprepared, begin);
        Self::go_on(queue_of, actor, context);
        reply_of(replied)
    }

    fn is_full(&mut self) -> bool {
        if self.waiting.len() >= self.limit {
            self.let_go();
        }
        self.waiting.len() >= self.limit
    }

    /// Lets those go that nobody wants any more.
    fn let_go(&mut self) {
        self.waiting.retain(|waiting| !waiting.asker.is_gone());
    }

    /// What begins a command whose turn it is.
    fn beginning<F, R, E>(
        queue_of: QueueOf<A>,
        name: &'static str,
        reply: oneshot::Sender<Result<R, E>>,
        work: impl FnOnce(&mut A, &mut Context<A>) -> F + 'static,
    ) -> Begin<A>
    where
        F: ActorFuture<A, Output = Result<R, E>> + 'static,
        R: 'static,
        E: 'static,
    {
        Box::new(move |actor, context| {
            let work = fail_point::command(name, work(actor, context)).map(
                move |outcome, actor: &mut A, context: &mut Context<A>| {
                    answer(reply, outcome);
                    if !queue_of(actor).is_over {
                        queue_of(actor).running = None;
                    }
                    Self::go_on(queue_of, actor, context);
                },
            );
            context.spawn(work);
        })
    }

    fn push(
        &mut self,
        (name, asker): (&'static str, Asker),
        progress: Progress,
        begin: impl FnOnce(u64) -> Begin<A>,
    ) {
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.push_back(Waiting {
            id,
            ahead: Ahead { name, progress },
            since: Instant::now(),
            asker,
            begin: Some(begin(id)),
        });
    }

    /// The command with this id was prepared.
    fn is_ready(&mut self, id: u64, begin: Begin<A>) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.id == id) {
            waiting.ahead.progress = Progress::Ready;
            waiting.begin = Some(begin);
        }
    }

    /// Begins what can begin.
    fn go_on(queue_of: QueueOf<A>, actor: &mut A, context: &mut Context<A>) {
        while let Some(begin) = queue_of(actor).next() {
            begin(actor, context);
        }
    }

    /// The first that can be prepared or run, unless one runs.
    fn next(&mut self) -> Option<Begin<A>> {
        if self.running.is_some() && !self.is_over {
            return None;
        }
        self.let_go();
        let goes_past = self.goes_past;
        // Many that are alike may wait: each kind of them is looked at once.
        let mut before: Vec<Ahead> = Vec::new();
        let at = self.waiting.iter().position(|Waiting { ahead, .. }| {
            let has_its_turn = ahead.progress != Progress::Preparing
                && before.iter().all(|before| goes_past(ahead.name, *before));
            if !has_its_turn && !before.contains(ahead) {
                before.push(*ahead);
            }
            has_its_turn
        })?;
        let waiting = self.waiting.get_mut(at)?;
        let begin = waiting.begin.take();
        if waiting.ahead.progress == Progress::Ready {
            if !self.is_over {
                self.running = Some((waiting.ahead.name, Instant::now()));
            }
            self.waiting.remove(at);
        } else {
            waiting.ahead.progress = Progress::Preparing;
        }
        begin
    }
}

/// The reply of a command, unless its actor ends before.
fn reply_of<R, E>(replied: oneshot::Receiver<Result<R, E>>) -> ResponseFuture<Result<R, E>>
where
    R: 'static,
    E: From<NotRun> + 'static,
{
    Box::pin(async move { replied.await.unwrap_or_else(|_| Err(NotRun::Ended.into())) })
}
