//! Triggers: registered, listed, and what went wrong with them.

use lttngd_model::{
    ErrorCode,
    trigger::{ErrorQuery, Trigger},
};
use lttngd_notification::RegisterTrigger;
use lttngd_wire::client::{Reply, encode_error_counters, encode_trigger, encode_triggers};

use super::Asking;

impl Asking<'_> {
    pub(super) async fn register_trigger(
        &self,
        anonymous: bool,
        trigger: Trigger,
    ) -> Result<Reply, ErrorCode> {
        self.check().await?;
        let requester = self.handle.requester();
        let registered = self.handle.ask(RegisterTrigger { requester, trigger, anonymous }).await?;
        Ok(self.ok().with_data(encode_trigger(&registered)))
    }

    pub(super) async fn unregister_trigger(&self, trigger: Trigger) -> Result<Reply, ErrorCode> {
        self.check().await?;
        self.handle.unregister_trigger(trigger).await.map(|()| self.ok())
    }

    pub(super) async fn list_triggers(&self) -> Result<Reply, ErrorCode> {
        let triggers = self.handle.list_triggers().await?;
        Ok(self.ok().with_data(encode_triggers(&triggers)))
    }

    pub(super) async fn query_errors(&self, query: ErrorQuery) -> Result<Reply, ErrorCode> {
        let counters = self.handle.query_errors(query).await?;
        Ok(self.ok().with_data(encode_error_counters(&counters)))
    }
}
