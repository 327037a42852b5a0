//! The command socket, which its requests share. They wait in a line, are written in the order in which
//! they came, each whole before the next, and their replies are read in the same order.
//!
//! An application reads one request after the other and answers each before it reads the next, so several
//! may be on their way: it need not wait for us in between.

use std::{
    cell::RefCell,
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    task::Poll,
};

use futures::future::{Either, select};
use lttngd_buffers::ChannelObject;
use lttngd_runtime::{Peer, PeerError, fail_point};
use lttngd_wire::ust::command::{Command, REPLY_LEN, Reply, UstError};
use tokio::sync::oneshot;

use crate::error::Broken;

/// What the application answered: a value or its refusal.
pub(crate) type Answer<T> = Result<Result<T, UstError>, Broken>;

/// Where an answer goes, with what is wanted of the reply.
enum Asker {
    /// The value alone.
    Value(Answering<u32>),
    /// All of it.
    Reply(Answering<Reply>),
    /// So many bytes that follow a reply that grants.
    Entry(usize, Answering<Vec<u8>>),
    /// Nobody: a reply that only says that what follows the request is taken, which is on its way already.
    Nobody,
}

type Answering<T> = oneshot::Sender<Result<T, UstError>>;

/// The command socket. It is served by [`serve`](Self::serve); without that nothing is written or read.
pub(crate) struct CommandSocket {
    peer: Peer,
    line: RefCell<Line>,
}

/// The requests of [`RUNNING_MAX`](crate::driver::RUNNING_MAX) jobs, each of which has
/// [`ON_THEIR_WAY_MAX`](crate::link::ON_THEIR_WAY_MAX) at most.
#[derive(Default)]
struct Line {
    unwritten: Requests,
    unanswered: VecDeque<Unanswered>,
}

/// Whole requests, one behind the other.
#[derive(Default)]
struct Requests {
    bytes: Vec<u8>,
    /// Which of the bytes carry descriptors.
    attached: VecDeque<(usize, Attached)>,
}

/// Whose descriptors go with a request, on a byte behind it.
pub(crate) enum Attached {
    /// Those of a channel.
    Channel(Arc<ChannelObject>),
    /// Those of the stream at this position.
    Stream(Arc<ChannelObject>, usize),
    /// This one.
    Descriptor(Arc<OwnedFd>),
}

struct Unanswered {
    handle: u32,
    number: u32,
    asker: Asker,
}

impl CommandSocket {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer, line: RefCell::default() }
    }

    /// Sends a request and waits for the value of its reply. A request that is abandoned is sent all the same,
    /// and its reply read.
    ///
    /// To be polled in the task that serves the socket, before that serves it: nobody is woken for it. So are
    /// the others.
    pub(crate) async fn value(
        &self,
        handle: u32,
        command: &Command,
        (payload, attached): (&[u8], Option<Attached>),
    ) -> Answer<u32> {
        self.ask(handle, command, (payload, attached), Asker::Value).await
    }

    /// The same for a request that nothing follows, and all of the reply.
    pub(crate) async fn reply(&self, handle: u32, command: &Command) -> Answer<Reply> {
        self.ask(handle, command, (&[], None), Asker::Reply).await
    }

    /// The same, and the `len` bytes behind a reply that grants the request.
    pub(crate) async fn entry(
        &self,
        handle: u32,
        command: &Command,
        len: usize,
    ) -> Answer<Vec<u8>> {
        self.ask(handle, command, (&[], None), |asks| Asker::Entry(len, asks)).await
    }

    async fn ask<T>(
        &self,
        handle: u32,
        command: &Command,
        with: (&[u8], Option<Attached>),
        asker: impl FnOnce(Answering<T>) -> Asker,
    ) -> Answer<T> {
        self.begin(handle, command, with, asker).answer().await
    }

    /// Sends a request that nothing follows, whose answer is looked at later.
    pub(crate) fn begin_value(&self, handle: u32, command: &Command) -> Asked<u32> {
        self.begin(handle, command, (&[], None), Asker::Value)
    }

    fn begin<T>(
        &self,
        handle: u32,
        command: &Command,
        (payload, attached): (&[u8], Option<Attached>),
        asker: impl FnOnce(Answering<T>) -> Asker,
    ) -> Asked<T> {
        let number = command.number();
        let (asks, answered) = oneshot::channel();
        {
            let mut line = self.line.borrow_mut();
            line.unwritten.push(handle, command, payload, attached);
            if command.has_early_ack() {
                line.unanswered.push_back(Unanswered { handle, number, asker: Asker::Nobody });
            }
            line.unanswered.push_back(Unanswered { handle, number, asker: asker(asks) });
        }
        fail_point::reached(format_args!("App request {number:#x}"));
        fail_point::reached("App request");
        Asked(answered)
    }

    /// Writes requests and reads their replies until the application is gone; the error says how that was
    /// noticed. `answered` is told when replies have come.
    pub(crate) async fn serve(&self, answered: impl Fn()) -> Broken {
        let (writing, reading) =
            (std::pin::pin!(self.write()), std::pin::pin!(self.read(answered)));
        let (Either::Left((Err(broken), _)) | Either::Right((Err(broken), _))) =
            select(writing, reading).await;
        broken
    }

    /// Serves the socket while `work` goes on.
    pub(crate) async fn serve_while<T>(
        &self,
        work: impl Future<Output = Result<T, Broken>>,
    ) -> Result<T, Broken> {
        tokio::select! {
            biased;
            done = work => done,
            broken = self.serve(|| {}) => Err(broken),
        }
    }

    async fn write(&self) -> Result<Infallible, Broken> {
        loop {
            poll_fn(|_| self.line.borrow().unwritten.poll_some()).await;
            let requests = std::mem::take(&mut self.line.borrow_mut().unwritten);
            requests.write(&self.peer).await?;
        }
    }

    async fn read(&self, answered: impl Fn()) -> Result<Infallible, Broken> {
        let mut received = Vec::new();
        loop {
            let len = self.deliver(&received)?;
            if len > 0 {
                answered();
                received.drain(..len);
                // Who was answered goes on before anything else is seen, as that the application has ended
                // since.
                others_first().await;
                continue;
            }
            if received.is_empty() {
                // One that is at rest holds no memory for it.
                received = Vec::new();
            } else if self.line.borrow().unanswered.is_empty() {
                return Err(PeerError::Unsolicited.into());
            }
            if self.peer.receive_more(&mut received).await? == 0 {
                return Err(PeerError::Closed.into());
            }
        }
    }

    /// Gives those who asked the replies that have come whole; how many bytes these are.
    fn deliver(&self, received: &[u8]) -> Result<usize, Broken> {
        let mut line = self.line.borrow_mut();
        let mut rest = received;
        while let Some(next) = line.unanswered.front()
            && let Some((bytes, behind)) = rest.split_at_checked(REPLY_LEN)
        {
            let reply = Reply::decode(bytes)?;
            let Some((entry, behind)) = behind.split_at_checked(next.entry_len(&reply)) else {
                break;
            };
            rest = behind;
            if let Some(next) = line.unanswered.pop_front() {
                next.answer(reply, entry)?;
            }
        }
        Ok(received.len() - rest.len())
    }
}

/// A request that was sent.
pub(crate) struct Asked<T>(oneshot::Receiver<Result<T, UstError>>);

impl<T> Asked<T> {
    /// Waits for its answer.
    pub(crate) async fn answer(self) -> Answer<T> {
        self.0.await.map_err(|_| PeerError::Closed.into())
    }
}

impl Unanswered {
    /// How much belongs to the reply behind its own bytes.
    fn entry_len(&self, reply: &Reply) -> usize {
        match self.asker {
            Asker::Entry(len, _) if reply.check(self.handle, self.number).is_ok() => len,
            _ => 0,
        }
    }

    fn answer(self, reply: Reply, entry: &[u8]) -> Result<(), Broken> {
        let granted = reply.check(self.handle, self.number);
        if let Err(error @ UstError::Mismatch { .. }) = granted {
            return Err(Broken::Protocol(error.to_string()));
        }
        // Who asked may have given up.
        match self.asker {
            Asker::Value(asks) => drop(asks.send(granted)),
            Asker::Reply(asks) => drop(asks.send(granted.map(|_| reply))),
            Asker::Entry(_, asks) => drop(asks.send(granted.map(|_| entry.to_vec()))),
            Asker::Nobody => {
                let refused = |error| format!("it does not take what follows a request: {error}");
                granted.map_err(|error| Broken::Protocol(refused(error)))?;
            }
        }
        Ok(())
    }
}

impl Requests {
    fn push(&mut self, handle: u32, command: &Command, payload: &[u8], attached: Option<Attached>) {
        command.append(handle, &mut self.bytes);
        self.bytes.extend_from_slice(payload);
        if let Some(attached) = attached {
            self.attached.push_back((self.bytes.len(), attached));
            self.bytes.push(0);
        }
    }

    fn poll_some(&self) -> Poll<()> {
        if self.bytes.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Writes all of them in as few calls as their descriptors allow: what follows a byte with descriptors
    /// goes with it.
    async fn write(mut self, peer: &Peer) -> Result<(), PeerError> {
        let mut at = 0;
        while at < self.bytes.len() {
            let attached = match self.attached.front() {
                Some((position, _)) if *position == at => self.attached.pop_front(),
                _ => None,
            };
            let end = self.attached.front().map_or(self.bytes.len(), |(position, _)| *position);
            let bytes = &self.bytes[at..end];
            match attached.map(|(_, attached)| attached) {
                None => peer.write_all(bytes).await?,
                Some(Attached::Channel(object)) => {
                    peer.write_with_descriptors(bytes, &[object.wakeup.as_fd()]).await?;
                }
                Some(Attached::Descriptor(descriptor)) => {
                    peer.write_with_descriptors(bytes, &[descriptor.as_fd()]).await?;
                }
                Some(Attached::Stream(object, number)) => {
                    let stream = &object.streams[number];
                    let descriptors = [stream.memory.as_fd(), stream.wakeup.as_fd()];
                    peer.write_with_descriptors(bytes, &descriptors).await?;
                }
            }
            at = end;
        }
        Ok(())
    }
}

/// Lets what was woken in this task go on, without a look at what is ready in the system.
async fn others_first() {
    let mut is_later = false;
    poll_fn(|context| match std::mem::replace(&mut is_later, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}
