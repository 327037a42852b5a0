//! When what is sampled, and how it is told.
#![allow(clippy::unwrap_used)]

use std::os::fd::AsFd;

use lttngd_ringbuffer::{FlushMode, Storage, Stream, StreamObject};
use lttngd_wire::consumer::MONITOR_SAMPLE_LEN;

use super::*;
use crate::{clock::PacketClock, worker::example_ring};

const SECOND: Duration = Duration::from_secs(1);
const SECOND_US: u32 = 1_000_000;

fn stream() -> (Stream, StreamObject) {
    let clock = PacketClock::default();
    example_ring(4, false).unwrap().create_stream(0, Storage::Memory, &clock).unwrap()
}

fn sampled(stream: &Stream) -> SampledStream {
    SampledStream { gauge: BufferGauge::Ring(stream.gauge()), written: WrittenPackets::default() }
}

fn monitor(period_us: u32, stream: SampledStream) -> Monitor {
    Monitor { period_us, streams: vec![stream] }
}

/// Packets of 10 bytes, and what the buffer holds.
fn seen((written_bytes, used_bytes): (u64, Option<u64>)) -> Seen {
    Seen { written_bytes, written_packets: written_bytes / 10, used_bytes }
}

/// So much was written of a channel whose buffers are empty.
fn written(key: ChannelKey, total_consumed: u64, packets: u64) -> MonitorSample {
    let total_packets = Some(packets);
    MonitorSample { key, lowest: 0, highest: 0, total_consumed, total_packets }
}

fn keys(samples: &[MonitorSample]) -> Vec<u64> {
    samples.iter().map(|sample| sample.key.0).collect()
}

#[test]
fn channels_that_came_at_different_times_are_sampled_together() {
    let ((one, _), (other, _)) = (stream(), stream());
    let mut samples = Samples::default();
    let start = samples.epoch;
    samples.add(ChannelKey(1), monitor(SECOND_US, sampled(&one)), start + SECOND / 10);
    samples.add(ChannelKey(2), monitor(SECOND_US, sampled(&other)), start + SECOND / 2);
    assert_eq!(samples.next(), Some(start + SECOND));
    assert_eq!(keys(&samples.take(start + SECOND / 2)), [0; 0], "before it is due");
    assert_eq!(keys(&samples.take(start + SECOND)), [1, 2]);
    assert_eq!(samples.next(), Some(start + 2 * SECOND));
}

#[test]
fn periods_that_are_multiples_of_others_share_their_moments() {
    let ((one, _), (other, _)) = (stream(), stream());
    let mut samples = Samples::default();
    let start = samples.epoch;
    samples.add(ChannelKey(1), monitor(SECOND_US, sampled(&one)), start);
    samples.add(ChannelKey(2), monitor(2 * SECOND_US, sampled(&other)), start + SECOND / 3);
    assert_eq!(keys(&samples.take(start + SECOND)), [1]);
    assert_eq!(samples.next(), Some(start + 2 * SECOND));
    assert_eq!(keys(&samples.take(start + 2 * SECOND)), [1, 2]);
}

#[test]
fn no_user_has_everybodys_thread_sample_all_the_time() {
    let ((one, _), (other, _)) = (stream(), stream());
    let mut samples = Samples::default();
    let start = samples.epoch;
    samples.add(ChannelKey(1), monitor(1, sampled(&one)), start);
    samples.add(ChannelKey(2), monitor(999, sampled(&other)), start);
    assert_eq!(samples.next(), Some(start + PERIOD_MIN));
    assert_eq!(keys(&samples.take(start + PERIOD_MIN)), [1, 2]);
    assert_eq!(samples.next(), Some(start + 2 * PERIOD_MIN));
}

#[test]
fn samples_that_were_missed_are_not_made_up_for() {
    let (one, _object) = stream();
    let mut samples = Samples::default();
    let start = samples.epoch;
    samples.add(ChannelKey(1), monitor(SECOND_US, sampled(&one)), start);
    assert_eq!(keys(&samples.take(start + 7 * SECOND / 2)), [1]);
    assert_eq!(samples.next(), Some(start + 4 * SECOND));
}

#[test]
fn a_channel_without_a_period_is_not_sampled() {
    let (one, _object) = stream();
    let mut samples = Samples::default();
    samples.add(ChannelKey(1), monitor(0, sampled(&one)), samples.epoch);
    assert_eq!(samples.next(), None);
}

#[test]
fn streams_of_processors_that_came_later_are_sampled_with_their_channel() {
    let ((one, _), (late, _), (other, _)) = (stream(), stream(), stream());
    let mut samples = Samples::default();
    let start = samples.epoch;
    samples.add(ChannelKey(1), monitor(SECOND_US, sampled(&one)), start);
    let later = sampled(&late);
    later.written.one_more(4096);
    samples.add_streams(ChannelKey(1), vec![later]);
    samples.add_streams(ChannelKey(2), vec![sampled(&other)]);
    let taken = samples.take(start + SECOND);
    assert_eq!(keys(&taken), [1], "the other channel is not sampled");
    assert_eq!((taken[0].total_consumed, taken[0].total_packets), (4096, Some(1)));
    drop(one);
    assert_eq!(keys(&samples.take(start + 2 * SECOND)), [1]);
}

#[test]
fn a_channel_whose_streams_are_gone_is_not_sampled_any_more() {
    let (one, _object) = stream();
    let mut samples = Samples::default();
    let start = samples.epoch;
    samples.add(ChannelKey(1), monitor(SECOND_US, sampled(&one)), start);
    drop(one);
    assert_eq!(keys(&samples.take(start + SECOND)), [0; 0]);
    assert_eq!(samples.next(), None, "nobody wakes for nothing");
}

#[test]
fn a_sample_has_the_emptiest_and_the_fullest_buffer_and_what_all_have_written() {
    let key = ChannelKey(1);
    let streams = [(10, Some(5)), (20, Some(3)), (30, Some(9))].map(seen);
    let expected = MonitorSample { lowest: 3, highest: 9, ..written(key, 60, 6) };
    assert_eq!(sample_of(key, streams.into_iter()), Some(expected));
}

#[test]
fn empty_buffers_are_sampled_as_well() {
    let key = ChannelKey(1);
    assert_eq!(sample_of(key, [seen((0, Some(0)))].into_iter()), Some(written(key, 0, 0)));
}

#[test]
fn what_a_lost_stream_had_written_counts() {
    let key = ChannelKey(1);
    let streams = [(10, None), (20, Some(40))].map(seen);
    let expected = MonitorSample { lowest: 40, highest: 40, ..written(key, 30, 3) };
    assert_eq!(sample_of(key, streams.into_iter()), Some(expected));
}

#[test]
fn a_channel_without_a_usable_stream_has_no_sample() {
    assert_eq!(sample_of(ChannelKey(1), std::iter::empty()), None);
    assert_eq!(sample_of(ChannelKey(1), [seen((10, None))].into_iter()), None);
}

#[test]
fn a_sample_shows_what_is_in_the_buffer_and_what_was_written() {
    let (mut one, _object) = stream();
    let mut samples = Samples::default();
    let stream = sampled(&one);
    let written = stream.written.clone();
    samples.add(ChannelKey(1), monitor(SECOND_US, stream), samples.epoch);
    one.flush(FlushMode::Full, &PacketClock::default()).unwrap();
    written.one_more(4096);
    let used = one.sample_positions().unwrap().used_bytes();
    let sample = samples.take(samples.epoch + SECOND).remove(0);
    assert_eq!((sample.lowest, sample.highest, sample.total_consumed), (used, used, 4096));
}

#[test]
fn a_pipe_without_room_gets_whole_samples_or_none() {
    let many: Vec<_> = (0..100_000).map(|key| written(ChannelKey(key), 30, 3)).collect();
    for (tells_packets, len) in [(false, MONITOR_SAMPLE_LEN), (true, LONG_MONITOR_SAMPLE_LEN)] {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        write(writer.as_fd(), &many, tells_packets);
        // There is room for ten samples now.
        let mut bytes = vec![0; 10 * len];
        assert_eq!(rustix::io::read(&reader, &mut bytes[..]).unwrap(), bytes.len());
        write(writer.as_fd(), &many, tells_packets);
        drop(writer);
        let mut left = Vec::new();
        std::io::Read::read_to_end(&mut std::fs::File::from(reader), &mut left).unwrap();
        assert_eq!(left.len() % len, 0);
        for bytes in left.chunks(len) {
            let sample = MonitorSample::decode(bytes).unwrap();
            let packets = tells_packets.then_some(3);
            assert_eq!((sample.total_consumed, sample.total_packets), (30, packets));
        }
    }
}
