//! Buffers of 32-bit applications: where their members are, and what becomes of positions that their words cannot hold.

use std::fs::File;
use std::os::unix::fs::FileExt;

use lttngd_model::{Bitness, BufferLayout};

use crate::layout::Layout;
use crate::tests::{at, config, stream};
use crate::{Channel, ChannelConfig, ConfigError, CreateError, FlushMode, FlushOutcome, Mode};

const PAGE: u64 = 4096;
const LAYOUTS: [BufferLayout; 2] = [BufferLayout::Ust8, BufferLayout::Ust11];

fn narrow(mode: Mode, subbuf_size: u64, count: u64) -> ChannelConfig {
    ChannelConfig { bitness: Bitness::Bits32, ..config(mode, subbuf_size, count) }
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_ne_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

/// Offsets of a 32-bit build of LTTng-UST 2.14.
#[test]
fn an_image_for_32_bit_applications() {
    let config = ChannelConfig {
        switch_timer_interval_us: 1000,
        blocking_timeout_us: 2_500_000,
        ..narrow(Mode::Overwrite, PAGE, 4)
    };
    let channel = Channel::create(&config, &at(5)).unwrap();
    let image = channel.image();
    assert_eq!(image.len(), 640 + 2 * 8 + 80);
    assert_eq!(u32_at(image, 4), u32::MAX >> 2);
    assert_eq!((u32_at(image, 8), u32_at(image, 16)), (1000, 1));
    assert_eq!((u32_at(image, 20), u32_at(image, 28)), (0, 0));
    assert_eq!((u32_at(image, 36), u32_at(image, 40)), (656, 2));
    assert_eq!(u32_at(image, 48), 2500);
    assert_eq!((u32_at(image, 80), u32_at(image, 84)), (4 * 4096, 4096));
    assert_eq!((u32_at(image, 88), u32_at(image, 92), u32_at(image, 96)), (12, 2, 14));
    assert_eq!((image[100], u32_at(image, 104), u64_at(image, 108)), (1, 4, 5));
    // Mode, output, wake-up.
    assert_eq!((u32_at(image, 132), u32_at(image, 136), u32_at(image, 152)), (0, 1, 1));
    assert_eq!(u32_at(image, 200), 2);
    assert_eq!(&image[232..252], b"relay-overwrite-mmap");
    for cpu in 0..2 {
        let offset = 552 + 8 * cpu;
        assert_eq!((u32_at(image, offset), u32_at(image, offset + 4)), (cpu as u32 + 1, 0));
    }
    assert_eq!(u32_at(image, 656 + 52), 7);
    assert_eq!(&image[656 + 60..656 + 76], b"0123456789abcdef");
}

#[test]
fn an_image_for_32_bit_applications_of_abi_11() {
    let config = ChannelConfig { layout: BufferLayout::Ust11, ..narrow(Mode::Discard, PAGE, 4) };
    let channel = Channel::create(&config, &at(5)).unwrap();
    let image = channel.image();
    assert_eq!(image.len(), 640 + 2 * 8 + 64);
    assert_eq!((image[100], u64_at(image, 108)), (1, 5));
    assert_eq!((u32_at(image, 132), u32_at(image, 204)), (1, 1));
    assert_eq!(&image[236..254], b"relay-discard-mmap");
    assert_eq!((u32_at(image, 556), u32_at(image, 564)), (1, 2));
    assert_eq!(u32_at(image, 656), 7);
    assert_eq!(&image[660..676], b"0123456789abcdef");
}

#[test]
fn a_new_stream_as_32_bit_applications_expect_it() {
    let (_stream, object) = stream(&narrow(Mode::Discard, PAGE, 2), 1);
    let mut bytes = vec![0; object.memory_map_size_bytes as usize];
    File::from(object.memory).read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!((bytes[30], u32_at(&bytes, 32), u32_at(&bytes, 36)), (4, 128, 140));
    // Writers' position, reader's position, reader's sub-buffer, active readers.
    assert_eq!((u32_at(&bytes, 128), u32_at(&bytes, 140), u32_at(&bytes, 160)), (80, 0, 0));
    assert_eq!((u32_at(&bytes, 196), bytes[204], u32_at(&bytes, 288)), (1, 1, 1));
    assert_eq!((u32_at(&bytes, 332), u32_at(&bytes, 336)), (2, 0));
    let reference = |offset| {
        assert_eq!(u32_at(&bytes, offset), 2);
        u32_at(&bytes, offset + 4) as usize
    };
    let (hot, cold, end_times) = (reference(132), reference(272), reference(280));
    assert_eq!((hot, cold, end_times), (512, 768, 1024));
    assert_eq!((u32_at(&bytes, hot), u32_at(&bytes, hot + 4)), (80, 80));
    let (ids, sequences) = (reference(152), reference(164));
    assert_eq!((u32_at(&bytes, ids), u32_at(&bytes, ids + 4)), (0, 1));
    assert_eq!((u64_at(&bytes, sequences), u64_at(&bytes, sequences + 8)), (0, 0));
    let pages = reference(reference(172) + 8);
    assert_eq!((u32_at(&bytes, pages), u32_at(&bytes, pages + 16)), (4096, 2));
    let data = reference(180);
    assert_eq!((data, u32_at(&bytes, pages + 20) as usize), (4096, data + 4096));
    let header = &bytes[data..data + 80];
    assert_eq!((u32_at(header, 0), u32_at(header, 20), u64_at(header, 24)), (0xc1fc_1fc1, 7, 1));
    assert_eq!((u64_at(header, 32), u64_at(header, 64)), (10, 0));
    assert_eq!((u32_at(header, 72), u32_at(header, 76)), (0, 1));
}

/// All 8-byte members are aligned, whatever the counts.
#[test]
fn layouts_for_32_bit_applications() {
    for layout in LAYOUTS {
        for mode in [Mode::Discard, Mode::Overwrite] {
            for count in [2, 4, 64, 1024] {
                let config = ChannelConfig { layout, ..narrow(mode, PAGE, count) };
                let made = Layout::new(&config).unwrap();
                for index in 0..count {
                    let aligned = [
                        made.end_time(index, index as u32),
                        made.sequence(index, 0),
                        made.subbuf(index),
                        made.pages_begin_time(index),
                    ];
                    assert!(aligned.iter().all(|offset| offset % 8 == 0), "{config:?} {index}");
                }
            }
        }
    }
}

#[test]
fn what_32_bit_applications_cannot_have() {
    let refused = |config: ChannelConfig| {
        let Err(CreateError::Config(error)) = Channel::create(&config, &at(0)) else {
            panic!("{config:?} was made")
        };
        error
    };
    let most = 1 << 15;
    let error = refused(narrow(Mode::Discard, PAGE, 2 * most));
    assert_eq!(error, ConfigError::SubbufCount { value: 2 * most, fewest: 1, most });
    let (subbuf_size, count, max) = (1 << 30, 2, 1 << 30);
    let error = refused(narrow(Mode::Overwrite, subbuf_size, count));
    assert_eq!(error, ConfigError::BufferSize { subbuf_size, count, max });
}

/// Positions go on behind 4 GiB, where words begin anew.
#[test]
fn positions_that_words_cannot_hold() {
    const SUBBUF: u64 = 1 << 20;
    const PACKETS: u64 = (1 << 32) / SUBBUF + 100;

    for layout in LAYOUTS {
        for mode in [Mode::Discard, Mode::Overwrite] {
            let (mut stream, _object) =
                stream(&ChannelConfig { layout, ..narrow(mode, SUBBUF, 2) }, 0);
            for number in 0..PACKETS {
                let outcome = stream.flush(FlushMode::Full, &at(10 + number)).unwrap();
                assert_eq!(outcome, FlushOutcome::Closed, "{layout:?} {mode:?} {number}");
                let header = *stream.get_next().unwrap();
                assert_eq!((header.sequence_number, header.content_size_bits), (number, 80 * 8));
                assert!(!header.has_events());
                stream.put_next().unwrap();
            }
            assert_eq!(stream.sample_positions().unwrap().consumed, PACKETS * SUBBUF);
            let gauged = stream.gauge().positions().unwrap();
            assert_eq!(gauged.used_bytes(), 0);
            assert_eq!(stream.losses().lost_packets, 0);
        }
    }
}

/// A flight recorder's writers come round to the same words while its reader looks at nothing.
#[test]
fn positions_that_came_round_unseen() {
    let (mut stream, object) = stream(&narrow(Mode::Overwrite, PAGE, 2), 0);
    for number in 0..3 {
        stream.flush(FlushMode::Full, &at(20 + number)).unwrap();
    }
    let before = stream.sample_positions().unwrap();
    let memory = File::from(object.memory);
    // Behind what a word holds, at less than before.
    for (offset, position) in [(140, 0_u32), (128, 4096)] {
        memory.write_all_at(&position.to_ne_bytes(), offset).unwrap();
    }
    let after = stream.sample_positions().unwrap();
    assert!(after.consumed > before.produced, "{before:?} {after:?}");
    assert_eq!(after.used_bytes(), 4096);
}
