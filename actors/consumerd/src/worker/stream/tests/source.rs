//! A source that does what it is told.

use std::{
    collections::VecDeque,
    io,
    os::fd::BorrowedFd,
    sync::{Arc, Mutex},
};

use lttngd_kernelbuffer::NotSent;
use lttngd_ringbuffer::{
    BeginOutcome, Corruption, FlushMode, FlushOutcome, Losses, Mode, Positions, Wakeup,
};
use lttngd_wire::ctf::PacketIndex;

use crate::{
    clock::PacketClock,
    worker::stream_source::{NoPacket, SourceLost, SourcePacket, StreamSource},
};

/// Bytes of each packet.
pub(super) const SUBBUF: u64 = 4096;

/// Those of each packet.
pub(super) static BYTES: [u8; SUBBUF as usize] = {
    let mut bytes = [0; SUBBUF as usize];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = (at % 251) as u8;
        at += 1;
    }
    bytes
};

/// What a source has, does and was told.
#[derive(Debug)]
pub(super) struct State {
    pub(super) mode: Mode,
    pub(super) has_events: bool,
    pub(super) consumed: u64,
    produced: u64,
    held: bool,
    failures: VecDeque<NoPacket>,
    pub(super) lost: bool,
    pub(super) losses: Losses,
    pub(super) is_untouched: bool,
    pub(super) wakeup: Wakeup,
    pub(super) begins: BeginOutcome,
    pub(super) unfinished_until: Option<u64>,
    quiescent: bool,
    /// Whether its packets can be moved, and of the one that is held how much has gone to a socket.
    pub(super) moves: bool,
    moved: usize,
    /// What pages are moved to a socket at most, until there is more to move.
    pub(super) moves_at_most: usize,
    /// How often bytes of a packet were had at hand.
    pub(super) read: usize,
    /// What it was flushed with.
    pub(super) flushes: Vec<FlushMode>,
    /// How often its packet was closed for good, it was marked so, a packet begun.
    pub(super) finished: usize,
    pub(super) marked: usize,
    pub(super) begun: usize,
    /// Up to where abandoned packets were finished.
    pub(super) abandoned: Vec<u64>,
    /// The time, and how long a flush takes.
    pub(super) now: u64,
    pub(super) flush_time: u64,
}

/// A hand on a source that a stream has.
#[derive(Clone, Debug)]
pub(super) struct Does(Arc<Mutex<State>>);

impl Does {
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    pub(super) fn see<T>(&self, see: impl FnOnce(&State) -> T) -> T {
        see(&self.0.lock().unwrap())
    }

    /// Writers fill so many packets.
    pub(super) fn produce(&self, packets: u64) {
        self.change(|it| it.produced += packets * SUBBUF);
    }

    /// The next packet cannot be had.
    pub(super) fn fails_once(&self, failure: NoPacket) {
        self.change(|it| it.failures.push_back(failure));
    }
}

#[derive(Debug)]
pub(super) struct FakeSource(Does);

impl FakeSource {
    pub(super) fn new() -> (Self, Does) {
        let does = Does(Arc::new(Mutex::new(State {
            mode: Mode::Discard,
            has_events: true,
            consumed: 0,
            produced: 0,
            held: false,
            failures: VecDeque::new(),
            lost: false,
            losses: Losses::default(),
            is_untouched: false,
            wakeup: Wakeup::Woken,
            begins: BeginOutcome::Begun,
            unfinished_until: None,
            quiescent: false,
            moves: false,
            moved: 0,
            moves_at_most: usize::MAX,
            read: 0,
            flushes: Vec::new(),
            finished: 0,
            marked: 0,
            begun: 0,
            abandoned: Vec::new(),
            now: 0,
            flush_time: 0,
        })));
        (Self(does.clone()), does)
    }

    /// Does something, unless the source is lost.
    fn unless_lost<T>(&self, act: impl FnOnce(&mut State) -> T) -> Result<T, SourceLost> {
        let mut state = self.0.0.lock().unwrap();
        if state.lost { Err(Corruption::Truncated.into()) } else { Ok(act(&mut state)) }
    }
}

impl StreamSource for FakeSource {
    fn cpu(&self) -> u32 {
        7
    }

    fn mode(&self) -> Mode {
        self.0.see(|it| it.mode)
    }

    fn subbuf_size_bytes(&self) -> u64 {
        SUBBUF
    }

    fn num_subbuf(&self) -> u64 {
        4
    }

    fn wakeup_fd(&self) -> BorrowedFd<'_> {
        unreachable!("nobody watches it")
    }

    fn take_wakeups(&mut self) -> Wakeup {
        self.0.see(|it| it.wakeup)
    }

    fn now(&mut self, _: &PacketClock) -> Result<u64, SourceLost> {
        self.unless_lost(|it| it.now)
    }

    fn get_next(&mut self) -> Result<(), NoPacket> {
        let got = self.unless_lost(|it| {
            if let Some(failure) = it.failures.pop_front() {
                return Err(failure);
            }
            it.held = it.produced.wrapping_sub(it.consumed) >= SUBBUF;
            if it.held { Ok(()) } else { Err(NoPacket::Empty) }
        });
        got.map_err(NoPacket::Lost).flatten()
    }

    fn read(&mut self) -> Result<(), SourceLost> {
        self.unless_lost(|it| it.read += 1)
    }

    fn movable_len(&self) -> Option<u64> {
        self.0.see(|it| (it.held && it.moves).then_some(SUBBUF))
    }

    fn move_to(&mut self, file: BorrowedFd<'_>, offset: u64) -> io::Result<()> {
        Ok(rustix::io::pwrite(file, &BYTES, offset).map(drop)?)
    }

    fn send_to(&mut self, socket: BorrowedFd<'_>, len: u64) -> Result<usize, NotSent> {
        let mut state = self.0.0.lock().unwrap();
        let end = usize::try_from(len).unwrap().min(state.moves_at_most);
        let sent = match BYTES.get(state.moved..end).filter(|left| !left.is_empty()) {
            Some(left) => rustix::io::write(socket, left).map_err(NotSent::Socket)?,
            None => 0,
        };
        state.moved += sent;
        Ok(sent)
    }

    fn read_rest(&mut self) {
        self.0.change(|it| it.read += 1);
    }

    fn packet(&self) -> Option<SourcePacket<'_>> {
        self.last_packet().filter(|_| self.0.see(|it| !it.lost))
    }

    fn last_packet(&self) -> Option<SourcePacket<'_>> {
        let has_events = self.0.see(|it| it.held.then_some(it.has_events))?;
        let index = PacketIndex {
            packet_size_bits: SUBBUF * 8,
            content_size_bits: SUBBUF * 8,
            ..PacketIndex::default()
        };
        Some(SourcePacket { index, has_events, views: [BYTES[..84].into(), BYTES[84..].into()] })
    }

    fn put_next(&mut self) -> Result<(), SourceLost> {
        self.unless_lost(|it| {
            it.consumed += if it.held { SUBBUF } else { 0 };
            (it.held, it.moved) = (false, 0);
        })
    }

    fn is_readable(&mut self) -> Result<bool, SourceLost> {
        self.unless_lost(|it| it.produced.wrapping_sub(it.consumed) >= SUBBUF)
    }

    fn positions(&mut self) -> Result<Positions, SourceLost> {
        self.unless_lost(|it| Positions { consumed: it.consumed, produced: it.produced })
    }

    fn packets_left(&mut self) -> Result<u64, SourceLost> {
        self.unless_lost(|it| (it.produced - it.consumed) / SUBBUF)
    }

    fn flush(&mut self, mode: FlushMode, _: &PacketClock) -> Result<FlushOutcome, SourceLost> {
        self.unless_lost(|it| {
            it.flushes.push(mode);
            it.now += it.flush_time;
            FlushOutcome::Nothing
        })
    }

    fn flush_quiescent(&mut self, _: &PacketClock) -> Result<FlushOutcome, SourceLost> {
        self.unless_lost(|it| {
            it.quiescent = true;
            it.finished += 1;
            FlushOutcome::Nothing
        })
    }

    fn set_quiescent(&mut self, _: &PacketClock) -> Result<(), SourceLost> {
        self.unless_lost(|it| {
            it.quiescent = true;
            it.marked += 1;
        })
    }

    fn clear_quiescent(&mut self) {
        self.0.change(|it| it.quiescent = false);
    }

    fn is_quiescent(&self) -> bool {
        self.0.see(|it| it.quiescent)
    }

    fn begin_packet(&mut self, _: &PacketClock) -> Result<BeginOutcome, SourceLost> {
        self.unless_lost(|it| {
            it.begun += 1;
            it.begins
        })
    }

    fn clear(&mut self, _: &PacketClock) -> Result<FlushOutcome, SourceLost> {
        self.unless_lost(|it| {
            (it.consumed, it.held) = (it.produced, false);
            FlushOutcome::Nothing
        })
    }

    fn unfinished_until(&mut self) -> Result<Option<u64>, SourceLost> {
        self.unless_lost(|it| it.unfinished_until)
    }

    fn finish_abandoned(&mut self, until: u64, _: &PacketClock) -> Result<usize, SourceLost> {
        self.unless_lost(|it| {
            it.abandoned.push(until);
            1
        })
    }

    fn take_snapshot(&mut self, _: u64, _: &PacketClock) -> Result<bool, SourceLost> {
        self.unless_lost(|_| false)
    }

    fn put_snapshot_packet(&mut self) -> Result<(), SourceLost> {
        self.put_next()
    }

    fn drop_snapshot(&mut self) {}

    fn check(&mut self) -> Result<(), SourceLost> {
        self.unless_lost(|_| ())
    }

    fn is_lost(&self) -> bool {
        self.0.see(|it| it.lost)
    }

    fn is_untouched(&mut self) -> bool {
        self.0.see(|it| it.is_untouched)
    }

    fn losses(&self) -> Losses {
        self.0.see(|it| it.losses)
    }

    fn count_lost_packet(&mut self) {
        self.0.change(|it| it.losses.lost_packets += 1);
    }
}
