//! Up to where a stream is to be read, and whether something before that is missing.

use lttngd_ringbuffer::Positions;

/// Where the reading of a stream ends, and where its last flush was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    /// Position of the last flush, since which nobody should write.
    flushed_until: Option<u64>,
    /// Where its reading ends, when the consumer does.
    ends_at: Option<u64>,
    /// Whether nobody writes to it any more.
    hung_up: bool,
}

/// Whether `position` is ahead of `other`: both run freely.
fn is_ahead(position: u64, other: u64) -> bool {
    position.wrapping_sub(other).cast_signed() > 0
}

impl Extent {
    /// Its last packet was closed at `position`, if that is known: nobody should write from now on.
    pub(super) fn flushed(&mut self, position: Option<u64>) {
        self.flushed_until = position;
    }

    /// It is traced to again.
    pub(super) fn reopened(&mut self) {
        self.flushed_until = None;
    }

    /// Nothing behind `position` is read, since applications may write for ever.
    pub(super) fn ends_at(&mut self, position: Option<u64>) {
        self.ends_at = position;
    }

    /// Nobody writes to it any more.
    pub(super) fn hang_up(&mut self) {
        self.hung_up = true;
    }

    pub(super) fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    /// Whether there is an end of its reading at all.
    pub(super) fn has_end(&self) -> bool {
        self.ends_at.is_some()
    }

    /// Whether it was read to its end. One whose positions cannot be had has come to it.
    pub(super) fn is_over(&self, at: Option<Positions>) -> bool {
        self.ends_at.is_some_and(|end| at.is_none_or(|at| !is_ahead(end, at.consumed)))
    }

    /// Whether packets up to the last flush are not read, or up to the writers where there was none. Those that
    /// their writers have not finished are waited for as well, which ends; not those that an application writes
    /// later, though it should not.
    pub(super) fn is_pending(&self, at: Option<Positions>, subbuf_size_bytes: u64) -> bool {
        let Some(at) = at else { return false };
        let end = self.flushed_until.unwrap_or(at.produced);
        is_ahead(end - end % subbuf_size_bytes, at.consumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBBUF: u64 = 4096;

    fn at(consumed: u64, produced: u64) -> Option<Positions> {
        Some(Positions { consumed, produced })
    }

    #[test]
    fn a_packet_that_was_closed_and_not_read_is_pending() {
        assert!(Extent::default().is_pending(at(0, SUBBUF), SUBBUF));
    }

    #[test]
    fn an_open_packet_is_not_pending() {
        assert!(!Extent::default().is_pending(at(SUBBUF, SUBBUF + 200), SUBBUF));
    }

    #[test]
    fn nothing_is_pending_when_all_was_read_up_to_the_stop() {
        let mut extent = Extent::default();
        extent.flushed(Some(2 * SUBBUF));
        assert!(extent.is_pending(at(SUBBUF, 2 * SUBBUF), SUBBUF));
        assert!(!extent.is_pending(at(2 * SUBBUF, 2 * SUBBUF), SUBBUF));
    }

    #[test]
    fn an_application_that_writes_after_the_stop_does_not_put_it_off() {
        let mut extent = Extent::default();
        extent.flushed(Some(2 * SUBBUF));
        assert!(!extent.is_pending(at(2 * SUBBUF, 9 * SUBBUF), SUBBUF));
        extent.reopened();
        assert!(extent.is_pending(at(2 * SUBBUF, 9 * SUBBUF), SUBBUF), "it is traced to again");
    }

    #[test]
    fn a_stream_that_is_lost_has_nothing_pending() {
        assert!(!Extent::default().is_pending(None, SUBBUF));
    }

    #[test]
    fn positions_that_ran_over_do_not_look_pending() {
        let mut extent = Extent::default();
        extent.flushed(Some(u64::MAX - SUBBUF + 1));
        assert!(!extent.is_pending(at(0, 0), SUBBUF), "it was read, and beyond");
        assert!(extent.is_pending(at(u64::MAX - 2 * SUBBUF + 1, 0), SUBBUF));
    }

    #[test]
    fn a_stream_without_an_end_is_never_over() {
        assert!(!Extent::default().is_over(at(SUBBUF, SUBBUF)));
        assert!(!Extent::default().is_over(None));
        assert!(!Extent::default().has_end());
    }

    #[test]
    fn a_consumer_that_ends_reads_up_to_where_writers_were() {
        let mut extent = Extent::default();
        extent.ends_at(Some(2 * SUBBUF));
        assert!(extent.has_end());
        assert!(!extent.is_over(at(SUBBUF, 2 * SUBBUF)));
        assert!(extent.is_over(at(2 * SUBBUF, 8 * SUBBUF)), "they write for ever");
    }

    #[test]
    fn a_consumer_that_ends_does_not_wait_for_a_stream_that_is_lost() {
        let mut extent = Extent::default();
        extent.ends_at(Some(2 * SUBBUF));
        assert!(extent.is_over(None));
    }

    #[test]
    fn the_end_of_writers_is_remembered() {
        let mut extent = Extent::default();
        assert!(!extent.is_hung_up());
        extent.hang_up();
        assert!(extent.is_hung_up());
    }
}
