//! A data thread: it alone reads the buffers of its streams and writes what is in them. No actor and
//! no runtime: it waits for wake-ups, orders, timers and sockets, and nothing else.

mod abandoned;
mod channel;
mod counts;
mod data_pending;
mod metadata;
mod new;
mod order;
mod recording;
mod relay;
mod rings;
mod rotation;
mod stream;
mod timers;

use std::{
    collections::{HashMap, VecDeque},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use lttngd_model::{ChannelKey, ChunkId, NetIndex, SessionId};
use rustix::event::{Timespec, epoll};
use slab::Slab;

use self::{
    channel::DataChannel,
    metadata::Metadata,
    recording::Job,
    relay::{Check, Relays},
    stream::{DataStream, Output, Progress},
    timers::{Due, TimerQueue},
};
pub(crate) use self::{
    new::{
        ClosingChunk, MetadataText, NewChannel, NewMetadata, NewRemoteChunk, NewStream, Recording,
        RelaySockets, Setup, Timers, Writing,
    },
    order::{Order, Reply},
};
use crate::chunk::Chunk;

/// Most events that are taken at a time.
const EVENTS_MAX: usize = 256;
/// How long the end waits for relay daemons to take what is left.
const END_DEADLINE: Duration = Duration::from_secs(2);

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Watched {
    /// Orders.
    Orders,
    /// Packets of a stream, by its place in the slab, and its end.
    Stream(usize),
    /// The end of a channel.
    Channel(ChannelKey),
    /// A relay daemon's control socket.
    RelayControl(NetIndex),
    /// A relay daemon's data socket.
    RelayData(NetIndex),
}

/// A data thread's state.
pub(crate) struct Worker {
    setup: Setup,
    epoll: OwnedFd,
    wakeup_fd: Arc<OwnedFd>,
    inbox: mpsc::Receiver<Order>,
    watched: Slab<Watched>,
    monitor: Option<Arc<OwnedFd>>,
    streams: Slab<Box<DataStream>>,
    /// Streams that may have packets, by their place in the slab.
    ready: VecDeque<usize>,
    channels: HashMap<ChannelKey, DataChannel>,
    metadata: HashMap<ChannelKey, Metadata>,
    relays: Relays,
    checks: Check,
    jobs: VecDeque<Job>,
    /// Questions for what channels have lost.
    questions: Vec<counts::Question>,
    timers: TimerQueue,
    ends: bool,
}

impl Worker {
    pub(crate) fn new(
        setup: Setup,
        wakeup_fd: Arc<OwnedFd>,
        inbox: mpsc::Receiver<Order>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut worker = Self {
            setup,
            epoll,
            wakeup_fd: Arc::clone(&wakeup_fd),
            inbox,
            watched: Slab::new(),
            monitor: None,
            streams: Slab::new(),
            ready: VecDeque::new(),
            channels: HashMap::new(),
            metadata: HashMap::new(),
            relays: Relays::default(),
            checks: Check::default(),
            jobs: VecDeque::new(),
            questions: Vec::new(),
            timers: TimerQueue::default(),
            ends: false,
        };
        watch(
            &worker.epoll,
            &mut worker.watched,
            wakeup_fd.as_fd(),
            Watched::Orders,
            epoll::EventFlags::IN,
        )?;
        Ok(worker)
    }

    /// Works until it is told to end, or nobody is left to give orders.
    pub(crate) fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        while !self.ends {
            if let Err(error) = self.turn(&mut events) {
                tracing::error!(%error, "a data thread of the consumer cannot wait");
                return;
            }
        }
        self.finish(&mut events);
    }

    /// Waits for something to do, and does it.
    fn turn(&mut self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let timeout = if self.ready.is_empty() && self.jobs.is_empty() {
            self.timers.next().map(|due| due.saturating_duration_since(Instant::now()))
        } else {
            Some(Duration::ZERO)
        };
        events.clear();
        let timeout = timeout.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        for event in events.iter() {
            self.handle(event.data.u64());
        }
        self.take_orders();
        self.serve_ready();
        self.answer_counts();
        self.work_on_jobs();
        let now = Instant::now();
        while let Some(due) = self.timers.pop_due(now) {
            self.fire(due, now);
        }
        self.settle_relays();
        Ok(())
    }

    fn handle(&mut self, token: u64) {
        let watched = usize::try_from(token).ok().and_then(|token| self.watched.get(token));
        match watched.copied() {
            Some(Watched::Orders) => {
                // The orders are taken in any case.
                let _ = rustix::io::read(self.wakeup_fd.as_fd(), &mut [0; 8]);
            }
            Some(Watched::Stream(place)) => self.stream_woken(place),
            Some(Watched::Channel(key)) => self.channel_hung_up(key),
            Some(Watched::RelayControl(index)) => self.relay_ready(index, true),
            Some(Watched::RelayData(index)) => self.relay_ready(index, false),
            None => {}
        }
    }

    fn take_orders(&mut self) {
        loop {
            match self.inbox.try_recv() {
                Ok(order) => self.carry_out(order),
                Err(mpsc::TryRecvError::Empty) => return,
                Err(mpsc::TryRecvError::Disconnected) => {
                    self.ends = true;
                    return;
                }
            }
        }
    }

    fn carry_out(&mut self, order: Order) {
        tracing::trace!(?order, "an order");
        match order {
            Order::SetMonitorPipe(pipe) => self.monitor = Some(pipe),
            Order::AddChannel(new, answer) => self.add_channel(*new, answer),
            Order::AddMetadata(new, answer) => self.add_metadata(*new, answer),
            Order::PushMetadata(text, answer) => answer.answer(self.push_metadata(text)),
            Order::MetadataRefreshed(key) => self.metadata_refreshed(key),
            Order::CloseMetadata(key, answer) => answer.answer(self.close_metadata(key)),
            Order::FlushChannel(key, answer) => answer.answer(self.flush_channel(key)),
            Order::ClearQuiescent(key, answer) => answer.answer(self.clear_quiescent(key)),
            Order::OpenPackets(key, answer) => answer.answer(self.open_packets(key)),
            Order::ClearChannel(key, answer) => answer.answer(self.clear_channel(key)),
            Order::RotateChannel(key, answer) => self.rotate_channel(key, answer),
            Order::TellCounts(key, reply) => self.tell_counts(key, reply),
            Order::Record(recording, answer) => self.record(*recording, answer),
            Order::TellDataPending(session, reply) => self.data_pending(session, reply),
            Order::SetChunk(session, chunk, reply) => {
                self.set_chunk(session, &chunk);
                reply.answer(());
            }
            Order::LeaveChunk { session, chunk, before, reply } => {
                self.leave_chunk(session, chunk, before.as_ref());
                reply.answer(());
            }
            Order::AddRelay(sockets, answer) => answer.answer(self.add_relay(*sockets)),
            Order::DestroyRelay(index, answer) => answer.answer(self.destroy_relay(index)),
            Order::DestroySnapshotRelays(session) => self.destroy_snapshot_relays(session),
            Order::CreateRemoteChunk(chunk, answer) => self.create_remote_chunk(chunk, answer),
            Order::CloseRemoteChunk(chunk, answer) => self.close_remote_chunk(chunk, answer),
            Order::RemoteChunkExists(index, chunk, answer) => {
                self.remote_chunk_exists(index, chunk, answer);
            }
            Order::ShowLife(reply) => reply.answer(()),
            Order::End => self.ends = true,
        }
    }

    /// Gives each stream that may have packets a turn.
    fn serve_ready(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(place) = self.ready.pop_front() else { return };
            self.serve(place);
        }
    }

    /// Reads and writes packets of a stream until there are none, or its turn is over.
    fn serve(&mut self, place: usize) {
        let Some(stream) = self.streams.get_mut(place) else { return };
        stream.queued = false;
        let relay = match &stream.output {
            Output::Remote(remote) => Some(remote.net_index),
            _ => None,
        };
        match stream.serve(&self.setup.clock, &mut self.relays) {
            Progress::More => self.make_ready(place),
            Progress::Idle => {}
            Progress::Unfinished => self.wait_for_writers(place),
            Progress::Parked { partly } => return self.park(place, partly),
            Progress::Undescribed => self.wait_for_metadata(place),
            Progress::Rotating => self.wait_for_indexes(place),
            Progress::Ended => self.remove_stream(place),
        }
        self.retire_if_given_up(place);
        if let Some(relay) = relay {
            self.unpark(relay);
        }
    }

    /// Puts a stream in line.
    fn make_ready(&mut self, place: usize) {
        if let Some(stream) = self.streams.get_mut(place)
            && !stream.queued
        {
            stream.queued = true;
            self.ready.push_back(place);
        }
    }

    fn stream_woken(&mut self, place: usize) {
        let Some(stream) = self.streams.get_mut(place) else { return };
        let woken = stream.woken();
        if woken != lttngd_ringbuffer::Wakeup::HungUp && stream.rings.rang() {
            self.go_deaf(place);
            return self.make_ready(place);
        }
        let Some(stream) = self.streams.get_mut(place) else { return };
        if woken == lttngd_ringbuffer::Wakeup::HungUp {
            let watched = stream.watched.take();
            stream.hang_up(&self.setup.clock);
            if let Some(token) = watched {
                let stream = &self.streams[place];
                unwatch(&self.epoll, &mut self.watched, stream.ring.wakeup_reader(), token);
            }
        }
        self.make_ready(place);
    }

    fn fire(&mut self, due: Due, now: Instant) {
        match due {
            // Channels have nothing more to do in time: short periods would put the end off.
            Due::Channel(..) if self.ends => {}
            Due::Channel(key, kind) => self.channel_timer(key, kind, now),
            Due::Metadata(key) => self.metadata_timer(key, now),
            Due::Listen(key) => self.listen(key),
            Due::Abandoned(key) => self.finish_abandoned(key, now),
            Due::Unwritten(key) => self.write_again(key, now),
            Due::Relay(index) => self.relay_timer(index, now),
            Due::Leaving(index) => self.leaving_timer(index),
        }
    }

    /// Gives the channels of a session their new trace chunk.
    fn set_chunk(&mut self, session: SessionId, chunk: &Arc<Chunk>) {
        for channel in self.channels.values_mut().filter(|c| c.session == session) {
            channel.chunk = Some(Arc::clone(chunk));
        }
        for metadata in self.metadata.values_mut().filter(|m| m.session() == session) {
            metadata.next_chunk = Some(Arc::clone(chunk));
        }
    }

    /// Takes a trace chunk from the channels of a session, for the one before it if there is one.
    /// Streams keep it until they leave it.
    fn leave_chunk(&mut self, session: SessionId, id: ChunkId, before: Option<&Arc<Chunk>>) {
        let channels = self.channels.values_mut().filter(|channel| channel.session == session);
        let metadata = self.metadata.values_mut().filter(|metadata| metadata.session() == session);
        let chunks = channels.map(|channel| &mut channel.chunk);
        for chunk in chunks.chain(metadata.map(|metadata| &mut metadata.next_chunk)) {
            if chunk.as_ref().is_some_and(|chunk| chunk.id == id) {
                *chunk = before.cloned();
            }
        }
    }

    /// Writes out what the buffers hold.
    fn finish(&mut self, events: &mut Vec<epoll::Event>) {
        let monitored = self.channels.values().filter(|channel| channel.monitored);
        let places: Vec<usize> = monitored.flat_map(|channel| channel.streams.clone()).collect();
        for place in &places {
            self.streams[*place].end(&self.setup.clock);
            self.make_ready(*place);
        }
        let deadline = Instant::now() + END_DEADLINE;
        self.write_rest(events, deadline);
        // Whoever has not finished an event by now is not waited for.
        for place in places {
            if let Some(stream) = self.streams.get_mut(place) {
                stream.finish_all_abandoned(&self.setup.clock);
                self.make_ready(place);
            }
        }
        self.write_rest(events, deadline);
        let keys: Vec<ChannelKey> = self.metadata.keys().copied().collect();
        for key in keys {
            self.write_again(key, Instant::now());
        }
    }

    /// Works until all that is ready is written, which ends since streams do, and until relay daemons
    /// have taken what they take before the deadline.
    fn write_rest(&mut self, events: &mut Vec<epoll::Event>, deadline: Instant) {
        let is_late = || Instant::now() >= deadline;
        self.timers.schedule(deadline, Due::Relay(NetIndex(u64::MAX)));
        while !self.ready.is_empty() || (self.relays_are_busy() && !is_late()) {
            if self.turn(events).is_err() {
                return;
            }
        }
    }
}

/// Watches a descriptor.
fn watch(
    epoll: &OwnedFd,
    watched: &mut Slab<Watched>,
    descriptor: BorrowedFd<'_>,
    what: Watched,
    flags: epoll::EventFlags,
) -> io::Result<usize> {
    let token = watched.insert(what);
    let data = epoll::EventData::new_u64(token as u64);
    if let Err(errno) = epoll::add(epoll, descriptor, data, flags) {
        watched.remove(token);
        return Err(errno.into());
    }
    Ok(token)
}

/// Watches a descriptor no longer.
fn unwatch(epoll: &OwnedFd, watched: &mut Slab<Watched>, descriptor: BorrowedFd<'_>, token: usize) {
    // It fails only for a descriptor that is not watched.
    let _ = epoll::delete(epoll, descriptor);
    watched.try_remove(token);
}
