//! Bytes that applications and `lttng-crash` look at.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::layout::Layout;
use crate::tests::{at, config, stream};
use crate::{Channel, ChannelConfig, ConfigError, CreateError, Mode};

const PAGE: u64 = 4096;

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_ne_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

#[test]
fn stream_objects_have_the_sizes_of_the_stock_consumer_daemon() {
    let len =
        |subbuf_size, count| Layout::new(&config(Mode::Overwrite, subbuf_size, count)).unwrap().len;
    assert_eq!(len(2 * PAGE, 4), 45440);
    assert_eq!(len(PAGE, 2), 16608);
    assert_eq!(len(PAGE, 4), 24960);
    // Without a reader's sub-buffer, its pages and its reference, for which the stock one has room.
    let discard = Layout::new(&config(Mode::Discard, 2 * PAGE, 4)).unwrap().len;
    assert_eq!(discard, 45440 - 2 * PAGE - 64);
}

#[test]
fn the_image_tells_applications_the_geometry() {
    let config = ChannelConfig {
        switch_timer_interval_us: 1000,
        blocking_timeout_us: 2_500_000,
        ..config(Mode::Overwrite, PAGE, 4)
    };
    let channel = Channel::create(&config, &at(5)).unwrap();
    let image = channel.image();
    assert_eq!(image.len(), 920);
    assert_eq!(u64_at(image, 8), u64::MAX >> 2);
    assert_eq!((u64_at(image, 16), u32_at(image, 32)), (1000, 1));
    assert_eq!((u64_at(image, 40), u32_at(image, 56)), (0, 0));
    assert_eq!((u64_at(image, 64), u32_at(image, 72)), (800, 2));
    assert_eq!(u32_at(image, 88), 2500);
    assert_eq!((u64_at(image, 120), u64_at(image, 128)), (4 * PAGE, PAGE));
    assert_eq!((u32_at(image, 136), u32_at(image, 140), u32_at(image, 144)), (12, 2, 14));
    assert_eq!((image[148], u64_at(image, 152)), (1, 4));
    // Mode, output, wake-up.
    assert_eq!((u32_at(image, 192), u32_at(image, 196), u32_at(image, 212)), (0, 1, 1));
    assert_eq!(&image[344..364], b"relay-overwrite-mmap");
    for cpu in 0..2 {
        let offset = 664 + 16 * cpu;
        assert_eq!((u64_at(image, offset), u64_at(image, offset + 8)), (cpu as u64 + 1, 0));
    }
    assert_eq!((u32_at(image, 892), u32_at(image, 896)), (7, 0));
    assert_eq!(&image[900..916], b"0123456789abcdef");
}

#[test]
fn the_image_tells_which_transport() {
    let transport = |mode, read_timer_interval_us| {
        let config = ChannelConfig { read_timer_interval_us, ..config(mode, PAGE, 2) };
        let channel = Channel::create(&config, &at(5)).unwrap();
        let image = channel.image().to_owned();
        let name = image[344..599].split(|byte| *byte == 0).next().unwrap();
        let name = String::from_utf8(name.to_owned()).unwrap();
        (u32_at(&image, 192), u32_at(&image, 212), u32_at(&image, 304), name)
    };
    assert_eq!(transport(Mode::Discard, 0), (1, 1, 1, "relay-discard-mmap".to_owned()));
    assert_eq!(transport(Mode::Overwrite, 0), (0, 1, 2, "relay-overwrite-mmap".to_owned()));
    assert_eq!(transport(Mode::Discard, 9), (1, 0, 3, "relay-discard-rt-mmap".to_owned()));
    assert_eq!(transport(Mode::Overwrite, 9), (0, 0, 4, "relay-overwrite-rt-mmap".to_owned()));
}

#[test]
fn blocking_timeouts_are_in_milliseconds() {
    let timeout = |blocking_timeout_us| {
        let config = ChannelConfig { blocking_timeout_us, ..config(Mode::Discard, PAGE, 2) };
        u32_at(Channel::create(&config, &at(5)).unwrap().image(), 88).cast_signed()
    };
    assert_eq!(timeout(0), 0);
    assert_eq!(timeout(-1), -1);
    assert_eq!(timeout(1_000), 1);
    assert_eq!(timeout(i64::MAX), i32::MAX);
}

#[test]
fn impossible_channels_are_refused() {
    let refused = |config: ChannelConfig| {
        let Err(CreateError::Config(error)) = Channel::create(&config, &at(0)) else {
            panic!("{config:?} was made")
        };
        error
    };
    let good = config(Mode::Discard, PAGE, 4);
    for value in [0, 1, PAGE / 2, PAGE + 1, 3 * PAGE, u64::MAX] {
        let error = refused(ChannelConfig { subbuf_size_bytes: value, ..good });
        assert!(matches!(error, ConfigError::SubbufSize { value: v, .. } if v == value));
    }
    for value in [0, 3, 1 << 21, u64::MAX] {
        let error = refused(ChannelConfig { num_subbuf: value, ..good });
        assert!(matches!(error, ConfigError::SubbufCount { fewest: 1, .. }));
    }
    let error = refused(config(Mode::Overwrite, PAGE, 1));
    assert_eq!(error, ConfigError::SubbufCount { value: 1, fewest: 2, most: 1 << 20 });
    let error = refused(config(Mode::Discard, 1 << 40, 4));
    assert!(matches!(error, ConfigError::BufferSize { .. }));
    let error = refused(config(Mode::Discard, 1 << 63, 1 << 20));
    assert!(matches!(error, ConfigError::BufferSize { .. }));
    for cpu_count in [0, 8193, u32::MAX] {
        assert_eq!(
            refused(ChannelConfig { cpu_count, ..good }),
            ConfigError::CpuCount { value: cpu_count }
        );
    }
}

/// Values read from a buffer file of the stock consumer daemon, but for the length in discard mode.
#[test]
fn the_crash_block_describes_the_object() {
    let (_stream, object) = stream(&config(Mode::Overwrite, 2 * PAGE, 4), 1);
    let mut bytes = vec![0; object.memory_map_size_bytes as usize];
    File::from(object.memory).read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes[..8], [0x17, 0x7b, 0xf1, 0x77, 0xbf, 0x17, 0x7b, 0xf1]);
    assert_eq!(u64_at(&bytes, 16), 45440);
    assert_eq!(bytes[24..32], [0x34, 0x12, 0, 0, 0, 0, 8, 0]);
    let offsets: Vec<u32> = (0..11).map(|index| u32_at(&bytes, 32 + 4 * index)).collect();
    let writer_ids = u32_at(&bytes, 48) as usize;
    let pages_refs = u32_at(&bytes, 56) as usize;
    assert_eq!(offsets[..4], [128, 152, 640, 8]);
    assert_eq!((offsets[5], offsets[7], &offsets[8..]), (0, 8, &[40, 48, 56][..]));
    assert_eq!(bytes[76..84], [8; 8]);
    assert_eq!((u32_at(&bytes, 84), u32_at(&bytes, 88), u32_at(&bytes, 92)), (128, 8, 16));
    let sizes = (u64_at(&bytes, 96), u64_at(&bytes, 104), u64_at(&bytes, 112));
    assert_eq!(sizes, (8 * PAGE, 2 * PAGE, 4));
    assert_eq!(u32_at(&bytes, 120), 0);
    // What the block points to.
    let ids: Vec<u64> = (0..4).map(|index| u64_at(&bytes, writer_ids + 8 * index)).collect();
    assert_eq!(ids, [0, 1 << 32 | 1, 1 << 32 | 2, 1 << 32 | 3]);
    for physical in 0..5 {
        let reference = pages_refs + 16 * physical;
        assert_eq!(u64_at(&bytes, reference), 2);
        let pages = u64_at(&bytes, reference + 8) as usize;
        assert_eq!(
            (u64_at(&bytes, pages), u64_at(&bytes, pages + 32)),
            (physical as u64 * 8192, 2)
        );
        // Data begins at a page.
        let data = u64_at(&bytes, pages + 40);
        assert_eq!(data % PAGE, 0);
        assert!(data + 2 * PAGE <= 45440);
    }
}

#[test]
fn a_new_stream_is_as_applications_expect_it() {
    let (_stream, object) = stream(&config(Mode::Discard, PAGE, 2), 1);
    let mut bytes = vec![0; object.memory_map_size_bytes as usize];
    File::from(object.memory).read_exact_at(&mut bytes, 0).unwrap();
    // Writers' position, reader's position, reader's sub-buffer, active readers.
    assert_eq!((u64_at(&bytes, 128), u64_at(&bytes, 152), u64_at(&bytes, 192)), (84, 0, 0));
    assert_eq!(u64_at(&bytes, 384), 1);
    assert_eq!((u32_at(&bytes, 264), bytes[280]), (1, 1));
    assert_eq!((u64_at(&bytes, 472), u64_at(&bytes, 480)), (2, 0));
    let reference = |offset| {
        assert_eq!(u64_at(&bytes, offset), 2);
        u64_at(&bytes, offset + 8) as usize
    };
    let (hot, cold, end_times) = (reference(136), reference(352), reference(368));
    assert_eq!((hot, cold, end_times), (640, 896, 1152));
    assert_eq!((u64_at(&bytes, hot), u64_at(&bytes, hot + 8)), (84, 84));
    assert_eq!((u64_at(&bytes, hot + 128), u64_at(&bytes, cold)), (0, 0));
    let (ids, sequences) = (reference(176), reference(200));
    assert_eq!((u64_at(&bytes, ids), u64_at(&bytes, ids + 8)), (0, 1));
    assert_eq!((u64_at(&bytes, sequences), u64_at(&bytes, sequences + 8)), (0, 0));
    let data = reference(232);
    assert_eq!(data as u64, PAGE);
    let header = &bytes[data..data + 84];
    assert_eq!((u32_at(header, 0), &header[4..20]), (0xc1fc_1fc1, &b"0123456789abcdef"[..]));
    assert_eq!((u32_at(header, 20), u64_at(header, 24), u32_at(header, 80)), (7, 1, 1));
    assert_eq!((u64_at(header, 32), u64_at(header, 40)), (10, 0));
    assert_eq!((u64_at(header, 48), u64_at(header, 56)), (u64::MAX, u64::MAX));
    assert_eq!((u64_at(header, 64), u64_at(header, 72)), (0, 0));
}
