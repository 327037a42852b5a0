//! A stream at a relay daemon.

use std::collections::VecDeque;

use lttngd_model::RelayStreamHandle;
use lttngd_wire::relay::{ConsumerCommand, DataHeader};

/// A stream that a relay daemon knows: its handle, and how many packets were sent.
#[derive(Debug, Eq, PartialEq)]
pub struct RelayStream {
    handle: RelayStreamHandle,
    next_net_seq_num: u64,
    /// Which reply on the control connection is that to its newest index, counted from 1; 0 before the
    /// first.
    index_reply: u64,
    /// The replies to its indexes that may not have come yet, in their order.
    unanswered: VecDeque<u64>,
}

impl RelayStream {
    /// The stream of a handle from ADD_STREAM.
    #[must_use]
    pub fn new(handle: RelayStreamHandle) -> Self {
        Self { handle, next_net_seq_num: 0, index_reply: 0, unanswered: VecDeque::new() }
    }

    /// By which the relay daemon knows it.
    #[must_use]
    pub fn handle(&self) -> RelayStreamHandle {
        self.handle
    }

    /// Number of the last packet that was sent, or is partly; `u64::MAX` before the first.
    #[must_use]
    pub fn last_net_seq_num(&self) -> u64 {
        self.next_net_seq_num.wrapping_sub(1)
    }

    /// Number of the last packet, `None` before the first.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.next_net_seq_num.checked_sub(1)
    }

    /// The command that asks whether everything of it was written.
    #[must_use]
    pub fn data_pending(&self) -> ConsumerCommand {
        ConsumerCommand::DataPending {
            handle: self.handle,
            last_net_seq_num: self.last_net_seq_num(),
        }
    }

    /// The command that closes it.
    #[must_use]
    pub fn close(&self) -> ConsumerCommand {
        ConsumerCommand::CloseStream {
            handle: self.handle,
            last_net_seq_num: self.last_net_seq_num(),
        }
    }

    /// Header of the packet after those that were sent.
    pub(crate) fn header(&self, content_len: u32, padding_len: u32) -> DataHeader {
        let net_seq_num = self.next_net_seq_num;
        DataHeader { handle: self.handle, net_seq_num, content_len, padding_len }
    }

    /// Its newest index has a reply, if any has, and `replied` came on the connection.
    pub(crate) fn index_sent(&mut self, reply: Option<u64>, replied: u64) {
        let Some(reply) = reply else { return };
        self.index_reply = reply;
        while self.unanswered.front().is_some_and(|reply| *reply <= replied) {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(reply);
    }

    /// Of how many packets the relay daemon has not said that it has them, when `replied` came.
    pub(crate) fn unanswered(&self, replied: u64) -> u64 {
        self.unanswered.iter().filter(|reply| **reply > replied).count() as u64
    }

    pub(crate) fn index_reply(&self) -> u64 {
        self.index_reply
    }

    pub(crate) fn began(&mut self) {
        self.next_net_seq_num = self.next_net_seq_num.wrapping_add(1);
    }
}

/// What became of a packet that was offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offered {
    /// It is with the relay daemon, or on its way without the caller; its sub-buffer is free.
    Sent,
    /// A part of it is sent. The same packet must be offered again when the data socket takes more,
    /// before any other one.
    Partial,
    /// Nothing of it is sent, since the connection is not ready for it. Offer it again later.
    NotReady,
}
