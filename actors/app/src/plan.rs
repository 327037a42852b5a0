//! What an application has, what a session wants, and the next step from one to the other. No input
//! or output.

use std::collections::HashSet;

use lttngd_model::{
    Context,
    ust::{Channel, EventRule},
};

/// What an application has of one session.
#[derive(Debug, Default)]
pub(crate) struct AppSession {
    pub(crate) handle: Option<u32>,
    pub(crate) active: bool,
    pub(crate) channels: Vec<AppChannel>,
}

/// A channel in an application.
#[derive(Debug)]
pub(crate) struct AppChannel {
    /// The session's number of it.
    pub(crate) index: u32,
    pub(crate) handle: u32,
    pub(crate) enabled: bool,
    /// How many of the contexts it has.
    pub(crate) contexts: usize,
    /// For each event rule of the channel, in the same order: what the application has of it.
    pub(crate) events: Vec<Option<AppEvent>>,
}

/// An event rule in an application.
#[derive(Debug)]
pub(crate) struct AppEvent {
    pub(crate) handle: u32,
    pub(crate) enabled: bool,
}

/// A step. Positions are those of [`AppSession::channels`] and [`AppChannel::events`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    CreateSession,
    CreateChannel { index: u32 },
    AddContext { channel: usize, context: Context },
    CreateEvent { channel: usize, event: usize, rule: EventRule },
    SetEvent { channel: usize, event: usize, enabled: bool },
    SetChannel { channel: usize, enabled: bool },
    SetSession { active: bool },
}

/// What a step is about: a step that failed is not tried again before the next wish.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Target {
    Session,
    Channel(u32),
    Context(usize),
    NewEvent(usize, usize),
    Event(usize, usize),
    ChannelState(usize),
    SessionState,
}

impl Step {
    pub(crate) fn target(&self) -> Target {
        match *self {
            Self::CreateSession => Target::Session,
            Self::CreateChannel { index } => Target::Channel(index),
            Self::AddContext { channel, .. } => Target::Context(channel),
            Self::CreateEvent { channel, event, .. } => Target::NewEvent(channel, event),
            Self::SetEvent { channel, event, .. } => Target::Event(channel, event),
            Self::SetChannel { channel, .. } => Target::ChannelState(channel),
            Self::SetSession { .. } => Target::SessionState,
        }
    }
}

/// The next step that has not failed, `None` when nothing is left to do.
pub(crate) fn next_step(
    has: &AppSession,
    active: bool,
    channels: &[Channel],
    failed: &HashSet<Target>,
) -> Option<Step> {
    let fresh = |step: &Step| !failed.contains(&step.target());
    if !active {
        // What else changed is made up for at the next start.
        return has.active.then_some(Step::SetSession { active: false }).filter(fresh);
    }
    if has.handle.is_none() {
        return Some(Step::CreateSession).filter(fresh);
    }
    let session = (!has.active).then_some(Step::SetSession { active: true });
    channels.iter().find_map(|channel| channel_step(has, channel, failed)).or(session).filter(fresh)
}

fn channel_step(has: &AppSession, want: &Channel, failed: &HashSet<Target>) -> Option<Step> {
    let fresh = |step: Step| (!failed.contains(&step.target())).then_some(step);
    let Some(channel) = has.channels.iter().position(|c| c.index == want.index) else {
        // An application takes no new channel once the session was active in it.
        return fresh(Step::CreateChannel { index: want.index });
    };
    let there = &has.channels[channel];
    if let Some(context) = want.contexts.get(there.contexts) {
        // Without all its contexts the channel would hold events that cannot be told apart from
        // others; it gets no events before.
        return fresh(Step::AddContext { channel, context: context.clone() });
    }
    let events = want.events.iter().enumerate().find_map(|(event, rule)| {
        match there.events.get(event).and_then(Option::as_ref) {
            None => fresh(Step::CreateEvent { channel, event, rule: rule.clone() }),
            Some(known) if known.enabled != rule.enabled => {
                fresh(Step::SetEvent { channel, event, enabled: rule.enabled })
            }
            Some(_) => None,
        }
    });
    events.or_else(|| {
        (there.enabled != want.enabled)
            .then_some(Step::SetChannel { channel, enabled: want.enabled })
            .and_then(fresh)
    })
}

#[cfg(test)]
pub(crate) mod tests;
