//! The metadata socket, on which the consumer asks the session daemon for text. Its actor takes no request
//! while an exchange is under way: its mailbox is the order of the exchanges. Nobody whom an exchange needs
//! is behind it: whoever asked gives the text to a data thread.

use std::{pin::pin, rc::Rc, time::Duration};

use actix::{Actor, ActorFutureExt, Addr, Context, Handler, Message, WrapFuture};
use lttngd_runtime::{Count, Peer, PeerError, fail_point::in_the_middle, read_growing};
use lttngd_wire::consumer::{
    ConsumerError as Code, MESSAGE_LEN, Message as Command, MetadataRequest, encode_status,
};
use tokio::sync::oneshot;

use crate::refusal::{Refusal, status_of_text};

/// How long the session daemon may take for an answer. It is not waited for with anything else: with
/// this socket no longer served, live traces and snapshots go on without newer metadata.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);
/// Most requests that wait for the socket.
const REQUESTS_MAX: usize = 1 << 16;
/// What the stock session daemon answers for metadata that it does not have (`LTTNG_ERR_UND`), in
/// place of a command's number; by accident that of SETUP_METADATA.
const UNKNOWN_NUMBER: u32 = 12;
/// Most bytes of metadata in one push, and of all metadata of a trace.
const TEXT_MAX_LEN: u64 = 64 << 20;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the session daemon did not answer a request for metadata in time")]
    TimedOut,
    #[error("too many requests for metadata wait")]
    Full,
    #[error("the metadata socket failed earlier")]
    Closed,
    #[error("the metadata socket: {0}")]
    Socket(#[from] PeerError),
    #[error("the session daemon answered a request for metadata with something else")]
    Unexpected,
}

/// Metadata of a trace, as the session daemon gives it.
#[derive(Debug)]
pub(crate) struct Text {
    /// Position of its first byte in all of the trace's metadata.
    pub(crate) target_offset: u64,
    /// Which text it is: one more each time that it is made anew.
    pub(crate) version: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Whether text of `len` bytes that begins at `target_offset` can be a part of a trace's metadata.
pub(crate) fn text_fits(target_offset: u64, len: u64) -> bool {
    target_offset.checked_add(len).is_some_and(|end| end <= TEXT_MAX_LEN)
}

/// Where text is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    socket: Addr<MetadataSocket>,
    waiting: Count,
}

impl Source {
    /// Starts the socket's actor.
    pub(crate) fn start(socket: Peer) -> Self {
        let socket = MetadataSocket { socket: Rc::new(socket), usable: true }.start();
        Self { socket, waiting: Count::default() }
    }

    /// Asks for text. What comes is given to `take`, whose outcome the session daemon is told.
    ///
    /// # Errors
    /// When nothing could be asked, or the exchange came to no end; the socket is of no use then.
    pub(crate) async fn fetch(
        &self,
        request: MetadataRequest,
        take: impl AsyncFnOnce(Text) -> Result<(), Refusal>,
    ) -> Result<(), SourceError> {
        let _counted = self.waiting.one_of(REQUESTS_MAX).ok_or(SourceError::Full)?;
        let (offer, offered) = oneshot::channel();
        let mut exchanged = pin!(self.socket.send(Exchange { request, offer }));
        let taking = async {
            if let Ok(Offer { text, taken }) = offered.await {
                let outcome = take(text).await;
                // An exchange that came to its end meanwhile has its own error.
                let _ = taken.send(outcome);
            }
        };
        let outcome = tokio::select! {
            outcome = &mut exchanged => outcome,
            () = taking => exchanged.await,
        };
        outcome.unwrap_or(Err(SourceError::Closed))
    }
}

/// The socket's actor.
struct MetadataSocket {
    socket: Rc<Peer>,
    /// An exchange that is given up in the middle leaves the socket of no use.
    usable: bool,
}

/// Asks the session daemon for text, when those before have been answered.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), SourceError>")]
struct Exchange {
    request: MetadataRequest,
    offer: oneshot::Sender<Offer>,
}

/// Text that came, and where to say what became of it.
#[derive(Debug)]
struct Offer {
    text: Text,
    taken: oneshot::Sender<Result<(), Refusal>>,
}

impl Actor for MetadataSocket {
    type Context = Context<Self>;
}

#[expect(clippy::disallowed_types, reason = "the mailbox is the order of the exchanges")]
impl Handler<Exchange> for MetadataSocket {
    type Result = actix::AtomicResponse<Self, Result<(), SourceError>>;

    fn handle(&mut self, exchange: Exchange, _: &mut Self::Context) -> Self::Result {
        let (socket, usable) = (Rc::clone(&self.socket), self.usable);
        let exchanged = async move {
            if !usable {
                return Err(SourceError::Closed);
            }
            let point = || "MetadataSocket exchange".to_owned();
            let exchanged = in_the_middle(point, exchange.make(&socket));
            let exchanged = tokio::time::timeout(ANSWER_DEADLINE, exchanged).await;
            exchanged.unwrap_or(Err(SourceError::TimedOut))
        };
        let settled = exchanged.into_actor(self).map(|outcome, actor: &mut Self, _| {
            actor.usable = outcome.is_ok();
            outcome
        });
        actix::AtomicResponse::new(Box::pin(settled))
    }
}

impl Exchange {
    async fn make(self, socket: &Peer) -> Result<(), SourceError> {
        socket.write_all(&self.request.encode()).await?;
        let mut bytes = vec![0; MESSAGE_LEN];
        socket.read_exact(&mut bytes).await?;
        let (target_offset, len, version) = match Answer::of(&self.request, &bytes)? {
            Answer::Unknown => return say(socket, 0).await,
            Answer::TooLarge => {
                say(socket, Code::ERROR_METADATA.0).await?;
                return Err(SourceError::Unexpected);
            }
            Answer::Text { target_offset, len, version } => (target_offset, len, version),
        };
        say(socket, 0).await?;
        if len == 0 {
            return Ok(());
        }
        let fill = async |bytes: &mut [u8]| socket.read_exact(bytes).await;
        let bytes = read_growing(len, fill).await?;
        let (taken, outcome) = oneshot::channel();
        let offer = Offer { text: Text { target_offset, version, bytes }, taken };
        // Whoever asked may have gone, and the text with him.
        let outcome = match self.offer.send(offer) {
            Ok(()) => outcome.await.unwrap_or(Err(Refusal::Failed)),
            Err(_) => Err(Refusal::Failed),
        };
        say(socket, status_of_text(outcome)).await
    }
}

/// What the session daemon answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    /// It does not know the channel. It waits for a status all the same.
    Unknown,
    /// Text follows.
    Text { target_offset: u64, len: usize, version: u64 },
    /// More text than any trace has would follow.
    TooLarge,
}

impl Answer {
    /// Reads the answer to a request.
    fn of(request: &MetadataRequest, bytes: &[u8]) -> Result<Self, SourceError> {
        if bytes.starts_with(&UNKNOWN_NUMBER.to_ne_bytes()) {
            return Ok(Self::Unknown);
        }
        match Command::decode(bytes) {
            Ok(Command::PushMetadata { key, target_offset, len, version })
                if key == request.key =>
            {
                if len > TEXT_MAX_LEN {
                    return Ok(Self::TooLarge);
                }
                let len = usize::try_from(len).map_err(|_| SourceError::Unexpected)?;
                Ok(Self::Text { target_offset, len, version })
            }
            _ => Err(SourceError::Unexpected),
        }
    }
}

async fn say(socket: &Peer, status: i32) -> Result<(), SourceError> {
    Ok(socket.write_all(&encode_status(status)).await?)
}

#[cfg(test)]
mod tests;
