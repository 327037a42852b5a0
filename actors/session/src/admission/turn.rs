//! What is checked of a session when a command's turn has come, before anything is done: one list for each command,
//! in the order of the stock daemon. What its own values are good for it checks itself. No input or output.

use lttngd_model::{BufferScheme, ErrorCode, SessionKind};
use lttngd_relayd::HandedOver;

use crate::{
    Output,
    actor::Inner,
    state::{lifecycle::Lifecycle, rotations::SinceStop},
};

/// A command whose turn has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// START_TRACE.
    Start,
    /// STOP_TRACE.
    Stop,
    /// ROTATE_SESSION.
    Rotate,
    /// ROTATION_SET_SCHEDULE.
    SetRotationSchedule,
    /// CLEAR_SESSION.
    Clear,
    /// The same where there is something to clear.
    ClearSomething,
    /// SET_SESSION_SHM_PATH.
    SetShmPath,
    /// SET_CONSUMER_URI.
    SetConsumerUri,
    /// REGENERATE_METADATA.
    RegenerateMetadata,
    /// REGENERATE_STATEDUMP.
    RegenerateStatedump,
    /// SNAPSHOT_ADD_OUTPUT, when its place is looked up.
    AddSnapshotOutput,
    /// SNAPSHOT_ADD_OUTPUT, SNAPSHOT_DEL_OUTPUT, SNAPSHOT_LIST_OUTPUT.
    SnapshotOutputs,
    /// SNAPSHOT_RECORD.
    RecordSnapshot,
}

/// What is looked at of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) life: Lifecycle,
    pub(crate) kind: SessionKind,
    /// Whether its events are written as they come.
    pub(crate) has_output: bool,
    pub(crate) has_channel: bool,
    /// Whether a channel of the kernel's is handed on by splicing.
    pub(crate) has_spliced_channel: bool,
    /// How applications share their buffers, once there is something of user space.
    pub(crate) scheme: Option<BufferScheme>,
    /// The relay daemon that consumer daemons have.
    pub(crate) relayd: Option<HandedOver>,
    pub(crate) rotations: SinceStop,
}

/// One check, with what is answered where commands differ in that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum TurnCheck {
    /// The session is whole: its end has not begun, and it did not fail.
    IsWhole,
    /// The same, and it has lost no consumer daemon.
    HasConsumers,
    IsActive(ErrorCode),
    IsNotActive(ErrorCode),
    WasStarted(ErrorCode),
    WasNotStarted(ErrorCode),
    HasChannel,
    IsNotLive,
    /// Its trace chunks have a place, and no viewers.
    CanBeRotated,
    IsSnapshot,
    HasNoSplicedChannel,
    /// Applications share buffers, if there are any.
    HasSharedBuffers,
    RelaydKnowsChunks,
    /// The relay daemon of one that was started takes back what it has written.
    RelaydClears,
    RelaydTakesMetadataAnew,
    NoRotationIsOngoing,
    /// No rotation is ongoing of the trace chunk that the next start would go on with.
    ChunkHasLeft,
    IsNotRotated,
    IsNotCleared,
}

impl Turn {
    /// The checks in their order.
    const fn checks(self) -> &'static [TurnCheck] {
        use ErrorCode as E;
        use TurnCheck as C;
        match self {
            Self::Start => &[
                C::IsWhole,
                C::IsNotActive(E::TraceAlreadyStarted),
                C::HasChannel,
                C::HasConsumers,
                C::ChunkHasLeft,
            ],
            Self::Stop => &[C::IsWhole, C::IsActive(E::TraceAlreadyStopped)],
            Self::Rotate => &[
                C::WasStarted(E::StartSessionOnce),
                C::CanBeRotated,
                C::RelaydKnowsChunks,
                C::NoRotationIsOngoing,
                C::IsNotRotated,
                C::IsNotCleared,
                C::HasConsumers,
            ],
            Self::SetRotationSchedule => &[C::CanBeRotated],
            Self::Clear => &[C::RelaydClears],
            Self::ClearSomething => &[C::HasConsumers, C::NoRotationIsOngoing],
            Self::SetShmPath => &[C::WasNotStarted(E::SessionStarted)],
            Self::SetConsumerUri => &[C::WasNotStarted(E::TraceAlreadyStarted)],
            Self::RegenerateMetadata => &[
                C::IsNotLive,
                C::IsActive(E::SessionNotStarted),
                C::HasSharedBuffers,
                C::HasConsumers,
                C::RelaydTakesMetadataAnew,
            ],
            Self::RegenerateStatedump => &[C::IsActive(E::SessionNotStarted)],
            Self::AddSnapshotOutput => &[C::IsWhole, C::IsSnapshot, C::HasNoSplicedChannel],
            Self::SnapshotOutputs => &[C::IsWhole, C::IsSnapshot],
            Self::RecordSnapshot => {
                &[C::IsWhole, C::IsSnapshot, C::WasStarted(E::StartSessionOnce), C::HasConsumers]
            }
        }
    }

    /// Makes the checks.
    pub(crate) fn admit(self, standing: &Standing) -> Result<(), ErrorCode> {
        self.checks().iter().try_for_each(|check| check.of(standing))
    }
}

impl TurnCheck {
    fn of(self, standing: &Standing) -> Result<(), ErrorCode> {
        let Standing { life, kind, relayd, rotations, .. } = *standing;
        let is_live = matches!(kind, SessionKind::Live { .. });
        let relayd_can = |what: fn(HandedOver) -> bool| relayd.is_none_or(what);
        let (holds, code) = match self {
            Self::IsWhole => return life.admit(),
            Self::HasConsumers => return life.admit_with_consumer(),
            Self::IsActive(code) => (life.active, code),
            Self::IsNotActive(code) => (!life.active, code),
            Self::WasStarted(code) => (life.was_started, code),
            Self::WasNotStarted(code) => (!life.was_started, code),
            Self::HasChannel => (standing.has_channel, ErrorCode::NoChannel),
            Self::IsNotLive => (!is_live, ErrorCode::LiveSession),
            Self::CanBeRotated => {
                (!is_live && standing.has_output, ErrorCode::RotationNotAvailable)
            }
            Self::IsSnapshot => (!standing.has_output, ErrorCode::NotSnapshotSession),
            Self::HasNoSplicedChannel => {
                (!standing.has_spliced_channel, ErrorCode::SnapshotUnsupported)
            }
            Self::HasSharedBuffers => {
                (standing.scheme != Some(BufferScheme::PerPid), ErrorCode::PerPidSession)
            }
            Self::RelaydKnowsChunks => {
                (relayd_can(HandedOver::has_trace_chunks), ErrorCode::RotationNotAvailableRelay)
            }
            Self::RelaydClears => {
                let can = !life.was_started || relayd_can(HandedOver::can_be_cleared);
                (can, ErrorCode::ClearNotAvailableRelay)
            }
            Self::RelaydTakesMetadataAnew => {
                let can = relayd_can(|relayd| relayd.version.can_reset_metadata());
                (can, ErrorCode::RelaydVersionFail)
            }
            Self::NoRotationIsOngoing => (!rotations.ongoing, ErrorCode::RotationPending),
            Self::ChunkHasLeft => {
                (!(rotations.ongoing && rotations.rotated), ErrorCode::RotationPending)
            }
            Self::IsNotRotated => (!rotations.rotated, ErrorCode::RotationMultipleAfterStop),
            Self::IsNotCleared => (!rotations.cleared, ErrorCode::RotationAfterStopClear),
        };
        if holds { Ok(()) } else { Err(code) }
    }
}

impl Inner {
    /// Makes the checks of a command whose turn has come.
    pub(crate) fn admit_turn(&self, turn: Turn) -> Result<(), ErrorCode> {
        turn.admit(&self.standing())
    }

    fn standing(&self) -> Standing {
        let state = self.state();
        let kernel = state.domains.kernel.as_ref();
        Standing {
            life: state.life,
            kind: self.config.kind,
            has_output: state.output != Output::None,
            has_channel: state.domains.has_channels(),
            has_spliced_channel: kernel.is_some_and(|kernel| kernel.rules.has_spliced_channel()),
            scheme: state.domains.ust.as_ref().map(|ust| ust.scheme),
            relayd: state.relayd(),
            rotations: state.rotations.since_stop(),
        }
    }
}

#[cfg(test)]
mod tests;
