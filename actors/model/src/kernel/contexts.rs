//! ADD_CONTEXT.

use super::{KernelDomain, KernelFacts, Plan, Step};
use crate::{ChannelAttributes, Context, ContextKind, ErrorCode};

impl KernelDomain {
    /// Adds a context to a channel, or to every channel for an empty name, the newest first (ADD_CONTEXT).
    /// Where there is no channel at all the default one is made, and does not stay when the tracer refuses the
    /// context. A channel that has it already has it then. `context` is `None` when the client's type is
    /// unknown.
    ///
    /// # Errors
    /// In this order: [`ErrorCode::TraceAlreadyStarted`], [`ErrorCode::KernContextFail`] for a type that
    /// kernels do not have, [`ErrorCode::KernChanNotFound`]. When the plan is settled:
    /// [`ErrorCode::KernChanFail`], [`ErrorCode::KernContextUnavailable`] when this kernel cannot,
    /// [`ErrorCode::KernContextFail`].
    pub fn plan_add_context(
        &mut self,
        channel: &str,
        raw_type: u32,
        context: Option<&Context>,
        facts: KernelFacts,
    ) -> Result<Plan, ErrorCode> {
        if facts.was_started {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        let is_known = |context: &&Context| {
            let kind = context.kind();
            ContextKind::from_raw(raw_type) == Some(kind) && kind.kernel_context().is_some()
        };
        let context = context.filter(is_known).ok_or(ErrorCode::KernContextFail)?;
        let mut steps = Vec::new();
        let channels = if self.channels.is_empty() {
            let default = self.draft("", ChannelAttributes::kernel(), facts)?;
            steps.push(Step::CreateChannel(default.clone()));
            vec![default]
        } else {
            self.channels.iter().rev().cloned().collect()
        };
        let mut meant: Vec<_> = channels.into_iter().collect();
        if !channel.is_empty() {
            meant.retain(|of| of.name == channel);
            if meant.is_empty() {
                return Err(ErrorCode::KernChanNotFound);
            }
        }
        let lacking = meant.into_iter().filter(|of| !of.contexts.contains(context));
        steps.extend(
            lacking.map(|of| Step::AddContext { channel: of.index, context: context.clone() }),
        );
        Ok(Plan::of(steps))
    }
}
