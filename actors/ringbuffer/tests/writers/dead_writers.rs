//! Writers that end between the reservation of room and the writing of their event.

use lttngd_peer::{EVENT_HEADER_LEN, Refused};
use lttngd_ringbuffer::{FlushMode, FlushOutcome, GetError, Mode};

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
        // A snapshot has the others.
        let positions = rig.stream.snapshot_positions().unwrap();
        let got: Vec<_> =
            positions.map(|position| rig.stream.get_subbuf(position).is_ok()).collect();
        assert_eq!(got, [false, true]);
        rig.stream.put_subbuf().unwrap();
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
        assert!(!rig.stream.open_packet(&clock).unwrap());
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
