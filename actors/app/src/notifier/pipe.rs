//! The pipe through which one application tells of events: an actor of its own, which lives until nobody can
//! write into the pipe any more.
//!
//! An application whose pipe nobody reads any more is killed by the next event that it tells. Its sockets may
//! close long before its pipe: while it cleans up after a fault, or since a program that it became keeps the
//! one open and not the other. So the pipe has a life of its own.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::Arc,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, ArbiterHandle, AsyncContext, Context, WrapFuture,
};
use lttngd_model::{TracerToken, trigger::EventNotified};
use lttngd_runtime::{Held, Hold, Pause, complaint, fail_point};
use lttngd_wire::{
    DecodeError,
    ust::notification::{EventNotification, check_captures},
};
use rustix::buffer::spare_capacity;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::watch,
};
use tracing::{Instrument, Span};

use super::{EventsNotified, Newest};
use crate::AppInfo;

/// Most bytes that are read from one application before others have their turn.
const READ_LEN: usize = 16 << 10;

/// The end of a pipe at which it is read, which does not block. Whoever holds it keeps the application from being
/// killed, also if nobody reads.
pub(super) type ReadEnd = Arc<Placed>;

/// A descriptor and its place in the budget.
#[derive(Debug)]
pub(super) struct Placed {
    descriptor: OwnedFd,
    _held: Held,
}

impl Placed {
    pub(super) fn new(descriptor: OwnedFd, held: Held) -> ReadEnd {
        Arc::new(Self { descriptor, _held: held })
    }
}

impl AsRawFd for Placed {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl AsFd for Placed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The actor of the pipe.
pub(super) struct NotifierPipe {
    /// Who reads, from the start on with the actor.
    reader: Option<Reader>,
    /// That of the application, which may have ended.
    span: Span,
    pipe: ReadEnd,
    /// Keeps its place among the registrations of its process.
    _place: Hold,
}

impl NotifierPipe {
    /// That of an application's pipe, which keeps `place` as long as it lives; called in the span of that
    /// application.
    pub(super) fn new(reader: Reader, pipe: ReadEnd, place: Hold) -> Self {
        Self { reader: Some(reader), span: Span::current(), pipe, _place: place }
    }

    /// Starts it where it is to live.
    pub(super) fn start_at(self, arbiter: Option<&ArbiterHandle>) {
        match arbiter {
            Some(arbiter) => drop(Self::start_in_arbiter(arbiter, |_| self)),
            None => drop(self.start()),
        }
    }
}

impl Drop for NotifierPipe {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.span.in_scope(|| {
                tracing::error!(
                    "what an application tells of events is read no more after a failure: it counts what it cannot tell"
                );
            });
        }
    }
}

impl Actor for NotifierPipe {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let pipe = Arc::clone(&self.pipe);
        let Some(reader) = self.reader.take() else { return };
        let read = async move {
            if let Err(error) = reader.read(pipe).await {
                tracing::error!(%error, "a pipe of event notifiers cannot be read");
            }
        };
        let read = read.instrument(self.span.clone()).into_actor(self);
        context.spawn(read.map(|(), _, context| context.stop()));
    }
}

/// Who reads the pipe.
pub(super) struct Reader {
    app: Arc<AppInfo>,
    newest: watch::Receiver<Newest>,
    pause: Pause,
}

impl Reader {
    /// That of an application, which reads when there is no `pause`.
    pub(super) fn new(app: Arc<AppInfo>, newest: watch::Receiver<Newest>, pause: Pause) -> Self {
        Self { app, newest, pause }
    }

    /// Tells of what comes until nobody can write any more.
    async fn read(mut self, pipe: ReadEnd) -> io::Result<()> {
        // SAFETY: the descriptor is the same and open as long as it is held, which it is by what is made.
        let pipe = &unsafe { AsyncFd::register_with_interest(pipe, Interest::READABLE) }?;
        let mut received = Vec::new();
        loop {
            if self.receive(pipe, &mut received).await? == 0 {
                return Ok(());
            }
            fail_point::reached("NotifierPipe read");
            let mut rest = received.as_slice();
            let events = self.events(&mut rest);
            let left = rest.len();
            if !events.is_empty() {
                self.tell(events).await;
            }
            if let Err(error) =
                EventNotification::split_off(&received[received.len() - left..], self.app.abi)
            {
                self.complain(&error, "no more of what it tells of events is read");
                return closed(pipe).await;
            }
            received.drain(..received.len() - left);
            if received.is_empty() {
                // One that is at rest holds no memory for it.
                received = Vec::new();
            }
            // One that tells without end does not keep others from being heard.
            tokio::task::yield_now().await;
        }
    }

    /// Appends what has come; how much that is, 0 when nobody can write any more.
    async fn receive(&self, pipe: &AsyncFd<ReadEnd>, received: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            let mut ready = pipe.readable().await?;
            self.pause.over().await;
            received.reserve(READ_LEN);
            let read =
                ready.try_io(|pipe| Ok(rustix::io::read(pipe, spare_capacity(&mut *received))?));
            match read {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(read) => return read,
                Err(_would_block) => {}
            }
        }
    }

    /// The events that came whole and that somebody asks for. `rest` is what is left behind them.
    fn events(&mut self, rest: &mut &[u8]) -> Vec<EventNotified> {
        let mut events = Vec::new();
        let set = Arc::clone(&self.newest.borrow().set);
        while let Ok(Some((notification, behind))) =
            EventNotification::split_off(rest, self.app.abi)
        {
            *rest = behind;
            let EventNotification { token, captures } = notification;
            let Some(rule) = set.get(token) else {
                // It was on its way when its notifier was ended.
                tracing::debug!(%token, "an event of no notifier is left out");
                continue;
            };
            match check_captures(captures, rule.captures.len()) {
                Ok(()) => events.push(EventNotified { token, captures: captures.into() }),
                Err(error) => self.complain_of(token, &error),
            }
        }
        events
    }

    async fn tell(&self, events: Vec<EventNotified>) {
        let (taken, room) = Hold::new();
        let notified = self.newest.borrow().notified.clone();
        notified.tell(EventsNotified { app: Arc::clone(&self.app), events, taken });
        room.await;
    }

    fn complain_of(&mut self, token: TracerToken, error: &DecodeError) {
        self.complain(error, &format!("an event of notifier {token} is left out"));
    }

    fn complain(&mut self, error: &DecodeError, consequence: &str) {
        if let Some(left_out) = complaint("notification", self.app.uid) {
            tracing::warn!(
                uid = self.app.uid, %error, consequence, left_out,
                "an application tells of events what nobody can read"
            );
        }
    }
}

/// Waits until nobody can write any more, and reads nothing: the pipe fills, and who writes into it is told
/// that it is full.
async fn closed(pipe: &AsyncFd<ReadEnd>) -> io::Result<()> {
    loop {
        let mut ready = pipe.readable().await?;
        if ready.ready().is_read_closed() {
            return Ok(());
        }
        ready.clear_ready();
    }
}
