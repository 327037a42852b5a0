//! Rotations of a session's own accord: by time, and by the size of what was recorded.

use std::{rc::Rc, time::Duration};

use actix::{Context, Handler, Message};
use lttngd_consumer::ChannelSampled;
use lttngd_model::ErrorCode;
use lttngd_runtime::Beside;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::{
    ListRotationSchedules, RotationSchedule, RotationSchedules, Session, SetRotationSchedule,
    actor::Inner,
    admission::turn::Turn,
    rotation_pace::rotation_slot,
    state::{State, rotation_timer::RotationTimer},
};

/// The shortest period of rotations: each makes directories and files, and has others wait meanwhile.
pub(crate) const ROTATION_PERIOD_MIN: Duration = Duration::from_millis(100);

impl Inner {
    pub(crate) async fn set_rotation_schedule(
        self: Rc<Self>,
        request: SetRotationSchedule,
    ) -> Result<(), ErrorCode> {
        self.admit_turn(Turn::SetRotationSchedule)?;
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
        let wanted = Duration::from_micros(period_us);
        let period = wanted.max(ROTATION_PERIOD_MIN);
        if period > wanted {
            let asked_us = period_us;
            tracing::info!(asked_us, ?period, "rotations are made less often than was asked");
        }
        let owner = self.config.owner.uid;
        let timer = tokio::task::spawn_local(async move {
            let mut ticks = interval_at(Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let due = RotationDue { timer: tokio::task::id() };
            loop {
                ticks.tick().await;
                // One who has many sessions has them rotate as they have their turn.
                tokio::time::sleep_until(rotation_slot(owner)).await;
                let Some(session) = session.upgrade() else { return };
                if session.send(due).await.is_err() {
                    return;
                }
            }
        });
        self.state_mut().rotation_timer = Some(RotationTimer::of(timer.abort_handle()));
    }

    /// Rotates periodically no longer. A rotation that is under way goes on.
    pub(crate) fn disarm_rotation_timer(&self) {
        self.state_mut().rotation_timer = None;
    }
}

impl Session {
    pub(crate) fn sampled(&mut self, sampled: ChannelSampled, context: &mut Context<Self>) {
        let ChannelSampled { channel, sample, newly_consumed_bytes, .. } = sampled.clone();
        let (is_due, observation) = {
            let state = &mut *self.inner.state_mut();
            let is_due = state.schedules.consumed(newly_consumed_bytes);
            let consumed_bytes = state.schedules.consumed_bytes();
            let observation = match sample {
                Some(sample) => state.uses.used(channel, sample.highest, consumed_bytes),
                None => state.uses.gone(channel.key),
            };
            (is_due, observation)
        };
        if let Some(observation) = observation {
            self.inner.observe(observation);
        }
        self.watch_losses(&sampled, context);
        if is_due {
            let rotated = self.rotate_on_schedule(context, |_| true);
            self.works.begin(context, rotated);
        }
    }

    /// Has triggers told how buffers are used, or not any more.
    pub(crate) fn watch_use(&mut self, is_told: bool) {
        let known = {
            let state = &mut *self.inner.state_mut();
            state.uses.watch(is_told, state.schedules.consumed_bytes())
        };
        known.into_iter().for_each(|observation| self.inner.observe(observation));
    }

    fn rotate_on_schedule(
        &mut self,
        context: &mut Context<Self>,
        is_due: impl FnOnce(&State) -> bool + 'static,
    ) -> impl Future<Output = ()> + 'static {
        let rotated = self.rotate(context, is_due);
        self.inner.within(async move {
            match rotated.await {
                Ok(id) => tracing::debug!(id, "rotated on schedule"),
                // It is tried again when the schedule says so.
                Err(code) => tracing::debug!(?code, "not rotated on schedule"),
            }
        })
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
            state.rotation_timer.as_ref().is_some_and(|timer| timer.is(due.timer))
        };
        let rotated = self.rotate_on_schedule(context, is_due);
        self.works.answer(rotated)
    }
}
