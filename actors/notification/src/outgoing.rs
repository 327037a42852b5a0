//! What is to be written to a subscriber. No input or output.

use std::{collections::VecDeque, sync::Arc};

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

#[derive(Debug)]
struct Frame {
    bytes: Arc<[u8]>,
    /// Dropped when it was written.
    written: Option<oneshot::Sender<()>>,
}

/// What is written in one go.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// Those who wait for it.
    pub(crate) written: Vec<oneshot::Sender<()>>,
}

impl Outgoing {
    /// An answer, for which the subscriber waits. Of these there is one at a time.
    pub(crate) fn answer(&mut self, bytes: Arc<[u8]>, written: oneshot::Sender<()>) {
        self.push(Frame { bytes, written: Some(written) });
    }

    /// A notification, or word that it was dropped when there is no room for it.
    pub(crate) fn notify(&mut self, bytes: Arc<[u8]>) {
        if self.waiting_len.saturating_add(bytes.len()) > WAITING_MAX_LEN {
            self.drop_one();
        } else {
            self.push(Frame { bytes, written: None });
        }
    }

    /// Something was dropped. One word for several in a row is enough.
    pub(crate) fn drop_one(&mut self) {
        if !self.says_dropped {
            self.push(Frame { bytes: encode_dropped().into(), written: None });
            self.says_dropped = true;
        }
    }

    fn push(&mut self, frame: Frame) {
        self.says_dropped = false;
        self.waiting_len += frame.bytes.len();
        self.waiting.push_back(frame);
    }

    /// Takes out what is written next; `None` when nothing waits.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        while let Some(frame) = self.waiting.front() {
            let len = batch.bytes.len() + frame.bytes.len();
            if !batch.bytes.is_empty() && len > BATCH_LEN {
                break;
            }
            let Some(frame) = self.waiting.pop_front() else { break };
            self.waiting_len -= frame.bytes.len();
            batch.bytes.extend_from_slice(&frame.bytes);
            batch.written.extend(frame.written);
        }
        if self.waiting.is_empty() {
            self.says_dropped = false;
        }
        (!batch.bytes.is_empty()).then_some(batch)
    }
}
