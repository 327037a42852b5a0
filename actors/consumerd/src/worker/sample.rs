//! Samples of how full the buffers of a channel are, for the session daemon's monitor pipe.

use lttngd_model::ChannelKey;
use lttngd_ringbuffer::Positions;
use lttngd_wire::consumer::MonitorSample;

/// A sample that streams are added to.
#[derive(Debug)]
pub(super) struct Sampling(MonitorSample);

impl Sampling {
    pub(super) fn new(key: ChannelKey) -> Self {
        Self(MonitorSample { key, lowest: u64::MAX, highest: 0, total_consumed: 0 })
    }

    /// Takes a stream; one that is lost has no positions, and what it had was written all the same.
    pub(super) fn add(&mut self, bytes_written: u64, at: Option<Positions>) {
        let Self(sample) = self;
        sample.total_consumed += bytes_written;
        if let Some(at) = at {
            sample.lowest = sample.lowest.min(at.used_bytes());
            sample.highest = sample.highest.max(at.used_bytes());
        }
    }

    /// The sample, unless no stream could be looked at.
    pub(super) fn finish(self) -> Option<MonitorSample> {
        let Self(sample) = self;
        (sample.lowest <= sample.highest).then_some(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(bytes: u64) -> Option<Positions> {
        Some(Positions { consumed: 1000, produced: 1000 + bytes })
    }

    fn sample(streams: &[(u64, Option<Positions>)]) -> Option<[u64; 3]> {
        let mut sampling = Sampling::new(ChannelKey(7));
        for (written, at) in streams {
            sampling.add(*written, *at);
        }
        let sample = sampling.finish()?;
        assert_eq!(sample.key, ChannelKey(7));
        Some([sample.lowest, sample.highest, sample.total_consumed])
    }

    #[test]
    fn the_fullest_and_the_emptiest_buffer_are_told() {
        let streams = [(10, used(300)), (20, used(100)), (30, used(200))];
        assert_eq!(sample(&streams), Some([100, 300, 60]));
    }

    #[test]
    fn empty_buffers_are_told_as_well() {
        assert_eq!(sample(&[(0, used(0))]), Some([0, 0, 0]));
    }

    #[test]
    fn what_a_lost_stream_had_written_counts() {
        assert_eq!(sample(&[(10, None), (5, used(40))]), Some([40, 40, 15]));
    }

    #[test]
    fn a_channel_without_a_usable_stream_has_no_sample() {
        assert_eq!(sample(&[]), None);
        assert_eq!(sample(&[(10, None)]), None);
    }
}
