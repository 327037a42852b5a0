//! Whoever writes anything anywhere, in buffers of each ABI and word size.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lttngd_model::{Bitness, BufferLayout};
use lttngd_ringbuffer::{Channel, ChannelConfig, FlushMode, Mode, Storage, Stream};

use crate::rig::{MODES, PAGE, Ticks, config};
use crate::scribbler::{check_end, use_stream};

/// Bytes of what is overwritten at a time.
const PLACE_LEN: u64 = 4;

/// Those that the writer of tests does not write for, which are tried with it.
const LAYOUTS: [(BufferLayout, Bitness); 3] = [
    (BufferLayout::Ust8, Bitness::Bits32),
    (BufferLayout::Ust11, Bitness::Bits32),
    (BufferLayout::Ust11, Bitness::Bits64),
];

/// A stream and its memory, in which some packets were closed.
fn stream(of: (BufferLayout, Bitness), mode: Mode, clock: &impl Fn() -> u64) -> (Stream, File) {
    let (layout, bitness) = of;
    let config = ChannelConfig { layout, bitness, ..config(mode, PAGE, 2) };
    let channel = Channel::create(&config, clock).unwrap();
    let (mut stream, object) = channel.create_stream(1, Storage::Memory, clock).unwrap();
    for _ in 0..3 {
        stream.flush(FlushMode::Full, clock).unwrap();
    }
    (stream, File::from(object.memory))
}

/// Each place of control structures and packet headers, with each kind of value.
#[test]
fn every_place_can_be_wrong_in_any_layout() {
    let samples = [0, PAGE as u32, 1 << 16 | 3, u32::MAX];
    for of in LAYOUTS {
        for mode in MODES {
            let ticks = Ticks::default();
            let len = stream(of, mode, &ticks.clock()).1.metadata().unwrap().len();
            for place in (0..len).step_by(PLACE_LEN as usize) {
                // Of data, the beginnings of pages: there are headers.
                if place > PAGE && place % PAGE > 96 && place < len - 800 {
                    continue;
                }
                for value in samples {
                    let clock = ticks.clock();
                    let (mut stream, memory) = stream(of, mode, &clock);
                    memory.write_all_at(&value.to_ne_bytes(), place).unwrap();
                    for _ in 0..3 {
                        if let Err(corruption) = use_stream(&mut stream, &clock) {
                            check_end(&mut stream, corruption, &clock);
                            break;
                        }
                    }
                }
            }
        }
    }
}

/// A seeded scribbler beside the reader, until the stream ends or the reader has done enough.
#[test]
fn a_scribbler_beside_the_reader_in_any_layout() {
    const ROUNDS: usize = 200;
    for seed in 1..=24_u64 {
        let (of, mode) = (LAYOUTS[seed as usize % 3], MODES[seed as usize % 2]);
        let ticks = Ticks::default();
        let clock = ticks.clock();
        let (mut stream, memory) = stream(of, mode, &clock);
        let places = memory.metadata().unwrap().len() / PLACE_LEN;
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                while !done.load(Ordering::Relaxed) {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    // Later seeds keep off the positions, so that the stream lives longer.
                    let place = (state >> 20) % places;
                    if seed <= 8 || place > 160 {
                        let value = (state as u32).rotate_left((state % 32) as u32);
                        memory.write_all_at(&value.to_ne_bytes(), place * PLACE_LEN).unwrap();
                    }
                }
            });
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
