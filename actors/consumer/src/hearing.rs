//! How long those wait who need a consumer daemon.
//!
//! A socket that owes an answer for too long is set aside: nobody waits for what is asked there until it answers.
//! Of our own consumer daemon each session has a socket, and one that is silent says nothing of the others. So
//! whoever waits for long asks on the shared one whether the process runs at all: if that is not answered
//! either, nobody waits for any of its sockets.

use std::{rc::Rc, time::Duration};

use actix::Message;
use lttngd_model::SessionId;
use lttngd_runtime::{Attention, Counted, Outlet, Patience};
use tokio::{sync::oneshot, time::Instant};
use tracing::Span;

use crate::{ConsumerError, SocketReport};

/// How long somebody waits for an answer before the process is asked whether it runs, and again.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);

/// Has the process say whether it runs: any answer does, on the socket that all share.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SaySomething {
    pub(crate) reply: oneshot::Sender<Result<(), ConsumerError>>,
}

/// What waits for one answer.
pub(crate) type Replied<T> = oneshot::Receiver<Result<T, ConsumerError>>;

/// What is heard on one socket of a consumer daemon. Copies are the same.
#[derive(Clone)]
pub(crate) struct Hearing {
    socket: Rc<Patience>,
    /// Whether the process runs, where that is another question.
    process: Option<Rc<Process>>,
}

/// Whether a process with several sockets runs.
pub(crate) struct Process {
    /// It owes the answer to the question whether it does.
    answer: Patience,
    shared: Outlet<SaySomething>,
}

impl Process {
    /// One that is asked on `shared`, and waited for as long as `deadline` in all.
    pub(crate) fn new(deadline: Duration, shared: Outlet<SaySomething>, span: &Span) -> Rc<Self> {
        let told = told(span, "the consumer daemon does not run");
        let answer = Patience::new(Some(deadline.saturating_sub(SILENCE)), told);
        Rc::new(Self { answer, shared })
    }

    /// Whether it was asked and has not answered.
    pub(crate) fn owes(&self) -> bool {
        self.answer.owed() > 0
    }

    /// Asks, unless it has not answered yet.
    fn ask(self: &Rc<Self>) {
        if self.owes() {
            return;
        }
        self.answer.asked(Instant::now());
        let (reply, replied) = oneshot::channel();
        self.shared.tell(SaySomething { reply });
        let process = Rc::clone(self);
        tokio::task::spawn_local(async move {
            // That it refuses is an answer, and one that is gone is told of elsewhere.
            let _ = replied.await;
            process.answer.done();
        });
    }
}

/// Logs that nobody waits for `what` any more, and that it is over.
fn told(span: &Span, what: &'static str) -> impl Fn(Attention) + use<> {
    let span = span.clone();
    move |change| {
        span.in_scope(|| match change {
            Attention::SetAside => {
                tracing::warn!("{what}: nobody waits for it until it answers");
            }
            Attention::Regained => tracing::info!("the consumer daemon answers again"),
        });
    }
}

impl Hearing {
    /// Of a socket that all share.
    pub(crate) fn of_shared(deadline: Duration, span: &Span) -> Self {
        let socket = Patience::new(Some(deadline), told(span, "the consumer daemon is silent"));
        Self { socket: Rc::new(socket), process: None }
    }

    /// Of a session's socket.
    pub(crate) fn of_session(
        deadline: Duration,
        session: SessionId,
        process: &Rc<Process>,
        span: &Span,
    ) -> Self {
        let span = tracing::error_span!(parent: span, "session", id = %session);
        let told = told(&span, "the consumer daemon is silent about a session");
        let socket = Rc::new(Patience::new(Some(deadline), told));
        Self { socket, process: Some(Rc::clone(process)) }
    }

    /// Something came.
    pub(crate) fn heard(&self) {
        let now = Instant::now();
        self.socket.answered(now);
        if let Some(process) = &self.process {
            process.answer.answered(now);
        }
    }

    /// Whether nobody waits for what is asked there.
    pub(crate) fn is_silent(&self) -> bool {
        let now = Instant::now();
        self.all().any(|patience| patience.sets_aside(now))
    }

    /// For how long it owes an answer.
    pub(crate) fn owes_for(&self) -> Duration {
        self.socket.silent_for(Instant::now())
    }

    /// How it does, unless nothing is owed on it.
    pub(crate) fn report(&self, session: Option<SessionId>) -> Option<SocketReport> {
        let (owed, owes_for) = (self.socket.owed(), self.owes_for());
        (owed > 0).then(|| SocketReport { session, owed, owes_for, is_silent: self.is_silent() })
    }

    /// Whether it owes an answer for so long.
    pub(crate) fn is_silent_for(&self, time: Duration) -> bool {
        self.socket.silent_for(Instant::now()) >= time
    }

    fn all(&self) -> impl Iterator<Item = &Patience> {
        let process = self.process.as_ref().map(|process| &process.answer);
        std::iter::once(&*self.socket).chain(process)
    }

    /// Something is asked there, with the permit for that.
    pub(crate) fn asked<T>(&self, replied: Replied<T>, permit: Counted) -> Asked<T> {
        self.socket.asked(Instant::now());
        let owed = Owed { hearing: self.clone(), _permit: permit };
        Asked { replied, owed }
    }
}

/// What was asked and is not answered, until it is dropped.
struct Owed {
    hearing: Hearing,
    _permit: Counted,
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.hearing.socket.done();
    }
}

/// Something that was asked.
pub(crate) struct Asked<T> {
    replied: Replied<T>,
    owed: Owed,
}

impl<T: 'static> Asked<T> {
    /// Its answer, as long as that is waited for.
    ///
    /// # Errors
    /// Those of the exchange; [`ConsumerError::TimedOut`] when it is not waited for any more. It is made all the
    /// same when its turn comes.
    pub(crate) async fn answer(self) -> Result<T, ConsumerError> {
        let Self { mut replied, owed } = self;
        let mut asks_at = Instant::now() + SILENCE;
        loop {
            let now = Instant::now();
            let until = owed.hearing.all().filter_map(|patience| patience.until(now)).min();
            let next = until.map_or(asks_at, |until| until.min(asks_at));
            if let Ok(outcome) = tokio::time::timeout_at(next, &mut replied).await {
                owed.hearing.heard();
                // A socket that failed is gone with all that it had to do.
                return outcome.unwrap_or(Err(ConsumerError::Lost));
            }
            let now = Instant::now();
            let is_silent = owed.hearing.all().filter(|patience| patience.sets_aside(now)).count();
            if is_silent > 0 {
                tokio::task::spawn_local(async move {
                    if replied.await.is_ok() {
                        owed.hearing.heard();
                    }
                });
                return Err(ConsumerError::TimedOut);
            }
            if now >= asks_at {
                owed.hearing.process.iter().for_each(Process::ask);
                asks_at = now + SILENCE;
            }
        }
    }
}
