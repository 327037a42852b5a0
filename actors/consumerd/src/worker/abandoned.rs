//! Packets that writers leave unfinished, as applications do that are killed while they trace.

use std::time::{Duration, Instant};

use lttngd_model::ChannelKey;

use super::{Due, Worker, stream::DataStream};
use crate::clock::PacketClock;

/// How long a writer may take to finish a packet that it left. Most take microseconds; one that is
/// stopped just there and goes on later makes a packet unreadable.
const ABANDONED_AFTER: Duration = Duration::from_secs(5);

/// Since when packets are unfinished, and up to where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unfinished {
    since: Instant,
    until: u64,
}

impl Worker {
    /// A stream comes no further before its writers do. They get some time for it.
    pub(super) fn wait_for_writers(&mut self, place: usize) {
        let Some(stream) = self.streams.get_mut(place) else { return };
        if stream.unfinished.is_some() {
            return;
        }
        let until = stream.ring.unfinished_until();
        // What was finished meanwhile rang.
        let Some(Some(until)) = stream.note(until) else { return };
        let since = Instant::now();
        stream.unfinished = Some(Unfinished { since, until });
        self.timers.schedule(since + ABANDONED_AFTER, Due::Abandoned(stream.channel));
    }

    /// The time of writers of a channel may be over.
    pub(super) fn finish_abandoned(&mut self, key: ChannelKey, now: Instant) {
        for place in self.streams_of(key) {
            let stream = &mut self.streams[place];
            let over = |unfinished: &mut Unfinished| now >= unfinished.since + ABANDONED_AFTER;
            if let Some(unfinished) = stream.unfinished.take_if(over) {
                stream.finish_abandoned(unfinished.until, &self.setup.clock);
                self.make_ready_if_monitored(key, place);
                // Others may have left packets later.
                self.wait_for_writers(place);
            }
        }
    }
}

impl DataStream {
    /// Finishes all packets that are not: nobody will any more.
    pub(super) fn finish_all_abandoned(&mut self, clock: &PacketClock) {
        let until = self.ring.unfinished_until();
        if let Some(Some(until)) = self.note(until) {
            self.finish_abandoned(until, clock);
        }
    }

    fn finish_abandoned(&mut self, until: u64, clock: &PacketClock) {
        let finished = self.ring.finish_abandoned(until, clock);
        if let Some(count @ 1..) = self.note(finished) {
            let (session, stream) = (self.writing.session, self.name());
            tracing::warn!(%session, %stream, count,
                "packets were finished whose writers are gone; some events are lost");
        }
    }
}
