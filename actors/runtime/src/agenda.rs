//! What is wanted of a peer that may be slow, the jobs that come of it, and who waits for them.

use std::{cell::RefCell, rc::Rc, time::Duration};

use actix::{
    Actor, Message, ResponseFuture,
    dev::{MessageResponse, OneshotSender},
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use crate::{
    AskError, Attention, Patience, answer,
    jobs::{Claim, Jobs},
    wishes::{Waiter, Wished, Wishes},
};

/// Most questions that wait for one peer. Wishes have no limit of their own: each purpose has one.
const QUESTIONS_MAX: usize = 1 << 12;

/// What is to be done with a peer next.
#[derive(Debug)]
pub enum Task<K, J> {
    /// To bring it to the newest wish for a purpose. It waits once for each purpose, however many wait for it.
    Synchronise(K),
    /// Something that only this kind of peer does.
    Job(J),
}

/// Something that is to be done with a kind of peer, besides bringing it to what is wished.
pub trait Job<K>: Sized {
    /// What it needs for itself.
    fn claim(&self) -> Claim<K>;

    /// Whether it only asks something. A peer that is set aside is not asked.
    fn is_question(&self) -> bool;

    /// Does another one together with this one, which has not begun, or gives it back.
    fn merge(&mut self, other: Self) -> Option<Self> {
        Some(other)
    }
}

/// The agenda of a peer: the newest wish `W` for each purpose `K`, its own jobs `J`, and whoever waits for
/// them, with how much patience. Shared by the actor that takes wishes and questions and its driver, which
/// does the jobs, both in the context of that actor.
pub struct Agenda<K, W, J, E> {
    state: RefCell<State<K, W, J, E>>,
    /// A job is queued.
    queued: Notify,
    patience: Rc<Patience>,
}

struct State<K, W, J, E> {
    wishes: Wishes<K, W, Result<(), E>>,
    jobs: Jobs<K, Task<K, J>>,
    /// How many questions wait.
    questions: usize,
}

/// The reply of a handler that takes a wish, for which whoever asked waits as [`Agenda::keep`] has it.
pub struct Keeping<E>(Keep<E>);

type Keep<E> = Box<dyn FnOnce(Option<OneshotSender<Result<(), E>>>)>;

impl<A, M, E> MessageResponse<A, M> for Keeping<E>
where
    A: Actor,
    M: Message<Result = Result<(), E>>,
{
    fn handle(self, _: &mut A::Context, reply: Option<OneshotSender<M::Result>>) {
        (self.0)(reply);
    }
}

/// The reply of a handler that asks a question, which is not asked any more when whoever asked is gone.
pub struct Asking<T, E>(Waiting<T, E>);

impl<A, M, T, E> MessageResponse<A, M> for Asking<T, E>
where
    A: Actor,
    M: Message<Result = Result<T, E>>,
    T: 'static,
    E: 'static,
{
    fn handle(self, _: &mut A::Context, reply: Option<OneshotSender<M::Result>>) {
        let Some(mut reply) = reply else { return };
        actix::spawn(async move {
            tokio::select! {
                biased;
                done = self.0 => drop(reply.send(done)),
                () = reply.closed() => {}
            }
        });
    }
}

/// What whoever asks waits for.
pub type Waiting<T, E> = ResponseFuture<Result<T, E>>;

impl<K, W, J, E> Agenda<K, W, J, E>
where
    K: Copy + Ord + 'static,
    W: Clone,
    J: Job<K>,
    E: From<AskError> + 'static,
{
    /// Of a peer that is to do at most `running_max` jobs at a time, and may go without an answer for
    /// `deadline`; `told` is told when it is set aside or regained.
    #[must_use]
    pub fn new(
        running_max: usize,
        deadline: Option<Duration>,
        told: impl Fn(Attention) + 'static,
    ) -> Self {
        let state = State { wishes: Wishes::default(), jobs: Jobs::new(running_max), questions: 0 };
        Self {
            state: RefCell::new(state),
            queued: Notify::new(),
            patience: Rc::new(Patience::new(deadline, told).within_total()),
        }
    }

    /// Takes a wish that replaces the one before; `None` to end that, and what waits for its purpose. Over
    /// when the peer is as it is wished.
    pub fn wish(&self, purpose: K, want: Option<W>) -> Waiting<(), E> {
        let ends = want.is_none();
        let wished = self.state.borrow_mut().wishes.wish(purpose, want);
        if ends {
            let is_all = matches!(wished, Wished::TakeBack(_));
            self.take_back(|claim, job| {
                *claim == Claim::Purpose(purpose) && (is_all || matches!(job, Task::Job(_)))
            });
        }
        match wished {
            Wished::Nothing => done(),
            Wished::TakeBack(waiting) => {
                reply_to_all(waiting, || Ok(()));
                done()
            }
            Wished::Queue(done) => {
                self.queue(Claim::Purpose(purpose), Task::Synchronise(purpose));
                self.wait(done)
            }
            Wished::Queued(done) => self.wait(done),
        }
    }

    /// Takes a wish that replaces the one before, and who waits until it has come true or the peer is set aside.
    /// That costs neither a task nor a clock: the driver looks at it, by [`keeps_until`](Self::keeps_until).
    pub fn keep(&self, purpose: K, want: W, waiter: Option<Waiter<Result<(), E>>>) {
        let is_new = self.state.borrow_mut().wishes.keep(purpose, want, waiter);
        match is_new {
            true => self.queue(Claim::Purpose(purpose), Task::Synchronise(purpose)),
            // For how long is the driver's to look.
            false => self.queued.notify_one(),
        }
        if self.patience.is_set_aside() {
            self.keep_nobody();
        }
    }

    fn keep_nobody(&self) {
        self.state.borrow_mut().wishes.keep_nobody(|| Err(AskError::TimedOut.into()));
    }

    /// Answers a message that brings a wish.
    pub fn keeping(self: &Rc<Self>, purpose: K, want: W) -> Keeping<E>
    where
        W: 'static,
        J: 'static,
    {
        let agenda = Rc::clone(self);
        Keeping(Box::new(move |reply| agenda.keep(purpose, want, reply.map(Waiter::Reply))))
    }

    /// For the driver: until when somebody is kept waiting unless the peer answers meanwhile; `None` while
    /// nobody is, or is so for ever.
    pub fn keeps_until(&self) -> Option<Instant> {
        let keeps_any = self.state.borrow().wishes.keeps_any();
        keeps_any.then(|| self.patience.until(Instant::now())).flatten()
    }

    /// For the driver: keeps nobody waiting for a peer that has owed an answer for too long.
    pub fn look_at_patience(&self) {
        if self.patience.sets_aside(Instant::now()) {
            self.keep_nobody();
        }
    }

    /// Queues a question, unless nobody would wait for its answer.
    pub fn ask<T: 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, E>>) -> J,
    ) -> Waiting<T, E> {
        let has_room = {
            let mut state = self.state.borrow_mut();
            let has_room = state.questions < QUESTIONS_MAX && !self.patience.is_set_aside();
            state.questions += usize::from(has_room);
            has_room
        };
        if !has_room {
            return Box::pin(std::future::ready(Err(AskError::TimedOut.into())));
        }
        let (reply, done) = oneshot::channel();
        self.queue_job(job(reply));
        self.wait(done)
    }

    /// The same for the answer to a message. The job's sender is closed when whoever sent that is gone.
    pub fn asking<T: 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, E>>) -> J,
    ) -> Asking<T, E> {
        Asking(self.ask(job))
    }

    /// Queues what is to be done in any case, together with one of its like that waits.
    pub fn require<T: 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, E>>) -> J,
    ) -> Waiting<T, E> {
        let (reply, done) = oneshot::channel();
        let left = {
            let mut left = Some(job(reply));
            for waiting in self.state.borrow_mut().jobs.waiting() {
                let Some(job) = left.take() else { break };
                left = match waiting {
                    Task::Synchronise(_) => Some(job),
                    Task::Job(waiting) => waiting.merge(job),
                };
            }
            left
        };
        if let Some(job) = left {
            self.queue_job(job);
        }
        self.wait(done)
    }

    fn queue_job(&self, job: J) {
        self.queue(job.claim(), Task::Job(job));
    }

    fn queue(&self, claim: Claim<K>, task: Task<K, J>) {
        self.patience.asked(Instant::now());
        self.state.borrow_mut().jobs.push(claim, task);
        self.queued.notify_one();
    }

    fn take_back(&self, is_meant: impl Fn(&Claim<K>, &Task<K, J>) -> bool) {
        let taken_back = self.state.borrow_mut().jobs.take_back(is_meant);
        for _ in 0..taken_back {
            self.patience.done();
        }
    }

    /// Waits until a job is done, or until the peer is set aside.
    fn wait<T: 'static>(&self, done: oneshot::Receiver<Result<T, E>>) -> Waiting<T, E> {
        let patience = Rc::clone(&self.patience);
        Box::pin(async move { patience.wait(done).await? })
    }

    /// Whether something is wished for a purpose, or not ended yet.
    pub fn is_known(&self, purpose: K) -> bool {
        self.state.borrow().wishes.is_known(purpose)
    }

    /// How many jobs wait or run.
    pub fn owed(&self) -> usize {
        self.patience.owed()
    }

    /// For the driver: what may begin next, with what it is to be [`done`](Self::done) with.
    pub fn begin(&self) -> Option<(Claim<K>, Task<K, J>)> {
        let mut state = self.state.borrow_mut();
        let (claim, task) = state.jobs.start()?;
        let is_question = matches!(&task, Task::Job(job) if job.is_question());
        state.questions -= usize::from(is_question);
        Some((claim, task))
    }

    /// For the driver: waits until a job was queued since this was asked last.
    pub async fn queued(&self) {
        self.queued.notified().await;
    }

    /// For a driver that does one job at a time: waits for the next one.
    pub async fn next(&self) -> (Claim<K>, Task<K, J>) {
        loop {
            if let Some(next) = self.begin() {
                return next;
            }
            self.queued().await;
        }
    }

    /// For the driver: a job is done.
    pub fn done(&self, claim: Claim<K>) {
        {
            let mut state = self.state.borrow_mut();
            if let Claim::Purpose(purpose) = claim {
                state.wishes.done(purpose, || Ok(()));
            }
            state.jobs.done(claim);
        }
        self.patience.done();
    }

    /// For the driver: the peer answered something.
    pub fn answered(&self) {
        self.patience.answered(Instant::now());
    }

    /// For the driver: the job for a purpose begins; who is told its end. Who comes from now on needs
    /// another job.
    pub fn begin_wish(&self, purpose: K) -> Vec<oneshot::Sender<Result<(), E>>> {
        self.state.borrow_mut().wishes.begin(purpose)
    }

    /// For the driver: the newest wish, `None` when the peer is to have nothing for this purpose.
    pub fn newest(&self, purpose: K) -> Option<W> {
        self.state.borrow().wishes.newest(purpose)
    }

    /// For the driver: the peer has nothing for this purpose any more. Whether that is what is wished
    /// still.
    pub fn ended(&self, purpose: K) -> bool {
        self.state.borrow_mut().wishes.ended(purpose)
    }
}

/// Answers all who waited for the same.
pub fn reply_to_all<T>(waiting: Vec<oneshot::Sender<T>>, outcome: impl Fn() -> T) {
    for reply in waiting {
        answer(reply, outcome());
    }
}

fn done<E: 'static>() -> Waiting<(), E> {
    Box::pin(std::future::ready(Ok(())))
}
