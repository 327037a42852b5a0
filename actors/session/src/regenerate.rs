//! Metadata and state dumps anew.

use std::rc::Rc;

use futures::future::join_all;
use lttngd_app::{self as app, AppError};
use lttngd_buffers as buffers;
use lttngd_kernel::Statedump;
use lttngd_model::{BufferScheme, ErrorCode, SessionKind, Tracer};

use crate::{RegenerateMetadata, RegenerateStatedump, actor::Inner, state::lifecycle::Lifecycle};

impl Inner {
    pub(crate) async fn regenerate_metadata(
        self: Rc<Self>,
        _: RegenerateMetadata,
    ) -> Result<(), ErrorCode> {
        let scheme = self.state().domains.ust.as_ref().map(|ust| ust.scheme);
        self.life().admit_regenerate_metadata(self.config.kind, scheme)?;
        if self.state().relayd().is_some_and(|relayd| !relayd.version.can_reset_metadata()) {
            return Err(ErrorCode::RelaydVersionFail);
        }
        let clock = self.config.clock.sample().await;
        let regenerated = self.on_all_sets(buffers::RegenerateMetadata { clock }).await;
        regenerated.map_err(|error| {
            tracing::error!(%error, "metadata is not regenerated");
            error.code(match error.tracer {
                Tracer::Ust => ErrorCode::UstMetaFail,
                Tracer::Kernel => ErrorCode::KernMetaFail,
            })
        })
    }

    pub(crate) async fn regenerate_statedump(
        self: Rc<Self>,
        _: RegenerateStatedump,
    ) -> Result<(), ErrorCode> {
        if !self.life().active {
            return Err(ErrorCode::SessionNotStarted);
        }
        let kernel = self.state().domains.kernel.as_ref().map(|kernel| kernel.actor.clone());
        if let Some(kernel) = kernel {
            kernel.send(Statedump).await.unwrap_or(Err(ErrorCode::RegenStatedumpFail))?;
        }
        let apps: Vec<_> = self.state().apps.all().cloned().collect();
        let message = app::RegenerateStatedump { session: self.config.id };
        join_all(apps.iter().map(async |(info, app)| {
            match app.send(message).await.unwrap_or(Err(AppError::Gone)) {
                Ok(()) | Err(AppError::Gone | AppError::TimedOut) => {}
                Err(error) => tracing::warn!(
                    pid = info.pid, app = info.name, %error,
                    "an application does not record its state dump again"
                ),
            }
        }))
        .await;
        Ok(())
    }
}

impl Lifecycle {
    /// REGENERATE_METADATA of a session whose user-space domain, if any, has this scheme.
    fn admit_regenerate_metadata(
        self,
        kind: SessionKind,
        scheme: Option<BufferScheme>,
    ) -> Result<(), ErrorCode> {
        if matches!(kind, SessionKind::Live { .. }) {
            return Err(ErrorCode::LiveSession);
        }
        if !self.active {
            return Err(ErrorCode::SessionNotStarted);
        }
        if scheme == Some(BufferScheme::PerPid) {
            return Err(ErrorCode::PerPidSession);
        }
        self.admit_with_consumer()
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::{Bitness, ConsumerKind};

    use super::*;
    use crate::state::lifecycle::LostConsumers;

    #[test]
    fn metadata_is_regenerated_for_active_sessions_of_shared_buffers_only() {
        let stopped = Lifecycle { was_started: true, ..Lifecycle::default() };
        let active = Lifecycle { active: true, ..stopped };
        let lost = Lifecycle {
            lost: LostConsumers::default().with(ConsumerKind::Ust(Bitness::Bits64)),
            ..active
        };
        let live = SessionKind::Live { timer_interval_us: 1 };
        let (uid, pid) = (Some(BufferScheme::PerUid), Some(BufferScheme::PerPid));
        for (life, kind, scheme, expected) in [
            (active, SessionKind::Regular, uid, Ok(())),
            (active, SessionKind::Snapshot, uid, Ok(())),
            (active, SessionKind::Regular, None, Ok(())),
            (stopped, SessionKind::Regular, pid, Err(ErrorCode::SessionNotStarted)),
            (stopped, live, uid, Err(ErrorCode::LiveSession)),
            (active, live, pid, Err(ErrorCode::LiveSession)),
            (active, SessionKind::Regular, pid, Err(ErrorCode::PerPidSession)),
            (lost, SessionKind::Regular, uid, Err(ErrorCode::NoUstconsumerd)),
        ] {
            let admitted = life.admit_regenerate_metadata(kind, scheme);
            assert_eq!(admitted, expected, "{life:?} {kind:?} {scheme:?}");
        }
    }
}
