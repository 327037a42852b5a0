//! What an agent has of a session or of event notifiers, what these want, and the next step from one to the other. No
//! input or output.

use std::sync::Arc;

use lttngd_model::{
    AppContext,
    ust::{AgentDomain, AgentRule},
};
use lttngd_wire::agent::{Command, EnableEvent};

/// What an agent has of one session.
#[derive(Debug, Default)]
pub(crate) struct AgentSession {
    rules: Vec<Kept<Arc<AgentRule>>>,
    contexts: Vec<Kept<AppContext>>,
}

/// Something that the agent was told to enable.
#[derive(Debug)]
struct Kept<T> {
    item: T,
    /// Whether it refused. It is not asked again, and need not take back what it does not have.
    refused: bool,
}

/// A step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    EnableContext(AppContext),
    EnableEvent(Arc<AgentRule>),
    DisableEvent(Arc<AgentRule>),
    DisableContext(AppContext),
}

impl Step {
    /// What the agent is told.
    pub(crate) fn command(&self) -> Command {
        match self {
            Self::EnableContext(context) => Command::EnableAppContext(context.clone()),
            Self::EnableEvent(rule) => Command::EnableEvent(EnableEvent::from(&**rule)),
            Self::DisableEvent(rule) => Command::DisableEvent { name: rule.name.clone() },
            Self::DisableContext(context) => Command::DisableAppContext(context.clone()),
        }
    }
}

impl AgentSession {
    /// Whether nothing of the session is in the agent.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.contexts.is_empty()
    }

    /// The next step, `None` when nothing is left to do. An event must not pass without its contexts,
    /// so these come before the events and go after them.
    pub(crate) fn next_step(&mut self, want: &AgentDomain) -> Option<Step> {
        let wanted = |rule: &Arc<AgentRule>| {
            want.events.iter().any(|event| event.enabled && event.rule == *rule)
        };
        let wants_context = |context: &AppContext| want.contexts.contains(context);
        // What was refused and is not wanted any more may be asked again when it is.
        self.rules.retain(|kept| !kept.refused || wanted(&kept.item));
        self.contexts.retain(|kept| !kept.refused || wants_context(&kept.item));

        if let Some(kept) = self.rules.iter().find(|kept| !wanted(&kept.item)) {
            return Some(Step::DisableEvent(Arc::clone(&kept.item)));
        }
        if let Some(kept) = self.contexts.iter().find(|kept| !wants_context(&kept.item)) {
            return Some(Step::DisableContext(kept.item.clone()));
        }
        let context = want.contexts.iter().find(|context| !has(&self.contexts, context));
        if let Some(context) = context {
            return Some(Step::EnableContext(context.clone()));
        }
        let enabled = want.events.iter().filter(|event| event.enabled);
        let rule = enabled.map(|event| &event.rule).find(|rule| !has(&self.rules, rule));
        rule.map(|rule| Step::EnableEvent(Arc::clone(rule)))
    }

    /// Notes that a step was taken, or that the agent `refused` it.
    pub(crate) fn taken(&mut self, step: Step, refused: bool) {
        match step {
            Step::EnableContext(item) => self.contexts.push(Kept { item, refused }),
            Step::EnableEvent(item) => self.rules.push(Kept { item, refused }),
            // What it will not take back it does not have.
            Step::DisableEvent(item) => self.rules.retain(|kept| kept.item != item),
            Step::DisableContext(item) => self.contexts.retain(|kept| kept.item != item),
        }
    }
}

fn has<T: PartialEq>(kept: &[Kept<T>], item: &T) -> bool {
    kept.iter().any(|kept| kept.item == *item)
}
