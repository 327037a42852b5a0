//! What a data thread has.

use std::{
    collections::{HashMap, VecDeque},
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, mpsc},
};

use lttngd_model::ChannelKey;
use slab::Slab;

use super::{
    channel::DataChannel,
    counts_question::CountsQuestion,
    metadata::Metadata,
    new::{Counts, Setup},
    order::Order,
    poller::{Poller, Watched},
    precedence::Precedence,
    relay::Relays,
    snapshot::Snapshots,
    stream::DataStream,
    timers::TimerQueue,
};

/// A data thread's state. What is decided of a stream, a rotation, a snapshot or a relay daemon is decided by
/// the values in it; here they meet.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(super) setup: Setup,
    pub(super) poller: Poller,
    pub(super) _wakeup_fd: Arc<OwnedFd>,
    pub(super) inbox: mpsc::Receiver<Order>,
    pub(super) streams: Slab<Box<DataStream>>,
    /// Streams that may have packets, by their slots.
    pub(super) ready: VecDeque<usize>,
    pub(super) channels: HashMap<ChannelKey, DataChannel>,
    pub(super) metadata: HashMap<ChannelKey, Metadata>,
    pub(super) relays: Relays,
    pub(super) snapshots: Snapshots,
    /// Questions for what channels have lost.
    pub(super) questions: Vec<CountsQuestion>,
    pub(super) timers: TimerQueue,
    /// `None` when it may not come before programs.
    pub(super) precedence: Option<Precedence>,
    /// Whether it ends after this turn.
    pub(super) ends: bool,
}

impl Worker {
    /// With nothing to do. `wakeup_fd` counts orders that are in `inbox`.
    ///
    /// # Errors
    /// When there are no descriptors or no memory for what waits.
    pub(crate) fn new(
        setup: Setup,
        wakeup_fd: Arc<OwnedFd>,
        inbox: mpsc::Receiver<Order>,
    ) -> io::Result<Self> {
        let mut poller = Poller::new()?;
        poller.watch_news(wakeup_fd.as_fd(), Watched::Orders)?;
        Ok(Self {
            setup,
            poller,
            _wakeup_fd: wakeup_fd,
            inbox,
            streams: Slab::new(),
            ready: VecDeque::new(),
            channels: HashMap::new(),
            metadata: HashMap::new(),
            relays: Relays::default(),
            snapshots: Snapshots::default(),
            questions: Vec::new(),
            timers: TimerQueue::default(),
            precedence: None,
            ends: false,
        })
    }

    /// Puts a stream in line.
    pub(super) fn make_ready(&mut self, slot: usize) {
        if let Some(stream) = self.streams.get_mut(slot)
            && !stream.queued
        {
            stream.queued = true;
            self.ready.push_back(slot);
        }
    }

    /// Reads the streams of snapshot channels only when a snapshot is recorded.
    pub(super) fn make_ready_if_monitored(&mut self, key: ChannelKey, slot: usize) {
        if self.channels.get(&key).is_some_and(|channel| channel.monitored) {
            self.make_ready(slot);
        }
    }

    /// Slots of a channel's streams.
    pub(super) fn streams_of(&self, key: ChannelKey) -> Vec<usize> {
        self.channels.get(&key).map(|channel| channel.streams.clone()).unwrap_or_default()
    }

    /// The stream in a slot, unless that has become another channel's.
    pub(super) fn stream_of(&mut self, key: ChannelKey, slot: usize) -> Option<&mut DataStream> {
        self.streams.get_mut(slot).map(|stream| &mut **stream).filter(|s| s.channel == key)
    }

    /// The metadata channel of a data channel's trace, while it runs here.
    pub(super) fn metadata_of(&self, key: ChannelKey) -> Option<ChannelKey> {
        let wanted = &self.channels.get(&key)?.writing;
        self.metadata.iter().find(|(_, metadata)| metadata.is_of_trace(wanted)).map(|(key, _)| *key)
    }

    /// What a channel has lost so far.
    pub(super) fn counts(&self, key: ChannelKey) -> Counts {
        let Some(channel) = self.channels.get(&key) else { return Counts::default() };
        let mut counts = channel.ended;
        for slot in &channel.streams {
            counts.add(self.streams[*slot].losses());
        }
        counts
    }
}
