//! Triggers: registered, listed, and what went wrong with them.

use lttngd_model::{
    Binary, ErrorCode,
    trigger::{ErrorQuery, Trigger},
};
use lttngd_notification::RegisterTrigger;
use lttngd_wire::client::{Reply, encode_error_counters, encode_trigger, encode_triggers};

use super::Asking;

impl Asking<'_> {
    pub(super) async fn register_trigger(
        &self,
        anonymous: bool,
        mut trigger: Trigger,
    ) -> Result<Reply, ErrorCode> {
        self.check().await?;
        if let Some(probe) = trigger.condition.userspace_probe_mut() {
            // Without it a trigger is none.
            probe.binary = Some(self.binary().map_err(|_| ErrorCode::InvalidTrigger)?);
        }
        let requester = self.handle.requester();
        let registered = self.handle.ask(RegisterTrigger { requester, trigger, anonymous }).await?;
        self.attached.borrow_mut().sent = binaries(std::slice::from_ref(&registered));
        Ok(self.ok().with_data(encode_trigger(&registered, self.request.dialect)))
    }

    pub(super) async fn unregister_trigger(&self, trigger: Trigger) -> Result<Reply, ErrorCode> {
        self.check().await?;
        self.handle.unregister_trigger(trigger).await.map(|()| self.ok())
    }

    pub(super) async fn list_triggers(&self) -> Result<Reply, ErrorCode> {
        let triggers = self.handle.list_triggers().await?;
        self.attached.borrow_mut().sent = binaries(&triggers);
        Ok(self.ok().with_data(encode_triggers(&triggers, self.request.dialect)))
    }

    pub(super) async fn query_errors(&self, query: ErrorQuery) -> Result<Reply, ErrorCode> {
        let counters = self.handle.query_errors(query).await?;
        Ok(self.ok().with_data(encode_error_counters(&counters)))
    }
}

/// The programs of triggers on places in these, which there are not more of than fit into a message.
fn binaries(triggers: &[Trigger]) -> Vec<Binary> {
    let probes = triggers.iter().filter_map(|trigger| trigger.condition.userspace_probe());
    probes.filter_map(|probe| probe.binary.clone()).collect()
}
