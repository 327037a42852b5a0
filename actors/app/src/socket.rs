//! The command socket, which its requests share. They wait in a line, are written in the order in which
//! they came, each whole before the next, and their replies are read in the same order.
//!
//! An application reads one request after the other and answers each before it reads the next, so several
//! may be on their way: it need not wait for us in between.

use std::{
    cell::RefCell, collections::VecDeque, convert::Infallible, future::poll_fn, os::fd::AsFd,
    sync::Arc, task::Poll,
};

use futures::future::{Either, select};
use lttngd_buffers::ChannelObject;
use lttngd_runtime::{Peer, PeerError, fail_point};
use lttngd_wire::ust::command::{Command, REPLY_LEN, Reply, UstError};
use tokio::sync::{Notify, oneshot};

use crate::error::Broken;

/// What the application answered: a value or its refusal.
pub(crate) type Answer<T> = Result<Result<T, UstError>, Broken>;

/// What an application answers to, with what follows a reply that grants it.
type Granted = (Reply, Vec<u8>);

/// The command socket. It is served by [`serve`](Self::serve); without that nothing is written or read.
pub(crate) struct CommandSocket {
    peer: Peer,
    line: RefCell<Line>,
    /// A request came into the line, for who writes and for who reads.
    came: [Notify; 2],
}

/// The requests of [`RUNNING_MAX`](crate::driver::RUNNING_MAX) jobs, each of which has
/// [`ON_THEIR_WAY_MAX`](crate::link::ON_THEIR_WAY_MAX) at most.
#[derive(Default)]
struct Line {
    unwritten: VecDeque<Request>,
    unanswered: VecDeque<Unanswered>,
}

struct Request {
    bytes: Vec<u8>,
    attached: Option<Attached>,
}

/// Whose descriptors go with a request, behind its bytes.
pub(crate) enum Attached {
    /// Those of a channel.
    Channel(Arc<ChannelObject>),
    /// Those of the stream at this position.
    Stream(Arc<ChannelObject>, usize),
}

struct Unanswered {
    handle: u32,
    number: u32,
    /// How much follows a reply that grants.
    entry_len: usize,
    reply: oneshot::Sender<Result<Granted, UstError>>,
}

impl CommandSocket {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer, line: RefCell::default(), came: Default::default() }
    }

    /// Sends a request and waits for its reply, behind which `entry_len` bytes come when it grants the
    /// request. A request that is abandoned is sent all the same, and its reply read.
    pub(crate) async fn exchange(
        &self,
        handle: u32,
        command: &Command,
        (payload, attached): (&[u8], Option<Attached>),
        entry_len: usize,
    ) -> Answer<Granted> {
        let mut bytes = command.encode(handle);
        bytes.extend_from_slice(payload);
        let (reply, answered) = oneshot::channel();
        {
            let number = command.number();
            let mut line = self.line.borrow_mut();
            line.unwritten.push_back(Request { bytes, attached });
            line.unanswered.push_back(Unanswered { handle, number, entry_len, reply });
        }
        self.came.iter().for_each(Notify::notify_one);
        fail_point::reached(format_args!("App request {:#x}", command.number()));
        fail_point::reached("App request");
        answered.await.map_err(|_| PeerError::Closed.into())
    }

    /// Writes requests and reads their replies until the application is gone; the error says how that was
    /// noticed. `answered` is told of each reply.
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
            let next = self.line.borrow_mut().unwritten.pop_front();
            let Some(Request { bytes, attached }) = next else {
                self.came[0].notified().await;
                continue;
            };
            self.peer.write_all(&bytes).await?;
            match attached {
                None => {}
                Some(Attached::Channel(object)) => {
                    self.peer.write_descriptors(&[object.wakeup.as_fd()]).await?;
                }
                Some(Attached::Stream(object, number)) => {
                    let stream = &object.streams[number];
                    let descriptors = [stream.memory.as_fd(), stream.wakeup.as_fd()];
                    self.peer.write_descriptors(&descriptors).await?;
                }
            }
        }
    }

    async fn read(&self, answered: impl Fn()) -> Result<Infallible, Broken> {
        loop {
            let next = self.line.borrow_mut().unanswered.pop_front();
            let Some(Unanswered { handle, number, entry_len, reply }) = next else {
                tokio::select! {
                    biased;
                    () = self.came[1].notified() => continue,
                    closed = self.peer.closed() => {
                        closed?;
                        return Err(PeerError::Closed.into());
                    }
                }
            };
            let mut bytes = [0; REPLY_LEN];
            self.peer.read_exact(&mut bytes).await?;
            answered();
            let granted = Reply::decode(&bytes)?;
            let outcome = match granted.check(handle, number) {
                Ok(_) => {
                    let mut entry = vec![0; entry_len];
                    self.peer.read_exact(&mut entry).await?;
                    Ok((granted, entry))
                }
                Err(error @ UstError::Mismatch { .. }) => {
                    return Err(Broken::Protocol(error.to_string()));
                }
                Err(refusal) => Err(refusal),
            };
            // Who asked may have given up.
            let _ = reply.send(outcome);
            // It goes on before anything else is seen, as that the application has ended since.
            others_first().await;
        }
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
