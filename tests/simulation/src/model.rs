//! What a session is to be, as a plain value: what a command changes of it, and whether it is one that is done.

use std::collections::BTreeMap;

use lttngd_model::{BufferScheme, SessionId};

/// Where a session records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Local,
    Snapshot,
    Relay,
}

/// A command to a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    EnableChannel { channel: &'static str, scheme: BufferScheme },
    DisableChannel { channel: &'static str },
    EnableEvent { channel: &'static str, event: &'static str },
    DisableEvent { channel: &'static str, event: &'static str },
    AddContext { channel: &'static str },
    Start,
    Stop,
    Rotate,
    Clear,
    RecordSnapshot,
    RegenerateMetadata,
    DataPending,
    SetPeriod { seconds: u64 },
    RemovePeriod { seconds: u64 },
    Destroy,
}

/// What becomes of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It is done, unless a peer does wrong.
    Done,
    /// It is refused, whatever peers do.
    Refused,
    /// That depends on what peers did before, or on the time.
    Unsure,
}

/// A channel, as it is listed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Channel {
    pub(crate) enabled: bool,
    /// Whether each event is enabled.
    pub(crate) events: BTreeMap<String, bool>,
}

/// A session, as it is listed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Listed {
    pub(crate) active: bool,
    pub(crate) channels: BTreeMap<String, Channel>,
    pub(crate) period_us: Option<u64>,
}

/// A session.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) id: SessionId,
    pub(crate) kind: Kind,
    pub(crate) listed: Listed,
    scheme: Option<BufferScheme>,
    has_started: bool,
    /// Whether a start failed in the middle, after which it may count as one.
    may_have_started: bool,
}

impl Model {
    pub(crate) fn new(name: String, id: SessionId, kind: Kind) -> Self {
        let (listed, scheme) = (Listed::default(), None);
        Self { name, id, kind, listed, scheme, has_started: false, may_have_started: false }
    }

    /// A start failed.
    pub(crate) fn start_failed(&mut self) {
        self.may_have_started = true;
    }

    /// What becomes of a command.
    pub(crate) fn foresee(&self, act: &Act) -> Verdict {
        let verdict = self.foresee_as(self.has_started, act);
        if self.may_have_started && self.foresee_as(true, act) != verdict {
            return Verdict::Unsure;
        }
        verdict
    }

    fn foresee_as(&self, has_started: bool, act: &Act) -> Verdict {
        let is = |done: bool| if done { Verdict::Done } else { Verdict::Refused };
        let Listed { active, channels, period_us } = &self.listed;
        match act {
            Act::EnableChannel { channel, scheme } => match channels.get(*channel) {
                // Of one that is there nothing is changed but that.
                Some(known) => is(!known.enabled),
                None => is(!has_started && self.scheme.is_none_or(|known| known == *scheme)),
            },
            Act::DisableChannel { channel } => is(channels.contains_key(*channel)),
            Act::EnableEvent { channel, event } => match channels.get(*channel) {
                Some(known) => is(known.events.get(*event) != Some(&true)),
                None => is(!has_started && self.scheme != Some(BufferScheme::PerPid)),
            },
            Act::DisableEvent { channel, event } => match channels.get(*channel) {
                Some(known) => is(known.events.get(*event) == Some(&true)),
                None => Verdict::Refused,
            },
            Act::AddContext { channel } => match channels.contains_key(*channel) {
                true if !has_started => Verdict::Unsure,
                _ => Verdict::Refused,
            },
            Act::Start => is(!active && !channels.is_empty()),
            Act::Stop => is(*active),
            Act::Rotate if !has_started || self.kind == Kind::Snapshot => Verdict::Refused,
            Act::Clear => Verdict::Unsure,
            Act::Rotate => Verdict::Unsure,
            Act::RecordSnapshot => is(self.kind == Kind::Snapshot && has_started),
            Act::RegenerateMetadata => is(has_started && *active),
            Act::DataPending => Verdict::Unsure,
            Act::SetPeriod { .. } => is(self.kind != Kind::Snapshot && period_us.is_none()),
            Act::RemovePeriod { seconds } => is(*period_us == Some(seconds * 1_000_000)),
            Act::Destroy => Verdict::Done,
        }
    }

    /// It is done.
    pub(crate) fn done(&mut self, act: &Act) {
        let Listed { active, channels, period_us } = &mut self.listed;
        match act {
            Act::EnableChannel { channel, scheme } => {
                self.scheme = Some(*scheme);
                channels.entry((*channel).to_owned()).or_default().enabled = true;
            }
            Act::DisableChannel { channel } => {
                channels.entry((*channel).to_owned()).or_default().enabled = false;
            }
            Act::EnableEvent { channel, event } => {
                self.scheme.get_or_insert(BufferScheme::PerUid);
                let fresh = || Channel { enabled: true, ..Channel::default() };
                let channel = channels.entry((*channel).to_owned()).or_insert_with(fresh);
                channel.events.insert((*event).to_owned(), true);
            }
            Act::DisableEvent { channel, event } => {
                let channel = channels.entry((*channel).to_owned()).or_default();
                channel.events.insert((*event).to_owned(), false);
            }
            Act::Start => {
                *active = true;
                self.has_started = true;
            }
            Act::Stop => *active = false,
            Act::SetPeriod { seconds } => *period_us = Some(seconds * 1_000_000),
            Act::RemovePeriod { .. } => *period_us = None,
            Act::AddContext { .. }
            | Act::Rotate
            | Act::Clear
            | Act::RecordSnapshot
            | Act::RegenerateMetadata
            | Act::DataPending
            | Act::Destroy => {}
        }
    }

    /// What an application records for it when it is active: for each channel that is enabled, its events that are.
    pub(crate) fn recorded(&self) -> Vec<Vec<String>> {
        let enabled = self.listed.channels.values().filter(|channel| channel.enabled);
        let events = |channel: &Channel| -> Vec<String> {
            let enabled = channel.events.iter().filter(|(_, enabled)| **enabled);
            enabled.map(|(name, _)| name.clone()).collect()
        };
        let mut channels: Vec<_> = enabled.map(events).collect();
        channels.sort();
        channels
    }
}
