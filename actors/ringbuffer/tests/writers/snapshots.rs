//! Snapshots of streams that are quiet, and of those whose writers never stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lttngd_peer::EVENT_HEADER_LEN;
use lttngd_ringbuffer::{
    BeginOutcome, ChannelConfig, Clock, FlushMode, FlushOutcome, Mode, MonotonicClock,
    PacketHeader, Stream,
};

use crate::rig::{MODES, PAGE, Rig, Ticks, config, read};

fn recorder(mode: Mode, subbuf_size_bytes: u64, num_subbuf: u64) -> ChannelConfig {
    ChannelConfig { snapshots: true, ..config(mode, subbuf_size_bytes, num_subbuf) }
}

/// The packets that a snapshot has: their headers, and the numbers of their events.
fn record(stream: &mut Stream, clock: &impl Clock) -> Vec<(PacketHeader, Vec<u64>)> {
    stream.take_snapshot(0, clock).unwrap();
    let mut packets = Vec::new();
    while stream.packet().is_some() {
        let (header, events) = read(stream);
        packets.push((header, events.iter().map(|event| event.number).collect()));
        stream.put_snapshot_packet().unwrap();
    }
    packets
}

fn numbers(packets: &[(PacketHeader, Vec<u64>)]) -> Vec<Vec<u64>> {
    packets.iter().map(|(_, numbers)| numbers.clone()).collect()
}

#[test]
fn however_often_a_quiet_stream_is_recorded_its_events_stay() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&recorder(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        for number in 1..=3 {
            rig.tracer.record(1, number, EVENT_HEADER_LEN, &clock).unwrap();
        }
        let position = rig.tracer.position();
        for _ in 0..20 {
            assert_eq!(numbers(&record(&mut rig.stream, &clock)), [vec![1, 2, 3]]);
        }
        assert_eq!(rig.tracer.position(), position);
        // A packet that was closed stays, and an empty one behind it tells the time.
        assert_eq!(rig.stream.flush(FlushMode::Filled, &clock), Ok(FlushOutcome::Closed));
        for _ in 0..20 {
            assert_eq!(rig.stream.flush(FlushMode::Filled, &clock), Ok(FlushOutcome::Nothing));
            let before = clock();
            let packets = record(&mut rig.stream, &clock);
            assert_eq!(numbers(&packets), [vec![1, 2, 3], vec![]]);
            let empty = packets[1].0;
            assert_eq!((empty.sequence_number, empty.content_size_bits), (1, 84 * 8));
            assert!(before < empty.timestamp_begin);
            assert!(empty.timestamp_begin <= empty.timestamp_end);
        }
        assert_eq!(rig.stream.losses().lost_packets, 0);
        // What is written to later goes on where it would have.
        rig.tracer.record(1, 4, EVENT_HEADER_LEN, &clock).unwrap();
        let packets = record(&mut rig.stream, &clock);
        assert_eq!(numbers(&packets), [vec![1, 2, 3], vec![4]]);
        assert_eq!(packets[1].0.sequence_number, 1);
    }
}

#[test]
fn a_new_stream_that_nobody_writes_to_has_a_time() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&recorder(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        for _ in 0..9 {
            assert_eq!(rig.stream.flush(FlushMode::Filled, &clock), Ok(FlushOutcome::Nothing));
            let now = clock();
            let packets = record(&mut rig.stream, &clock);
            assert_eq!(numbers(&packets), [vec![]]);
            let header = packets[0].0;
            assert_eq!((header.sequence_number, header.timestamp_begin), (0, 0));
            assert!(header.timestamp_end > now);
        }
    }
}

#[test]
fn a_stream_that_was_cleared_begins_at_that_time() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&recorder(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        rig.tracer.record(1, 1, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.clear(&clock).unwrap();
        let cleared = clock();
        assert_eq!(rig.stream.begin_packet(&clock), Ok(BeginOutcome::Begun));
        let begun = clock();
        // Not again, and nothing is closed for it.
        let position = rig.tracer.position();
        assert_eq!(rig.stream.begin_packet(&clock), Ok(BeginOutcome::Begun));
        assert_eq!(rig.tracer.position(), position);
        assert_eq!(rig.stream.flush(FlushMode::Filled, &clock), Ok(FlushOutcome::Nothing));
        for events in [vec![], vec![2], vec![2, 3]] {
            if let Some(number) = events.last() {
                rig.tracer.record(1, *number, EVENT_HEADER_LEN, &clock).unwrap();
            }
            let packets = record(&mut rig.stream, &clock);
            assert_eq!(numbers(&packets), [events]);
            assert!((cleared..begun).contains(&packets[0].0.timestamp_begin));
            assert_eq!(packets[0].0.sequence_number, 1);
        }
    }
}

#[test]
fn a_packet_is_begun_where_no_old_one_has_to_go_for_it() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&recorder(mode, PAGE, 2)), Ticks::default());
        let clock = ticks.clock();
        for number in 1..=2 {
            assert_eq!(rig.stream.begin_packet(&clock), Ok(BeginOutcome::Begun));
            rig.tracer.record(1, number, EVENT_HEADER_LEN, &clock).unwrap();
            assert_eq!(rig.stream.flush(FlushMode::Filled, &clock), Ok(FlushOutcome::Closed));
        }
        assert_eq!(rig.stream.begin_packet(&clock), Ok(BeginOutcome::NoRoom));
        assert_eq!(numbers(&record(&mut rig.stream, &clock)), [vec![1], vec![2], vec![]]);
        rig.stream.get_next().unwrap();
        rig.stream.put_next().unwrap();
        assert_eq!(rig.stream.begin_packet(&clock), Ok(BeginOutcome::Begun));
        assert_eq!(numbers(&record(&mut rig.stream, &clock)), [vec![2], vec![]]);
    }
}

#[test]
fn a_snapshot_of_a_stopped_stream_ends_when_it_was_stopped() {
    let (mut rig, ticks) = (Rig::new(&recorder(Mode::Overwrite, PAGE, 4)), Ticks::default());
    let clock = ticks.clock();
    rig.tracer.record(1, 1, EVENT_HEADER_LEN, &clock).unwrap();
    rig.stream.set_quiescent(&clock).unwrap();
    let stopped = clock();
    assert!(record(&mut rig.stream, &clock)[0].0.timestamp_end < stopped);
    rig.stream.clear_quiescent();
    rig.tracer.record(1, 2, EVENT_HEADER_LEN, &clock).unwrap();
    let packets = record(&mut rig.stream, &clock);
    assert_eq!(numbers(&packets), [vec![1, 2]]);
    assert!(packets[0].0.timestamp_end > stopped);
}

#[test]
fn a_writer_that_stops_before_its_packet_has_a_header_is_no_loss() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&recorder(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        let len = PAGE as usize - 84;
        rig.tracer.record(1, 1, len - EVENT_HEADER_LEN, &clock).unwrap();
        rig.tracer.die_after_reservation(2 * EVENT_HEADER_LEN, &clock);
        // Its first packet lacks the end that the one who died was to write.
        for (closed, packets) in
            [(false, vec![vec![1], vec![]]), (true, vec![vec![1], vec![], vec![]])]
        {
            if closed {
                assert_eq!(rig.stream.flush(FlushMode::Full, &clock), Ok(FlushOutcome::Closed));
            }
            let taken = record(&mut rig.stream, &clock);
            assert_eq!(numbers(&taken), packets);
            for (number, (header, _)) in taken.iter().enumerate() {
                assert_eq!(header.sequence_number, number as u64);
            }
            for pair in taken.windows(2) {
                assert!(pair[0].0.timestamp_end <= pair[1].0.timestamp_begin);
            }
        }
        assert_eq!(rig.stream.losses().lost_packets, 0);
    }
}

/// The model checks it step by step as well, with fewer sub-buffers of the reader's own.
#[test]
fn what_a_snapshot_took_stays_however_far_writers_go_on() {
    for snapshots in [true, false] {
        let config = ChannelConfig { snapshots, ..recorder(Mode::Overwrite, PAGE, 8) };
        let (mut rig, ticks) = (Rig::new(&config), Ticks::default());
        let clock = ticks.clock();
        let mut number = 0;
        let mut write = |packets: u64| {
            for _ in 0..packets {
                number += 1;
                rig.tracer.record(1, number, PAGE as usize - 84, &clock).unwrap();
            }
            number
        };
        for round in 1..20_u64 {
            let newest = write(20 + round);
            assert_eq!(rig.stream.take_snapshot(0, &clock), Ok(false));
            for expected in newest - 7..=newest {
                // Twice round, while the oldest are not written to a file.
                write(16);
                let (header, events) = read(&rig.stream);
                assert_eq!(header.sequence_number, expected - 1);
                assert_eq!((events.len(), events[0].number), (1, expected));
                rig.stream.put_snapshot_packet().unwrap();
            }
        }
        assert_eq!(rig.stream.losses().lost_packets, 0);
    }
}

/// Threads are put off at any time, so packets may be missing here; what is there is right.
#[test]
fn snapshots_beside_a_writer_that_never_stops_are_sound() {
    for (snapshots, num_subbuf) in [(true, 2), (true, 8), (false, 8)] {
        let config = ChannelConfig { snapshots, ..recorder(Mode::Overwrite, PAGE, num_subbuf) };
        let Rig { mut stream, tracer, object } = Rig::new(&config);
        let ends = AtomicBool::new(false);
        let taken = thread::scope(|scope| {
            scope.spawn(|| {
                let mut number = 0;
                while !ends.load(Ordering::Relaxed) {
                    number += 1;
                    let len = EVENT_HEADER_LEN + (number % 300) as usize;
                    tracer.record(1, number, len, &|| MonotonicClock.now()).unwrap();
                }
            });
            while tracer.position() < 2 * PAGE * num_subbuf {
                thread::yield_now();
            }
            let taken: Vec<_> = (0..300).map(|_| record(&mut stream, &MonotonicClock)).collect();
            ends.store(true, Ordering::Relaxed);
            taken
        });
        drop(object);
        for packets in &taken {
            for pair in packets.windows(2) {
                let ((before, old), (header, new)) = (&pair[0], &pair[1]);
                assert!(before.sequence_number < header.sequence_number);
                assert!(before.timestamp_end <= header.timestamp_begin);
                if header.sequence_number == before.sequence_number + 1
                    && let (Some(last), Some(first)) = (old.last(), new.first())
                {
                    assert_eq!(last + 1, *first);
                }
            }
            for (_, numbers) in packets {
                assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
            }
        }
        // With a sub-buffer to give for each, all of them are there unless this thread was put off.
        assert!(!snapshots || taken.iter().any(|packets| packets.len() as u64 >= num_subbuf));
    }
}
