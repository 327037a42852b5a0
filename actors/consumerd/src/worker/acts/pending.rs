//! Whether a session has data that is not written yet, and what channels have lost when it was.

use std::time::Instant;

use lttngd_model::{ChannelKey, SessionId};

use crate::worker::{
    counts_question::{AskedStream, CountsQuestion},
    new::Counts,
    order::Reply,
    state::Worker,
    stream::DataStream,
};

/// Turns that the streams of a session get before they count as pending.
const TURNS_MAX: usize = 64;

impl Worker {
    /// Answers whether packets of a session are not where they should be. What can be written at once
    /// is written before; then its relay daemons are asked.
    pub(in crate::worker) fn tell_data_pending(&mut self, session: SessionId, reply: Reply<bool>) {
        let of_session = self.metadata.iter().filter(|(_, it)| it.session() == session);
        for key in of_session.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.write_again(key, Instant::now());
        }
        let channels = self.channels.values();
        let of_session = channels.filter(|it| it.session == session && it.monitored);
        for slot in of_session.flat_map(|it| it.streams.clone()).collect::<Vec<_>>() {
            for _ in 0..TURNS_MAX {
                match self.streams.get_mut(slot).map(|stream| stream.source.is_readable()) {
                    Some(Ok(true)) => self.serve(slot),
                    _ => break,
                }
            }
            if self.streams.get_mut(slot).is_some_and(|stream| stream.is_pending()) {
                return reply.answer(true);
            }
        }
        let relays = self.relays.that_may_owe(session);
        let open: Vec<_> = relays.into_iter().map(|it| (it, self.open_streams(it))).collect();
        self.relays.ask_pending(&open, reply);
    }

    /// Tells what a channel has lost, when the streams that stand in line have had their packets read.
    pub(in crate::worker) fn tell_counts(&mut self, key: ChannelKey, reply: Reply<Counts>) {
        let slots = self.streams_of(key);
        let streams = slots.into_iter().map(|slot| (slot, asked(&mut self.streams[slot])));
        self.questions.push(CountsQuestion::new(key, streams, reply));
        self.answer_counts();
    }

    /// Answers what can be by now.
    pub(in crate::worker) fn answer_counts(&mut self) {
        for question in std::mem::take(&mut self.questions) {
            if question.waits(|slot| self.streams.get_mut(slot).map(|stream| asked(stream))) {
                self.questions.push(question);
            } else {
                let counts = self.counts(question.key());
                question.answer(counts);
            }
        }
    }

    /// Answers what is asked of a channel that is to go.
    pub(in crate::worker) fn answer_last_counts(&mut self, key: ChannelKey, counts: Counts) {
        for question in self.questions.extract_if(.., |question| question.key() == key) {
            question.answer(counts);
        }
    }
}

fn asked(stream: &mut DataStream) -> AskedStream {
    AskedStream {
        key: stream.channel,
        queued: stream.queued,
        at: stream.source.positions().ok(),
        subbuf_size_bytes: stream.source.subbuf_size_bytes(),
    }
}
