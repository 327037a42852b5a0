//! Points in time and how LTTng writes them into names, paths and metadata.

use jiff::{Zoned, tz::TimeZone};

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
            .to_zoned(TimeZone::system())
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
