//! A data thread: it alone reads the buffers of its streams and writes what is in them. No actor and
//! no runtime: it waits for wake-ups, orders, timers and sockets, and nothing else.
//!
//! ```text
//!   orders --------> acts/  ----> DataStream: StreamSource -> Output      decide: turn, extent, live,
//!   wake-ups ----->   |                                       |           packet_due, rotation, snapshot,
//!   timers ------->   |    <---- effects ---- Relays <--------+           counts_question, throttle ...
//!   sockets ------>   +--------> (relay/)
//! ```
//!
//! Each file uses those below it alone: values and their decisions, then what is made of them (streams,
//! relay daemons), then the thread's state, then what it does.

mod acts;
mod channel;
mod complaints;
mod counts_question;
#[cfg(test)]
mod example;
mod extent;
mod kernel_source;
mod live;
mod metadata;
mod metadata_text;
mod new;
mod order;
mod output;
mod packet_due;
mod poller;
mod precedence;
mod relay;
mod remote;
mod rotation;
mod snapshot;
mod state;
mod stream;
mod stream_rotation;
mod stream_source;
#[cfg(test)]
mod tests;
mod throttle;
mod timers;
mod turn;
mod unfinished;

use std::{
    io,
    sync::mpsc,
    time::{Duration, Instant},
};

use lttngd_model::{ChannelKey, NetIndex};
use lttngd_runtime::{come_after, come_first, is_first};
use rustix::time::{ClockId, clock_gettime};

#[cfg(test)]
pub(crate) use self::example::example_ring;
pub(crate) use self::{
    new::{
        ChannelEnd, ClosingChunk, Counts, KERNEL_DIRECTORY, NewChannel, NewMetadata,
        NewRemoteChunk, NewStream, OutputConfig, PushedText, Recording, RelaySockets, Setup,
        Timers, UST_DIRECTORY,
    },
    order::{Order, Reply},
    state::Worker,
    timers::LOOK_PERIOD_US,
};
use self::{poller::Watched, precedence::Precedence, timers::Due};

/// How long the end waits for relay daemons to take what is left.
const END_DEADLINE: Duration = Duration::from_secs(2);

/// How often it looks whether data that a test holds may go on.
const HOLD_LOOKS: Duration = Duration::from_millis(20);

impl Worker {
    /// Works until it is told to end, or nobody is left to give orders. `false` when it could not.
    pub(crate) fn run(mut self) -> bool {
        match come_first() {
            Ok(()) => self.precedence = Some(Precedence::new(Instant::now(), processor_time())),
            Err(error) => {
                tracing::info!(%error, "a data thread waits for its turn behind busy applications");
            }
        }
        while !self.ends {
            if let Err(error) = self.turn() {
                tracing::error!(%error, "a data thread of the consumer cannot wait");
                return false;
            }
        }
        self.finish();
        true
    }

    /// Waits for something to do, and does it.
    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.wait_at_most();
        self.setup.pulse.rest();
        let begun = Instant::now();
        let waited = self.poller.wait(self.precedence_rest(timeout));
        self.setup.pulse.beat();
        waited?;
        self.settle_precedence(begun);
        while let Some(watched) = self.poller.next_event() {
            self.handle(watched);
        }
        self.take_orders();
        self.serve_ready();
        self.answer_counts();
        self.work_on_snapshots();
        let now = Instant::now();
        while let Some(due) = self.timers.pop_due(now) {
            self.fire(due, now);
        }
        self.settle_relays();
        Ok(())
    }

    /// How long it may wait for something to do.
    fn wait_at_most(&mut self) -> Option<Duration> {
        let next = self.timers.next().map(|due| due.saturating_duration_since(Instant::now()));
        if self.snapshots.ready_count() > 0 {
            return Some(Duration::ZERO);
        }
        match (self.ready.is_empty(), self.holds()) {
            (true, _) => next,
            (false, false) => Some(Duration::ZERO),
            (false, true) => Some(next.map_or(HOLD_LOOKS, |next| next.min(HOLD_LOOKS))),
        }
    }

    /// Whether data stays in its buffers: a test's, and not at the end.
    fn holds(&self) -> bool {
        self.setup.pause.is_on() && !self.ends
    }

    /// How long it may wait at most, to be looked at in time.
    fn precedence_rest(&self, timeout: Option<Duration>) -> Option<Duration> {
        let rest_max = self.precedence.as_ref().and_then(Precedence::rest_max);
        timeout.into_iter().chain(rest_max).min()
    }

    /// It has waited since then. It comes before all programs, or no longer, by what it has done.
    fn settle_precedence(&mut self, begun: Instant) {
        let now = Instant::now();
        let rested = now.saturating_duration_since(begun);
        let precedence = self.precedence.as_mut();
        let change = precedence.and_then(|it| it.rested(rested, now, processor_time));
        let Some(comes_first) = change else { return };
        if !comes_first && !is_first() {
            // Whoever gave it another priority wants it so.
            self.precedence = None;
            return;
        }
        tracing::debug!(comes_first, "a data thread has caught up, or is kept busy");
        if let Err(error) = if comes_first { come_first() } else { come_after() } {
            tracing::warn!(%error, "the priority of a data thread stays as it is");
            self.precedence = None;
        }
    }

    fn handle(&mut self, watched: Watched) {
        match watched {
            // They are taken in any case. What counts them is not read: one more is news each time.
            Watched::Orders => {}
            Watched::Stream(slot) => self.stream_woken(slot),
            Watched::Channel(key) => self.channel_hung_up(key),
            Watched::RelayControl(index) => self.relay_ready(index, true),
            Watched::RelayData(index) => self.relay_ready(index, false),
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

    /// Carries an order out, and what comes of it at once.
    fn carry_out(&mut self, order: Order) {
        tracing::trace!(?order, "an order");
        match order {
            Order::AddChannel(new, answer) => self.add_channel(*new, answer),
            Order::AddStreams(key, streams, held, answer) => {
                self.add_streams(key, streams, held, answer);
            }
            Order::AnnounceStreams(relay, answer) => self.relays.announce_streams(relay, answer),
            Order::DestroyChannel(key, answer) => answer.answer(self.destroy_channel(key)),
            Order::AddMetadata(new, answer) => self.add_metadata(*new, answer),
            Order::PushMetadata(text, answer) => answer.answer(self.push_metadata(&text)),
            Order::MetadataRefreshed(key) => self.metadata_refreshed(key),
            Order::CloseMetadata(key, answer) => answer.answer(self.close_metadata(key)),
            Order::FlushChannel(key, answer) => answer.answer(self.flush_channel(key)),
            Order::ClearQuiescent(key, answer) => answer.answer(self.clear_quiescent(key)),
            Order::OpenPackets(key, answer) => answer.answer(self.open_packets(key)),
            Order::ClearChannel(key, answer) => answer.answer(self.clear_channel(key)),
            Order::RotateChannel(key, answer) => self.rotate_channel(key, answer),
            Order::TellCounts(key, reply) => self.tell_counts(key, reply),
            Order::Record(recording, answer) => self.record(*recording, answer),
            Order::TellDataPending(session, reply) => self.tell_data_pending(session, reply),
            Order::SetChunk(session, chunk, reply) => {
                self.set_chunk(session, &chunk);
                reply.answer(());
            }
            Order::LeaveChunk { session, chunk, before, reply } => {
                self.leave_chunk(session, chunk, before.as_ref());
                reply.answer(());
            }
            Order::AddRelay(sockets, answer) => {
                let limits = self.setup.relay_limits;
                answer.answer(self.relays.add(*sockets, limits, &mut self.poller));
            }
            Order::DestroyRelay(index, answer) => answer.answer(self.relays.give_up(index)),
            Order::DestroySnapshotRelays(session) => self.relays.give_up_snapshots(session),
            Order::CreateRemoteChunk(chunk, answer) => self.relays.create_chunk(chunk, answer),
            Order::CloseRemoteChunk(chunk, answer) => self.relays.close_chunk(chunk, answer),
            Order::RemoteChunkExists(index, chunk, answer) => {
                self.relays.chunk_exists(index, chunk, answer);
            }
            Order::GiveUpSession(session) => self.give_up_session(session),
            Order::End => self.ends = true,
        }
        self.carry_out_effects();
    }

    fn fire(&mut self, due: Due, now: Instant) {
        match due {
            // Channels have nothing more to do in time: short periods would put the end off.
            Due::Channel(..) if self.ends => {}
            Due::Channel(key, kind) => self.channel_timer(key, kind, now),
            Due::Metadata(key) => self.metadata_timer(key, now),
            Due::Listen(key) => self.listen(key),
            Due::Abandoned(key) => self.finish_abandoned(key, now),
            Due::Over(key) => self.let_go(key),
            Due::Unwritten(key) => self.write_again(key, now),
            Due::Relay(index) => self.relay_timer(index, now),
            Due::Leaving(index) => self.leaving_timer(index),
        }
    }

    /// Writes out what the buffers hold.
    fn finish(&mut self) {
        let monitored = self.channels.values().filter(|channel| channel.monitored);
        let slots: Vec<usize> = monitored.flat_map(|channel| channel.streams.clone()).collect();
        for slot in &slots {
            self.streams[*slot].end(&self.setup.clock);
            self.make_ready(*slot);
        }
        let deadline = Instant::now() + END_DEADLINE;
        self.write_rest(deadline);
        // Whoever has not finished an event by now is not waited for.
        for slot in slots {
            if let Some(stream) = self.streams.get_mut(slot) {
                stream.finish_all_abandoned(&self.setup.clock);
                self.make_ready(slot);
            }
        }
        self.write_rest(deadline);
        let keys: Vec<ChannelKey> = self.metadata.keys().copied().collect();
        for key in keys {
            self.write_again(key, Instant::now());
        }
    }

    /// Works until all that is ready is written, which ends since streams do, and until relay daemons
    /// have taken what they take before the deadline.
    fn write_rest(&mut self, deadline: Instant) {
        let is_late = || Instant::now() >= deadline;
        self.timers.schedule(deadline, Due::Relay(NetIndex(u64::MAX)));
        while !self.ready.is_empty() || (self.relays.are_busy() && !is_late()) {
            if self.turn().is_err() {
                return;
            }
        }
    }
}

/// The processor time of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // It counts from 0.
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
