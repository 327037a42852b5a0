//! ADD_CONTEXT.

use super::{DEFAULT_CHANNEL_NAME, SessionFacts, UstDomain, agent_channel_name};
use crate::{Context, ContextKind, Domain, ErrorCode};

impl UstDomain {
    /// Adds a context to a channel, or to every channel of the session that lacks it for an empty name
    /// (ADD_CONTEXT). Where there is no channel at all the domain's default one is made, and not kept
    /// when the command fails. `context` is `None` when the client's type is unknown. Agents of `domain`
    /// are asked for an application context besides.
    ///
    /// # Errors
    ///
    /// In this order: [`ErrorCode::TraceAlreadyStarted`], [`ErrorCode::Und`] for domains that have no
    /// contexts, [`ErrorCode::UstChanNotFound`], also for a channel that is not the agent domain's,
    /// [`ErrorCode::UstContextExist`] when every channel meant has it,
    /// [`ErrorCode::UstContextInval`] for a type that applications lack.
    pub fn add_context(
        &mut self,
        domain: Domain,
        channel: &str,
        raw_type: u32,
        context: Option<&Context>,
        session: SessionFacts,
    ) -> Result<(), ErrorCode> {
        if session.was_started {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        if !matches!(domain, Domain::Ust | Domain::Jul | Domain::Log4j) {
            return Err(ErrorCode::Und);
        }
        let own_channel = agent_channel_name(domain);
        if own_channel.is_some_and(|own| !channel.is_empty() && channel != own) {
            return Err(ErrorCode::UstChanNotFound);
        }
        let mut draft = if self.channels.is_empty() {
            let name = own_channel.unwrap_or(DEFAULT_CHANNEL_NAME);
            Some(self.draft_default_channel(name, session.kind)?)
        } else {
            None
        };
        let mut known: Vec<_> = match &mut draft {
            Some(draft) => vec![&mut draft.channel],
            None => self.channels.iter_mut().collect(),
        };
        if !channel.is_empty() {
            known.retain(|known| known.name == channel);
            if known.is_empty() {
                return Err(ErrorCode::UstChanNotFound);
            }
        }
        let context = context
            .filter(|context| is_known(raw_type, context))
            .ok_or(ErrorCode::UstContextInval)?;
        known.retain(|channel| !channel.contexts.contains(context));
        if known.is_empty() {
            return Err(ErrorCode::UstContextExist);
        }
        for channel in known {
            channel.contexts.push(context.clone());
        }
        if let Some(draft) = draft {
            self.adopt(draft);
        }
        if let (Some(_), Context::App(context)) = (own_channel, context) {
            self.agents_mut(domain).add_context(context.clone());
        }
        Ok(())
    }
}

/// Whether applications have this context. A context they lack is on no channel, so that this may
/// be asked before looking for duplicates.
fn is_known(raw_type: u32, context: &Context) -> bool {
    let kind = context.kind();
    ContextKind::from_raw(raw_type) == Some(kind) && kind.ust_context().is_some()
}
