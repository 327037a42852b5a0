//! Two streams of a channel: an application spoils one, in any order with what the reader does, and the
//! other one is as if nothing had happened.

use std::ops::Range;

use lttngd_peer::EVENT_HEADER_LEN;
use lttngd_ringbuffer::{Corruption, FlushMode, GetError, Mode, Packet, Stream, VIEWS_MAX, write};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

use crate::model::{Model, Step, step};
use crate::rig::{PAGE, Rig, Ticks, config};

/// The seed of runs that name none.
const SEED: u64 = 0x1777;

/// What happens to the stream that is spoilt, or to the other one.
#[derive(Clone, Debug)]
enum Turn {
    /// A word of the bad stream gets another value: among the control words, or anywhere.
    Scribble { anywhere: bool, word: Index, value: u64 },
    /// Many words get values that follow from the seed.
    Deface(u64),
    /// The writer of the bad stream goes on.
    Record(usize),
    /// The reader of the bad stream does this.
    Read(Reading),
    /// The good stream's writer or reader.
    Good(Step),
}

/// What a reader does.
#[derive(Clone, Debug)]
enum Reading {
    Get,
    Write,
    Put,
    PutSubbuf,
    Snapshot(u64, usize),
    Flush(FlushMode),
    FlushQuiescent,
    Begin,
    Clear,
    Sample,
    FinishAbandoned(u64),
}

fn reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        6 => Just(Reading::Get),
        4 => Just(Reading::Write),
        4 => Just(Reading::Put),
        1 => Just(Reading::PutSubbuf),
        2 => (0..6_u64, 0..6_usize).prop_map(|(count, put)| Reading::Snapshot(count, put)),
        2 => Just(Reading::Flush(FlushMode::Active)),
        1 => Just(Reading::Flush(FlushMode::Full)),
        1 => Just(Reading::Flush(FlushMode::Filled)),
        1 => Just(Reading::Begin),
        1 => Just(Reading::FlushQuiescent),
        1 => Just(Reading::Clear),
        1 => Just(Reading::Sample),
        2 => prop_oneof![Just(u64::MAX >> 1), (0..64 * PAGE), any::<u64>()]
            .prop_map(Reading::FinishAbandoned),
    ]
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..200_u64,
        (0..64_u32).prop_map(|bit| 1 << bit),
        (0..64_u64).prop_map(|page| page * PAGE),
        (0..64_u64, 0..200_u64).prop_map(|(page, rest)| page * PAGE + rest),
        (0..64_u64).prop_map(|page| (page * PAGE).wrapping_neg()),
        Just(u64::MAX),
        (0..8_u64, 0..4_u64).prop_map(|(id, pass)| pass << 33 | 1 << 32 | id),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        5 => (any::<bool>(), any::<Index>(), value())
            .prop_map(|(anywhere, word, value)| Turn::Scribble { anywhere, word, value }),
        1 => any::<u64>().prop_map(Turn::Deface),
        6 => (EVENT_HEADER_LEN..1500).prop_map(Turn::Record),
        8 => reading().prop_map(Turn::Read),
        6 => step().prop_map(Turn::Good),
    ]
}

/// The words of the positions, references and counts of losses, and of commit counters; those at which
/// one wrong value does most.
const CONTROL_WORDS: Range<usize> = 16..180;

/// Checks what is true of a packet whatever an application does.
fn check_packet(stream: &Stream, memory: &Range<usize>) {
    let packet = stream.packet().expect("what was got is held");
    check_sizes(&packet);
    let start = packet.body.as_ptr() as usize;
    assert!(memory.contains(&start) && start + packet.body.len() <= memory.end);
    assert!(packet.views().len() <= VIEWS_MAX);
}

fn check_sizes(packet: &Packet<'_>) {
    assert!(packet.header.content_size_bits <= packet.header.packet_size_bits);
    assert_eq!(packet.size_bytes() as u64 * 8, packet.header.packet_size_bits);
    assert!(packet.header.packet_size_bits <= PAGE * 8);
    assert_eq!(packet.header.packet_size_bits % (PAGE * 8), 0);
}

struct Bad {
    rig: Rig,
    ticks: Ticks,
    number: u64,
    memory: Range<usize>,
    end: Option<Corruption>,
}

impl Bad {
    fn new(rig: Rig) -> Self {
        let memory = mapping_of(&rig);
        Self { rig, ticks: Ticks::default(), number: 0, memory, end: None }
    }

    fn scribble(&self, anywhere: bool, word: Index, value: u64) {
        let words = self.rig.tracer.words();
        let word = if anywhere {
            word.index(words)
        } else {
            CONTROL_WORDS.start + word.index(CONTROL_WORDS.len())
        };
        self.rig.tracer.scribble(word, value);
    }

    fn deface(&self, seed: u64) {
        let mut state = seed | 1;
        for word in 0..self.rig.tracer.words() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if state.is_multiple_of(3) {
                self.rig.tracer.scribble(word, state.rotate_left(17));
            }
        }
    }

    /// A writer that follows what it finds would not come back from everything, so it only writes while
    /// nothing was spoilt.
    fn record(&mut self, len: usize, spoilt: bool) {
        if !spoilt {
            self.number += 1;
            let _ = self.rig.tracer.record(1, self.number, len, &self.ticks.clock());
        }
    }

    fn read(&mut self, reading: &Reading) {
        let outcome = self.try_read(reading);
        match (self.end, outcome) {
            (None, Ok(())) => {}
            (None, Err(corruption)) => self.end = Some(corruption),
            // For ever.
            (Some(end), outcome) => assert_eq!(outcome, Err(end), "{reading:?}"),
        }
        if self.end.is_some() {
            assert!(self.rig.stream.packet().is_none());
        }
    }

    fn try_read(&mut self, reading: &Reading) -> Result<(), Corruption> {
        let clock = self.ticks.clock();
        let stream = &mut self.rig.stream;
        match reading {
            Reading::Get => got(stream.get_next().map(drop)).map(|got| {
                if got {
                    check_packet(stream, &self.memory);
                }
            }),
            Reading::Write => {
                if let Some(packet) = stream.packet() {
                    // What cannot be written whole is an error of the file, never of the memory.
                    let null = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
                    assert_eq!(write(null, &packet.views(), 0).unwrap(), packet.size_bytes());
                }
                stream.check()
            }
            Reading::Put => stream.put_next(),
            Reading::PutSubbuf => stream.put_subbuf(),
            Reading::Snapshot(count, put) => {
                stream.take_snapshot(*count, &clock)?;
                for _ in 0..*put {
                    let Some(packet) = stream.packet() else { break };
                    check_sizes(&packet);
                    stream.put_snapshot_packet()?;
                }
                stream.drop_snapshot();
                stream.check()
            }
            Reading::Flush(mode) => stream.flush(*mode, &clock).map(drop),
            Reading::FlushQuiescent => {
                stream.clear_quiescent();
                stream.flush_quiescent(&clock).map(drop)
            }
            Reading::Begin => stream.begin_packet(&clock).map(drop),
            Reading::Clear => stream.clear(&clock).map(drop),
            Reading::Sample => {
                stream.is_readable()?;
                stream.sample_positions().map(drop)
            }
            Reading::FinishAbandoned(until) => {
                stream.unfinished_until()?;
                let finished = stream.finish_abandoned(*until, &clock)?;
                assert!(finished as u64 <= stream.num_subbuf());
                Ok(())
            }
        }
    }
}

/// Whether there was a packet.
fn got(outcome: Result<(), GetError>) -> Result<bool, Corruption> {
    match outcome {
        Ok(()) => Ok(true),
        Err(GetError::Corrupt(corruption)) => Err(corruption),
        Err(_) => Ok(false),
    }
}

/// Where the reader has the stream's memory, as the system tells.
fn mapping_of(rig: &Rig) -> Range<usize> {
    let inode = rustix::fs::fstat(&rig.object.memory).unwrap().st_ino.to_string();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let own = rig.tracer.address();
    let ranges = maps.lines().filter_map(|line| {
        let mut columns = line.split_whitespace();
        let (start, end) = columns.next()?.split_once('-')?;
        let range = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
        (columns.nth(3)? == inode && range.start != own).then_some(range)
    });
    // Mappings side by side are told as one.
    let all: Vec<_> = ranges.collect();
    assert!(!all.is_empty());
    all[0].start..all[all.len() - 1].end
}

fn run(mode: Mode, num_order: u32, turns: Vec<Turn>) {
    let (bad, good) = Rig::pair(&config(mode, PAGE, 1 << num_order));
    let (mut bad, mut good) = (Bad::new(bad), Model::of(mode, 1 << num_order, good));
    let mut spoilt = false;
    for turn in turns {
        match turn {
            Turn::Scribble { anywhere, word, value } => {
                spoilt = true;
                bad.scribble(anywhere, word, value);
            }
            Turn::Deface(seed) => {
                spoilt = true;
                bad.deface(seed);
            }
            Turn::Record(len) => bad.record(len, spoilt),
            Turn::Read(reading) => bad.read(&reading),
            Turn::Good(step) => good.take(step),
        }
    }
    // Whatever it is: it comes to an end.
    for _ in 0..2 {
        bad.read(&Reading::FinishAbandoned(u64::MAX >> 1));
        bad.read(&Reading::Get);
        bad.read(&Reading::Put);
    }
    good.finish();
}

fn fixed(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { cases, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    config
}

proptest! {
    #![proptest_config(fixed(250))]

    #[test]
    fn a_spoilt_stream_costs_itself_in_discard_mode(
        num_order in 0..4_u32,
        turns in prop::collection::vec(turn(), 1..120),
    ) {
        run(Mode::Discard, num_order, turns);
    }

    #[test]
    fn a_spoilt_stream_costs_itself_in_overwrite_mode(
        num_order in 1..4_u32,
        turns in prop::collection::vec(turn(), 1..120),
    ) {
        run(Mode::Overwrite, num_order, turns);
    }
}
