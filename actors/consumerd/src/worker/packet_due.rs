//! Packets that are begun without an event: the first one of a trace chunk, and the one that a relay daemon
//! waits for.

use lttngd_ringbuffer::{BeginOutcome, FlushMode, FlushOutcome};

/// Whether a packet is to be begun in a stream, and whether one was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PacketDue {
    /// One found no room when its trace chunk began, or a relay daemon waits for it.
    due: bool,
    /// One was begun when the stream's trace chunk was.
    opened: bool,
    /// The relay daemon was not sent packets that it may wait for: it goes to the next trace chunk by those that
    /// come.
    relay_misses: bool,
}

/// How a packet is begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Begin {
    /// By closing an empty one, which is sent at once.
    ByFlush,
    /// By its beginning alone.
    Open,
}

impl PacketDue {
    /// How the packet is closed with which a stream leaves its trace chunk. A file without a packet is one that
    /// readers choke on: where there is none and is none coming, an empty one is closed.
    pub(super) fn closing(&self, bytes_in_chunk: u64, packets_left: u64) -> FlushMode {
        let has_one = self.opened || bytes_in_chunk > 0 || packets_left > 0;
        if has_one && !self.relay_misses { FlushMode::Active } else { FlushMode::Full }
    }

    /// Its trace chunk is being left.
    pub(super) fn chunk_left(&mut self) {
        self.opened = false;
        self.due = false;
    }

    /// Packets were dropped that nobody will send. A relay daemon may wait for them.
    pub(super) fn dropped(&mut self, is_remote: bool) {
        self.relay_misses = is_remote;
        self.due |= is_remote;
    }

    /// A packet was written whole.
    pub(super) fn written(&mut self) {
        self.relay_misses = false;
    }

    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// How one is begun. After packets that were dropped at once, and not when it is full or the chunk ends.
    pub(super) fn way(&self) -> Begin {
        if self.relay_misses { Begin::ByFlush } else { Begin::Open }
    }

    /// One was begun, or is to be as soon as there is room: a full buffer gets some by reading, and writers that
    /// were faster come again.
    pub(super) fn begun(&mut self, outcome: Option<BeginOutcome>) {
        self.opened = outcome == Some(BeginOutcome::Begun);
        self.due = !self.opened;
    }
}

/// What a flush means for a packet that was to be begun.
pub(super) fn begun_by(flushed: FlushOutcome) -> BeginOutcome {
    match flushed {
        FlushOutcome::Closed | FlushOutcome::Nothing => BeginOutcome::Begun,
        FlushOutcome::NoRoom | FlushOutcome::Contended => BeginOutcome::NoRoom,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_chunk_without_a_packet_gets_an_empty_one() {
        assert_eq!(PacketDue::default().closing(0, 0), FlushMode::Full);
    }

    #[test]
    fn a_trace_chunk_with_a_packet_needs_no_empty_one() {
        let due = PacketDue::default();
        assert_eq!(due.closing(4096, 0), FlushMode::Active, "one is written");
        assert_eq!(due.closing(0, 1), FlushMode::Active, "one is to be read");
        let mut opened = PacketDue::default();
        opened.begun(Some(BeginOutcome::Begun));
        assert_eq!(opened.closing(0, 0), FlushMode::Active, "one is open");
    }

    #[test]
    fn a_relay_daemon_that_misses_packets_gets_an_empty_one_to_go_by() {
        let mut due = PacketDue::default();
        due.dropped(true);
        assert_eq!(due.closing(4096, 0), FlushMode::Full);
        due.written();
        assert_eq!(due.closing(4096, 0), FlushMode::Active, "it got one since");
    }

    #[test]
    fn packets_dropped_from_files_are_missed_by_nobody() {
        let mut due = PacketDue::default();
        due.dropped(false);
        assert!(!due.is_due());
        assert_eq!((due.way(), due.closing(4096, 0)), (Begin::Open, FlushMode::Active));
    }

    #[test]
    fn packets_dropped_before_a_relay_daemon_make_one_due_at_once() {
        let mut due = PacketDue::default();
        due.dropped(true);
        assert!(due.is_due());
        assert_eq!(due.way(), Begin::ByFlush);
    }

    #[test]
    fn a_packet_that_finds_no_room_is_due_until_there_is_some() {
        let mut due = PacketDue::default();
        due.begun(Some(BeginOutcome::NoRoom));
        assert!(due.is_due());
        due.begun(Some(BeginOutcome::Begun));
        assert!(!due.is_due());
    }

    #[test]
    fn a_packet_of_the_trace_chunk_that_is_left_is_due_no_longer() {
        let mut due = PacketDue::default();
        due.begun(None);
        due.chunk_left();
        assert!(!due.is_due());
        assert_eq!(due.closing(0, 0), FlushMode::Full, "the next chunk has none yet");
    }

    #[test]
    fn a_packet_that_needed_no_closing_is_begun() {
        assert_eq!(begun_by(FlushOutcome::Closed), BeginOutcome::Begun);
        assert_eq!(begun_by(FlushOutcome::Nothing), BeginOutcome::Begun);
        assert_eq!(begun_by(FlushOutcome::NoRoom), BeginOutcome::NoRoom);
        assert_eq!(begun_by(FlushOutcome::Contended), BeginOutcome::NoRoom);
    }
}
