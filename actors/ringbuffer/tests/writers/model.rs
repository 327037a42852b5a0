//! Writers and reader step by step, in any order, against what must come out.

use std::collections::BTreeMap;

use lttngd_peer::{EVENT_HEADER_LEN, Event, Slot};
use lttngd_ringbuffer::{
    ChannelConfig, FlushMode, FlushOutcome, GetError, Losses, Mode, PacketHeader,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::rig::{PAGE, Rig, Ticks, config, read};

const OPEN_SLOTS_MAX: usize = 4;

/// What a writer or the reader does.
#[derive(Clone, Debug)]
pub enum Step {
    /// An event of so many bytes.
    Record(usize),
    /// The same, not committed yet.
    Reserve(usize),
    Commit(Index),
    Flush(bool),
    /// Takes a packet and holds it.
    Get,
    Put,
    Read,
    Clear,
    /// With at most so many packets, with an event of so many bytes before each one is put.
    Snapshot(u64, Option<usize>),
    Sample,
}

pub fn step() -> impl Strategy<Value = Step> {
    let len = || prop_oneof![EVENT_HEADER_LEN..200, 1000..PAGE as usize - 84, 4000..5000_usize];
    prop_oneof![
        12 => len().prop_map(Step::Record),
        3 => len().prop_map(Step::Reserve),
        4 => any::<Index>().prop_map(Step::Commit),
        2 => any::<bool>().prop_map(Step::Flush),
        3 => Just(Step::Get),
        3 => Just(Step::Put),
        3 => Just(Step::Read),
        1 => Just(Step::Clear),
        1 => (0..6_u64, prop::option::of(len())).prop_map(|(count, len)| Step::Snapshot(count, len)),
        1 => Just(Step::Sample),
    ]
}

/// A packet of a snapshot.
#[derive(Default)]
struct Expected {
    packet: u64,
    events: Vec<Event>,
    /// When an event in it is not written yet, how many are before that.
    cut: Option<usize>,
}

/// Both ends of a stream, and what must come out.
pub struct Model {
    rig: Rig,
    ticks: Ticks,
    mode: Mode,
    num_subbuf: u64,
    /// Events by packet, in the order of their places.
    written: BTreeMap<u64, Vec<(u64, Event)>>,
    open: Vec<Slot>,
    events: u64,
    refused: u64,
    /// The packet that the reader is to read, before anything pushes it on.
    next: u64,
    /// The newest packet that was begun.
    newest: u64,
    held: Option<u64>,
    last: Option<PacketHeader>,
    /// The oldest packet that is lost if it is not read.
    wanted: u64,
    losses: Losses,
}

impl Model {
    fn new(mode: Mode, num_subbuf: u64, snapshots: bool) -> Self {
        let config = ChannelConfig { snapshots, ..config(mode, PAGE, num_subbuf) };
        Self::of(mode, num_subbuf, Rig::new(&config))
    }

    /// Of a new stream.
    pub fn of(mode: Mode, num_subbuf: u64, rig: Rig) -> Self {
        Self {
            rig,
            ticks: Ticks::default(),
            mode,
            num_subbuf,
            written: BTreeMap::new(),
            open: Vec::new(),
            events: 0,
            refused: 0,
            next: 0,
            newest: 0,
            held: None,
            last: None,
            wanted: 0,
            losses: Losses::default(),
        }
    }

    fn position(&self) -> u64 {
        self.rig.tracer.position()
    }

    /// The packet that the reader is to read.
    fn consumed(&self) -> u64 {
        match self.mode {
            Mode::Discard => self.next,
            Mode::Overwrite => self.next.max((self.newest + 1).saturating_sub(self.num_subbuf)),
        }
    }

    fn is_open(&self, packet: u64) -> bool {
        self.open.iter().any(|slot| slot.position / PAGE == packet)
    }

    /// What getting the packet must say.
    fn expected(&self, packet: u64) -> Result<u64, GetError> {
        if packet < self.consumed() {
            Err(GetError::Overwritten)
        } else if packet >= self.position() / PAGE {
            Err(GetError::Empty)
        } else if self.is_open(packet) {
            Err(GetError::Uncommitted)
        } else {
            Ok(packet)
        }
    }

    fn reserve(&mut self, len: usize) -> Option<Slot> {
        self.events += 1;
        let slot = self.rig.tracer.reserve(1, self.events, len, &self.ticks.clock());
        match slot {
            Ok(slot) => {
                let packet = slot.position / PAGE;
                self.written.entry(packet).or_default().push((slot.position, slot.event));
                self.newest = self.newest.max(packet);
                Some(slot)
            }
            Err(_) => {
                self.refused += 1;
                None
            }
        }
    }

    fn flush(&mut self, mode: FlushMode) {
        let position = self.position();
        let packet = position / PAGE;
        let waits = packet >= self.num_subbuf && self.is_open(packet - self.num_subbuf);
        let is_full = packet - self.consumed() >= self.num_subbuf;
        let expected = match (position % PAGE, mode) {
            (0, FlushMode::Active) => FlushOutcome::Nothing,
            (0, FlushMode::Full) if waits || is_full => FlushOutcome::NoRoom,
            _ => FlushOutcome::Closed,
        };
        assert_eq!(self.rig.stream.flush(mode, &self.ticks.clock()), Ok(expected));
        if expected == FlushOutcome::Closed {
            self.newest = self.newest.max(packet);
            self.written.entry(packet).or_default();
        }
    }

    /// The packet that is held is what was written.
    fn check_packet(&self, packet: u64) -> PacketHeader {
        let (header, events) = read(&self.rig.stream);
        assert_eq!(header.sequence_number, packet);
        let written = self.written.get(&packet).map_or(&[][..], Vec::as_slice);
        let expected: Vec<Event> = written.iter().map(|(_, event)| *event).collect();
        assert_eq!(events, expected);
        for event in &events {
            assert!((header.timestamp_begin..=header.timestamp_end).contains(&event.time));
        }
        assert!(header.events_discarded <= self.refused);
        header
    }

    fn get(&mut self) -> bool {
        if let Some(held) = self.held {
            assert_eq!(self.rig.stream.get_next().unwrap().sequence_number, held);
            return true;
        }
        let packet = self.consumed();
        let expected = self.expected(packet);
        let got = self.rig.stream.get_next().map(|header| header.sequence_number);
        assert_eq!(got, expected);
        self.held = expected.ok();
        if let Some(held) = self.held {
            self.check_packet(held);
        }
        self.held.is_some()
    }

    fn put(&mut self) {
        let Some(packet) = self.held.take() else {
            assert_eq!(self.rig.stream.put_next(), Ok(()));
            return;
        };
        // Whatever was written since then, the packet is the reader's.
        let header = self.check_packet(packet);
        if let Some(last) = self.last {
            assert!(header.timestamp_begin >= last.timestamp_end);
        }
        self.losses.lost_packets += packet - self.wanted;
        self.wanted = packet + 1;
        assert!(header.events_discarded >= self.losses.discarded_events);
        self.losses.discarded_events = header.events_discarded;
        self.rig.stream.put_next().unwrap();
        assert_eq!(self.rig.stream.losses(), self.losses);
        self.last = Some(header);
        self.next = self.consumed().max(packet + 1);
    }

    fn read(&mut self) {
        while self.get() {
            self.put();
        }
    }

    fn snapshot(&mut self, count: u64, len: Option<usize>) {
        let (end, has_events) = (self.position() / PAGE, self.position() % PAGE > 84);
        let newest = end + u64::from(has_events);
        let first = match count {
            0 => self.consumed(),
            count => self.consumed().max(newest.saturating_sub(count)),
        };
        let mut expected: Vec<Expected> = (first..newest).map(|it| self.expect(it)).collect();
        if !has_events && (count == 0 || newest - first < count) {
            expected.push(Expected { packet: end, ..Expected::default() });
        }
        let unfinished = self.rig.stream.take_snapshot(count, &self.ticks.clock()).unwrap();
        self.held = None;
        assert_eq!(unfinished, expected.iter().any(|it| it.cut.is_some()));
        // Whatever is written from now on, the snapshot has what it took.
        let mut last_end = 0;
        for Expected { packet, events, cut } in expected {
            if let Some(len) = len {
                self.record(len);
            }
            let (header, got) = read(&self.rig.stream);
            assert_eq!(header.sequence_number, packet);
            match cut {
                None => assert_eq!(got, events),
                Some(cut) => assert!(got.len() <= cut && events.starts_with(&got)),
            }
            assert!(last_end <= header.timestamp_begin);
            assert!(header.timestamp_begin <= header.timestamp_end);
            for event in &got {
                assert!((header.timestamp_begin..=header.timestamp_end).contains(&event.time));
            }
            last_end = header.timestamp_end;
            self.rig.stream.put_snapshot_packet().unwrap();
        }
        assert!(self.rig.stream.packet().is_none());
        assert_eq!(self.rig.stream.losses(), self.losses);
    }

    /// What a snapshot is to have of a packet.
    fn expect(&self, packet: u64) -> Expected {
        let written = self.written.get(&packet).map_or(&[][..], Vec::as_slice);
        let open =
            self.open.iter().map(|slot| slot.position).filter(|at| at / PAGE == packet).min();
        Expected {
            packet,
            events: written.iter().map(|(_, event)| *event).collect(),
            cut: open.map(|open| written.iter().filter(|(position, _)| *position < open).count()),
        }
    }

    fn record(&mut self, len: usize) {
        if let Some(slot) = self.reserve(len) {
            self.rig.tracer.commit(slot);
        }
    }

    pub fn take(&mut self, step: Step) {
        match step {
            Step::Record(len) => self.record(len),
            Step::Reserve(len) if self.open.len() < OPEN_SLOTS_MAX => {
                let slot = self.reserve(len);
                self.open.extend(slot);
            }
            Step::Commit(index) if !self.open.is_empty() => {
                let slot = self.open.remove(index.index(self.open.len()));
                self.rig.tracer.commit(slot);
            }
            Step::Reserve(_) | Step::Commit(_) => {}
            Step::Flush(active) => {
                self.flush(if active { FlushMode::Active } else { FlushMode::Full });
            }
            Step::Get => {
                self.get();
            }
            Step::Put => self.put(),
            Step::Read => self.read(),
            Step::Clear => {
                let is_open = !self.position().is_multiple_of(PAGE);
                self.rig.stream.clear(&self.ticks.clock()).unwrap();
                self.held = None;
                self.newest = self.newest.max(self.position() / PAGE - u64::from(is_open));
                self.next = self.position() / PAGE;
                // Nobody wants what was cleared.
                self.wanted = self.next;
            }
            Step::Snapshot(count, len) => self.snapshot(count, len),
            Step::Sample => {
                let positions = self.rig.stream.sample_positions().unwrap();
                assert_eq!(positions.produced, self.position());
                assert_eq!(positions.consumed, self.consumed() * PAGE);
            }
        }
    }

    /// All that is left comes out.
    pub fn finish(mut self) {
        for slot in std::mem::take(&mut self.open) {
            self.rig.tracer.commit(slot);
        }
        self.flush(FlushMode::Active);
        self.read();
        assert_eq!(self.rig.stream.losses_now().discarded_events, self.refused);
        // One more packet tells of all that was refused.
        self.flush(FlushMode::Full);
        self.read();
        assert_eq!(self.rig.stream.losses().discarded_events, self.refused);
        assert_eq!(self.rig.tracer.events_discarded(), self.refused);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn discarding_writers_lose_only_what_they_count(
        num_order in 0..4_u32,
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut model = Model::new(Mode::Discard, 1 << num_order, true);
        steps.into_iter().for_each(|step| model.take(step));
        model.finish();
    }

    #[test]
    fn overwriting_writers_lose_only_whole_packets(
        num_order in 1..4_u32,
        snapshots in any::<bool>(),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut model = Model::new(Mode::Overwrite, 1 << num_order, snapshots);
        steps.into_iter().for_each(|step| model.take(step));
        model.finish();
    }
}
