//! ENABLE_EVENT and DISABLE_EVENT.

use super::{KernelChannel, KernelDomain, KernelFacts, KernelRule, Plan, Step};
use crate::{
    ChannelAttributes, ErrorCode, EventDescription, EventKind, ProbeAttributes, SYMBOL_NAME_LEN,
    star_glob,
};

impl KernelDomain {
    /// Adds an event rule to a channel, or lets a disabled one record again (ENABLE_EVENT): of every kind, the
    /// tracepoints of that name and then the system calls. A channel that is missing is made with default
    /// attributes, and does not stay when the tracer refuses the rule. Runs of `*` in the name become one.
    ///
    /// # Errors
    /// In this order: [`ErrorCode::NeedChannelName`], those of [`Self::plan_enable_channel`] for a missing
    /// channel, [`ErrorCode::Unk`] for a kind that kernels do not have, [`ErrorCode::Invalid`] for a name that
    /// is too long, [`ErrorCode::KernEventExist`] when the same rule records already. When the plan is settled:
    /// [`ErrorCode::KernChanFail`], [`ErrorCode::KernEventExist`], [`ErrorCode::KernEventEnosys`],
    /// [`ErrorCode::FilterInval`], [`ErrorCode::FilterNomem`], [`ErrorCode::ProbeLocationInval`],
    /// [`ErrorCode::KernEnableFail`].
    pub fn plan_enable_event(
        &mut self,
        channel: &str,
        event: &EventDescription,
        facts: KernelFacts,
    ) -> Result<Plan, ErrorCode> {
        self.need_channel_name(channel)?;
        let known = self.meant(channel).cloned();
        let mut steps = Vec::new();
        let channel = match known {
            Some(channel) => channel,
            None => {
                let draft = self.draft(channel, ChannelAttributes::kernel(), facts)?;
                steps.push(Step::CreateChannel(draft.clone()));
                draft
            }
        };
        let kinds: &[EventKind] = match EventKind::from_raw(event.kind) {
            Some(EventKind::All) => &[EventKind::Tracepoint, EventKind::Syscall],
            Some(EventKind::Noop) | None => return Err(ErrorCode::Unk),
            Some(kind) => &[kind],
        };
        let mut next = self.next_rule;
        let mut refusal = None;
        for kind in kinds {
            let rule = rule(*kind, event, next)?;
            match position(&channel, &rule) {
                // Kinds that come after are not asked for.
                Some(known) if known.enabled => {
                    refusal = Some(ErrorCode::KernEventExist);
                    break;
                }
                Some(known) => {
                    let (channel, rule, enabled) = (channel.index, known.index, true);
                    steps.push(Step::SetRuleEnabled { channel, rule, enabled });
                }
                None => {
                    steps.push(Step::CreateRule { channel: channel.index, rule });
                    next += 1;
                }
            }
        }
        Ok(Plan { refusal, ..Plan::of(steps) })
    }

    /// Stops every rule of this very name and kind in a channel, or every one of the kind for an empty name
    /// (DISABLE_EVENT). Filter and exclusions of the description are not looked at.
    ///
    /// # Errors
    /// In this order: [`ErrorCode::Unk`] for a description that selects by more than name and kind,
    /// [`ErrorCode::NeedChannelName`], [`ErrorCode::KernChanNotFound`], [`ErrorCode::Unk`] for a kind that
    /// cannot be disabled, [`ErrorCode::NoEvent`]. When the plan is settled: [`ErrorCode::KernDisableFail`].
    pub fn plan_disable_event(
        &self,
        channel: &str,
        event: &EventDescription,
    ) -> Result<Plan, ErrorCode> {
        if !event.selects_by_name() {
            return Err(ErrorCode::Unk);
        }
        self.need_channel_name(channel)?;
        let channel = self.meant(channel).ok_or(ErrorCode::KernChanNotFound)?;
        let kind = match EventKind::from_raw(event.kind) {
            Some(EventKind::Noop | EventKind::UserspaceProbe) | None => return Err(ErrorCode::Unk),
            Some(kind) => kind,
        };
        let is_meant = |rule: &&KernelRule| {
            (kind == EventKind::All || rule.kind == kind)
                && (event.name.is_empty() || rule.name == event.name)
        };
        let meant: Vec<_> = channel.events.iter().rev().filter(is_meant).collect();
        if meant.is_empty() && !event.name.is_empty() {
            return Err(ErrorCode::NoEvent);
        }
        let enabled = meant.into_iter().filter(|rule| rule.enabled);
        let steps = enabled.map(|rule| Step::SetRuleEnabled {
            channel: channel.index,
            rule: rule.index,
            enabled: false,
        });
        Ok(Plan { goes_on: true, ..Plan::of(steps.collect()) })
    }

    fn need_channel_name(&self, channel: &str) -> Result<(), ErrorCode> {
        if self.has_non_default_channel && channel.is_empty() {
            return Err(ErrorCode::NeedChannelName);
        }
        Ok(())
    }
}

fn rule(kind: EventKind, event: &EventDescription, index: u32) -> Result<KernelRule, ErrorCode> {
    let name = star_glob::normalize(&event.name);
    if name.len() >= SYMBOL_NAME_LEN {
        return Err(ErrorCode::Invalid);
    }
    let is_probe =
        matches!(kind, EventKind::Probe | EventKind::Function | EventKind::FunctionEntry);
    let userspace_probe = match kind {
        EventKind::UserspaceProbe => {
            Some(event.userspace_probe.clone().ok_or(ErrorCode::ProbeLocationInval)?)
        }
        _ => None,
    };
    Ok(KernelRule {
        index,
        kind,
        name,
        filter: event.filter.clone(),
        probe: is_probe.then(|| place(event.probe.clone().unwrap_or_default())),
        userspace_probe,
        enabled: true,
    })
}

/// The place that a client means: `liblttng-ctl` 2.13 sends the address as the offset too, which would be
/// added to it.
fn place(probe: ProbeAttributes) -> ProbeAttributes {
    let offset = if probe.address == 0 { probe.offset } else { 0 };
    ProbeAttributes { offset, ..probe }
}

/// The rule of a channel that selects the same.
fn position<'a>(channel: &'a KernelChannel, rule: &KernelRule) -> Option<&'a KernelRule> {
    fn code(rule: &KernelRule) -> Option<&[u8]> {
        rule.filter.as_ref().map(|filter| filter.bytecode.data.as_slice())
    }
    let is_same = |known: &&KernelRule| {
        known.kind == rule.kind && known.name == rule.name && code(known) == code(rule)
    };
    channel.events.iter().rev().find(is_same)
}
