//! The command socket, which its requests share. They wait in a line, are written in the order in which
//! they came, each whole before the next, and their replies are read in the same order.
//!
//! An application reads one request after the other and answers each before it reads the next, so several
//! may be on their way: it need not wait for us in between.
//!
//! Whoever asks waits in the task that serves the socket, which looks after each exchange at those that were
//! answered: it need not be woken for that. What waits for some of them in a set of its own is.

mod line;
mod requests;

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use futures::future::{Either, select};
use lttngd_runtime::{Peer, PeerError, fail_point};
use lttngd_wire::ust::{
    Abi,
    command::{Command, Reply, UstError},
};

use crate::{
    AppId,
    error::Broken,
    listing_turns::{Calls, ListingTurns, Turn},
};
use line::{Granted, Line, Wants};
pub(crate) use requests::Attached;
use requests::{Requests, Written};

/// What the application answered: a value or its refusal.
pub(crate) type Answer<T> = Result<Result<T, UstError>, Broken>;

/// The command socket. It is served by [`exchange`](Self::exchange); without that nothing is written or read.
pub(crate) struct CommandSocket {
    peer: Peer,
    /// Those of [`RUNNING_MAX`](crate::driver::RUNNING_MAX) jobs, each of which has
    /// [`ON_THEIR_WAY_MAX`](crate::link::ON_THEIR_WAY_MAX) at most.
    line: RefCell<Line>,
    unwritten: RefCell<Requests>,
    /// Of a reply that has not come whole.
    received: RefCell<Vec<u8>>,
    /// The job for which is asked.
    job: Cell<u32>,
    /// The jobs that wait for their turn, and not for an answer.
    calls: Rc<Calls>,
    /// Whose the application is.
    uid: u32,
    /// In which form it is asked.
    abi: Abi,
    /// Who it is among those that own sub-buffers.
    owner_id: u32,
}

impl CommandSocket {
    /// That of an application of this user and ABI.
    pub(crate) fn new(peer: Peer, (id, uid, abi): (AppId, u32, Abi)) -> Self {
        Self {
            peer,
            line: RefCell::default(),
            unwritten: RefCell::default(),
            received: RefCell::default(),
            job: Cell::default(),
            calls: Rc::default(),
            uid,
            abi,
            owner_id: id.owner_id(),
        }
    }

    /// Who the application is among those that own sub-buffers.
    pub(crate) fn owner_id(&self) -> u32 {
        self.owner_id
    }

    /// In which form the application is asked.
    pub(crate) fn abi(&self) -> Abi {
        self.abi
    }

    /// Asks for a line of the log about what the application does wrong, see [`complaint`](lttngd_runtime::complaint).
    pub(crate) fn complaint(&self, about: &'static str) -> Option<u64> {
        lttngd_runtime::complaint(about, self.uid)
    }

    /// Sends a request and waits for the value of its reply. A request that is abandoned is sent all the same,
    /// and its reply read.
    pub(crate) async fn value(
        &self,
        handle: u32,
        command: &Command,
        with: (&[u8], Option<Attached>),
    ) -> Answer<u32> {
        self.begin_value(handle, command, with).answer().await
    }

    /// The same for a request that nothing follows, and all of the reply.
    pub(crate) async fn reply(&self, handle: u32, command: &Command) -> Answer<Reply> {
        match self.begin(handle, command, (&[], None), Wants::Reply).await {
            Ok(granted) => Ok(Ok(Reply::decode(&granted.bytes, self.abi)?)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Sends a request that nothing follows, whose reply is looked at later.
    pub(crate) fn begin_reply(&self, handle: u32, command: &Command) -> AskedBytes<'_> {
        AskedBytes(self.begin(handle, command, (&[], None), Wants::Reply))
    }

    /// The same, of which the `len` bytes behind a reply that grants it are wanted.
    pub(crate) fn begin_entry(&self, handle: u32, command: &Command, len: usize) -> AskedBytes<'_> {
        AskedBytes(self.begin(handle, command, (&[], None), Wants::Entry(len)))
    }

    /// Sends a request whose answer is looked at later.
    pub(crate) fn begin_value(
        &self,
        handle: u32,
        command: &Command,
        with: (&[u8], Option<Attached>),
    ) -> AskedValue<'_> {
        AskedValue(self.begin(handle, command, with, Wants::Value))
    }

    fn begin(
        &self,
        handle: u32,
        command: &Command,
        (payload, attached): (&[u8], Option<Attached>),
        wants: Wants,
    ) -> Asked<'_> {
        let number = command.number_in(self.abi);
        let with = (payload, attached);
        self.unwritten.borrow_mut().push(self.abi, handle, command, with);
        let at = {
            let (mut line, job) = (self.line.borrow_mut(), self.job.get());
            if command.has_early_ack(self.abi) {
                line.push_early(handle, number, job);
            }
            line.push((handle, number), wants, job)
        };
        fail_point::reached(format_args!("App request {number:#x}"));
        fail_point::reached("App request");
        Asked { socket: self, at }
    }

    /// What is asked from now on is asked for this job, one of 32.
    pub(crate) fn ask_for(&self, job: u32) {
        self.job.set(job);
    }

    /// The jobs that were answered since, or whose turn has come, a bit for each.
    pub(crate) fn take_answered(&self) -> u32 {
        self.line.borrow_mut().take_answered() | self.calls.take()
    }

    /// Waits until the turn of a job has come.
    pub(crate) async fn called(&self) {
        self.calls.called().await;
    }

    /// Waits for the turn of the job for which is asked.
    pub(crate) async fn turn(&self, turns: &ListingTurns) -> Turn {
        turns.next(&self.calls, self.job.get()).await
    }

    /// Writes requests until replies have come, for which those who asked are to be looked at. It may be
    /// abandoned and begun again.
    ///
    /// # Errors
    /// How it was noticed that the application is gone.
    pub(crate) async fn exchange(&self) -> Result<(), Broken> {
        let reading = poll_fn(|context| self.poll_replies(context));
        if self.write()? == Written::All {
            return reading.await;
        }
        match select(pin!(self.write_rest()), pin!(reading)).await {
            Either::Left((written, reading)) => {
                written?;
                reading.await
            }
            Either::Right((replied, _)) => replied,
        }
    }

    /// Serves the socket while `work` goes on.
    pub(crate) async fn serve_while<T>(
        &self,
        work: impl Future<Output = Result<T, Broken>>,
    ) -> Result<T, Broken> {
        let mut work = pin!(work);
        loop {
            // It waits for replies alone, after which it is looked at.
            let mut nobody = Context::from_waker(Waker::noop());
            if let Poll::Ready(done) = work.as_mut().poll(&mut nobody) {
                return done;
            }
            self.exchange().await?;
        }
    }

    fn write(&self) -> Result<Written, PeerError> {
        self.unwritten.borrow_mut().write(&self.peer)
    }

    async fn write_rest(&self) -> Result<(), PeerError> {
        let mut pauses = Peer::pauses();
        loop {
            match self.write()? {
                Written::All => return Ok(()),
                Written::UntilFull => self.peer.has_room().await?,
                Written::UntilTooManyDescriptors => tokio::time::sleep(pauses.step()).await,
            }
        }
    }

    fn poll_replies(&self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.line.borrow_mut().is_at_rest() {
            // One that is at rest holds no memory for it.
            self.unwritten.borrow_mut().rest();
        }
        loop {
            if !self.received.borrow().is_empty() {
                // More was asked since, or not.
                if self.deliver(&[])? {
                    return Poll::Ready(Ok(()));
                }
                if self.line.borrow().is_answered() {
                    return Poll::Ready(Err(PeerError::Unsolicited.into()));
                }
            }
            let mut delivered = Ok(false);
            let received = self.peer.poll_receive(context, |bytes| delivered = self.deliver(bytes));
            if ready!(received)? == 0 {
                return Poll::Ready(Err(PeerError::Closed.into()));
            }
            if delivered? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Gives those who asked the replies that have come whole. Whether there are any.
    fn deliver(&self, bytes: &[u8]) -> Result<bool, Broken> {
        let (mut line, mut kept) = (self.line.borrow_mut(), self.received.borrow_mut());
        let taken = if kept.is_empty() {
            let taken = line.deliver(bytes, self.abi)?;
            kept.extend_from_slice(&bytes[taken..]);
            taken
        } else {
            kept.extend_from_slice(bytes);
            let taken = line.deliver(&kept, self.abi)?;
            kept.drain(..taken);
            taken
        };
        if kept.is_empty() {
            *kept = Vec::new();
        }
        Ok(taken > 0)
    }
}

/// A request that was sent. To be polled in the task that serves the socket, after each exchange.
struct Asked<'a> {
    socket: &'a CommandSocket,
    at: u64,
}

impl Future for Asked<'_> {
    type Output = Result<Granted, UstError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.socket.line.borrow_mut().poll(self.at, context)
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.socket.line.borrow_mut().abandon(self.at);
    }
}

/// A request that was sent, of whose reply, or behind it, all bytes are wanted.
pub(crate) struct AskedBytes<'a>(Asked<'a>);

impl AskedBytes<'_> {
    /// Waits for its answer.
    pub(crate) async fn answer(self) -> Result<Vec<u8>, UstError> {
        self.0.await.map(|granted| granted.bytes)
    }
}

/// A request that was sent, of whose reply the value is wanted.
pub(crate) struct AskedValue<'a>(Asked<'a>);

impl AskedValue<'_> {
    /// Waits for its answer.
    pub(crate) async fn answer(self) -> Answer<u32> {
        Ok(self.0.await.map(|granted| granted.value))
    }
}
