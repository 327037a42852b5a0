//! Flushing and reading without any writer.

use std::fs::File;
use std::io::Read;
use std::sync::atomic::Ordering;

use rustix::fs::{SealFlags, fcntl_get_seals};

use crate::tests::{at, config, stream};
use crate::{Channel, FlushMode, FlushOutcome, GetError, Mode, Storage, Wakeup, write};

const PAGE: u64 = 4096;
const MODES: [Mode; 2] = [Mode::Discard, Mode::Overwrite];

#[test]
fn an_empty_packet_is_flushed_and_read() {
    for mode in MODES {
        let (mut stream, _object) = stream(&config(mode, PAGE, 4), 1);
        assert_eq!(stream.get_next(), Err(GetError::Empty));
        // The first packet is open already.
        assert_eq!(stream.flush(FlushMode::Active, &at(20)), Ok(FlushOutcome::Closed));
        assert_eq!(stream.flush(FlushMode::Active, &at(21)), Ok(FlushOutcome::Nothing));
        assert_eq!(stream.flush(FlushMode::Full, &at(30)), Ok(FlushOutcome::Closed));
        for (number, begin, end) in [(0, 10, 20), (1, 30, 30)] {
            let header = *stream.get_next().unwrap();
            assert_eq!((header.timestamp_begin, header.timestamp_end), (begin, end));
            assert_eq!((header.content_size_bits, header.packet_size_bits), (84 * 8, PAGE * 8));
            assert_eq!((header.sequence_number, header.events_discarded), (number, 0));
            assert_eq!((header.stream_id, header.stream_instance_id), (7, 1));
            stream.put_next().unwrap();
        }
        assert_eq!(stream.get_next(), Err(GetError::Empty));
    }
}

#[test]
fn a_full_buffer_takes_no_empty_packet() {
    let flushes = |mode| {
        let (mut stream, _object) = stream(&config(mode, PAGE, 2), 0);
        let outcomes: Vec<FlushOutcome> =
            (0..5).map(|_| stream.flush(FlushMode::Full, &at(20)).unwrap()).collect();
        let positions = stream.snapshot_positions().unwrap();
        (outcomes, positions.collect::<Vec<u64>>())
    };
    for mode in MODES {
        let (outcomes, positions) = flushes(mode);
        assert_eq!(outcomes[..2], [FlushOutcome::Closed; 2]);
        assert_eq!(outcomes[2..], [FlushOutcome::NoRoom; 3]);
        assert_eq!(positions, [0, PAGE]);
    }
}

#[test]
fn packets_leave_as_bytes() {
    for mode in MODES {
        let (mut stream, _object) = stream(&config(mode, PAGE, 2), 0);
        stream.flush(FlushMode::Full, &at(20)).unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        stream.get_next().unwrap();
        let packet = stream.packet().unwrap();
        let mut written = 0;
        while written < packet.size_bytes() {
            written += write(&writer, &packet.views(), written).unwrap();
        }
        let header_bytes = *packet.header_bytes;
        let mut copy = vec![1; packet.body.len() + 1];
        assert_eq!(packet.body.copy_to(&mut copy), PAGE as usize - 84);
        drop(writer);
        let mut bytes = Vec::new();
        File::from(reader).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), PAGE as usize);
        assert_eq!(bytes[..84], *header_bytes.as_slice());
        assert_eq!(bytes[84..], copy[..copy.len() - 1]);
        stream.put_next().unwrap();
        assert!(stream.packet().is_none());
    }
}

#[test]
fn a_quiet_stream_is_flushed_once() {
    let (mut stream, _object) = stream(&config(Mode::Discard, PAGE, 4), 0);
    assert_eq!(stream.flush_quiescent(&at(20)), Ok(FlushOutcome::Closed));
    assert!(stream.is_quiescent());
    assert_eq!(stream.flush_quiescent(&at(21)), Ok(FlushOutcome::Nothing));
    stream.clear_quiescent();
    assert_eq!(stream.flush_quiescent(&at(22)), Ok(FlushOutcome::Closed));
}

#[test]
fn memory_keeps_its_size() {
    let (_stream, object) = stream(&config(Mode::Discard, PAGE, 4), 0);
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    assert_eq!(fcntl_get_seals(&object.memory).unwrap(), seals);
    assert!(rustix::fs::ftruncate(&object.memory, 0).is_err());
    let stat = rustix::fs::fstat(&object.memory).unwrap();
    assert_eq!(stat.st_size.cast_unsigned(), object.memory_map_size_bytes);
    assert!(stat.st_blocks.cast_unsigned() * 512 >= object.memory_map_size_bytes);
}

#[test]
fn pipes_show_wakeups_and_the_end() {
    let config = config(Mode::Discard, PAGE, 2);
    let mut channel = Channel::create(&config, &at(1)).unwrap();
    let (stream, object) = channel.create_stream(0, Storage::Memory, &at(1)).unwrap();
    assert_eq!(stream.drain_wakeups(), Wakeup::None);
    for _ in 0..3 {
        rustix::io::write(&object.wakeup, &[0]).unwrap();
    }
    assert_eq!(stream.drain_wakeups(), Wakeup::Woken);
    assert_eq!(stream.drain_wakeups(), Wakeup::None);
    drop(object);
    assert_eq!(stream.drain_wakeups(), Wakeup::HungUp);

    let application = channel.wakeup().unwrap().try_clone_to_owned().unwrap();
    channel.close_wakeup();
    assert!(!channel.is_hung_up());
    drop(application);
    assert!(channel.is_hung_up());
}

#[test]
fn a_gauge_shows_what_the_reader_knows_until_the_stream_is_gone() {
    for mode in MODES {
        let (mut stream, _object) = stream(&config(mode, PAGE, 4), 0);
        let gauge = stream.gauge();
        assert_eq!(gauge.positions(), stream.sample_positions().ok());
        stream.flush(FlushMode::Full, &at(20)).unwrap();
        stream.flush(FlushMode::Full, &at(21)).unwrap();
        let full = stream.sample_positions().unwrap();
        assert!(full.used_bytes() >= 2 * PAGE);
        assert_eq!(gauge.positions(), Some(full));
        stream.get_next().unwrap();
        stream.put_next().unwrap();
        assert_eq!(gauge.positions(), stream.sample_positions().ok());
        assert_ne!(gauge.positions(), Some(full));
        assert!(!gauge.is_gone());
        drop(stream);
        assert!(gauge.is_gone());
        assert_eq!(gauge.positions(), None);
    }
}

#[test]
fn a_gauge_shows_no_positions_that_no_writer_leaves() {
    for (mode, produced) in [(Mode::Discard, 5 * PAGE), (Mode::Overwrite, u64::MAX)] {
        let (stream, _object) = stream(&config(mode, PAGE, 4), 0);
        let gauge = stream.gauge();
        stream.memory.u64(stream.layout.control.offset).store(produced, Ordering::Relaxed);
        assert_eq!(gauge.positions(), None, "{mode:?}");
        assert!(!gauge.is_gone());
    }
}
