//! The control connection, without its socket: what is to be sent, and what replies are for.

use std::{collections::VecDeque, time::Instant};

use lttngd_wire::relay::{ConsumerCommand, ConsumerReply, ReplyError, ReplyKind};

use crate::{CommandError, Fault, QueueError, watchdog::Watchdog};
use lttngd_model::StreamKind;

/// Most commands with tickets that wait for replies, or whose outcomes wait to be taken. Whether data is
/// pending is asked with one for each stream, of which there may be 50,000, and by several at a time.
pub const COMMANDS_MAX: usize = 1 << 17;
/// Bytes that wait to be sent before no further command with a ticket is taken.
pub const COMMANDS_UNSENT_MAX_BYTES: usize = 1 << 24;
/// Most indexes that wait for replies before no further packet is taken.
pub const INDEXES_IN_FLIGHT_MAX: usize = 512;
/// Most indexes in flight whose replies are wanted at once. With more of them the relay daemon has enough
/// to do, and replies that come together cost one wake-up.
const HURRIED_INDEXES_MAX: usize = 8;
/// Bytes that wait to be sent before no further metadata is taken.
pub const CONTROL_UNSENT_MAX_BYTES: usize = 1 << 20;

/// Names a command whose outcome is awaited. Unique on a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket(u64);

/// What became of a command.
pub type Outcome = Result<ConsumerReply, CommandError>;

/// A command without its reply.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    reply: ReplyKind,
    /// `None` for the index of a packet, of which only a failure is of interest.
    ticket: Option<Ticket>,
}

/// State of the control connection.
#[derive(Debug)]
pub(crate) struct Control {
    unsent: VecDeque<u8>,
    waiting: VecDeque<Waiting>,
    /// Replies that came.
    replies: u64,
    indexes_in_flight: usize,
    /// The beginning of the next reply.
    received: Vec<u8>,
    outcomes: VecDeque<(Ticket, Outcome)>,
    next_ticket: u64,
    watchdog: Watchdog,
}

impl Control {
    pub(crate) fn new() -> Self {
        Self {
            unsent: VecDeque::new(),
            waiting: VecDeque::new(),
            replies: 0,
            indexes_in_flight: 0,
            received: Vec::new(),
            outcomes: VecDeque::new(),
            next_ticket: 0,
            watchdog: Watchdog::default(),
        }
    }

    fn ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        ticket
    }

    /// A ticket whose outcome is there at once.
    pub(crate) fn answer(&mut self, reply: ConsumerReply) -> Result<Ticket, QueueError> {
        self.admit()?;
        let ticket = self.ticket();
        self.outcomes.push_back((ticket, Ok(reply)));
        Ok(ticket)
    }

    fn admit(&self) -> Result<(), QueueError> {
        let tickets = self.waiting.len() - self.indexes_in_flight + self.outcomes.len();
        let has_room = tickets < COMMANDS_MAX && self.unsent.len() < COMMANDS_UNSENT_MAX_BYTES;
        if has_room { Ok(()) } else { Err(QueueError::Full) }
    }

    /// Queues a command.
    pub(crate) fn queue(
        &mut self,
        now: Instant,
        command: &ConsumerCommand,
        minor: u32,
    ) -> Result<Ticket, QueueError> {
        let Some(reply) = ReplyKind::of(command) else {
            if !self.is_ready_for_metadata() {
                return Err(QueueError::Full);
            }
            let ticket = self.answer(ConsumerReply::Done)?;
            self.send(now, &command.encode(minor));
            return Ok(ticket);
        };
        self.admit()?;
        let ticket = self.ticket();
        self.waiting.push_back(Waiting { reply, ticket: Some(ticket) });
        self.send(now, &command.encode(minor));
        Ok(ticket)
    }

    /// Queues the index of a packet, and says which reply will be its.
    pub(crate) fn queue_index(
        &mut self,
        now: Instant,
        command: &ConsumerCommand,
        minor: u32,
    ) -> u64 {
        self.waiting.push_back(Waiting { reply: ReplyKind::Code, ticket: None });
        self.indexes_in_flight += 1;
        self.send(now, &command.encode(minor));
        self.replies + self.waiting.len() as u64
    }

    /// How many replies came.
    pub(crate) fn replies(&self) -> u64 {
        self.replies
    }

    /// Whether as many replies came.
    pub(crate) fn has_replied(&self, replies: u64) -> bool {
        self.replies >= replies
    }

    fn send(&mut self, now: Instant, bytes: &[u8]) {
        self.unsent.extend(bytes);
        self.watchdog.expect(now);
    }

    pub(crate) fn is_ready_for_index(&self) -> bool {
        self.indexes_in_flight < INDEXES_IN_FLIGHT_MAX
    }

    pub(crate) fn is_ready_for_metadata(&self) -> bool {
        self.unsent.len() < CONTROL_UNSENT_MAX_BYTES
    }

    /// Whether everything was sent and answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.unsent.is_empty() && self.waiting.is_empty()
    }

    /// Whether replies are wanted as soon as they can come: somebody waits for one, or may soon.
    pub(crate) fn is_in_a_hurry(&self) -> bool {
        let commands = self.waiting.len() - self.indexes_in_flight;
        commands > 0 || (1..=HURRIED_INDEXES_MAX).contains(&self.indexes_in_flight)
    }

    /// What is to be sent next, in two parts.
    pub(crate) fn unsent(&self) -> [&[u8]; 2] {
        self.unsent.as_slices().into()
    }

    /// The first `count` bytes of [`Self::unsent`] were sent.
    pub(crate) fn sent(&mut self, now: Instant, count: usize) {
        self.unsent.drain(..count.min(self.unsent.len()));
        self.watchdog.moved(now, !self.is_idle());
    }

    /// Takes bytes of replies.
    pub(crate) fn receive(&mut self, now: Instant, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let Some(&Waiting { reply, ticket }) = self.waiting.front() else {
                return Err(Fault::Unasked(StreamKind::Control));
            };
            if !self.complete(&mut bytes, reply.head_len()) {
                break;
            }
            let rest_len = reply.rest_len(&self.received[..reply.head_len()])?;
            if !self.complete(&mut bytes, reply.head_len() + rest_len) {
                break;
            }
            let outcome = match reply.decode(&self.received) {
                Ok(decoded) => Ok(decoded),
                Err(ReplyError::Refused(refusal)) => Err(refusal),
                Err(ReplyError::Malformed(error)) => return Err(error.into()),
            };
            // Only now: what waits when the connection dies fails.
            self.waiting.pop_front();
            self.replies += 1;
            self.received.clear();
            match (ticket, outcome) {
                (Some(ticket), outcome) => {
                    self.outcomes.push_back((ticket, outcome.map_err(CommandError::from)));
                }
                (None, Ok(_)) => self.indexes_in_flight -= 1,
                (None, Err(refusal)) => {
                    // It has not got the packet.
                    self.replies -= 1;
                    return Err(Fault::IndexRefused(refusal));
                }
            }
        }
        self.watchdog.moved(now, !self.is_idle());
        Ok(())
    }

    /// Moves bytes until `len` are received. `false` when there are too few.
    fn complete(&mut self, bytes: &mut &[u8], len: usize) -> bool {
        let missing = len.saturating_sub(self.received.len());
        let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
        self.received.extend_from_slice(taken);
        *bytes = rest;
        self.received.len() >= len
    }

    pub(crate) fn next_outcome(&mut self) -> Option<(Ticket, Outcome)> {
        self.outcomes.pop_front()
    }

    /// Fails everything that waits.
    pub(crate) fn fail(&mut self) {
        self.unsent = VecDeque::new();
        self.received = Vec::new();
        self.indexes_in_flight = 0;
        let gone = self.waiting.drain(..).filter_map(|waiting| waiting.ticket);
        self.outcomes.extend(gone.map(|ticket| (ticket, Err(CommandError::Gone))));
        self.watchdog = Watchdog::default();
    }

    pub(crate) fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::RelayStreamHandle;
    use lttngd_wire::{ctf::PacketIndex, relay::SendIndex};

    use super::*;

    #[test]
    fn a_relay_daemon_with_much_to_do_may_answer_later_unless_somebody_waits() {
        let now = Instant::now();
        let index = ConsumerCommand::SendIndex(SendIndex {
            handle: RelayStreamHandle(1),
            net_seq_num: 0,
            index: PacketIndex::default(),
        });
        let mut control = Control::new();
        assert!(!control.is_in_a_hurry());
        for _ in 0..HURRIED_INDEXES_MAX {
            control.queue_index(now, &index, 11);
            assert!(control.is_in_a_hurry());
        }
        control.queue_index(now, &index, 11);
        assert!(!control.is_in_a_hurry());
        control.queue(now, &ConsumerCommand::StreamsSent, 11).expect("a place");
        assert!(control.is_in_a_hurry());
    }
}
