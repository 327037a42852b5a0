//! Points in time and how LTTng writes them into names, paths and metadata.

use std::sync::OnceLock;

use jiff::{Zoned, tz::TimeZone};

/// The time zone of names. It is given once: looking for it reads files that a user names, and may wait.
static LOCAL: OnceLock<TimeZone> = OnceLock::new();

/// Gives the time zone in which times are told in names, unless it was given already. Without one that
/// is UTC.
pub fn set_local_time_zone(find: impl FnOnce() -> TimeZone) {
    LOCAL.get_or_init(find);
}

/// A point in time to the second. The clock is read by the caller.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp {
    /// Seconds since the Epoch.
    pub epoch_s: u64,
}

impl Timestamp {
    fn local(self) -> Zoned {
        let seconds = i64::try_from(self.epoch_s).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(seconds)
            .unwrap_or(jiff::Timestamp::MAX)
            .to_zoned(LOCAL.get().cloned().unwrap_or(TimeZone::UTC))
    }

    /// `YYYYmmdd-HHMMSS` in local time: session names, directories of sessions and applications.
    #[must_use]
    pub fn datetime(self) -> String {
        self.local().strftime("%Y%m%d-%H%M%S").to_string()
    }

    /// `YYYYmmddTHHMMSS±hhmm` in local time: trace chunks and the trace's environment.
    #[must_use]
    pub fn iso8601_basic(self) -> String {
        self.local().strftime("%Y%m%dT%H%M%S%z").to_string()
    }
}
