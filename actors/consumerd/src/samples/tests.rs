//! When what is sampled, and how it is told.
#![allow(clippy::unwrap_used)]

use std::os::fd::AsFd;

use lttngd_ringbuffer::{FlushMode, Storage, Stream, StreamObject};

use super::*;
use crate::{clock::PacketClock, worker::example_ring};

const SECOND: Duration = Duration::from_secs(1);
const SECOND_US: u32 = 1_000_000;

fn stream() -> (Stream, StreamObject) {
    let clock = PacketClock::default();
    example_ring(4, false).unwrap().create_stream(0, Storage::Memory, &clock).unwrap()
}

fn sampled(stream: &Stream) -> SampledStream {
    SampledStream { gauge: BufferGauge::Ring(stream.gauge()), written: WrittenBytes::default() }
}

fn monitor(period_us: u32, stream: SampledStream) -> Monitor {
    Monitor { period_us, streams: vec![stream] }
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
    later.written.add(4096);
    samples.add_streams(ChannelKey(1), vec![later]);
    samples.add_streams(ChannelKey(2), vec![sampled(&other)]);
    let taken = samples.take(start + SECOND);
    assert_eq!(keys(&taken), [1], "the other channel is not sampled");
    assert_eq!(taken[0].total_consumed, 4096);
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
    let streams = [(10, Some(5)), (20, Some(3)), (30, Some(9))];
    let expected = MonitorSample { key, lowest: 3, highest: 9, total_consumed: 60 };
    assert_eq!(sample_of(key, streams.into_iter()), Some(expected));
}

#[test]
fn empty_buffers_are_sampled_as_well() {
    let key = ChannelKey(1);
    let expected = MonitorSample { key, lowest: 0, highest: 0, total_consumed: 0 };
    assert_eq!(sample_of(key, [(0, Some(0))].into_iter()), Some(expected));
}

#[test]
fn what_a_lost_stream_had_written_counts() {
    let key = ChannelKey(1);
    let expected = MonitorSample { key, lowest: 40, highest: 40, total_consumed: 15 };
    assert_eq!(sample_of(key, [(10, None), (5, Some(40))].into_iter()), Some(expected));
}

#[test]
fn a_channel_without_a_usable_stream_has_no_sample() {
    assert_eq!(sample_of(ChannelKey(1), std::iter::empty()), None);
    assert_eq!(sample_of(ChannelKey(1), [(10, None)].into_iter()), None);
}

#[test]
fn a_sample_shows_what_is_in_the_buffer_and_what_was_written() {
    let (mut one, _object) = stream();
    let mut samples = Samples::default();
    let stream = sampled(&one);
    let written = stream.written.clone();
    samples.add(ChannelKey(1), monitor(SECOND_US, stream), samples.epoch);
    one.flush(FlushMode::Full, &PacketClock::default()).unwrap();
    written.add(4096);
    let used = one.sample_positions().unwrap().used_bytes();
    let sample = samples.take(samples.epoch + SECOND).remove(0);
    assert_eq!((sample.lowest, sample.highest, sample.total_consumed), (used, used, 4096));
}

#[test]
fn a_pipe_without_room_gets_whole_samples_or_none() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let sample = |key| MonitorSample { key, lowest: 1, highest: 2, total_consumed: 3 };
    let many: Vec<_> = (0..100_000).map(|key| sample(ChannelKey(key))).collect();
    write(writer.as_fd(), &many);
    // There is room for ten samples now.
    let mut bytes = [0; 10 * MONITOR_SAMPLE_LEN];
    assert_eq!(rustix::io::read(&reader, &mut bytes[..]).unwrap(), bytes.len());
    write(writer.as_fd(), &many);
    drop(writer);
    let mut left = Vec::new();
    std::io::Read::read_to_end(&mut std::fs::File::from(reader), &mut left).unwrap();
    assert_eq!(left.len() % MONITOR_SAMPLE_LEN, 0);
    for bytes in left.chunks(MONITOR_SAMPLE_LEN) {
        assert_eq!(MonitorSample::decode(bytes).unwrap().highest, 2);
    }
}
