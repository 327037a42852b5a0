//! The text of a metadata channel: how far it is known and written, and how often more is asked for.

use std::time::Duration;

/// Period at which newer text is asked for where the session daemon names none, as long as some comes;
/// without it, a trace could not be read whose session daemon dies before it tells by itself. The longest
/// period while nothing comes.
const ASK_PERIOD: Duration = Duration::from_secs(1);
const ASK_PERIOD_MAX: Duration = Duration::from_secs(64);
/// After what time it is tried again to write what could not be written.
pub(super) const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// Text would have a hole: it begins behind what is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Hole {
    /// Bytes that are known.
    pub(super) known: usize,
}

/// Text, of a version.
#[derive(Debug, Default)]
pub(super) struct MetadataText {
    text: Vec<u8>,
    version: u64,
    /// Bytes that are written.
    written: usize,
}

impl MetadataText {
    /// All of it.
    pub(super) fn all(&self) -> &[u8] {
        &self.text
    }

    /// What is not written yet.
    pub(super) fn unwritten(&self) -> &[u8] {
        &self.text[self.written..]
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// All of it is written.
    pub(super) fn all_written(&mut self) {
        self.written = self.text.len();
    }

    /// It is to be written again.
    pub(super) fn none_written(&mut self) {
        self.written = 0;
    }

    /// Takes text over what is known. `true` when it begins anew, which text of another version does.
    pub(super) fn take(&mut self, offset: usize, version: u64, text: &[u8]) -> Result<bool, Hole> {
        let anew = version != self.version;
        let known = if anew { 0 } else { self.text.len() };
        if offset > known {
            return Err(Hole { known });
        }
        if anew {
            self.text.clear();
            self.version = version;
            self.written = 0;
        }
        // What is written already stays as it is.
        let news = text.get(known - offset..).unwrap_or_default();
        self.text.extend_from_slice(news);
        Ok(anew)
    }
}

/// When newer text is asked for.
#[derive(Debug)]
pub(super) struct AskPeriod {
    /// The period that the session daemon named.
    named: Option<Duration>,
    /// Whether text is asked for without being told; that of snapshots is when they are recorded.
    asks_by_itself: bool,
    /// When none is named, the period that is due, and the length of the text when it began.
    due: Duration,
    text_len_before: usize,
    /// How far writers of the trace had come when it was asked for last.
    recorded_before: Option<u64>,
}

impl AskPeriod {
    pub(super) fn new(named: Option<Duration>, asks_by_itself: bool) -> Self {
        Self { named, asks_by_itself, due: ASK_PERIOD, text_len_before: 0, recorded_before: None }
    }

    /// After what time it is asked for, if at all, with a text of `text_len` bytes now.
    pub(super) fn next(&mut self, text_len: usize) -> Option<Duration> {
        if self.named.is_some() || !self.asks_by_itself {
            return self.named;
        }
        let is_quiet = std::mem::replace(&mut self.text_len_before, text_len) == text_len;
        // None at all is suspicious.
        self.due =
            if is_quiet && text_len > 0 { (2 * self.due).min(ASK_PERIOD_MAX) } else { ASK_PERIOD };
        Some(self.due)
    }

    /// Whether it is of use to ask when it is due, with a text of `text_len` bytes, and writers who have come as
    /// far as `recorded` in all streams together: what nobody has recorded since needs no text.
    pub(super) fn is_of_use(&mut self, recorded: u64, text_len: usize) -> bool {
        let before = self.recorded_before.replace(recorded);
        self.named.is_some() || text_len == 0 || before != Some(recorded)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn text(known: &[u8]) -> MetadataText {
        let mut text = MetadataText::default();
        text.take(0, 0, known).unwrap();
        text
    }

    fn seconds(period: &mut AskPeriod, text_len: usize) -> u64 {
        period.next(text_len).unwrap().as_secs()
    }

    #[test]
    fn text_may_overlap_what_is_known() {
        let mut text = text(b"abc");
        assert_eq!(text.take(1, 0, b"bcde"), Ok(false));
        assert_eq!(text.all(), b"abcde");
    }

    #[test]
    fn text_that_is_known_already_changes_nothing() {
        let mut text = text(b"abc");
        assert_eq!(text.take(0, 0, b"ab"), Ok(false));
        assert_eq!(text.all(), b"abc");
    }

    #[test]
    fn what_is_known_is_not_written_over() {
        let mut text = text(b"abc");
        text.all_written();
        assert_eq!(text.take(0, 0, b"XYZd"), Ok(false));
        assert_eq!((text.all(), text.unwritten()), (&b"abcd"[..], &b"d"[..]));
    }

    #[test]
    fn text_with_a_hole_is_refused() {
        let mut text = text(b"abc");
        assert_eq!(text.take(4, 0, b"x"), Err(Hole { known: 3 }));
        assert_eq!(text.all(), b"abc");
    }

    #[test]
    fn another_version_begins_anew_and_is_written_from_its_beginning() {
        let mut text = text(b"old");
        text.all_written();
        assert_eq!(text.take(0, 1, b"n"), Ok(true));
        assert_eq!((text.all(), text.unwritten(), text.version()), (&b"n"[..], &b"n"[..], 1));
    }

    #[test]
    fn another_version_that_does_not_begin_at_its_beginning_is_refused() {
        let mut text = text(b"old");
        assert_eq!(text.take(1, 1, b"x"), Err(Hole { known: 0 }));
        assert_eq!((text.all(), text.version()), (&b"old"[..], 0));
    }

    #[test]
    fn all_text_is_written_again_in_the_next_trace_chunk() {
        let mut text = text(b"abc");
        text.all_written();
        assert_eq!(text.unwritten(), b"");
        text.none_written();
        assert_eq!(text.unwritten(), b"abc");
    }

    #[test]
    fn text_is_asked_for_often_as_long_as_there_is_none_at_all() {
        let mut period = AskPeriod::new(None, true);
        assert_eq!([(); 3].map(|()| seconds(&mut period, 0)), [1, 1, 1]);
    }

    #[test]
    fn text_is_asked_for_less_often_when_no_more_comes() {
        let mut period = AskPeriod::new(None, true);
        assert_eq!(seconds(&mut period, 1), 1);
        assert_eq!([(); 8].map(|()| seconds(&mut period, 1)), [2, 4, 8, 16, 32, 64, 64, 64]);
    }

    #[test]
    fn text_is_asked_for_often_again_when_more_came() {
        let mut period = AskPeriod::new(None, true);
        assert_eq!([(); 3].map(|()| seconds(&mut period, 1)), [1, 2, 4]);
        assert_eq!([(); 2].map(|()| seconds(&mut period, 2)), [1, 2]);
    }

    #[test]
    fn text_of_snapshots_is_not_asked_for_by_time() {
        assert_eq!(AskPeriod::new(None, false).next(5), None);
    }

    #[test]
    fn text_is_not_asked_for_while_nothing_is_recorded() {
        let mut period = AskPeriod::new(None, true);
        assert!(period.is_of_use(10, 5), "nobody has asked before");
        assert!(!period.is_of_use(10, 5) && !period.is_of_use(10, 5));
        assert!(period.is_of_use(11, 5));
        assert!(!period.is_of_use(11, 5));
        assert!(period.is_of_use(3, 5), "a stream has ended");
    }

    #[test]
    fn a_trace_without_text_is_asked_for_it_whatever_is_recorded() {
        let mut period = AskPeriod::new(None, true);
        assert!(period.is_of_use(0, 0) && period.is_of_use(0, 0));
    }

    #[test]
    fn text_is_asked_for_at_each_time_that_the_session_daemon_named() {
        let mut period = AskPeriod::new(Some(ASK_PERIOD), true);
        assert!(period.is_of_use(10, 5) && period.is_of_use(10, 5));
    }

    #[test]
    fn a_period_that_is_named_stays_as_it_is() {
        let named = Some(Duration::from_millis(250));
        let mut period = AskPeriod::new(named, true);
        assert_eq!([(); 3].map(|()| period.next(7)), [named; 3]);
        assert_eq!(AskPeriod::new(named, false).next(7), named, "also for snapshots");
    }
}
