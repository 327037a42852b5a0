//! ENABLE_EVENT and DISABLE_EVENT.

use super::{Channel, EventRule, METADATA_CHANNEL_NAME, SessionFacts, UstDomain};
use crate::{
    Domain, ErrorCode, EventDescription, EventKind, LogLevelRule, SYMBOL_NAME_LEN, star_glob,
};

/// Event names that begin so belong to the agents.
const RESERVED_PREFIXES: [&str; 3] = ["lttng_jul", "lttng_log4j", "lttng_python"];

impl UstDomain {
    /// Adds an event rule to a channel, or lets a disabled one record again (ENABLE_EVENT). A channel
    /// that is missing is made with default attributes and `raw_buffer_type` as its scheme, and not
    /// kept when the event fails. Runs of `*` in the event's name and exclusions become one.
    ///
    /// # Errors
    ///
    /// In this order: [`ErrorCode::NeedChannelName`], the errors of [`Self::enable_channel`] for a
    /// missing channel, [`ErrorCode::InvalidChannelDomain`], [`ErrorCode::InvalidEventName`],
    /// [`ErrorCode::UstEventEnabled`] when the same rule records already, [`ErrorCode::Invalid`] for a
    /// kind or log level type that the domain lacks, a name that is too long, or an exclusion given
    /// twice.
    pub fn enable_event(
        &mut self,
        channel: &str,
        event: &EventDescription,
        raw_buffer_type: u32,
        session: SessionFacts,
    ) -> Result<(), ErrorCode> {
        let name = self.event_channel(channel)?;
        if let Some(at) = self.position(name) {
            return enable_in(&mut self.channels[at], event);
        }
        if name == METADATA_CHANNEL_NAME {
            return Err(ErrorCode::UstChanNotFound);
        }
        let attributes = self.default_attributes();
        let mut draft = self.draft_channel(name, attributes, raw_buffer_type, session)?;
        enable_in(&mut draft.channel, event)?;
        self.adopt(draft);
        Ok(())
    }

    /// Stops every rule of this very name in a channel, or every rule for an empty name
    /// (DISABLE_EVENT). Filter and exclusions of the description are not looked at.
    ///
    /// # Errors
    ///
    /// In this order: [`ErrorCode::Unk`] for a description that selects by more than the name,
    /// [`ErrorCode::InvalidEventName`], [`ErrorCode::NeedChannelName`],
    /// [`ErrorCode::UstChanNotFound`], [`ErrorCode::Unk`] for any kind but all,
    /// [`ErrorCode::UstEventNotFound`].
    pub fn disable_event(
        &mut self,
        channel: &str,
        event: &EventDescription,
    ) -> Result<(), ErrorCode> {
        if !event.selects_by_name() {
            return Err(ErrorCode::Unk);
        }
        check_name(&event.name)?;
        let name = self.event_channel(channel)?;
        let at = self.position(name).ok_or(ErrorCode::UstChanNotFound)?;
        if EventKind::from_raw(event.kind) != Some(EventKind::All) {
            return Err(ErrorCode::Unk);
        }
        let all = event.name.is_empty();
        let mut found = all;
        for rule in &mut self.channels[at].events {
            if all || rule.name == event.name {
                rule.enabled = false;
                found = true;
            }
        }
        if found { Ok(()) } else { Err(ErrorCode::UstEventNotFound) }
    }
}

fn enable_in(channel: &mut Channel, event: &EventDescription) -> Result<(), ErrorCode> {
    if channel.domain != Domain::Ust {
        return Err(ErrorCode::InvalidChannelDomain);
    }
    check_name(&event.name)?;
    let loglevel = LogLevelRule::from_raw(event.loglevel_type, event.loglevel);
    let rule = EventRule {
        kind: rule_kind(event.kind).unwrap_or(EventKind::Noop),
        name: star_glob::normalize(&event.name),
        loglevel: loglevel.ok_or(ErrorCode::Invalid)?,
        filter: event.filter.clone(),
        exclusions: event.exclusions.iter().map(|name| star_glob::normalize(name)).collect(),
        enabled: true,
        internal: false,
    };
    // The kind is no part of a rule's identity: the same rule of a wrong kind is that rule still.
    if let Some(known) = channel.events.iter_mut().find(|known| known.is_same_rule(&rule)) {
        if known.enabled {
            return Err(ErrorCode::UstEventEnabled);
        }
        known.enabled = true;
        return Ok(());
    }
    if has_duplicate(&rule.exclusions)
        || rule_kind(event.kind).is_none()
        || rule.name.len() >= SYMBOL_NAME_LEN
        || event.exclusions.iter().any(|name| name.len() >= SYMBOL_NAME_LEN)
    {
        return Err(ErrorCode::Invalid);
    }
    channel.events.push(rule);
    Ok(())
}

/// The kind of a rule. Functions are one kind here; `None` for what user space does not have.
fn rule_kind(raw: i8) -> Option<EventKind> {
    match EventKind::from_raw(raw)? {
        kind @ (EventKind::Tracepoint | EventKind::Probe) => Some(kind),
        EventKind::Function | EventKind::FunctionEntry => Some(EventKind::Function),
        EventKind::All | EventKind::Noop | EventKind::Syscall | EventKind::UserspaceProbe => None,
    }
}

fn check_name(name: &str) -> Result<(), ErrorCode> {
    if RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(ErrorCode::InvalidEventName);
    }
    Ok(())
}

fn has_duplicate(names: &[String]) -> bool {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}
