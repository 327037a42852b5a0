//! What an application has, what a session wants, and the next step from one to the other. No input
//! or output.

use std::{collections::HashSet, sync::Arc};

use lttngd_model::{
    Context,
    ust::{Channel, EventRule},
};

/// What an application has of one session.
#[derive(Debug, Default)]
pub(crate) struct AppSession {
    pub(crate) handle: Option<u32>,
    pub(crate) active: bool,
    /// In the order of their numbers.
    channels: Vec<AppChannel>,
    /// What the session wanted when the application last had all of it: it need not be looked at again.
    reached: Option<Arc<[Channel]>>,
}

impl AppSession {
    /// The channels, in the order of their numbers.
    pub(crate) fn channels(&self) -> &[AppChannel] {
        &self.channels
    }

    fn position(&self, index: u32) -> Result<usize, usize> {
        self.channels.binary_search_by_key(&index, |channel| channel.index)
    }

    /// The channel that the session numbers `index`.
    pub(crate) fn channel(&self, index: u32) -> Option<&AppChannel> {
        self.position(index).ok().map(|at| &self.channels[at])
    }

    /// The same, to be changed.
    pub(crate) fn channel_mut(&mut self, index: u32) -> Option<&mut AppChannel> {
        self.position(index).ok().map(|at| &mut self.channels[at])
    }

    /// Takes a step that switches a channel or an event on or off: the handle of the object, if it is there.
    pub(crate) fn switch(&mut self, step: Step<'_>) -> Option<(u32, bool)> {
        let (channel, event, enabled) = match step {
            Step::SetEvent { channel, event, enabled } => (channel, Some(event), enabled),
            Step::SetChannel { channel, enabled } => (channel, None, enabled),
            _ => return None,
        };
        let (handle, is_enabled) = self.switch_of(channel, event)?;
        *is_enabled = enabled;
        Some((handle, enabled))
    }

    /// The application refused to switch something to that.
    pub(crate) fn not_switched(&mut self, target: Target, enabled: bool) {
        let (channel, event) = match target {
            Target::Event(channel, event) => (channel, Some(event)),
            Target::ChannelState(channel) => (channel, None),
            _ => return,
        };
        if let Some((_, is_enabled)) = self.switch_of(channel, event) {
            *is_enabled = !enabled;
        }
        self.reached = None;
    }

    /// Handle and state of a channel, or of an event rule of it.
    fn switch_of(&mut self, channel: u32, event: Option<usize>) -> Option<(u32, &mut bool)> {
        let channel = self.channel_mut(channel)?;
        Some(match event {
            None => (channel.handle, &mut channel.enabled),
            Some(event) => {
                let event = channel.events.get_mut(event)?.as_mut()?;
                (event.handle, &mut event.enabled)
            }
        })
    }

    /// A channel is not there after all.
    pub(crate) fn remove(&mut self, index: u32) {
        if let Ok(at) = self.position(index) {
            self.channels.remove(at);
        }
    }

    /// The application made a channel.
    pub(crate) fn insert(&mut self, channel: AppChannel) {
        match self.position(channel.index) {
            Ok(at) => self.channels[at] = channel,
            Err(at) => self.channels.insert(at, channel),
        }
    }
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

impl AppChannel {
    /// A channel that was just made.
    pub(crate) fn new(index: u32, handle: u32) -> Self {
        Self { index, handle, enabled: true, contexts: 0, events: Vec::new() }
    }
}

/// An event rule in an application.
#[derive(Debug)]
pub(crate) struct AppEvent {
    pub(crate) handle: u32,
    pub(crate) enabled: bool,
}

/// A step. A `channel` is the session's number of it, an `event` the position of its rule there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step<'a> {
    CreateSession,
    CreateChannel { channel: u32 },
    AddContext { channel: u32, context: &'a Context },
    CreateEvent { channel: u32, event: usize, rule: &'a EventRule },
    SetEvent { channel: u32, event: usize, enabled: bool },
    SetChannel { channel: u32, enabled: bool },
    SetSession { active: bool },
}

/// What a step is about: a step that failed is not tried again before the next wish.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Target {
    Session,
    Channel(u32),
    Context(u32),
    NewEvent(u32, usize),
    Event(u32, usize),
    ChannelState(u32),
    SessionState,
}

impl Step<'_> {
    /// Whether it switches a channel or an event on or off: what the next step does not need the answer of.
    pub(crate) fn is_switch(&self) -> bool {
        matches!(self, Self::SetEvent { .. } | Self::SetChannel { .. })
    }

    pub(crate) fn target(&self) -> Target {
        match *self {
            Self::CreateSession => Target::Session,
            Self::CreateChannel { channel } => Target::Channel(channel),
            Self::AddContext { channel, .. } => Target::Context(channel),
            Self::CreateEvent { channel, event, .. } => Target::NewEvent(channel, event),
            Self::SetEvent { channel, event, .. } => Target::Event(channel, event),
            Self::SetChannel { channel, .. } => Target::ChannelState(channel),
            Self::SetSession { .. } => Target::SessionState,
        }
    }
}

/// The way from what an application has to what a session wants. It goes on where it was: what lies
/// behind is as it is wanted, or has failed, and stays so while the session wants the same channels.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    failed: HashSet<Target>,
    /// What is wanted on this way.
    wanted: Option<Arc<[Channel]>>,
    /// The channel and the event rule to look at next, as positions in it.
    at: (usize, usize),
}

impl Walk {
    /// A step failed.
    pub(crate) fn failed(&mut self, target: Target) {
        self.failed.insert(target);
    }

    /// The next step that has not failed, `None` when nothing is left to do.
    pub(crate) fn next_step<'a>(
        &mut self,
        has: &mut AppSession,
        active: bool,
        channels: &'a Arc<[Channel]>,
    ) -> Option<Step<'a>> {
        let step = self.step(has, active, channels)?;
        (!self.failed.contains(&step.target())).then_some(step)
    }

    fn step<'a>(
        &mut self,
        has: &mut AppSession,
        active: bool,
        channels: &'a Arc<[Channel]>,
    ) -> Option<Step<'a>> {
        if !active {
            // What else changed is made up for at the next start.
            return has.active.then_some(Step::SetSession { active: false });
        }
        if has.handle.is_none() {
            return Some(Step::CreateSession);
        }
        let is_same = |known: &Option<Arc<[Channel]>>| {
            known.as_ref().is_some_and(|known| Arc::ptr_eq(known, channels))
        };
        if !is_same(&self.wanted) {
            self.wanted = Some(Arc::clone(channels));
            self.at = (0, 0);
            if is_same(&has.reached) {
                self.at.0 = channels.len();
            } else {
                // What is changed on this way is what is wanted now.
                has.reached = None;
            }
        }
        while let Some(channel) = channels.get(self.at.0) {
            if let Some(step) = self.channel_step(has, channel) {
                return Some(step);
            }
            self.at = (self.at.0 + 1, 0);
        }
        if self.failed.is_empty() {
            has.reached.clone_from(&self.wanted);
        }
        (!has.active).then_some(Step::SetSession { active: true })
    }

    fn channel_step<'a>(&mut self, has: &AppSession, want: &'a Channel) -> Option<Step<'a>> {
        let failed = &self.failed;
        let fresh = |step: Step<'a>| (!failed.contains(&step.target())).then_some(step);
        let channel = want.index;
        let Some(there) = has.channel(channel) else {
            // An application takes no new channel once the session was active in it.
            return fresh(Step::CreateChannel { channel });
        };
        if let Some(context) = want.contexts.get(there.contexts) {
            // Without all its contexts the channel would hold events that cannot be told apart from
            // others; it gets no events before.
            return fresh(Step::AddContext { channel, context });
        }
        while let Some(rule) = want.events.get(self.at.1) {
            let event = self.at.1;
            let step = match there.events.get(event).and_then(Option::as_ref) {
                None => fresh(Step::CreateEvent { channel, event, rule }),
                Some(known) if known.enabled != rule.enabled => {
                    fresh(Step::SetEvent { channel, event, enabled: rule.enabled })
                }
                Some(_) => None,
            };
            if step.is_some() {
                return step;
            }
            self.at.1 += 1;
        }
        (there.enabled != want.enabled)
            .then_some(Step::SetChannel { channel, enabled: want.enabled })
            .and_then(fresh)
    }
}

#[cfg(test)]
pub(crate) mod tests;
