//! Writers that end between the reservation of room and the writing of their event.

use lttngd_peer::{EVENT_HEADER_LEN, Refused};
use lttngd_ringbuffer::{BeginOutcome, FlushMode, FlushOutcome, GetError, Mode, PacketHeader};

use crate::rig::{MODES, PAGE, Rig, Ticks, config, read};

#[test]
fn what_was_finished_before_is_read_and_what_was_not_blocks() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        rig.tracer.record(1, 1, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();
        rig.tracer.record(1, 2, EVENT_HEADER_LEN, &clock).unwrap();
        rig.tracer.reserve(1, 3, EVENT_HEADER_LEN, &clock).unwrap();
        rig.tracer.record(1, 4, EVENT_HEADER_LEN, &clock).unwrap();
        assert_eq!(rig.stream.flush(FlushMode::Active, &clock), Ok(FlushOutcome::Closed));
        rig.tracer.record(1, 5, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();

        rig.stream.get_next().unwrap();
        assert_eq!(read(&rig.stream).1.len(), 1);
        rig.stream.put_next().unwrap();
        assert_eq!(rig.stream.is_readable(), Ok(false));
        for _ in 0..3 {
            assert_eq!(rig.stream.get_next(), Err(GetError::Uncommitted));
        }
        // A snapshot has what is before it, and the others.
        assert_eq!(rig.stream.take_snapshot(0, &clock), Ok(true));
        for numbers in [vec![2], vec![5], vec![]] {
            let (_, events) = read(&rig.stream);
            assert_eq!(events.iter().map(|event| event.number).collect::<Vec<u64>>(), numbers);
            rig.stream.put_snapshot_packet().unwrap();
        }
        // Neither a stop nor an end waits for it.
        assert_eq!(rig.stream.flush(FlushMode::Full, &clock), Ok(FlushOutcome::Closed));
        assert_eq!(rig.stream.get_next(), Err(GetError::Uncommitted));
    }
}

#[test]
fn writers_come_no_further_than_to_the_place_of_the_dead_one() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        rig.tracer.reserve(1, 0, EVENT_HEADER_LEN, &clock).unwrap();
        let refused = (0..1000)
            .find_map(|number| rig.tracer.record(2, number, EVENT_HEADER_LEN, &clock).err())
            .unwrap();
        // The commit counters are looked at before the reader's position.
        assert_eq!(refused, Refused::Wrap);
        assert_eq!(rig.stream.flush(FlushMode::Full, &clock), Ok(FlushOutcome::Closed));
        assert_eq!(rig.stream.flush(FlushMode::Full, &clock), Ok(FlushOutcome::NoRoom));
        assert_eq!(rig.stream.get_next(), Err(GetError::Uncommitted));
        assert_eq!(rig.stream.begin_packet(&clock), Ok(BeginOutcome::NoRoom));
        let positions = rig.stream.sample_positions().unwrap();
        assert_eq!(positions.used_bytes(), 4 * PAGE);
    }
}

#[test]
fn a_late_writer_finishes_its_packet() {
    let (mut rig, ticks) = (Rig::new(&config(Mode::Discard, PAGE, 4)), Ticks::default());
    let clock = ticks.clock();
    let slot = rig.tracer.reserve(1, 0, EVENT_HEADER_LEN, &clock).unwrap();
    rig.stream.flush_quiescent(&clock).unwrap();
    assert_eq!(rig.stream.get_next(), Err(GetError::Uncommitted));
    let _ = rig.stream.drain_wakeups();
    rig.tracer.commit(slot);
    assert_eq!(rig.stream.drain_wakeups(), lttngd_ringbuffer::Wakeup::Woken);
    rig.stream.get_next().unwrap();
    assert_eq!(read(&rig.stream).1, [slot.event]);
}

/// Has the packets of the dead finished, and reads all that there is.
fn finish(rig: &mut Rig, clock: &impl Fn() -> u64) -> Vec<Vec<u64>> {
    let until = rig.stream.unfinished_until().unwrap().expect("packets that are not finished");
    assert!(rig.stream.finish_abandoned(until, clock).unwrap() > 0);
    assert_eq!(rig.stream.unfinished_until(), Ok(None));
    read_all(rig)
}

/// The numbers of all events, by packet. Packets are in order, and so are their times.
fn read_all(rig: &mut Rig) -> Vec<Vec<u64>> {
    let mut packets = Vec::new();
    let mut last: Option<PacketHeader> = None;
    while rig.stream.get_next().is_ok() {
        let (header, events) = read(&rig.stream);
        assert!(header.timestamp_begin <= header.timestamp_end);
        for event in &events {
            assert!((header.timestamp_begin..=header.timestamp_end).contains(&event.time));
        }
        if let Some(last) = last {
            assert!(last.timestamp_end <= header.timestamp_begin, "{last:?} {header:?}");
            assert_eq!(last.sequence_number + 1, header.sequence_number);
        }
        last = Some(header);
        packets.push(events.iter().map(|event| event.number).collect());
        rig.stream.put_next().unwrap();
    }
    packets
}

#[test]
fn what_the_dead_left_is_cut_off_and_what_is_behind_it_is_read() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        rig.tracer.record(1, 1, EVENT_HEADER_LEN, &clock).unwrap();
        rig.tracer.reserve(1, 2, EVENT_HEADER_LEN, &clock).unwrap();
        rig.tracer.record(1, 3, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();
        rig.tracer.record(1, 4, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();
        assert_eq!(rig.stream.get_next(), Err(GetError::Uncommitted));
        assert_eq!(finish(&mut rig, &clock), [vec![1], vec![4]]);
        // Later packets tell it too.
        rig.tracer.record(1, 5, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();
        assert_eq!(read_all(&mut rig), [vec![5]]);
        assert_eq!(rig.stream.losses().discarded_events, 1);
    }
}

#[test]
fn writers_pass_the_place_of_the_dead_one_when_it_is_finished() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        rig.tracer.reserve(1, 0, EVENT_HEADER_LEN, &clock).unwrap();
        let mut written = 0;
        while rig.tracer.record(2, 1, EVENT_HEADER_LEN, &clock).is_ok() {
            written += 1;
        }
        let packets = finish(&mut rig, &clock);
        // Of the first packet nothing is left, nor of the one that is still open.
        assert_eq!(packets[0], []);
        assert!(packets.concat().len() < written);
        for pass in 0..3 {
            for number in 0..200 {
                rig.tracer
                    .record(2, number, EVENT_HEADER_LEN + 60, &clock)
                    .unwrap_or_else(|refused| panic!("{mode:?} {pass} {number} {refused:?}"));
                while rig.stream.get_next().is_ok() {
                    rig.stream.put_next().unwrap();
                }
            }
        }
        assert_eq!(rig.stream.losses().lost_packets, 0);
    }
}

#[test]
fn a_packet_of_which_not_even_the_header_was_written_is_empty() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        rig.tracer.record(1, 1, EVENT_HEADER_LEN, &clock).unwrap();
        // It would close the first packet and open the second one.
        rig.tracer.die_after_reservation(EVENT_HEADER_LEN + 3976, &clock);
        rig.tracer.record(1, 3, EVENT_HEADER_LEN + 3976, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();
        assert_eq!(finish(&mut rig, &clock), [vec![1], vec![], vec![3]]);
        assert_eq!(rig.stream.losses().discarded_events, 2);
    }
}

#[test]
fn a_packet_that_was_whole_and_not_delivered_keeps_all_events() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        rig.tracer.record(1, 1, EVENT_HEADER_LEN, &clock).unwrap();
        let slot = rig.tracer.reserve(1, 2, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();
        rig.tracer.die_after_commit(slot);
        assert_eq!(rig.stream.get_next(), Err(GetError::Uncommitted));
        assert_eq!(finish(&mut rig, &clock), [vec![1, 2]]);
        assert_eq!(rig.stream.losses().discarded_events, 0);
    }
}

#[test]
fn those_who_began_later_are_not_taken_for_dead() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        rig.tracer.reserve(1, 1, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();
        let until = rig.stream.unfinished_until().unwrap().unwrap();
        let late = rig.tracer.reserve(1, 2, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();
        assert_eq!(rig.stream.finish_abandoned(until, &clock), Ok(1));
        assert_eq!(read_all(&mut rig), [vec![]]);
        assert_eq!(rig.stream.get_next(), Err(GetError::Uncommitted));
        rig.tracer.commit(late);
        assert_eq!(read_all(&mut rig), [vec![2]]);
        assert_eq!(rig.stream.unfinished_until(), Ok(None));
    }
}

#[test]
fn one_who_was_not_dead_costs_a_packet_and_no_more() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 2)), Ticks::default());
        let clock = ticks.clock();
        let slot = rig.tracer.reserve(1, 1, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.flush(FlushMode::Active, &clock).unwrap();
        let until = rig.stream.unfinished_until().unwrap().unwrap();
        assert_eq!(rig.stream.finish_abandoned(until, &clock), Ok(1));
        rig.tracer.commit(slot);
        // The next packet in its place is to be finished as well, and then all is as it should be.
        let mut recorded = 0;
        for number in 0..2000 {
            recorded += u64::from(rig.tracer.record(2, number, EVENT_HEADER_LEN, &clock).is_ok());
            while rig.stream.get_next().is_ok() {
                rig.stream.put_next().unwrap();
            }
            if let Some(until) = rig.stream.unfinished_until().unwrap() {
                rig.stream.finish_abandoned(until, &clock).unwrap();
            }
        }
        assert_eq!(recorded, 2000);
        assert_eq!(rig.stream.losses().discarded_events, 2);
    }
}

/// Behind a reader that went on without it, as it does when a session is cleared.
#[test]
fn a_packet_behind_the_reader_is_finished_too() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 2)), Ticks::default());
        let clock = ticks.clock();
        rig.tracer.reserve(1, 1, EVENT_HEADER_LEN, &clock).unwrap();
        rig.stream.clear(&clock).unwrap();
        assert_eq!(rig.stream.get_next(), Err(GetError::Empty));
        assert_eq!(finish(&mut rig, &clock), Vec::<Vec<u64>>::new());
        for number in 0..500 {
            rig.tracer.record(1, number, EVENT_HEADER_LEN, &clock).unwrap();
            while rig.stream.get_next().is_ok() {
                rig.stream.put_next().unwrap();
            }
        }
    }
}
