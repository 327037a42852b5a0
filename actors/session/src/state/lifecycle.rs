//! Where a session stands, and what that admits. No input or output.

use lttngd_model::{Bitness, ConsumerKind, ErrorCode, SessionKind, Tracer, ust::SessionFacts};

use crate::error::{FAILED, no_consumer};

/// The consumer daemons that died with buffers of a session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct LostConsumers {
    bits64: bool,
    bits32: bool,
    kernel: bool,
}

impl LostConsumers {
    #[cfg(test)]
    pub(crate) const NONE: Self = Self { bits64: false, bits32: false, kernel: false };

    /// This one died as well.
    pub(crate) fn with(mut self, kind: ConsumerKind) -> Self {
        match kind {
            ConsumerKind::Ust(Bitness::Bits64) => self.bits64 = true,
            ConsumerKind::Ust(Bitness::Bits32) => self.bits32 = true,
            ConsumerKind::Kernel => self.kernel = true,
        }
        self
    }

    /// Whether what a tracer recorded was lost: of user space all of it is, whichever of the two died.
    pub(crate) fn is_lost(self, tracer: Tracer) -> bool {
        match tracer {
            Tracer::Ust => self.bits64 || self.bits32,
            Tracer::Kernel => self.kernel,
        }
    }

    /// Whether a command that needs what a tracer recorded may go on.
    pub(crate) fn admit(self, tracer: Tracer) -> Result<(), ErrorCode> {
        if self.is_lost(tracer) { Err(no_consumer(tracer)) } else { Ok(()) }
    }
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lifecycle {
    /// Whether it is tracing.
    pub(crate) active: bool,
    /// Whether it was started at least once.
    pub(crate) was_started: bool,
    /// Whether its end has begun.
    pub(crate) destroyed: bool,
    /// The consumer daemons that held its buffers and died.
    pub(crate) lost: LostConsumers,
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

    /// Whether a command that needs the consumer daemons may go on.
    pub(crate) fn admit_with_consumer(self) -> Result<(), ErrorCode> {
        self.admit()?;
        self.lost.admit(Tracer::Kernel)?;
        self.lost.admit(Tracer::Ust)
    }

    /// The same for a command that needs those of one tracer alone.
    pub(crate) fn admit_with_consumer_of(self, tracer: Tracer) -> Result<(), ErrorCode> {
        self.admit()?;
        self.lost.admit(tracer)
    }

    /// Whether there is no consumer daemon that has buffers of the session.
    pub(crate) fn is_lost(self, tracers: impl IntoIterator<Item = Tracer>) -> bool {
        let mut tracers = tracers.into_iter().peekable();
        tracers.peek().is_some() && tracers.all(|tracer| self.lost.is_lost(tracer))
    }

    /// DATA_PENDING: `Ok(true)` when the consumers must be asked, `Ok(false)` when nothing can be
    /// pending.
    pub(crate) fn admit_data_pending(
        self,
        tracers: impl IntoIterator<Item = Tracer>,
    ) -> Result<bool, ErrorCode> {
        self.admit()?;
        if self.active {
            return Err(ErrorCode::SessionStarted);
        }
        Ok(self.was_started && !self.is_lost(tracers))
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
        lost: LostConsumers::NONE,
        failed: false,
    };
    const UST: ConsumerKind = ConsumerKind::Ust(Bitness::Bits64);
    const ACTIVE: Lifecycle = Lifecycle { active: true, was_started: true, ..CREATED };
    const STOPPED: Lifecycle = Lifecycle { was_started: true, ..CREATED };

    #[test]
    fn data_may_be_pending_of_a_session_that_was_stopped() {
        let gone = Lifecycle { destroyed: true, ..STOPPED };
        let lost = Lifecycle { lost: LostConsumers::default().with(UST), ..STOPPED };
        let failed = Lifecycle { failed: true, ..STOPPED };
        let pending = [
            (CREATED, Ok(false)),
            (ACTIVE, Err(ErrorCode::SessionStarted)),
            (STOPPED, Ok(true)),
            (lost, Ok(false)),
            (gone, Err(ErrorCode::SessNotFound)),
            (failed, Err(FAILED)),
        ];
        for (phase, expected) in pending {
            assert_eq!(phase.admit_data_pending([Tracer::Ust]), expected, "{phase:?}");
        }
    }

    #[test]
    fn what_one_tracer_recorded_is_not_lost_with_the_other_ones_consumer() {
        for (kind, code) in [
            (UST, ErrorCode::NoUstconsumerd),
            (ConsumerKind::Ust(Bitness::Bits32), ErrorCode::NoUstconsumerd),
            (ConsumerKind::Kernel, ErrorCode::NoKernconsumerd),
        ] {
            let lost = Lifecycle { lost: LostConsumers::default().with(kind), ..STOPPED };
            let (of, both) = (kind.tracer(), [Tracer::Kernel, Tracer::Ust]);
            assert_eq!(lost.admit_with_consumer(), Err(code));
            for tracer in both {
                let expected = if tracer == of { Err(code) } else { Ok(()) };
                assert_eq!(lost.admit_with_consumer_of(tracer), expected, "{kind} {tracer:?}");
                assert_eq!(lost.admit_data_pending([tracer]), Ok(tracer != of));
            }
            assert!(lost.is_lost([of]) && !lost.is_lost(both) && !lost.is_lost([]));
            assert_eq!(lost.admit_data_pending(both), Ok(true));
        }
    }
}
