//! What channels have lost is told when what they have now was written, or was not: whoever asks after the
//! last packets are closed learns what became of them.

use lttngd_model::ChannelKey;
use lttngd_ringbuffer::Positions;

use super::{new::Counts, order::Reply};

/// A question for what a channel has lost, which waits for streams in line.
#[derive(Debug)]
pub(super) struct CountsQuestion {
    key: ChannelKey,
    /// The streams' slots, and the positions up to which they had packets.
    until: Vec<(usize, u64)>,
    reply: Reply<Counts>,
}

/// A stream as a question sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedStream {
    pub(super) key: ChannelKey,
    /// Whether it stands in line.
    pub(super) queued: bool,
    /// `None` of one that is lost.
    pub(super) at: Option<Positions>,
    pub(super) subbuf_size_bytes: u64,
}

impl CountsQuestion {
    /// Of the streams of a channel, those that stand in line are waited for; not those that wait for somebody.
    pub(super) fn new(
        key: ChannelKey,
        streams: impl IntoIterator<Item = (usize, AskedStream)>,
        reply: Reply<Counts>,
    ) -> Self {
        let until = |(slot, stream): (usize, AskedStream)| {
            let at = stream.at.filter(|_| stream.queued)?;
            Some((slot, at.produced - at.produced % stream.subbuf_size_bytes))
        };
        Self { key, until: streams.into_iter().filter_map(until).collect(), reply }
    }

    pub(super) fn key(&self) -> ChannelKey {
        self.key
    }

    /// Whether a stream has still to be read; `stream` looks at what is in a slot now.
    pub(super) fn waits(&self, mut stream: impl FnMut(usize) -> Option<AskedStream>) -> bool {
        self.until.iter().any(|(slot, until)| {
            stream(*slot).is_some_and(|stream| {
                stream.key == self.key
                    && stream.queued
                    && stream.at.is_some_and(|at| until.wrapping_sub(at.consumed).cast_signed() > 0)
            })
        })
    }

    pub(super) fn answer(self, counts: Counts) {
        self.reply.answer(counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ChannelKey = ChannelKey(1);
    const SUBBUF: u64 = 4096;

    fn stream(consumed: u64, produced: u64) -> AskedStream {
        AskedStream {
            key: KEY,
            queued: true,
            at: Some(Positions { consumed, produced }),
            subbuf_size_bytes: SUBBUF,
        }
    }

    fn question(streams: &[AskedStream]) -> CountsQuestion {
        let streams = streams.iter().copied().enumerate();
        CountsQuestion::new(KEY, streams, Reply::new().0)
    }

    #[test]
    fn counts_wait_for_packets_in_line() {
        let question = question(&[stream(0, 2 * SUBBUF)]);
        assert!(question.waits(|_| Some(stream(SUBBUF, 2 * SUBBUF))));
        assert!(!question.waits(|_| Some(stream(2 * SUBBUF, 2 * SUBBUF))));
    }

    #[test]
    fn counts_do_not_wait_for_packets_that_came_later() {
        let question = question(&[stream(0, SUBBUF + 100)]);
        assert!(!question.waits(|_| Some(stream(SUBBUF, 9 * SUBBUF))));
    }

    #[test]
    fn counts_do_not_wait_for_streams_that_wait_for_somebody() {
        let parked = AskedStream { queued: false, ..stream(0, SUBBUF) };
        assert!(!question(&[parked]).waits(|_| Some(stream(0, SUBBUF))), "when they are asked for");
        assert!(!question(&[stream(0, SUBBUF)]).waits(|_| Some(parked)), "or later");
    }

    #[test]
    fn counts_do_not_wait_for_streams_that_are_lost() {
        let lost = AskedStream { at: None, ..stream(0, SUBBUF) };
        assert!(!question(&[lost]).waits(|_| Some(stream(0, SUBBUF))));
        assert!(!question(&[stream(0, SUBBUF)]).waits(|_| Some(lost)));
    }

    #[test]
    fn counts_do_not_wait_for_another_channels_stream_in_the_same_slot() {
        let other = AskedStream { key: ChannelKey(2), ..stream(0, SUBBUF) };
        assert!(!question(&[stream(0, SUBBUF)]).waits(|_| Some(other)));
        assert!(!question(&[stream(0, SUBBUF)]).waits(|_| None), "or an empty slot");
    }

    #[test]
    fn counts_wait_for_the_last_of_many_streams() {
        let question = question(&[stream(0, SUBBUF), stream(0, 2 * SUBBUF)]);
        let read = |slot| Some(stream(if slot == 0 { SUBBUF } else { 0 }, 2 * SUBBUF));
        assert!(question.waits(read));
    }

    #[test]
    fn counts_of_applications_may_be_any_numbers() {
        let mut counts = Counts { discarded_events: u64::MAX, lost_packets: 1 };
        let losses = lttngd_ringbuffer::Losses { discarded_events: 5, lost_packets: 2 };
        counts.add(losses);
        assert_eq!(counts, Counts { discarded_events: u64::MAX, lost_packets: 3 });
    }
}
