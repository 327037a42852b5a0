//! The metadata socket, on which the consumer asks the session daemon for text.

use std::{cell::Cell, rc::Rc, time::Duration};

use lttngd_runtime::{Peer, PeerError, Turns, read_growing};
use lttngd_wire::consumer::{
    ConsumerError as Code, MESSAGE_LEN, Message, MetadataRequest, encode_status,
};

use crate::control::Control;

/// How long the session daemon may take for an answer. It is not waited for with anything else: with
/// this socket no longer served, live traces and snapshots go on without newer metadata.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);
/// Most requests that wait for the socket.
const REQUESTS_MAX: usize = 1 << 16;
/// What the stock session daemon answers for metadata that it does not have (`LTTNG_ERR_UND`), in
/// place of a command's number; by accident that of SETUP_METADATA.
const UNKNOWN_NUMBER: u32 = 12;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the session daemon did not answer a request for metadata in time")]
    TimedOut,
    #[error("the metadata socket failed earlier")]
    Closed,
    #[error("the metadata socket: {0}")]
    Socket(#[from] PeerError),
    #[error("the session daemon answered a request for metadata with something else")]
    Unexpected,
}

/// The socket.
#[derive(Debug)]
pub(crate) struct Source {
    socket: Peer,
    turns: Turns,
    usable: Cell<bool>,
}

impl Source {
    pub(crate) fn new(socket: Peer) -> Self {
        Self { socket, turns: Turns::new(REQUESTS_MAX), usable: Cell::new(true) }
    }

    /// Asks for text, and pushes what comes.
    pub(crate) async fn fetch(
        &self,
        control: &Rc<Control>,
        request: MetadataRequest,
    ) -> Result<(), SourceError> {
        let _turn = self.turns.take().await.map_err(|_| SourceError::Closed)?;
        if !self.usable.get() {
            return Err(SourceError::Closed);
        }
        // An exchange that is given up in the middle leaves the socket of no use.
        self.usable.set(false);
        let exchange = self.exchange(control, request);
        let outcome = tokio::time::timeout(ANSWER_DEADLINE, exchange)
            .await
            .unwrap_or(Err(SourceError::TimedOut));
        self.usable.set(outcome.is_ok());
        outcome
    }

    async fn exchange(
        &self,
        control: &Rc<Control>,
        request: MetadataRequest,
    ) -> Result<(), SourceError> {
        self.socket.write_all(&request.encode()).await?;
        let mut bytes = vec![0; MESSAGE_LEN];
        self.socket.read_exact(&mut bytes).await?;
        if bytes[..size_of::<u32>()] == UNKNOWN_NUMBER.to_ne_bytes() {
            return self.say(0).await;
        }
        let Ok(Message::PushMetadata { key, target_offset, len, version }) =
            Message::decode(&bytes)
        else {
            return Err(SourceError::Unexpected);
        };
        if key != request.key {
            return Err(SourceError::Unexpected);
        }
        // A channel that ended meanwhile is no reason to break the exchange.
        if len > crate::command::TEXT_MAX_LEN {
            self.say(Code::ERROR_METADATA.0).await?;
            return Err(SourceError::Unexpected);
        }
        self.say(0).await?;
        if len == 0 {
            return Ok(());
        }
        let fill = async |bytes: &mut [u8]| self.socket.read_exact(bytes).await;
        let text = read_growing(usize::try_from(len).unwrap_or_default(), fill).await?;
        let pushed = control.push(key, target_offset, version, text).await;
        self.say(pushed.map_or_else(|code| code.0, |()| 0)).await
    }

    async fn say(&self, status: i32) -> Result<(), SourceError> {
        Ok(self.socket.write_all(&encode_status(status)).await?)
    }
}
