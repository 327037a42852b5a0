//! What the tracer is to do for a command, and what came of it.

use super::{KernelChannel, KernelDomain, KernelRule};
use crate::{Context, ErrorCode, EventKind, ProcessAttribute, TrackerValue, TrackingPolicy};

/// One thing that the tracer is to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Makes a channel without contexts and rules.
    CreateChannel(KernelChannel),
    /// Lets a channel record, or not.
    SetChannelEnabled {
        /// Index of the channel.
        channel: u32,
        /// Whether it records.
        enabled: bool,
    },
    /// Makes an event rule, which records at once.
    CreateRule {
        /// Index of the channel.
        channel: u32,
        /// The rule.
        rule: KernelRule,
    },
    /// Lets an event rule record, or not.
    SetRuleEnabled {
        /// Index of the channel.
        channel: u32,
        /// Index of the rule.
        rule: u32,
        /// Whether it records.
        enabled: bool,
    },
    /// Adds a context.
    AddContext {
        /// Index of the channel.
        channel: u32,
        /// The context.
        context: Context,
    },
    /// Sets what a tracker lets through.
    SetTrackingPolicy(ProcessAttribute, TrackingPolicy),
    /// Adds a value to a tracker's set, or takes it out.
    SetTracked {
        /// Of which tracker.
        attribute: ProcessAttribute,
        /// The value.
        value: TrackerValue,
        /// The number that it means.
        id: u32,
        /// Whether it is tracked.
        tracked: bool,
    },
}

/// What the tracer is to do for a command: each step when the one before is done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// Whether steps go on after one that failed, and the last failure is answered.
    pub(super) goes_on: bool,
    /// What is answered when all of them are done: what was asked for besides is refused.
    pub(super) refusal: Option<ErrorCode>,
}

impl Plan {
    pub(super) fn of(steps: Vec<Step>) -> Self {
        Self { steps, goes_on: false, refusal: None }
    }

    /// Whether a step that failed so is the last one that is tried. What the tracer has or is already is as
    /// good as done.
    #[must_use]
    pub fn ends_with(&self, step: &Step, failure: Failure) -> bool {
        !self.goes_on && step.code(failure).is_some()
    }

    /// The channel that goes again when this step fails: one that the command makes on the way. It stays when
    /// system calls are what the tracer refused.
    #[must_use]
    pub fn undoes(&self, failed: &Step) -> Option<u32> {
        let made = self.steps.iter().find_map(|step| match step {
            Step::CreateChannel(channel) => Some(channel.index),
            _ => None,
        })?;
        match failed {
            Step::CreateRule { rule, .. } if rule.kind == EventKind::Syscall => None,
            Step::CreateRule { .. } | Step::AddContext { .. } => Some(made),
            _ => None,
        }
    }
}

/// What the tracer answered a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TracerError {
    /// It has that already, or it is so already (`EEXIST`).
    Exists,
    /// This kernel cannot (`ENOSYS`).
    NotImplemented,
    /// It has no memory (`ENOMEM`).
    NoMemory,
    /// It does not take that (`EINVAL`).
    Invalid,
    /// It does not have that (`ENOENT`).
    Missing,
    /// It does that already, or not yet what is needed for it (`EBUSY`).
    Busy,
    /// Anything else.
    Other,
}

/// In which of its calls a step failed that has several.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailedPart {
    /// In the first, or the only one.
    Itself,
    /// In setting the filter of a rule.
    Filter,
    /// In looking up where in a program a rule is to record, with the code of that.
    Location(ErrorCode),
    /// In telling where in a program a rule records.
    Callsite,
    /// In enabling a rule.
    Enable,
}

/// Why a step was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Where.
    pub part: FailedPart,
    /// Why.
    pub error: TracerError,
}

/// What became of each step that was tried.
pub type Done = Vec<Result<(), Failure>>;

impl Step {
    /// What a client is answered when the step failed; `None` when it is as good as done.
    fn code(&self, failure: Failure) -> Option<ErrorCode> {
        use TracerError as E;
        let Failure { part, error } = failure;
        Some(match (self, part, error) {
            (_, FailedPart::Location(code), _) => code,
            (Self::CreateChannel(_), ..) => ErrorCode::KernChanFail,
            // It is so already.
            (
                Self::SetChannelEnabled { .. }
                | Self::SetRuleEnabled { .. }
                | Self::AddContext { .. },
                _,
                E::Exists,
            ) => return None,
            (Self::SetChannelEnabled { enabled: true, .. }, ..) => ErrorCode::KernChanEnableFail,
            (Self::SetChannelEnabled { enabled: false, .. }, ..) => ErrorCode::KernChanDisableFail,
            (Self::CreateRule { .. }, FailedPart::Filter, E::NoMemory) => ErrorCode::FilterNomem,
            (Self::CreateRule { .. }, FailedPart::Filter, _) => ErrorCode::FilterInval,
            (Self::CreateRule { .. }, FailedPart::Callsite, _) => ErrorCode::KernEnableFail,
            (Self::CreateRule { .. }, _, E::Exists) => ErrorCode::KernEventExist,
            (Self::CreateRule { .. }, FailedPart::Itself, E::NotImplemented) => {
                ErrorCode::KernEventEnosys
            }
            (
                Self::CreateRule { .. } | Self::SetRuleEnabled { enabled: true, .. },
                FailedPart::Itself | FailedPart::Enable,
                _,
            ) => ErrorCode::KernEnableFail,
            (Self::SetRuleEnabled { .. }, ..) => ErrorCode::KernDisableFail,
            (Self::AddContext { .. }, _, E::NotImplemented) => ErrorCode::KernContextUnavailable,
            (Self::AddContext { .. }, ..) => ErrorCode::KernContextFail,
            (_, _, E::Exists) => ErrorCode::ProcessAttrExists,
            (Self::SetTracked { .. }, _, E::Missing) => ErrorCode::ProcessAttrMissing,
            (_, _, E::Invalid) => ErrorCode::Invalid,
            (_, _, E::NoMemory) => ErrorCode::Nomem,
            _ => ErrorCode::Unk,
        })
    }
}

impl KernelDomain {
    /// Records what was done of a plan, and what is answered.
    ///
    /// # Errors
    /// That of the step that failed.
    pub fn settle(&mut self, plan: &Plan, done: &Done) -> Result<(), ErrorCode> {
        let mut outcome = Ok(());
        for (step, done) in plan.steps.iter().zip(done) {
            let code = done.err().and_then(|failure| step.code(failure));
            match code {
                None => self.record(step.clone()),
                Some(code) => {
                    if let Some(index) = plan.undoes(step) {
                        self.channels.retain(|channel| channel.index != index);
                    }
                    outcome = Err(code);
                }
            }
        }
        outcome.and(plan.refusal.map_or(Ok(()), Err))
    }

    fn record(&mut self, step: Step) {
        match step {
            Step::CreateChannel(channel) => {
                self.next_channel = self.next_channel.max(channel.index + 1);
                self.channels.push(channel);
            }
            Step::SetChannelEnabled { channel, enabled } => {
                if let Some(channel) = self.channel_mut(channel) {
                    channel.enabled = enabled;
                }
            }
            Step::CreateRule { channel, rule } => {
                self.next_rule = self.next_rule.max(rule.index + 1);
                if let Some(channel) = self.channel_mut(channel) {
                    channel.events.push(rule);
                }
            }
            Step::SetRuleEnabled { channel, rule, enabled } => {
                let channel = self.channel_mut(channel);
                let mut rules = channel.into_iter().flat_map(|channel| &mut channel.events);
                if let Some(rule) = rules.find(|of| of.index == rule) {
                    rule.enabled = enabled;
                }
            }
            Step::AddContext { channel, context } => {
                if let Some(channel) = self.channel_mut(channel) {
                    channel.contexts.push(context);
                }
            }
            Step::SetTrackingPolicy(attribute, policy) => {
                self.trackers.set_policy(attribute, policy);
            }
            Step::SetTracked { attribute, value, id, tracked } => {
                self.trackers.set_tracked(attribute, value, id, tracked);
            }
        }
    }
}
