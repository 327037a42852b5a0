//! Rotations of a session's own accord: by time, and by the size of what was recorded.

use std::{rc::Rc, time::Duration};

use actix::{Context, Handler, Message};
use lttngd_consumer::ChannelSampled;
use lttngd_model::{ErrorCode, SessionKind};
use lttngd_runtime::Beside;
use tokio::{
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{
    ListRotationSchedules, Output, RotationSchedule, RotationSchedules, Session,
    SetRotationSchedule, actor::Inner, state::State,
};

/// The first period in microseconds that is too long.
const PERIOD_END_US: u64 = u32::MAX as u64;

/// The schedules of a session, and how far they are. No input or output.
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

impl Inner {
    pub(crate) async fn set_rotation_schedule(
        self: Rc<Self>,
        request: SetRotationSchedule,
    ) -> Result<(), ErrorCode> {
        let is_live = matches!(self.config.kind, SessionKind::Live { .. });
        if is_live || self.state().output == Output::None {
            return Err(ErrorCode::RotationNotAvailable);
        }
        self.state_mut().schedules.change(request.add, request.schedule)?;
        if matches!(request.schedule, RotationSchedule::Periodic { .. }) {
            if self.life().active {
                self.arm_rotation_timer();
            } else {
                self.disarm_rotation_timer();
            }
        }
        Ok(())
    }

    pub(crate) fn list_rotation_schedules(
        &self,
        _: ListRotationSchedules,
    ) -> Result<RotationSchedules, ErrorCode> {
        self.life().admit()?;
        Ok(self.state().schedules.set)
    }

    /// Rotates periodically from now on, if a schedule says so.
    pub(crate) fn arm_rotation_timer(&self) {
        self.disarm_rotation_timer();
        let (period_us, session) = {
            let state = self.state();
            (state.schedules.set.period_us, state.address.clone())
        };
        let (Some(period_us), Some(session)) = (period_us, session) else { return };
        let period = Duration::from_micros(period_us);
        let timer = tokio::task::spawn_local(async move {
            let mut ticks = interval_at(Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let due = RotationDue { timer: tokio::task::id() };
            loop {
                ticks.tick().await;
                let Some(session) = session.upgrade() else { return };
                if session.send(due).await.is_err() {
                    return;
                }
            }
        });
        self.state_mut().rotation_timer = Some(RotationTimer(timer.abort_handle()));
    }

    /// Rotates periodically no longer. A rotation that is under way goes on.
    pub(crate) fn disarm_rotation_timer(&self) {
        self.state_mut().rotation_timer = None;
    }
}

impl Session {
    pub(crate) fn sampled(&mut self, sampled: ChannelSampled, context: &mut Context<Self>) {
        let is_due = self.inner.state_mut().schedules.consumed(sampled.newly_consumed_bytes);
        if is_due {
            let rotated = self.rotate_on_schedule(context, |_| true);
            self.works.begin(context, rotated);
        }
    }

    fn rotate_on_schedule(
        &mut self,
        context: &mut Context<Self>,
        is_due: impl FnOnce(&State) -> bool + 'static,
    ) -> impl Future<Output = ()> + 'static {
        let session = self.inner.config.name.clone();
        let rotated = self.rotate(context, is_due);
        async move {
            match rotated.await {
                Ok(id) => tracing::debug!(session, id, "rotated on schedule"),
                // It is tried again when the schedule says so.
                Err(code) => tracing::debug!(session, ?code, "not rotated on schedule"),
            }
        }
    }
}

/// A task that tells the session when to rotate, until it is dropped.
#[derive(Debug)]
pub(crate) struct RotationTimer(AbortHandle);

impl Drop for RotationTimer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// It is time for a periodic rotation, unless the timer is another by then.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct RotationDue {
    timer: tokio::task::Id,
}

impl Handler<RotationDue> for Session {
    type Result = Beside<()>;

    fn handle(&mut self, due: RotationDue, context: &mut Self::Context) -> Self::Result {
        let is_due = move |state: &State| {
            state.rotation_timer.as_ref().is_some_and(|timer| timer.0.id() == due.timer)
        };
        let rotated = self.rotate_on_schedule(context, is_due);
        self.works.answer(rotated)
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
