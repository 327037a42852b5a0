//! Applications that write anything anywhere into the shared memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lttngd_peer::{EVENT_HEADER_LEN, Tracer};
use lttngd_ringbuffer::{Corruption, FlushMode, GetError, Mode, Stream};
use proptest::prelude::*;

use crate::rig::{MODES, PAGE, Rig, Ticks, config};

/// More calls than the packets of a scribbled stream can need, since positions only go forward.
const READS_MAX: usize = 64;

/// Does all that a reader does. Whatever is in the memory, it comes to an end, and a corrupt stream
/// stays corrupt.
pub fn use_stream(stream: &mut Stream, clock: &impl Fn() -> u64) -> Result<(), Corruption> {
    let mut room = vec![0; 2 * PAGE as usize];
    for _ in 0..READS_MAX {
        match stream.get_next() {
            Ok(header) => {
                assert!(header.packet_size_bits <= PAGE * 8);
                assert!(header.content_size_bits <= header.packet_size_bits);
                let packet = stream.packet().unwrap();
                assert_eq!(packet.size_bytes() as u64 * 8, packet.header.packet_size_bits);
                packet.body.copy_to(&mut room);
                stream.put_next()?;
            }
            Err(GetError::Damaged(_)) => {}
            Err(GetError::Corrupt(corruption)) => return Err(corruption),
            Err(GetError::Empty | GetError::Uncommitted | GetError::Overwritten) => break,
        }
    }
    stream.flush(FlushMode::Active, clock)?;
    stream.sample_positions()?;
    stream.is_readable()?;
    stream.begin_packet(clock)?;
    stream.take_snapshot(4, clock)?;
    while let Some(packet) = stream.packet() {
        assert!(packet.header.content_size_bits <= packet.header.packet_size_bits);
        packet.body.copy_to(&mut room);
        stream.put_snapshot_packet()?;
    }
    if let Some(until) = stream.unfinished_until()? {
        stream.finish_abandoned(until, clock)?;
    }
    stream.flush_quiescent(clock)?;
    stream.clear_quiescent();
    Ok(())
}

pub fn check_end(stream: &mut Stream, corruption: Corruption, clock: &impl Fn() -> u64) {
    assert_eq!(stream.check(), Err(corruption));
    assert_eq!(stream.get_next(), Err(GetError::Corrupt(corruption)));
    assert_eq!(stream.flush(FlushMode::Full, clock), Err(corruption));
    assert_eq!(stream.put_next(), Err(corruption));
    assert_eq!(stream.clear(clock), Err(corruption));
    assert!(stream.packet().is_none());
}

fn write(tracer: &Tracer, number: &mut u64, events: u64, clock: &impl Fn() -> u64) {
    for _ in 0..events {
        *number += 1;
        let _ = tracer.record(1, *number, EVENT_HEADER_LEN + 300, clock);
    }
}

fn values() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..200_u64,
        (0..64_u32).prop_map(|bit| 1 << bit),
        (0..64_u64).prop_map(|page| page * PAGE),
        (0..64_u64).prop_map(|page| (page * PAGE).wrapping_neg()),
        Just(u64::MAX),
        (0..8_u64).prop_map(|id| 1 << 32 | id),
    ]
}

/// Each word of control structures and packet headers, with each kind of value.
#[test]
fn every_word_can_be_wrong() {
    let samples = [0, 83, PAGE, 1 << 32 | 9, u64::MAX];
    for mode in MODES {
        let words = Rig::new(&config(mode, PAGE, 2)).tracer.words();
        for word in 0..words {
            // Of data, the beginnings of pages: there are headers.
            let in_page = word % (PAGE as usize / 8);
            if word > PAGE as usize / 8 && in_page > 16 && word < words - 64 {
                continue;
            }
            for value in samples {
                let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 2)), Ticks::default());
                let clock = ticks.clock();
                write(&rig.tracer, &mut 0, 25, &clock);
                rig.tracer.scribble(word, value);
                for _ in 0..3 {
                    if let Err(corruption) = use_stream(&mut rig.stream, &clock) {
                        check_end(&mut rig.stream, corruption, &clock);
                        break;
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Control words wrong one after another, between what the reader does.
    #[test]
    fn wrong_words_end_the_stream_at_most(
        overwrite: bool,
        scribbles in prop::collection::vec((any::<prop::sample::Index>(), values(), any::<bool>()), 1..30),
    ) {
        let mode = if overwrite { Mode::Overwrite } else { Mode::Discard };
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        write(&rig.tracer, &mut 0, 40, &clock);
        let control = [16, 19, 21, 24, 48, 49, 50, 51];
        for (index, value, anywhere) in scribbles {
            let word = if anywhere {
                index.index(rig.tracer.words())
            } else {
                // Positions, counts, and the counters and ids of sub-buffers.
                let others = (80..160).chain(rig.tracer.words() - 64..rig.tracer.words());
                let words: Vec<usize> = control.into_iter().chain(others).collect();
                words[index.index(words.len())]
            };
            rig.tracer.scribble(word, value);
            if let Err(corruption) = use_stream(&mut rig.stream, &clock) {
                check_end(&mut rig.stream, corruption, &clock);
                break;
            }
        }
    }
}

/// A seeded scribbler beside the reader, until the stream ends or the reader has done enough.
#[test]
fn a_scribbler_beside_the_reader() {
    const ROUNDS: usize = 300;
    for seed in 1..=24_u64 {
        let mode = MODES[seed as usize % 2];
        let Rig { mut stream, tracer, .. } = Rig::new(&config(mode, PAGE, 4));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                while !done.load(Ordering::Relaxed) {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    // Later seeds keep off the positions, so that the stream lives longer.
                    let word = (state >> 20) as usize % tracer.words();
                    if seed <= 8 || word > 80 {
                        tracer.scribble(word, state.rotate_left((state % 64) as u32));
                    }
                }
            });
            let ticks = Ticks::default();
            let clock = ticks.clock();
            for _ in 0..ROUNDS {
                if let Err(corruption) = use_stream(&mut stream, &clock) {
                    check_end(&mut stream, corruption, &clock);
                    break;
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

/// The other stream of a channel does not notice.
#[test]
fn a_hostile_writer_costs_its_own_stream() {
    let (mut hostile, mut good) =
        (Rig::new(&config(Mode::Discard, PAGE, 4)), Rig::new(&config(Mode::Discard, PAGE, 4)));
    let ticks = Ticks::default();
    let clock = ticks.clock();
    write(&good.tracer, &mut 0, 10, &clock);
    for word in 16..hostile.tracer.words() {
        hostile.tracer.scribble(word, u64::MAX);
    }
    assert!(matches!(hostile.stream.get_next(), Err(GetError::Corrupt(_))));
    good.stream.flush(FlushMode::Active, &clock).unwrap();
    good.stream.get_next().unwrap();
    assert_eq!(crate::rig::read(&good.stream).1.len(), 10);
}

/// A write position that is far ahead, and nothing there: the reader comes to it all the same.
#[test]
fn a_write_position_far_ahead_keeps_nobody() {
    let (mut rig, ticks) = (Rig::new(&config(Mode::Overwrite, PAGE, 4)), Ticks::default());
    let clock = ticks.clock();
    write(&rig.tracer, &mut 0, 5, &clock);
    rig.stream.flush(FlushMode::Active, &clock).unwrap();
    const OFFSET_WORD: usize = 16;
    rig.tracer.scribble(OFFSET_WORD, 1 << 50);
    let produced = rig.stream.sample_positions().unwrap().produced;
    rig.stream.get_next().unwrap();
    rig.stream.put_next().unwrap();
    assert_eq!(rig.stream.get_next(), Err(GetError::Uncommitted));
    assert_eq!(rig.stream.unfinished_until(), Ok(Some(produced)));
    rig.stream.finish_abandoned(produced, &clock).unwrap();
    let mut packets = 0;
    while rig.stream.get_next().is_ok() {
        packets += 1;
        rig.stream.put_next().unwrap();
    }
    assert_eq!(packets, 4);
    assert_eq!(rig.stream.get_next(), Err(GetError::Empty));
    assert_eq!(rig.stream.sample_positions().unwrap().consumed, produced);
    assert_eq!(rig.stream.unfinished_until(), Ok(None));
}

/// One bad packet is passed over; the next ones count it as lost.
#[test]
fn damage_to_a_packet_costs_the_packet() {
    for mode in MODES {
        let (mut rig, ticks) = (Rig::new(&config(mode, PAGE, 4)), Ticks::default());
        let clock = ticks.clock();
        for number in 0..3 {
            write(&rig.tracer, &mut { number }, 1, &clock);
            rig.stream.flush(FlushMode::Active, &clock).unwrap();
        }
        rig.stream.get_next().unwrap();
        rig.stream.put_next().unwrap();
        // The magic of the second packet: data begins at the second page.
        rig.tracer.scribble(2 * PAGE as usize / 8, 0);
        assert!(matches!(rig.stream.get_next(), Err(GetError::Damaged(_))));
        assert_eq!(rig.stream.get_next().unwrap().sequence_number, 2);
        rig.stream.put_next().unwrap();
        assert_eq!(rig.stream.losses().lost_packets, 1);
        assert_eq!(rig.stream.get_next(), Err(GetError::Empty));
    }
}
