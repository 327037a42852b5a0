//! Trace chunks that streams have left while packets for them are on their way to the relay daemon.
//!
//! Such a chunk is held until the relay daemon has written them. The stock session daemon learns that from
//! here alone, since relay daemons of 2.13 say too early that a chunk is gone: it would begin the next
//! rotation, at which a relay daemon that has not moved the chunk before closes the connection.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use lttngd_model::NetIndex;
use lttngd_wire::relay::ConsumerCommand;

use super::{Due, Relays, RemoteStream, Worker};
use crate::chunk::Chunk;

/// How long the relay daemon is left alone after its first answer that something is missing; each time
/// twice as long.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// At most so long.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// A trace chunk for which packets of a stream are on their way.
#[derive(Debug)]
pub(super) struct Leaving {
    net_index: NetIndex,
    handle: u64,
    /// Number of the last of them.
    last_net_seq_num: u64,
    /// Held, and nothing else.
    _chunk: Arc<Chunk>,
}

/// What a relay daemon has not written yet, and when it is asked.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    chunks: Vec<Leaving>,
    state: State,
    wait: Duration,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// Nothing is done.
    #[default]
    Idle,
    /// It was asked.
    Asked,
    /// It will be asked later.
    Waits,
}

impl Relays {
    /// Holds a trace chunk that a stream leaves. Snapshots are waited for otherwise.
    pub(in crate::worker) fn leave(&mut self, remote: &RemoteStream, chunk: Arc<Chunk>) {
        if remote.indexed
            && let Some(last_net_seq_num) = remote.stream.newest()
        {
            self.leaving.push(Leaving {
                net_index: remote.net_index,
                handle: remote.stream.handle(),
                last_net_seq_num,
                _chunk: chunk,
            });
        }
    }
}

impl Worker {
    /// Asks about the trace chunks that streams left in this turn.
    pub(super) fn ask_about_leaving(&mut self) {
        for leaving in std::mem::take(&mut self.relays.leaving) {
            let net_index = leaving.net_index;
            // With a relay daemon that is lost nothing is on its way.
            let Some(relay) = self.relays.known.get_mut(&net_index) else { continue };
            relay.unwritten.chunks.push(leaving);
            self.ask_what_is_unwritten(net_index);
        }
    }

    fn ask_what_is_unwritten(&mut self, net_index: NetIndex) {
        let Some(relay) = self.relays.known.get_mut(&net_index) else { return };
        let unwritten = &mut relay.unwritten;
        if unwritten.state != State::Idle || unwritten.chunks.is_empty() {
            return;
        }
        unwritten.state = State::Asked;
        let count = unwritten.chunks.len();
        let mut until = HashMap::new();
        for Leaving { handle, last_net_seq_num, .. } in &unwritten.chunks {
            // The later ones of a stream come later.
            until.insert(*handle, *last_net_seq_num);
        }
        let commands = self.questions_to(net_index, &until);
        // Of other streams that are open it is of no interest; the last answer is about those that ended.
        let matters = move |command: &ConsumerCommand| match command {
            ConsumerCommand::DataPending { handle, .. } => until.contains_key(handle),
            _ => true,
        };
        let commands = commands.into_iter().map(|command| (net_index, command)).collect();
        self.ask_relays(commands, matters, move |worker, pending| {
            worker.unwritten_answered(net_index, count, pending);
        });
    }

    fn unwritten_answered(&mut self, net_index: NetIndex, count: usize, pending: bool) {
        let Some(relay) = self.relays.known.get_mut(&net_index) else { return };
        let unwritten = &mut relay.unwritten;
        if pending {
            unwritten.state = State::Waits;
            unwritten.wait = (unwritten.wait * 2).clamp(WAIT_MIN, WAIT_MAX);
            let at = Instant::now() + unwritten.wait;
            self.timers.schedule(at, Due::Leaving(net_index));
            return;
        }
        unwritten.chunks.drain(..count);
        unwritten.state = State::Idle;
        unwritten.wait = Duration::ZERO;
        self.ask_what_is_unwritten(net_index);
    }

    /// It is time to ask again.
    pub(in crate::worker) fn leaving_timer(&mut self, net_index: NetIndex) {
        if let Some(relay) = self.relays.known.get_mut(&net_index) {
            relay.unwritten.state = State::Idle;
            self.ask_what_is_unwritten(net_index);
        }
    }
}
