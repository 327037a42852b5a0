//! The requests to a named session about its agent domains, one method each.

use lttngd_model::{
    AppContext, BufferScheme, Context, ContextKind, Domain, ErrorCode, EventDescription,
    EventListing,
};
use lttngd_session::{AddContext, DisableEvent, EnableEvent, ListEvents, SessionRequest};

use crate::Handle;

impl Handle {
    /// ENABLE_EVENT of an agent domain: records what loggers log whose name is that of the event, or
    /// all of them for `*`, in the domain's channel, which is made, per-UID, when it is missing.
    ///
    /// # Errors
    /// That of the filter, which name and log levels become a part of; as [`EnableEvent`].
    pub async fn enable_agent_event(
        &self,
        session: &str,
        domain: Domain,
        event: EventDescription,
    ) -> Result<(), ErrorCode> {
        let event = event.for_agents().map_err(|error| error.code())?;
        let buffer_type = BufferScheme::PerUid as u32;
        let request = EnableEvent { domain, buffer_type, channel: String::new(), event };
        self.ask(request.in_session(session)).await
    }

    /// DISABLE_EVENT of an agent domain; an empty event name means every event.
    ///
    /// # Errors
    /// As [`DisableEvent`].
    pub async fn disable_agent_event(
        &self,
        session: &str,
        domain: Domain,
        event: EventDescription,
    ) -> Result<(), ErrorCode> {
        let request = DisableEvent { domain, channel: String::new(), event };
        self.ask(request.in_session(session)).await
    }

    /// ADD_CONTEXT of an agent domain: what an application's own provider knows, recorded with what
    /// agents hand over.
    ///
    /// # Errors
    /// As [`AddContext`].
    pub async fn add_agent_context(
        &self,
        session: &str,
        domain: Domain,
        context: AppContext,
    ) -> Result<(), ErrorCode> {
        let request = AddContext {
            domain,
            channel: String::new(),
            raw_type: ContextKind::AppContext as u32,
            context: Some(Context::App(context)),
        };
        self.ask(request.in_session(session)).await
    }

    /// LIST_EVENTS of an agent domain.
    ///
    /// # Errors
    /// As [`ListEvents`].
    pub async fn list_agent_events(
        &self,
        session: &str,
        domain: Domain,
    ) -> Result<Vec<EventListing>, ErrorCode> {
        let request = ListEvents { domain, channel: String::new() };
        self.ask(request.in_session(session)).await
    }
}
