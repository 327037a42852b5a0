//! A data thread: it alone reads the buffers of its streams and writes what is in them. No actor and
//! no runtime: it waits for wake-ups, orders, timers and sockets, and nothing else.

mod abandoned;
mod channel;
mod counts;
mod data_pending;
mod metadata;
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

use lttngd_model::{ChannelKey, ChunkId, SessionId};
use lttngd_relaystream::RelayLimits;
use rustix::event::{Timespec, epoll};
use slab::Slab;
use tokio::sync::mpsc::UnboundedSender;

use self::{
    channel::DataChannel,
    metadata::Metadata,
    recording::Job,
    relay::{Check, Relays},
    stream::{DataStream, Output, Progress},
    timers::{Due, TimerQueue},
};
pub(crate) use self::{
    channel::{NewChannel, NewStream, Timers, Writing},
    metadata::NewMetadata,
    recording::Recording,
    relay::{ClosingChunk, NewRemoteChunk, RelaySockets},
};
use crate::{chunk::Chunk, clock::PacketClock, crew::Order};

/// Most events that are taken at a time.
const EVENTS_MAX: usize = 256;
/// How long the end waits for relay daemons to take what is left.
const END_DEADLINE: Duration = Duration::from_secs(2);

/// What a data thread tells the control thread.
#[derive(Debug)]
pub(crate) enum Event {
    /// A channel's last stream has ended.
    ChannelEnded { session: SessionId, key: ChannelKey },
    /// Nobody holds a trace chunk any more.
    ChunkEnded { session: SessionId, chunk: ChunkId },
    /// Newer text is wanted for a metadata channel.
    MetadataWanted { session: SessionId, key: ChannelKey },
}

/// What all data threads start with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) clock: PacketClock,
    pub(crate) relay_limits: RelayLimits,
}

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Watched {
    /// Orders.
    Bell,
    /// Packets of a stream, by its place in the slab, and its end.
    Stream(usize),
    /// The end of a channel.
    Channel(ChannelKey),
    /// A relay daemon's control socket.
    RelayControl(u64),
    /// A relay daemon's data socket.
    RelayData(u64),
}

/// A data thread's state.
pub(crate) struct Worker {
    setup: Setup,
    epoll: OwnedFd,
    bell: Arc<OwnedFd>,
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
        bell: Arc<OwnedFd>,
        inbox: mpsc::Receiver<Order>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut worker = Self {
            setup,
            epoll,
            bell: Arc::clone(&bell),
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
            bell.as_fd(),
            Watched::Bell,
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
            Some(Watched::Bell) => {
                // The orders are taken in any case.
                let _ = rustix::io::read(self.bell.as_fd(), &mut [0; 8]);
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
                Ok(order) => order(self),
                Err(mpsc::TryRecvError::Empty) => return,
                Err(mpsc::TryRecvError::Disconnected) => {
                    self.ends = true;
                    return;
                }
            }
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

    /// Where samples of buffer use are told.
    pub(crate) fn set_monitor_pipe(&mut self, pipe: Arc<OwnedFd>) {
        self.monitor = Some(pipe);
    }

    /// Gives the channels of a session their new trace chunk.
    pub(crate) fn set_chunk(&mut self, session: SessionId, chunk: &Arc<Chunk>) {
        for channel in self.channels.values_mut().filter(|c| c.session == session) {
            channel.chunk = Some(Arc::clone(chunk));
        }
        for metadata in self.metadata.values_mut().filter(|m| m.session() == session) {
            metadata.next_chunk = Some(Arc::clone(chunk));
        }
    }

    /// Takes a trace chunk from the channels of a session, for the one before it if there is one.
    /// Streams keep it until they leave it.
    pub(crate) fn leave_chunk(
        &mut self,
        session: SessionId,
        id: ChunkId,
        before: Option<&Arc<Chunk>>,
    ) {
        let channels = self.channels.values_mut().filter(|channel| channel.session == session);
        let metadata = self.metadata.values_mut().filter(|metadata| metadata.session() == session);
        let chunks = channels.map(|channel| &mut channel.chunk);
        for chunk in chunks.chain(metadata.map(|metadata| &mut metadata.next_chunk)) {
            if chunk.as_ref().is_some_and(|chunk| chunk.id == id) {
                *chunk = before.cloned();
            }
        }
    }

    /// Ends after this turn.
    pub(crate) fn end(&mut self) {
        self.ends = true;
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
        self.timers.schedule(deadline, Due::Relay(u64::MAX));
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
