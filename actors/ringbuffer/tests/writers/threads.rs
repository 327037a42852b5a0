//! Many writers at once beside one reader that flushes: each event is read, or refused and counted, or
//! in a packet that is counted as lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lttngd_peer::{EVENT_HEADER_LEN, Slot, Tracer};
use lttngd_ringbuffer::{
    ChannelConfig, Clock, FlushMode, GetError, Mode, MonotonicClock, PacketHeader, Stream, Wakeup,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::rig::{MODES, PAGE, Rig, config, read};

const WRITERS: u32 = 3;
const EVENTS: u64 = 20_000;
/// How long the reader waits for a wake-up before it flushes, as a switch timer would.
const SWITCH_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Numbers that look random, the same in each run.
fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// What a writer got room for, and how many events it did not.
fn write(tracer: &Tracer, writer: u32) -> (Vec<Slot>, u64) {
    let mut random = random(u64::from(writer) + 1);
    let clock = || MonotonicClock.now();
    let mut refused = 0;
    let mut slots = Vec::new();
    for number in 0..EVENTS {
        let len = EVENT_HEADER_LEN + (random() % 200) as usize;
        match tracer.record(writer, number, len, &clock) {
            Ok(slot) => slots.push(slot),
            Err(_) => refused += 1,
        }
        if random().is_multiple_of(64) {
            thread::yield_now();
        }
    }
    (slots, refused)
}

/// Reads what there is.
fn drain(stream: &mut Stream, packets: &mut Vec<(PacketHeader, Vec<lttngd_peer::Event>)>) {
    loop {
        match stream.get_next() {
            Ok(_) => {
                packets.push(read(stream));
                stream.put_next().unwrap();
            }
            Err(GetError::Empty | GetError::Uncommitted | GetError::Overwritten) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

fn race(config: &ChannelConfig) {
    let Rig { mut stream, tracer, object } = Rig::new(config);
    let running = AtomicUsize::new(WRITERS as usize);
    let mut packets = Vec::new();
    let written: Vec<(Vec<Slot>, u64)> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (tracer, running) = (&tracer, &running);
                scope.spawn(move || {
                    let written = write(tracer, writer);
                    running.fetch_sub(1, Ordering::SeqCst);
                    written
                })
            })
            .collect();
        while running.load(Ordering::SeqCst) > 0 {
            let mut polled = [PollFd::from_borrowed_fd(stream.wakeup_reader(), PollFlags::IN)];
            poll(&mut polled, Some(&SWITCH_INTERVAL)).unwrap();
            if stream.drain_wakeups() == Wakeup::None {
                stream.flush(FlushMode::Active, &MonotonicClock).unwrap();
            }
            drain(&mut stream, &mut packets);
        }
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    drop((tracer, object));
    drain(&mut stream, &mut packets);
    // The last packet, and an empty one behind it that tells of all losses.
    for _ in 0..2 {
        stream.flush(FlushMode::Full, &MonotonicClock).unwrap();
        drain(&mut stream, &mut packets);
    }
    assert_eq!(stream.get_next(), Err(GetError::Empty));
    let _ = stream.drain_wakeups();
    assert_eq!(stream.drain_wakeups(), Wakeup::HungUp);
    check(config, &stream, &written, &packets);
}

fn check(
    config: &ChannelConfig,
    stream: &Stream,
    written: &[(Vec<Slot>, u64)],
    packets: &[(PacketHeader, Vec<lttngd_peer::Event>)],
) {
    let mut places: BTreeMap<u64, BTreeMap<u64, _>> = BTreeMap::new();
    for slot in written.iter().flat_map(|(slots, _)| slots) {
        places
            .entry(slot.position / config.subbuf_size_bytes)
            .or_default()
            .insert(slot.position, slot.event);
    }
    let refused: u64 = written.iter().map(|(_, refused)| refused).sum();
    let last = packets.last().unwrap().0.sequence_number;
    let mut lost = 0;
    let mut previous: Option<&PacketHeader> = None;
    for (header, events) in packets {
        let expected = places.remove(&header.sequence_number).unwrap_or_default();
        let same = events.iter().eq(expected.values());
        assert!(same, "packet {} has other events than were written", header.sequence_number);
        assert!(events.iter().all(|event| {
            (header.timestamp_begin..=header.timestamp_end).contains(&event.time)
        }));
        let next = previous.map_or(0, |previous| previous.sequence_number + 1);
        assert!(header.sequence_number >= next);
        if let Some(previous) = previous {
            assert!(header.timestamp_begin >= previous.timestamp_end);
        }
        lost += header.sequence_number - next;
        previous = Some(header);
    }
    if config.mode == Mode::Discard {
        assert_eq!(places.len(), 0, "events that were not read");
        assert_eq!(packets.len() as u64, last + 1);
    }
    assert_eq!(stream.losses().discarded_events, refused);
    assert_eq!(stream.losses().lost_packets, lost);
}

#[test]
fn many_writers_and_a_reader() {
    for mode in MODES {
        for num_subbuf in [2, 16] {
            race(&config(mode, PAGE, num_subbuf));
        }
    }
}

/// Without wake-ups, as with a read timer.
#[test]
fn many_writers_and_a_reader_that_polls() {
    for mode in MODES {
        race(&ChannelConfig { read_timer_interval_us: 1000, ..config(mode, 2 * PAGE, 4) });
    }
}
