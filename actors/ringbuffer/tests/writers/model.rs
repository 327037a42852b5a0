//! Writers and reader step by step, in any order, against what must come out.

use std::collections::BTreeMap;

use lttngd_peer::{EVENT_HEADER_LEN, Event, Slot, events};
use lttngd_ringbuffer::{
    ChannelConfig, FlushMode, FlushOutcome, GetError, HEADER_LEN, Losses, Mode, PacketHeader,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::rig::{MODES, PAGE, Rig, Ticks, config, content, read};

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
    // Many events of one size are common.
    let len = || {
        prop_oneof![
            EVENT_HEADER_LEN..200,
            1000..PAGE as usize - 84,
            4000..5000_usize,
            Just(EVENT_HEADER_LEN)
        ]
    };
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
    /// The events that are written, and where in the content.
    events: Vec<(usize, Event)>,
    /// When an event in it is not written yet, up to where its writers tell that all is.
    cut: Option<usize>,
}

/// Where in its packet's content a position is.
fn in_content(position: u64) -> usize {
    (position % PAGE) as usize - HEADER_LEN
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
    /// By packet, up to where its writers tell that all is written.
    told: BTreeMap<u64, u64>,
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
            told: BTreeMap::new(),
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
            let header = self.check_taken(&events, cut);
            assert_eq!(header.sequence_number, packet);
            assert!(last_end <= header.timestamp_begin);
            assert!(header.timestamp_begin <= header.timestamp_end);
            last_end = header.timestamp_end;
            self.rig.stream.put_snapshot_packet().unwrap();
        }
        assert!(self.rig.stream.packet().is_none());
        assert_eq!(self.rig.stream.losses(), self.losses);
    }

    /// The packet that a snapshot has is what it is to have.
    fn check_taken(&self, expected: &[(usize, Event)], cut: Option<usize>) -> PacketHeader {
        let header = *self.rig.stream.packet().unwrap().header;
        let content = content(&self.rig.stream);
        match cut {
            None => {
                let all = expected.iter().map(|(_, event)| *event).collect();
                assert_eq!(events(&content), Some(all));
            }
            Some(cut) => assert_eq!(content.len(), cut),
        }
        for (at, event) in expected.iter().filter(|(at, _)| *at < content.len()) {
            assert_eq!(events(&content[*at..at + event.len]), Some(vec![*event]));
            assert!((header.timestamp_begin..=header.timestamp_end).contains(&event.time));
        }
        header
    }

    /// What a snapshot is to have of a packet.
    fn expect(&self, packet: u64) -> Expected {
        let written = self.written.get(&packet).map_or(&[][..], Vec::as_slice);
        let is_open = |at: u64| self.open.iter().any(|slot| slot.position == at);
        let told = || self.told.get(&packet).map_or(0, |end| in_content(end - 1) + 1);
        Expected {
            packet,
            events: written
                .iter()
                .filter(|(position, _)| !is_open(*position))
                .map(|(position, event)| (in_content(*position), *event))
                .collect(),
            cut: self.is_open(packet).then(told),
        }
    }

    fn commit(&mut self, slot: Slot) {
        self.rig.tracer.commit(slot);
        let packet = slot.position / PAGE;
        let reserved = self.position().min((packet + 1) * PAGE);
        let open = self.open.iter().filter(|open| open.position / PAGE == packet);
        let missing: u64 = open.map(|open| open.event.len as u64).sum();
        // LTTng-UST compares how much is written with where the event ends, and no more: what is missing
        // before the event may be as long as what is written behind it.
        let end = slot.position + slot.event.len as u64;
        if reserved - missing == end {
            let told = self.told.entry(packet).or_default();
            *told = end.max(*told);
        }
    }

    fn commit_open(&mut self, nth: usize) {
        let slot = self.open.remove(nth);
        self.commit(slot);
    }

    fn record(&mut self, len: usize) {
        if let Some(slot) = self.reserve(len) {
            self.commit(slot);
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
                self.commit_open(index.index(self.open.len()));
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
        while !self.open.is_empty() {
            self.commit_open(0);
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

/// Two writers that were put off before they had written, or the handlers of two signals within a tracepoint. All counts
/// are as if it was the last event that is not written, so that no reader can tell.
#[test]
fn an_event_that_is_not_written_hides_behind_one_of_its_size() {
    for (mode, snapshots) in MODES.into_iter().flat_map(|mode| [(mode, false), (mode, true)]) {
        for (first, last) in [(1414, 1414), (1414, 1413), (24, 24)] {
            let mut model = Model::new(mode, 2, snapshots);
            model.take(Step::Reserve(first));
            model.take(Step::Reserve(1184));
            model.take(Step::Record(last));
            model.commit_open(1);
            let told = if first == last { first + 1184 } else { 0 };
            assert_eq!(model.expect(0).cut, Some(told));
            model.take(Step::Snapshot(0, None));
            // When it is written, all of it is there.
            model.commit_open(0);
            assert_eq!(model.expect(0).cut, None);
            model.take(Step::Snapshot(0, None));
            model.finish();
        }
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
