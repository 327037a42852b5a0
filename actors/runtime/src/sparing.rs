//! Log lines that come in floods.

use std::{
    cell::RefCell,
    collections::HashMap,
    time::{Duration, Instant},
};

/// Most lines that say in [`REFUSALS_PERIOD`] which peers were refused.
const REFUSALS_MAX: usize = 256;
/// See [`REFUSALS_MAX`].
const REFUSALS_PERIOD: Duration = Duration::from_secs(10);
/// Most lines of one kind in that time about what one user's peers do wrong.
const COMPLAINTS_EACH_MAX: usize = 16;
/// Most users of whom it is known how many there were.
const COMPLAINED_OF_MAX: usize = 4096;

/// Lets so many lines be written in a while, and says how many were left out since.
#[derive(Debug)]
pub struct Sparing {
    max: usize,
    period: Duration,
    begun: Option<Instant>,
    written: usize,
    left_out: u64,
}

impl Sparing {
    /// At most `max` lines in each `period`.
    #[must_use]
    pub fn new(max: usize, period: Duration) -> Self {
        Self { max, period, begun: None, written: 0, left_out: 0 }
    }

    /// For peers that are refused: as many as want may come.
    #[must_use]
    pub fn for_refusals() -> Self {
        Self::new(REFUSALS_MAX, REFUSALS_PERIOD)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= self.period)
    }

    /// Asks for a line: how many were left out before it, or `None` when it is left out itself.
    pub fn line(&mut self, now: Instant) -> Option<u64> {
        if self.is_over(now) {
            self.begun = Some(now);
            self.written = 0;
        }
        if self.written >= self.max {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// The same for each user, about what his peers do wrong: whoever floods the log has lines about himself left out.
#[derive(Debug, Default)]
struct SparingEach(HashMap<u32, Sparing>);

impl SparingEach {
    fn line(&mut self, uid: u32, now: Instant) -> Option<u64> {
        if self.0.len() >= COMPLAINED_OF_MAX {
            self.0.retain(|known, lines| *known == uid || !lines.is_over(now));
        }
        if self.0.len() >= COMPLAINED_OF_MAX && !self.0.contains_key(&uid) {
            return None;
        }
        let new = || Sparing::new(COMPLAINTS_EACH_MAX, REFUSALS_PERIOD);
        self.0.entry(uid).or_insert_with(new).line(now)
    }
}

thread_local! {
    /// By what it is that is told. Each thread writes so many lines.
    static COMPLAINTS: RefCell<HashMap<&'static str, SparingEach>> = RefCell::default();
}

/// Asks for a line of the log about something that a user's peers can bring about as often as they like. `about`
/// names their kind: lines of one kind leave room to those of others.
///
/// How many of the kind about him were left out before it, or `None` when it is left out itself.
#[must_use]
pub fn complaint(about: &'static str, uid: u32) -> Option<u64> {
    COMPLAINTS.with_borrow_mut(|all| all.entry(about).or_default().line(uid, Instant::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_one_user_leave_room_to_those_about_others() {
        let (mut lines, now) = (SparingEach::default(), Instant::now());
        let said = (0..1000).filter(|_| lines.line(1000, now).is_some()).count();
        assert_eq!(said, COMPLAINTS_EACH_MAX);
        assert_eq!(lines.line(1001, now), Some(0));
        let left_out = 1000 - COMPLAINTS_EACH_MAX as u64;
        assert_eq!(lines.line(1000, now + REFUSALS_PERIOD), Some(left_out));
    }

    #[test]
    fn only_so_many_users_are_known() {
        let (mut lines, now) = (SparingEach::default(), Instant::now());
        let said = (0..10_000).filter(|uid| lines.line(*uid, now).is_some()).count();
        assert_eq!((said, lines.0.len()), (COMPLAINED_OF_MAX, COMPLAINED_OF_MAX));
        assert_eq!(lines.line(9_999, now + REFUSALS_PERIOD), Some(0), "others were quiet since");
    }

    #[test]
    fn lines_of_one_kind_leave_room_to_those_of_others() {
        let said = |about| (0..1000).filter(|_| complaint(about, 1000).is_some()).count();
        assert_eq!(said("a registration is wrong"), COMPLAINTS_EACH_MAX);
        assert_eq!(said("a peer is silent"), COMPLAINTS_EACH_MAX);
    }
}
