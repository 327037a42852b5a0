//! Channels, event rules and contexts: made and changed.

use lttngd_model::{Binary, ChannelListing, ErrorCode, EventDescription};
use lttngd_session::{AddContext, DisableChannel, DisableEvent, EnableChannel, EnableEvent};
use lttngd_wire::client::{ContextRequest, Reply};

use super::Asking;

impl Asking<'_> {
    pub(super) async fn enable_channel(&self, channel: ChannelListing) -> Result<Reply, ErrorCode> {
        let buffer_type = self.request.buffer_type;
        let domain = self.checked(self.known()).await?;
        self.done(EnableChannel { domain, buffer_type, channel }).await
    }

    pub(super) async fn disable_channel(&self, channel: String) -> Result<Reply, ErrorCode> {
        let domain = self.checked(self.some(ErrorCode::UnknownDomain)).await?;
        self.done(DisableChannel { domain, channel }).await
    }

    pub(super) async fn enable_event(
        &self,
        channel: String,
        mut event: EventDescription,
    ) -> Result<Reply, ErrorCode> {
        let buffer_type = self.request.buffer_type;
        let domain = self.checked(self.some(ErrorCode::UnknownDomain)).await?;
        if let Some(probe) = &mut event.userspace_probe {
            probe.binary = Some(self.binary()?);
        }
        self.done(EnableEvent { domain, buffer_type, channel, event }).await
    }

    /// The program that came with a command that has one.
    pub(super) fn binary(&self) -> Result<Binary, ErrorCode> {
        let received = &mut self.attached.borrow_mut().received;
        let one = if received.len() == 1 { received.pop() } else { None };
        one.map(Binary::from).ok_or(ErrorCode::InvalidProtocol)
    }

    pub(super) async fn disable_event(
        &self,
        channel: String,
        event: EventDescription,
    ) -> Result<Reply, ErrorCode> {
        let domain = self.checked(self.some(ErrorCode::UnknownDomain)).await?;
        self.done(DisableEvent { domain, channel, event }).await
    }

    pub(super) async fn add_context(
        &self,
        channel: String,
        context: ContextRequest,
    ) -> Result<Reply, ErrorCode> {
        let domain = self.checked(self.some(ErrorCode::Und)).await?;
        let ContextRequest { raw_type, context } = context;
        self.done(AddContext { domain, channel, raw_type, context }).await
    }
}
