//! How often an action is done.

use serde::{Deserialize, Serialize};

use crate::ErrorCode;

/// At which of the times that a condition becomes true an action is done. They are counted from 1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum RatePolicy {
    /// Each time that this number divides; 1 for every time.
    EveryN(u64),
    /// This time alone.
    OnceAfterN(u64),
}

impl Default for RatePolicy {
    fn default() -> Self {
        Self::EveryN(1)
    }
}

impl RatePolicy {
    /// Whether the action is done at this time.
    #[must_use]
    pub fn admits(self, time: u64) -> bool {
        match self {
            Self::EveryN(n) => time.checked_rem(n) == Some(0),
            Self::OnceAfterN(n) => time == n,
        }
    }

    pub(super) fn check(self) -> Result<(), ErrorCode> {
        match self {
            Self::EveryN(0) | Self::OnceAfterN(0) => Err(ErrorCode::InvalidTrigger),
            Self::EveryN(_) | Self::OnceAfterN(_) => Ok(()),
        }
    }
}
