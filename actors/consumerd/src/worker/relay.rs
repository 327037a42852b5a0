//! Relay daemons: their connections, what waits for their replies, and the streams that go there.

mod chunks;
mod data_pending;
mod leaving;
mod live;
mod streams;
#[cfg(test)]
mod tests;
mod text;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    os::fd::OwnedFd,
    time::Instant,
};

use lttngd_model::{ChannelKey, NetIndex, SessionId};
use lttngd_relaystream::{
    CommandError, Interest, OfferError, Offered, Outcome, QueueError, RelayConnection, RelayStream,
    Ticket,
};
use lttngd_ringbuffer::Packet;
use lttngd_wire::{consumer::ConsumerError as Code, relay::ConsumerCommand};
use rustix::event::epoll::{self, EventFlags};

pub(super) use self::{chunks::RemoteRotation, live::Live, streams::Check};
use self::{
    leaving::{Leaving, Unwritten},
    text::RecordedText,
};
use super::{
    Due, Job, Watched, Worker,
    new::RelaySockets,
    stream::{Output, packet_index},
    unwatch,
};

/// What is done with a reply of a relay daemon.
type Then = Box<dyn FnOnce(&mut Worker, Outcome) + Send>;

/// A connection to a relay daemon.
pub(super) struct Relay {
    session: SessionId,
    relay_session_id: u64,
    connection: RelayConnection,
    waiting: HashMap<Ticket, Then>,
    /// Streams whose packets it does not take now. One of which a part is sent stands first.
    parked: VecDeque<usize>,
    /// Streams whose next packets are of a trace chunk that it is not at.
    rotating: HashSet<usize>,
    parked_jobs: Vec<Job>,
    /// Metadata of snapshots that it does not take now.
    recorded: Vec<RecordedText>,
    /// Metadata channels with text that it does not take now.
    behind: HashSet<ChannelKey>,
    /// Trace chunks for which packets are on their way.
    unwritten: Unwritten,
    control_watched: Option<usize>,
    data_watched: Option<usize>,
    interest: Interest,
    armed: Option<Instant>,
    /// Streams that are open.
    open_streams: usize,
    /// Whether a snapshot was sent there.
    of_snapshots: bool,
    /// Whether it said that it has everything after its last stream ended.
    has_all: bool,
    /// Whether the session daemon gave it up.
    given_up: bool,
}

/// All connections, and which of them something was done with.
#[derive(Default)]
pub(super) struct Relays {
    known: HashMap<NetIndex, Relay>,
    touched: Vec<NetIndex>,
    /// Trace chunks that streams left since the last turn.
    leaving: Vec<Leaving>,
}

impl Relays {
    /// Whether a connection is of use.
    pub(super) fn live(&self, net_index: NetIndex) -> bool {
        self.known.get(&net_index).is_some_and(|relay| relay.connection.fault().is_none())
    }

    fn touch(&mut self, net_index: NetIndex) -> Option<&mut Relay> {
        let relay = self.known.get_mut(&net_index)?;
        if self.touched.last() != Some(&net_index) {
            self.touched.push(net_index);
        }
        Some(relay)
    }
}

/// A stream at a relay daemon.
#[derive(Debug)]
pub(super) struct RemoteStream {
    pub(super) net_index: NetIndex,
    pub(super) stream: RelayStream,
    /// Whether packets are indexed. Snapshots are not.
    pub(super) indexed: bool,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    /// It is written, with so many bytes.
    Whole(u64),
    /// It cannot go on now. Whether a part of it is sent.
    Parked {
        /// Then the same packet has to come before any other.
        partly: bool,
    },
    /// It will never be.
    Lost,
}

impl RemoteStream {
    /// Sends a packet, as far as it goes.
    pub(super) fn send(&mut self, packet: &Packet<'_>, relays: &mut Relays) -> Sent {
        let Some(relay) = relays.touch(self.net_index) else { return Sent::Lost };
        let (content_len, padding_len) = content_and_padding(packet);
        let content = [packet.header_bytes.as_slice().into(), packet.body.first(content_len)];
        let index = self.indexed.then(|| packet_index(packet.header));
        let (now, padding_len) = (Instant::now(), u32::try_from(padding_len).unwrap_or(0));
        let offered = relay.connection.offer_packet(
            now,
            &mut self.stream,
            &content,
            padding_len,
            index.as_ref(),
        );
        match offered {
            Ok(Offered::Sent) => Sent::Whole((packet.header_bytes.len() + content_len) as u64),
            Ok(Offered::Partial) => Sent::Parked { partly: true },
            Ok(Offered::NotReady) => Sent::Parked { partly: false },
            Err(OfferError::Gone) => Sent::Lost,
            Err(error @ (OfferError::Unreadable | OfferError::TooLarge(_))) => {
                tracing::error!(%error, "a packet for a relay daemon is lost");
                Sent::Lost
            }
        }
    }

    /// Whether its relay daemon has still to take the index of a packet that was sent.
    pub(super) fn awaits_indexes(&self, relays: &Relays) -> bool {
        relays
            .known
            .get(&self.net_index)
            .is_some_and(|relay| !relay.connection.has_indexes_of(&self.stream))
    }

    /// Lets go of a packet that may be partly sent.
    pub(super) fn keep_rest(&mut self, packet: &Packet<'_>, relays: &mut Relays) {
        let Some(relay) = relays.touch(self.net_index) else { return };
        let (content_len, padding_len) = content_and_padding(packet);
        let content = [packet.header_bytes.as_slice().into(), packet.body.first(content_len)];
        let index = self.indexed.then(|| packet_index(packet.header));
        let padding_len = u32::try_from(padding_len).unwrap_or(0);
        let now = Instant::now();
        relay.connection.keep_rest(now, &mut self.stream, &content, padding_len, index.as_ref());
    }
}

/// Bytes of a packet that follow its header, and bytes that fill it up.
fn content_and_padding(packet: &Packet<'_>) -> (usize, usize) {
    let content_bytes = usize::try_from(packet.header.content_size_bits / 8).unwrap_or(usize::MAX);
    let content_len =
        content_bytes.saturating_sub(packet.header_bytes.len()).min(packet.body.len());
    (content_len, packet.body.len() - content_len)
}

impl Worker {
    /// Takes a connection over.
    pub(crate) fn add_relay(&mut self, sockets: RelaySockets) -> Result<(), Code> {
        let RelaySockets { net_index, session, relay_session_id, version, control, data } = sockets;
        if self.relays.known.contains_key(&net_index) {
            tracing::error!(relayd = %net_index, "the index of a relay daemon is taken");
            return Err(Code::RELAYD_FAIL);
        }
        let connection = RelayConnection::new(control, data, version, self.setup.relay_limits);
        let mut watch = |socket, what| {
            super::watch(&self.epoll, &mut self.watched, socket, what, EventFlags::IN)
        };
        let control_watched =
            watch(connection.control_socket(), Watched::RelayControl(net_index)).ok();
        let data_watched = watch(connection.data_socket(), Watched::RelayData(net_index)).ok();
        let relay = Relay {
            session,
            relay_session_id,
            connection,
            waiting: HashMap::new(),
            parked: VecDeque::new(),
            rotating: HashSet::new(),
            parked_jobs: Vec::new(),
            recorded: Vec::new(),
            behind: HashSet::new(),
            unwritten: Unwritten::default(),
            control_watched,
            data_watched,
            interest: Interest::default(),
            armed: None,
            open_streams: 0,
            of_snapshots: false,
            has_all: false,
            given_up: false,
        };
        self.relays.known.insert(net_index, relay);
        if control_watched.is_none() || data_watched.is_none() {
            self.drop_relay(net_index);
            tracing::error!(relayd = %net_index, "the sockets of a relay daemon cannot be watched");
            return Err(Code::RELAYD_FAIL);
        }
        Ok(())
    }

    /// Gives a connection up once its streams are gone.
    pub(crate) fn destroy_relay(&mut self, net_index: NetIndex) -> Result<(), Code> {
        let relay = self.relays.touch(net_index).ok_or(Code::RELAYD_FAIL)?;
        relay.given_up = true;
        Ok(())
    }

    /// Whether a connection is of use.
    pub(super) fn relay_lives(&self, net_index: NetIndex) -> bool {
        self.relays.live(net_index)
    }

    /// Minor version of a connection.
    fn relay_minor(&self, net_index: NetIndex) -> Option<u32> {
        self.relays.known.get(&net_index).map(|relay| relay.connection.version().minor)
    }

    /// Sends a command; `then` gets its outcome, in any case.
    fn command(
        &mut self,
        net_index: NetIndex,
        command: &ConsumerCommand,
        then: impl FnOnce(&mut Self, Outcome) + Send + 'static,
    ) {
        let Some(relay) = self.relays.touch(net_index) else {
            return then(self, Err(CommandError::Gone));
        };
        match relay.connection.queue(Instant::now(), command) {
            Ok(ticket) => {
                relay.waiting.insert(ticket, Box::new(then));
            }
            Err(error) => {
                tracing::error!(relayd = %net_index, %error, "a relay daemon cannot be told");
                let is_full = error == QueueError::Full;
                then(self, Err(if is_full { CommandError::Full } else { CommandError::Gone }));
            }
        }
    }

    /// A socket of a relay daemon gives or takes something.
    pub(super) fn relay_ready(&mut self, net_index: NetIndex, is_control: bool) {
        let Some(relay) = self.relays.touch(net_index) else { return };
        let now = Instant::now();
        if is_control {
            relay.connection.on_control_ready(now);
        } else {
            relay.connection.on_data_ready(now);
        }
        for place in std::mem::take(&mut relay.rotating) {
            self.make_ready(place);
        }
        self.unpark(net_index);
    }

    /// Lets whoever waits for a relay daemon go on: the first stream, which lets the next one, and
    /// all else.
    pub(super) fn unpark(&mut self, net_index: NetIndex) {
        let Some(relay) = self.relays.known.get_mut(&net_index) else { return };
        let behind: Vec<ChannelKey> = relay.behind.drain().collect();
        let recorded = std::mem::take(&mut relay.recorded);
        self.jobs.extend(relay.parked_jobs.drain(..));
        if let Some(place) = relay.parked.pop_front() {
            self.make_ready(place);
        }
        for key in behind {
            self.send_metadata(key);
        }
        for text in recorded {
            self.send_recorded_metadata(net_index, text);
        }
    }

    /// Has a stream wait for its relay daemon.
    pub(super) fn park(&mut self, place: usize, partly: bool) {
        let Some(Output::Remote(remote)) = self.streams.get(place).map(|stream| &stream.output)
        else {
            return;
        };
        let Some(relay) = self.relays.known.get_mut(&remote.net_index) else { return };
        if partly {
            relay.parked.push_front(place);
        } else {
            relay.parked.push_back(place);
        }
    }

    /// Has a stream wait for what its relay daemon answers next.
    pub(super) fn wait_for_indexes(&mut self, place: usize) {
        if let Some(Output::Remote(remote)) = self.streams.get(place).map(|stream| &stream.output)
            && let Some(relay) = self.relays.known.get_mut(&remote.net_index)
        {
            relay.rotating.insert(place);
        }
    }

    /// Has a snapshot wait for its relay daemon.
    pub(super) fn park_job(&mut self, net_index: NetIndex, job: Job) {
        match self.relays.known.get_mut(&net_index) {
            Some(relay) => relay.parked_jobs.push(job),
            // It finds out by itself.
            None => self.jobs.push_back(job),
        }
    }

    /// Does what came of all that was done with relay daemons in this turn.
    pub(super) fn settle_relays(&mut self) {
        self.ask_about_leaving();
        while let Some(net_index) = self.relays.touched.pop() {
            self.settle(net_index);
        }
    }

    fn settle(&mut self, net_index: NetIndex) {
        let now = Instant::now();
        loop {
            let Some(relay) = self.relays.known.get_mut(&net_index) else { return };
            relay.connection.flush(now);
            let Some((ticket, outcome)) = relay.connection.next_outcome() else { break };
            if let Some(then) = relay.waiting.remove(&ticket) {
                then(self, outcome);
            }
        }
        let Some(relay) = self.relays.known.get_mut(&net_index) else { return };
        if let Some(fault) = relay.connection.fault() {
            let session = relay.session;
            tracing::error!(relayd = %net_index, %session, %fault, "a relay daemon is lost");
            return self.lose_relay(net_index);
        }
        if relay.given_up && relay.open_streams == 0 && relay.connection.is_idle() {
            return self.drop_relay(net_index);
        }
        relay.watch_again(&self.epoll);
        if let Some(due) = relay.connection.deadline()
            && relay.armed.is_none()
        {
            relay.armed = Some(due);
            self.timers.schedule(due, Due::Relay(net_index));
        }
    }

    /// A deadline of a relay daemon may have come.
    pub(super) fn relay_timer(&mut self, net_index: NetIndex, now: Instant) {
        if let Some(relay) = self.relays.touch(net_index) {
            relay.armed = None;
            relay.connection.on_deadline(now);
        }
    }

    /// The streams of a relay daemon that is lost go nowhere from now on.
    fn lose_relay(&mut self, net_index: NetIndex) {
        let Some(relay) = self.relays.known.get_mut(&net_index) else { return };
        let waiting: Vec<Then> = relay.waiting.drain().map(|(_, then)| then).collect();
        let jobs = std::mem::take(&mut relay.parked_jobs);
        for (_, stream) in &mut self.streams {
            if let Output::Remote(remote) = &stream.output
                && remote.net_index == net_index
            {
                stream.unwritten_packets += relay.connection.unanswered_of(&remote.stream);
            }
        }
        self.drop_relay(net_index);
        for then in waiting {
            then(self, Err(CommandError::Gone));
        }
        self.jobs.extend(jobs);
        let is_there = |output: &Output| matches!(output, Output::Remote(remote) if remote.net_index == net_index);
        let places: Vec<usize> = self
            .streams
            .iter()
            .filter(|(_, stream)| is_there(&stream.output))
            .map(|(place, _)| place)
            .collect();
        for place in places {
            let stream = &mut self.streams[place];
            stream.output = Output::Nowhere;
            stream.chunk = None;
            stream.rotation = None;
            let channel = stream.channel;
            self.make_ready_if_monitored(channel, place);
        }
        self.lose_remote_metadata(net_index);
    }

    fn drop_relay(&mut self, net_index: NetIndex) {
        let Some(relay) = self.relays.known.remove(&net_index) else { return };
        let sockets = [
            (relay.control_watched, relay.connection.control_socket()),
            (relay.data_watched, relay.connection.data_socket()),
        ];
        for (token, socket) in sockets {
            if let Some(token) = token {
                unwatch(&self.epoll, &mut self.watched, socket, token);
            }
        }
    }

    /// Whether a relay daemon still owes something.
    pub(super) fn relays_are_busy(&self) -> bool {
        self.relays.known.values().any(|relay| {
            !relay.connection.is_idle() || !relay.parked.is_empty() || !relay.behind.is_empty()
        })
    }
}

impl Relay {
    /// Watches for room in the sockets only while something waits for it.
    fn watch_again(&mut self, epoll: &OwnedFd) {
        let wanted = self.connection.interest();
        let change = |socket, token: Option<usize>, writable| {
            let Some(token) = token else { return };
            let flags = if writable { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            // It fails only for a socket that is not watched.
            let _ = epoll::modify(epoll, socket, epoll::EventData::new_u64(token as u64), flags);
        };
        if wanted.control_writable != self.interest.control_writable {
            let socket = self.connection.control_socket();
            change(socket, self.control_watched, wanted.control_writable);
        }
        if wanted.data_writable != self.interest.data_writable {
            change(self.connection.data_socket(), self.data_watched, wanted.data_writable);
        }
        self.interest = wanted;
    }
}
