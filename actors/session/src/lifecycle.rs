//! Where a session stands, and what that admits. No input or output.

use lttngd_model::{ErrorCode, SessionKind, ust::SessionFacts};

use crate::error::FAILED;

/// Where a session stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lifecycle {
    /// Whether it is tracing.
    pub(crate) active: bool,
    /// Whether it was started at least once.
    pub(crate) was_started: bool,
    /// Whether its end has begun.
    pub(crate) destroyed: bool,
    /// Whether the consumer daemon that held its buffers died.
    pub(crate) lost_consumer: bool,
    /// Whether its actor failed, of which this one lets go what is left.
    pub(crate) failed: bool,
}

impl Lifecycle {
    /// Whether any command but a listing may go on.
    pub(crate) fn admit(self) -> Result<(), ErrorCode> {
        self.admit_listing()?;
        if self.failed { Err(FAILED) } else { Ok(()) }
    }

    /// Whether a listing may go on, or the end of the session.
    pub(crate) fn admit_listing(self) -> Result<(), ErrorCode> {
        if self.destroyed { Err(ErrorCode::SessNotFound) } else { Ok(()) }
    }

    /// Whether a command that needs the consumer daemon may go on.
    pub(crate) fn admit_with_consumer(self) -> Result<(), ErrorCode> {
        self.admit()?;
        if self.lost_consumer { Err(ErrorCode::NoUstconsumerd) } else { Ok(()) }
    }

    /// START_TRACE of a session that has a channel or not.
    pub(crate) fn admit_start(self, has_channel: bool) -> Result<(), ErrorCode> {
        self.admit()?;
        if self.active {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        if !has_channel {
            return Err(ErrorCode::NoChannel);
        }
        self.admit_with_consumer()
    }

    /// STOP_TRACE.
    pub(crate) fn admit_stop(self) -> Result<(), ErrorCode> {
        self.admit()?;
        if self.active { Ok(()) } else { Err(ErrorCode::TraceAlreadyStopped) }
    }

    /// DATA_PENDING: `Ok(true)` when the consumers must be asked, `Ok(false)` when nothing can be
    /// pending.
    pub(crate) fn admit_data_pending(self) -> Result<bool, ErrorCode> {
        self.admit()?;
        if self.active {
            return Err(ErrorCode::SessionStarted);
        }
        Ok(self.was_started && !self.lost_consumer)
    }

    /// What the rules of channels need to know.
    pub(crate) fn facts(self, kind: SessionKind) -> SessionFacts {
        SessionFacts { kind, was_started: self.was_started }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: Lifecycle = Lifecycle {
        active: false,
        was_started: false,
        destroyed: false,
        lost_consumer: false,
        failed: false,
    };
    const ACTIVE: Lifecycle = Lifecycle { active: true, was_started: true, ..CREATED };
    const STOPPED: Lifecycle = Lifecycle { was_started: true, ..CREATED };

    #[test]
    fn each_command_in_each_phase() {
        let gone = Lifecycle { destroyed: true, ..STOPPED };
        let lost = Lifecycle { lost_consumer: true, ..STOPPED };
        let failed = Lifecycle { failed: true, ..STOPPED };
        let start = [
            (CREATED, Ok(())),
            (ACTIVE, Err(ErrorCode::TraceAlreadyStarted)),
            (STOPPED, Ok(())),
            (gone, Err(ErrorCode::SessNotFound)),
            (lost, Err(ErrorCode::NoUstconsumerd)),
            (failed, Err(FAILED)),
        ];
        for (phase, expected) in start {
            assert_eq!(phase.admit_start(true), expected, "{phase:?}");
        }
        assert_eq!(CREATED.admit_start(false), Err(ErrorCode::NoChannel));
        let stop = [
            (CREATED, Err(ErrorCode::TraceAlreadyStopped)),
            (ACTIVE, Ok(())),
            (STOPPED, Err(ErrorCode::TraceAlreadyStopped)),
            (gone, Err(ErrorCode::SessNotFound)),
            (failed, Err(FAILED)),
        ];
        for (phase, expected) in stop {
            assert_eq!(phase.admit_stop(), expected, "{phase:?}");
        }
        let pending = [
            (CREATED, Ok(false)),
            (ACTIVE, Err(ErrorCode::SessionStarted)),
            (STOPPED, Ok(true)),
            (lost, Ok(false)),
        ];
        for (phase, expected) in pending {
            assert_eq!(phase.admit_data_pending(), expected, "{phase:?}");
        }
    }
}
