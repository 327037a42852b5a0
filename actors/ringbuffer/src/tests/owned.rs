//! Buffers of ABI 11: where things are, and turns at sub-buffers.

use std::sync::atomic::Ordering;

use lttngd_model::BufferLayout;

use super::{config, stream};
use crate::{
    BeginOutcome, Channel, ChannelConfig, FlushMode, FlushOutcome, GetError, Mode, MonotonicClock,
    Stream,
};

const PAGE: u64 = 4096;
/// An application among the owners.
const SOMEBODY: u64 = 5;

fn owned(mode: Mode) -> ChannelConfig {
    ChannelConfig { layout: BufferLayout::Ust11, cpu_count: 2, ..config(mode, 2 * PAGE, 4) }
}

fn owner(stream: &Stream, index: u64) -> u64 {
    stream.memory.u64(stream.layout.owner(index).unwrap()).load(Ordering::SeqCst)
}

fn own(stream: &Stream, index: u64) {
    stream.memory.u64(stream.layout.owner(index).unwrap()).store(SOMEBODY, Ordering::SeqCst);
}

/// Reserves and writes as an application does that has the sub-buffer, and keeps it.
fn write(stream: &Stream, len: u64) {
    let position = stream.memory.u64(stream.layout.control.offset).fetch_add(len, Ordering::SeqCst);
    let index = stream.layout.geometry.index(position);
    assert_eq!(owner(stream, index), SOMEBODY);
    for count in [stream.layout.commit_count(index), stream.layout.commit_sequence(index)] {
        stream.memory.u64(count).fetch_add(len, Ordering::SeqCst);
    }
}

#[test]
fn sizes() {
    let channel = Channel::create(&owned(Mode::Discard), &MonotonicClock).unwrap();
    assert_eq!(channel.image().len(), 864);
    assert_eq!(channel.stream_size_bytes(), 46032);
    let older = ChannelConfig { layout: BufferLayout::Ust8, ..owned(Mode::Discard) };
    assert_eq!(Channel::create(&older, &MonotonicClock).unwrap().image().len(), 920);
}

#[test]
fn packets_are_closed_and_taken_round_and_round() {
    for mode in [Mode::Discard, Mode::Overwrite] {
        let (mut stream, _object) = stream(&owned(mode), 0);
        for number in 0..20 {
            let closed = stream.flush(FlushMode::Full, &MonotonicClock).unwrap();
            assert_eq!(closed, FlushOutcome::Closed);
            let header = *stream.get_next().unwrap();
            assert_eq!((header.sequence_number, header.has_events()), (number, false));
            assert!(header.timestamp_begin <= header.timestamp_end);
            stream.put_next().unwrap();
            if number % 3 == 0 {
                let begun = stream.begin_packet(&MonotonicClock).unwrap();
                assert_eq!(begun, BeginOutcome::Begun);
            }
            assert!((0..4).all(|index| owner(&stream, index) == 0));
        }
        assert!(!stream.awaits_owners() && stream.unfinished_until().unwrap().is_none());
    }
}

#[test]
fn nobody_fills_a_sub_buffer_that_is_somebodys() {
    let (mut stream, _object) = stream(&owned(Mode::Discard), 0);
    own(&stream, 0);
    write(&stream, 100);
    assert_eq!(stream.flush(FlushMode::Active, &MonotonicClock), Ok(FlushOutcome::Closed));
    assert!(matches!(stream.get_next(), Err(GetError::Uncommitted)));
    assert_eq!(owner(&stream, 0), SOMEBODY);

    // He died there: what he wrote is a packet, and others may have the sub-buffer.
    let until = stream.unfinished_until().unwrap().unwrap();
    assert_eq!(stream.finish_abandoned(until, &MonotonicClock), Ok(1));
    assert_eq!(owner(&stream, 0), 0);
    let header = *stream.get_next().unwrap();
    assert_eq!(header.content_size_bits, (84 + 100) * 8);
    stream.put_next().unwrap();
    assert_eq!(stream.unfinished_until(), Ok(None));
}

#[test]
fn who_keeps_a_sub_buffer_whose_packet_was_taken_is_forgotten() {
    let (mut stream, _object) = stream(&owned(Mode::Discard), 0);
    stream.flush(FlushMode::Full, &MonotonicClock).unwrap();
    // He died between the packet's end and letting go.
    own(&stream, 0);
    stream.get_next().unwrap();
    stream.put_next().unwrap();
    assert!(stream.awaits_owners());
    let until = stream.unfinished_until().unwrap().unwrap();
    assert_eq!((stream.finish_abandoned(until, &MonotonicClock), owner(&stream, 0)), (Ok(0), 0));
    assert!(!stream.awaits_owners());

    // One who lets go by himself is not waited for.
    stream.flush(FlushMode::Full, &MonotonicClock).unwrap();
    own(&stream, 1);
    stream.get_next().unwrap();
    stream.put_next().unwrap();
    stream.disown(1);
    assert!(!stream.awaits_owners());
}

#[test]
fn no_packet_is_begun_in_what_somebody_has() {
    let (mut stream, _object) = stream(&owned(Mode::Discard), 0);
    stream.flush(FlushMode::Full, &MonotonicClock).unwrap();
    own(&stream, 1);
    assert_eq!(stream.begin_packet(&MonotonicClock), Ok(BeginOutcome::NoRoom));
    assert_eq!(stream.flush(FlushMode::Full, &MonotonicClock), Ok(FlushOutcome::NoRoom));
    stream.disown(1);
    assert_eq!(stream.begin_packet(&MonotonicClock), Ok(BeginOutcome::Begun));
}

#[test]
fn no_count_or_owner_breaks_the_reader() {
    for word in [1, 84, 4096, u64::MAX, u64::MAX - 8191, 1 << 63] {
        for place in 0..6 {
            let (mut stream, _object) = stream(&owned(Mode::Overwrite), 0);
            stream.flush(FlushMode::Full, &MonotonicClock).unwrap();
            let layout = stream.layout;
            let offset = [
                layout.commit_count(1),
                layout.delivered_count(1),
                layout.owner(1).unwrap(),
                layout.sequence(1, 0),
                layout.writer_id(1),
                stream.layout.control.offset,
            ][place];
            stream.memory.u64(offset).store(word, Ordering::SeqCst);
            let _ = stream.flush(FlushMode::Full, &MonotonicClock);
            let _ = stream.begin_packet(&MonotonicClock);
            for _ in 0..8 {
                let _ = stream.get_next().map(|_| ());
                let _ = stream.put_next();
            }
            if let Ok(Some(until)) = stream.unfinished_until() {
                let _ = stream.finish_abandoned(until, &MonotonicClock);
            }
        }
    }
}
