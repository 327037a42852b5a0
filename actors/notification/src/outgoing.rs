//! What is to be written to a subscriber. No input or output.

use std::{collections::VecDeque, sync::Arc};

use lttngd_model::Binary;
use lttngd_wire::notification::encode_dropped;
use tokio::sync::oneshot;

/// Most bytes that wait for one subscriber. What comes then is dropped.
pub const WAITING_MAX_LEN: usize = 4 << 20;
/// Bytes that are written in one go, unless one message is longer.
const BATCH_LEN: usize = 64 << 10;

/// Messages in their order.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    waiting: VecDeque<Frame>,
    waiting_len: usize,
    /// Whether the last message says that something was dropped, and nothing came behind it.
    says_dropped: bool,
}

/// A notification as clients read it.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: Arc<[u8]>,
    /// The program that follows it, of a trigger on a place in one.
    pub(crate) binary: Option<Binary>,
}

impl From<Arc<[u8]>> for Encoded {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self { bytes, binary: None }
    }
}

#[derive(Debug)]
struct Frame {
    message: Encoded,
    /// Dropped when it was written.
    written: Option<oneshot::Sender<()>>,
}

/// What is written in one go.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// What follows the last of them.
    pub(crate) binary: Option<Binary>,
    /// Those who wait for it.
    pub(crate) written: Vec<oneshot::Sender<()>>,
}

impl Outgoing {
    /// An answer, for which the subscriber waits. Of these there is one at a time.
    pub(crate) fn answer(&mut self, bytes: Arc<[u8]>, written: oneshot::Sender<()>) {
        self.push(Frame { message: bytes.into(), written: Some(written) });
    }

    /// A notification, or word that it was dropped when there is no room for it.
    pub(crate) fn notify(&mut self, message: impl Into<Encoded>) {
        let message = message.into();
        if self.waiting_len.saturating_add(message.bytes.len()) > WAITING_MAX_LEN {
            self.drop_one();
        } else {
            self.push(Frame { message, written: None });
        }
    }

    /// Something was dropped. One word for several in a row is enough.
    pub(crate) fn drop_one(&mut self) {
        if !self.says_dropped {
            self.push(Frame { message: Arc::<[u8]>::from(encode_dropped()).into(), written: None });
            self.says_dropped = true;
        }
    }

    fn push(&mut self, frame: Frame) {
        self.says_dropped = false;
        self.waiting_len += frame.message.bytes.len();
        self.waiting.push_back(frame);
    }

    /// Takes out what is written next; `None` when nothing waits.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        while let Some(frame) = self.waiting.front() {
            let len = batch.bytes.len() + frame.message.bytes.len();
            if batch.binary.is_some() || !batch.bytes.is_empty() && len > BATCH_LEN {
                break;
            }
            let Some(frame) = self.waiting.pop_front() else { break };
            let Encoded { bytes, binary } = frame.message;
            self.waiting_len -= bytes.len();
            batch.bytes.extend_from_slice(&bytes);
            batch.binary = binary;
            batch.written.extend(frame.written);
        }
        if self.waiting.is_empty() {
            self.says_dropped = false;
        }
        (!batch.bytes.is_empty()).then_some(batch)
    }
}
