//! What channels have lost is told when what they have now was written, or was not: whoever asks after the
//! last packets are closed learns what became of them.

use lttngd_model::ChannelKey;

use super::{Worker, new::Counts, order::Reply};

/// A question that waits for streams in line.
pub(super) struct Question {
    key: ChannelKey,
    /// The streams' places, and the positions up to which they had packets.
    until: Vec<(usize, u64)>,
    reply: Reply<Counts>,
}

impl Worker {
    /// Tells what a channel has lost, when the streams that stand in line have had their packets read.
    /// Those that wait for somebody are not waited for.
    pub(crate) fn tell_counts(&mut self, key: ChannelKey, reply: Reply<Counts>) {
        let mut until = Vec::new();
        for place in self.streams_of(key) {
            let stream = &mut self.streams[place];
            if let (true, Ok(positions)) = (stream.queued, stream.ring.sample_positions()) {
                until.push((
                    place,
                    positions.produced - positions.produced % stream.ring.subbuf_size_bytes(),
                ));
            }
        }
        self.questions.push(Question { key, until, reply });
        self.answer_counts();
    }

    /// Answers what can be by now.
    pub(super) fn answer_counts(&mut self) {
        for question in std::mem::take(&mut self.questions) {
            let waits = |(place, until): &(usize, u64)| {
                let Some(stream) = self.streams.get_mut(*place) else { return false };
                stream.channel == question.key
                    && stream.queued
                    && stream.ring.sample_positions().is_ok_and(|positions| {
                        until.wrapping_sub(positions.consumed).cast_signed() > 0
                    })
            };
            if question.until.iter().any(waits) {
                self.questions.push(question);
            } else {
                question.reply.answer(self.counts(question.key));
            }
        }
    }

    /// Answers what is asked of a channel that is to go.
    pub(super) fn answer_last_counts(&mut self, key: ChannelKey, counts: Counts) {
        for question in self.questions.extract_if(.., |question| question.key == key) {
            question.reply.answer(counts);
        }
    }
}
