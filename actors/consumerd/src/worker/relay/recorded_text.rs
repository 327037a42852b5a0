//! Metadata of a snapshot on its way to a relay daemon.

use lttngd_model::RelayStreamHandle;

use crate::worker::order::Answer;

/// Text for a stream that the relay daemon knows already.
#[derive(Debug)]
pub(in crate::worker) struct RecordedText {
    pub(in crate::worker) handle: RelayStreamHandle,
    pub(in crate::worker) uuid: [u8; 16],
    pub(in crate::worker) text: Vec<u8>,
    pub(in crate::worker) answer: Answer,
}
