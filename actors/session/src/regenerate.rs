//! Metadata and state dumps anew.

use std::rc::Rc;

use futures::future::join_all;
use lttngd_app::{self as app, AppError};
use lttngd_buffers as buffers;
use lttngd_kernel::Statedump;
use lttngd_model::{ErrorCode, Tracer};

use crate::{
    RegenerateMetadata, RegenerateStatedump, actor::Inner, admission::turn::Turn,
    complain::complain,
};

impl Inner {
    pub(crate) async fn regenerate_metadata(
        self: Rc<Self>,
        _: RegenerateMetadata,
    ) -> Result<(), ErrorCode> {
        self.admit_turn(Turn::RegenerateMetadata)?;
        let clock = self.config.clock.sample().await;
        let regenerated = self.on_all_sets(buffers::RegenerateMetadata { clock }).await;
        regenerated.map_err(|error| {
            complain!(self, "metadata is not regenerated", %error);
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
        self.admit_turn(Turn::RegenerateStatedump)?;
        let kernel = self.state().domains.kernel.as_ref().map(|kernel| kernel.actor.clone());
        if let Some(kernel) = kernel {
            kernel.send(Statedump).await.unwrap_or(Err(ErrorCode::RegenStatedumpFail))?;
        }
        let apps: Vec<_> = self.state().apps.all().cloned().collect();
        let message = app::RegenerateStatedump { session: self.config.id };
        join_all(apps.iter().map(async |(info, app)| {
            match app.send(message).await.unwrap_or(Err(AppError::Gone)) {
                Ok(()) | Err(AppError::Gone | AppError::TimedOut) => {}
                Err(error) => {
                    complain!(self, "an application does not record its state dump again", pid = info.pid, app = info.name, %error);
                }
            }
        }))
        .await;
        Ok(())
    }
}
