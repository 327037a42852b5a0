//! The rotation schedules of a session. No input or output.

use lttngd_model::ErrorCode;

use crate::{RotationSchedule, RotationSchedules};

/// The first period in microseconds that is too long.
const PERIOD_END_US: u64 = u32::MAX as u64;

/// The schedules of a session, and how far they are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Schedules {
    pub(crate) set: RotationSchedules,
    /// What the consumer daemons have written so far, in bytes.
    consumed_bytes: u64,
    /// From how much on the session is rotated next.
    threshold_bytes: u64,
}

impl Schedules {
    /// Adds a schedule or takes it away.
    ///
    /// # Errors
    /// `Invalid`, `RotationScheduleSet`, `RotationScheduleNotSet`.
    pub(crate) fn change(
        &mut self,
        add: bool,
        schedule: RotationSchedule,
    ) -> Result<(), ErrorCode> {
        let (known, value) = match schedule {
            RotationSchedule::Periodic { period_us } if period_us >= PERIOD_END_US => {
                return Err(ErrorCode::Invalid);
            }
            RotationSchedule::Periodic { period_us } => (&mut self.set.period_us, period_us),
            RotationSchedule::SizeThreshold { bytes: u64::MAX } => return Err(ErrorCode::Invalid),
            RotationSchedule::SizeThreshold { bytes } => (&mut self.set.size_bytes, bytes),
        };
        if add {
            if known.is_some() {
                return Err(ErrorCode::RotationScheduleSet);
            }
            // A schedule of 0 is none.
            *known = Some(value).filter(|value| *value != 0);
            if let RotationSchedule::SizeThreshold { bytes } = schedule {
                self.threshold_bytes = bytes;
            }
        } else {
            if known.is_none_or(|known| known != value) {
                return Err(ErrorCode::RotationScheduleNotSet);
            }
            *known = None;
        }
        Ok(())
    }

    /// What was written so far, in bytes.
    pub(crate) fn consumed_bytes(&self) -> u64 {
        self.consumed_bytes
    }

    /// More was written. Whether that is the time to rotate; the next time is a whole size later.
    pub(crate) fn consumed(&mut self, bytes: u64) -> bool {
        self.consumed_bytes = self.consumed_bytes.saturating_add(bytes);
        let Some(size) = self.set.size_bytes else { return false };
        let due = self.consumed_bytes >= self.threshold_bytes;
        if due {
            self.threshold_bytes = self.consumed_bytes.saturating_add(size);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periodic(period_us: u64) -> RotationSchedule {
        RotationSchedule::Periodic { period_us }
    }

    fn size(bytes: u64) -> RotationSchedule {
        RotationSchedule::SizeThreshold { bytes }
    }

    #[test]
    fn schedules_that_are_refused_in_their_order() {
        let mut schedules = Schedules::default();
        for add in [true, false] {
            for wrong in [periodic(PERIOD_END_US), periodic(u64::MAX), size(u64::MAX)] {
                assert_eq!(schedules.change(add, wrong), Err(ErrorCode::Invalid));
            }
        }
        for (schedule, other) in [(periodic(1), periodic(2)), (size(1), size(2))] {
            let not_set = Err(ErrorCode::RotationScheduleNotSet);
            assert_eq!(schedules.change(false, schedule), not_set);
            assert_eq!(schedules.change(true, schedule), Ok(()));
            assert_eq!(schedules.change(true, other), Err(ErrorCode::RotationScheduleSet));
            assert_eq!(schedules.change(false, other), not_set);
        }
        let both = RotationSchedules { period_us: Some(1), size_bytes: Some(1) };
        assert_eq!(schedules.set, both);
        assert_eq!(schedules.change(false, periodic(1)), Ok(()));
        assert_eq!(schedules.change(false, size(1)), Ok(()));
        assert_eq!(schedules.set, RotationSchedules::default());
    }

    #[test]
    fn a_schedule_of_nothing_is_none() {
        let mut schedules = Schedules::default();
        assert_eq!(schedules.change(true, size(0)), Ok(()));
        assert_eq!(schedules.change(true, size(7)), Ok(()));
    }

    #[test]
    fn the_threshold_moves_on_by_the_size() {
        let mut schedules = Schedules::default();
        assert!(!schedules.consumed(5), "nothing is scheduled");
        assert_eq!(schedules.change(true, size(10)), Ok(()));
        assert!(!schedules.consumed(4), "9 of 10");
        assert!(schedules.consumed(3), "12 of 10");
        assert!(!schedules.consumed(9), "21 of 22");
        assert!(schedules.consumed(1), "22 of 22");
        assert_eq!(schedules.change(false, size(10)), Ok(()));
        assert!(!schedules.consumed(100));
    }
}
