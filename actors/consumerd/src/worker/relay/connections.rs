//! Connections to relay daemons: what is sent, what is waited for, and what comes of it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use lttngd_model::{ChannelKey, ChunkId, NetIndex, RelaySessionId, SessionId};
use lttngd_relaystream::{
    CommandError, Interest, Outcome, QueueError, RelayConnection, RelayLimits, Ticket,
};
use lttngd_wire::{
    consumer::ConsumerError as Code,
    relay::{ConsumerCommand, ConsumerReply},
};

use super::{
    additions::{Additions, AfterAddition},
    answers,
    effect::{Effect, LostRelay},
    parking::Parking,
    pending::{self, Asker, Questions},
    state::RelayState,
    unwritten::{LeftChunk, Unwritten},
};
use crate::{
    chunk::Chunk,
    worker::{
        new::RelaySockets,
        order::Answer,
        poller::{Poller, WatchToken, Watched},
        remote::RemoteStream,
        timers::Due,
    },
};

/// What the reply to a command is waited for.
#[derive(Debug)]
pub(super) enum Awaited {
    ChunkMade(ChunkId, Answer),
    ChunkClosed(ChunkId, Answer<String>),
    ChunkExists(Answer<bool>),
    ChannelRotated(ChannelKey, Answer),
    MetadataRotated {
        key: ChannelKey,
        from: Option<Arc<Chunk>>,
        to: Option<Arc<Chunk>>,
        answer: Answer,
    },
    /// A stream of a channel is known.
    StreamAdded {
        addition: usize,
        key: ChannelKey,
        slot: usize,
        indexed: bool,
    },
    MetadataAdded(ChannelKey),
    MetadataAnnounced(ChannelKey, Answer),
    StreamsAnnounced(Answer),
    /// The stream of a snapshot's metadata is known.
    TextAdded(ChannelKey, Answer),
    /// That stream is closed; whether its text was sent.
    TextClosed(bool, Answer),
    /// A part of a question; whether its answer matters, and whether it is about streams that ended.
    Pending {
        question: usize,
        matters: bool,
        of_ended: bool,
    },
    StreamClosed,
}

/// A connection to a relay daemon.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) session: SessionId,
    pub(super) relay_session_id: RelaySessionId,
    pub(super) connection: RelayConnection,
    pub(super) state: RelayState,
    /// Commands without a reply.
    awaited: HashMap<Ticket, Awaited>,
    pub(super) parking: Parking,
    /// Trace chunks for which packets are on their way.
    pub(super) unwritten: Unwritten,
    control_watched: Option<WatchToken>,
    data_watched: Option<WatchToken>,
    interest: Interest,
    /// Whether a timer for its deadline runs.
    is_timed: bool,
}

/// All connections, which of them something was done with, and what is to be done after that.
#[derive(Debug, Default)]
pub(in crate::worker) struct Relays {
    pub(super) known: HashMap<NetIndex, Relay>,
    touched: Vec<NetIndex>,
    /// Trace chunks that streams left since the last turn.
    left: Vec<(NetIndex, LeftChunk)>,
    pub(super) additions: Additions,
    pub(super) questions: Questions,
    pub(super) effects: VecDeque<Effect>,
}

impl Relays {
    /// Takes what is to be done.
    pub(in crate::worker) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Takes a connection over.
    ///
    /// # Errors
    /// Its index is taken, or its sockets cannot be watched.
    pub(in crate::worker) fn add(
        &mut self,
        sockets: RelaySockets,
        limits: RelayLimits,
        poller: &mut Poller,
    ) -> Result<(), Code> {
        let RelaySockets { net_index, session, relay_session_id, version, control, data } = sockets;
        if self.known.contains_key(&net_index) {
            tracing::error!(relayd = %net_index, "the index of a relay daemon is taken");
            return Err(Code::RELAYD_FAIL);
        }
        let connection = RelayConnection::new(control, data, version, limits);
        let mut watch = |socket, what| poller.watch(socket, what).ok();
        let relay = Relay {
            session,
            relay_session_id,
            control_watched: watch(connection.control_socket(), Watched::RelayControl(net_index)),
            data_watched: watch(connection.data_socket(), Watched::RelayData(net_index)),
            connection,
            state: RelayState::default(),
            awaited: HashMap::new(),
            parking: Parking::default(),
            unwritten: Unwritten::default(),
            interest: Interest::default(),
            is_timed: false,
        };
        if relay.control_watched.is_none() || relay.data_watched.is_none() {
            relay.unwatch(poller);
            tracing::error!(relayd = %net_index, "the sockets of a relay daemon cannot be watched");
            return Err(Code::RELAYD_FAIL);
        }
        self.known.insert(net_index, relay);
        Ok(())
    }

    /// Gives a connection up once its streams are gone.
    ///
    /// # Errors
    /// It is not known.
    pub(in crate::worker) fn give_up(&mut self, net_index: NetIndex) -> Result<(), Code> {
        self.touch(net_index).ok_or(Code::RELAYD_FAIL)?.state.give_up();
        Ok(())
    }

    /// Gives up the connections of snapshots of a session of which nothing is left, as the stock
    /// session daemon does not. One that a session streams to stays.
    pub(in crate::worker) fn give_up_snapshots(&mut self, session: SessionId) {
        let is_its = |(_, relay): &(&NetIndex, &Relay)| {
            relay.session == session && relay.state.is_of_snapshots()
        };
        let indexes: Vec<_> = self.known.iter().filter(is_its).map(|(index, _)| *index).collect();
        for index in indexes {
            // It is one of those that are known.
            let _ = self.give_up(index);
        }
    }

    /// Whether a connection is of use.
    pub(in crate::worker) fn lives(&self, net_index: NetIndex) -> bool {
        self.known.get(&net_index).is_some_and(|relay| relay.connection.fault().is_none())
    }

    /// Minor version of a connection.
    pub(super) fn minor(&self, net_index: NetIndex) -> Option<u32> {
        self.known.get(&net_index).map(|relay| relay.connection.version().minor)
    }

    /// A connection that something is done with.
    pub(super) fn touch(&mut self, net_index: NetIndex) -> Option<&mut Relay> {
        let relay = self.known.get_mut(&net_index)?;
        if self.touched.last() != Some(&net_index) {
            self.touched.push(net_index);
        }
        Some(relay)
    }

    /// Sends a command, whose outcome comes in any case.
    pub(super) fn command(
        &mut self,
        net_index: NetIndex,
        command: &ConsumerCommand,
        awaited: Awaited,
    ) {
        let Some(relay) = self.touch(net_index) else {
            return self.came(net_index, awaited, Err(CommandError::Gone));
        };
        match relay.connection.queue(Instant::now(), command) {
            Ok(ticket) => {
                relay.awaited.insert(ticket, awaited);
            }
            Err(error) => {
                tracing::error!(relayd = %net_index, %error, "a relay daemon cannot be told");
                let is_full = error == QueueError::Full;
                let error = if is_full { CommandError::Full } else { CommandError::Gone };
                self.came(net_index, awaited, Err(error));
            }
        }
    }

    /// The outcome of a command came.
    pub(super) fn came(&mut self, net_index: NetIndex, awaited: Awaited, outcome: Outcome) {
        match awaited {
            Awaited::ChunkMade(id, answer) => {
                answer.answer(answers::chunk_made(net_index, id, outcome));
            }
            Awaited::ChunkClosed(id, answer) => {
                answer.answer(answers::chunk_closed(net_index, id, outcome));
            }
            Awaited::ChunkExists(answer) => answer.answer(answers::chunk_exists(outcome)),
            Awaited::ChannelRotated(key, answer) => {
                if let Err(error) = &outcome {
                    tracing::error!(relayd = %net_index, %key, %error, "a rotation failed");
                }
                let goes = outcome.is_ok();
                self.effects.push_back(Effect::ChannelRotated { key, goes, answer });
            }
            Awaited::MetadataRotated { key, from, to, answer } => {
                let goes = outcome.is_ok();
                if !goes {
                    tracing::error!(relayd = %net_index, %key, failed = ?outcome,
                        "metadata does not rotate");
                }
                self.effects.push_back(Effect::MetadataRotated { key, goes, from, to, answer });
            }
            Awaited::StreamAdded { addition, key, slot, indexed } => {
                let handle = answers::stream_added(outcome);
                self.effects.extend(handle.map(|handle| {
                    let remote = RemoteStream::new(net_index, handle, indexed);
                    Effect::OpenStream { key, slot, remote }
                }));
                self.stream_added(addition, handle.is_some());
            }
            Awaited::MetadataAdded(key) => {
                self.effects.extend(answers::stream_added(outcome).map(|handle| {
                    let remote = RemoteStream::new(net_index, handle, false);
                    Effect::OpenMetadata { key, remote }
                }));
            }
            Awaited::MetadataAnnounced(key, answer) => {
                let told = outcome.is_ok();
                self.effects.push_back(Effect::MetadataAnnounced { key, told, answer });
            }
            Awaited::StreamsAnnounced(answer) => {
                answer.answer(outcome.map(|_| ()).map_err(|_| Code::RELAYD_FAIL));
            }
            Awaited::TextAdded(key, answer) => match answers::stream_added(outcome) {
                Some(handle) => {
                    self.effects.push_back(Effect::RecordText { net_index, handle, key, answer });
                }
                None => answer.answer(Err(Code::SNAPSHOT_FAILED)),
            },
            Awaited::TextClosed(sent, answer) => {
                answer.answer(answers::text_recorded(sent, &outcome));
            }
            Awaited::Pending { question, matters, of_ended } => {
                self.pending_came(net_index, question, matters, of_ended, &outcome);
            }
            Awaited::StreamClosed => {}
        }
    }

    fn stream_added(&mut self, addition: usize, taken: bool) {
        if let Some((then, taken)) = self.additions.answered(addition, taken) {
            self.added(then, taken);
        }
    }

    pub(super) fn added(&mut self, then: AfterAddition, taken: bool) {
        self.effects.push_back(match then {
            AfterAddition::Channel(key, answer) => Effect::ChannelAdded { key, taken, answer },
            AfterAddition::Streams(relay, answer) => Effect::StreamsAdded { relay, taken, answer },
            AfterAddition::Snapshot(id) => Effect::SnapshotOpened { id, taken },
        });
    }

    fn pending_came(
        &mut self,
        net_index: NetIndex,
        question: usize,
        matters: bool,
        of_ended: bool,
        outcome: &Outcome,
    ) {
        if of_ended
            && let Ok(ConsumerReply::Pending(pending)) = outcome
            && let Some(relay) = self.known.get_mut(&net_index)
        {
            relay.state.answered(*pending);
        }
        let pending = pending::is_pending(outcome);
        match self.questions.answered(question, matters && pending) {
            Some((Asker::SessionDaemon(reply), pending)) => reply.answer(pending),
            Some((Asker::Unwritten(net_index, count), pending)) => {
                self.unwritten_came(net_index, count, pending);
            }
            None => {}
        }
    }

    /// A stream leaves a trace chunk, which is held while packets for it are on their way. Snapshots are
    /// waited for otherwise.
    pub(in crate::worker) fn leave(&mut self, remote: &RemoteStream, chunk: Arc<Chunk>) {
        if remote.indexed
            && let Some(last) = remote.stream.newest()
        {
            let leaving = LeftChunk::new(remote.handle(), last, chunk);
            self.left.push((remote.net_index, leaving));
        }
    }

    /// Has relay daemons asked about the trace chunks that streams left. With one that is lost nothing is
    /// on its way.
    pub(in crate::worker) fn note_left(&mut self) {
        for (net_index, leaving) in std::mem::take(&mut self.left) {
            if let Some(relay) = self.known.get_mut(&net_index) {
                relay.unwritten.hold(leaving);
                self.effects.push_back(Effect::AskUnwritten(net_index));
            }
        }
    }

    /// Takes a connection that something was done with.
    pub(in crate::worker) fn next_touched(&mut self) -> Option<NetIndex> {
        self.touched.pop()
    }

    /// Sends what is queued, and takes what came.
    pub(in crate::worker) fn settle(&mut self, net_index: NetIndex, poller: &mut Poller) {
        let now = Instant::now();
        loop {
            let Some(relay) = self.known.get_mut(&net_index) else { return };
            relay.connection.flush(now);
            let Some((ticket, outcome)) = relay.connection.next_outcome() else { break };
            if let Some(awaited) = relay.awaited.remove(&ticket) {
                self.came(net_index, awaited, outcome);
            }
        }
        if !self.effects.is_empty() {
            // They may queue more.
            self.touch(net_index);
            return;
        }
        let Some(relay) = self.known.get_mut(&net_index) else { return };
        if let Some(fault) = relay.connection.fault() {
            let session = relay.session;
            tracing::error!(relayd = %net_index, %session, %fault, "a relay daemon is lost");
            return self.lose(net_index, poller);
        }
        if relay.state.is_over(relay.connection.is_idle()) {
            if let Some(relay) = self.known.remove(&net_index) {
                relay.unwatch(poller);
            }
            return;
        }
        relay.watch_again(poller);
        if let Some(due) = relay.connection.deadline()
            && !std::mem::replace(&mut relay.is_timed, true)
        {
            self.effects.push_back(Effect::Schedule(due, Due::Relay(net_index)));
        }
    }

    /// Forgets a relay daemon that is lost.
    fn lose(&mut self, net_index: NetIndex, poller: &mut Poller) {
        let Some(mut relay) = self.known.remove(&net_index) else { return };
        relay.unwatch(poller);
        for awaited in std::mem::take(&mut relay.awaited).into_values() {
            self.came(net_index, awaited, Err(CommandError::Gone));
        }
        let waiting = relay.parking.has_room();
        self.effects.extend(waiting.snapshots.into_iter().map(Effect::ResumeSnapshot));
        for text in waiting.recorded {
            text.answer.answer(Err(Code::SNAPSHOT_FAILED));
        }
        let lost = LostRelay { net_index, connection: relay.connection };
        self.effects.push_back(Effect::Lost(Box::new(lost)));
    }

    /// A deadline of a relay daemon may have come.
    pub(in crate::worker) fn deadline_came(&mut self, net_index: NetIndex, now: Instant) {
        if let Some(relay) = self.touch(net_index) {
            relay.is_timed = false;
            relay.connection.on_deadline(now);
        }
    }

    /// Whether a relay daemon still owes something.
    pub(in crate::worker) fn are_busy(&self) -> bool {
        let is_busy = |relay: &Relay| !relay.connection.is_idle() || relay.parking.has_waiting();
        self.known.values().any(is_busy)
    }
}

impl Relay {
    /// Watches for room in the sockets only while something waits for it.
    fn watch_again(&mut self, poller: &Poller) {
        let wanted = self.connection.interest();
        if wanted.control_writable != self.interest.control_writable
            && let Some(token) = self.control_watched
        {
            poller.watch_room(self.connection.control_socket(), token, wanted.control_writable);
        }
        if wanted.data_writable != self.interest.data_writable
            && let Some(token) = self.data_watched
        {
            poller.watch_room(self.connection.data_socket(), token, wanted.data_writable);
        }
        self.interest = wanted;
    }

    fn unwatch(&self, poller: &mut Poller) {
        let sockets = [
            (self.control_watched, self.connection.control_socket()),
            (self.data_watched, self.connection.data_socket()),
        ];
        for (token, socket) in sockets {
            if let Some(token) = token {
                poller.unwatch(socket, token);
            }
        }
    }
}
