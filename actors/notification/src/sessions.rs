//! What is known of sessions: what conditions are about. No input or output.
//!
//! How buffers are used is known as long as a condition is about that: otherwise sessions do not tell it.

use std::{collections::HashMap, sync::Arc};

use lttngd_model::{
    ChannelKey, Credentials, Domain, SessionId, Tracer,
    trigger::{ArchiveLocation, BufferUsage, Condition, Evaluation},
};

/// A channel whose use is told.
pub(crate) use lttngd_session::SampledChannel;

/// All sessions of which something is known.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: HashMap<SessionId, Watched>,
    watches_use: bool,
}

#[derive(Debug)]
struct Watched {
    name: String,
    owner: Credentials,
    consumed_bytes: Option<u64>,
    channels: HashMap<ChannelKey, Channel>,
    /// The rotation that goes on.
    ongoing: Option<u64>,
}

#[derive(Debug)]
struct Channel {
    channel: Arc<SampledChannel>,
    usage_bytes: u64,
}

/// What is new of a session.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The use of a channel.
    Used {
        channel: Arc<SampledChannel>,
        usage_bytes: (Option<u64>, u64),
        consumed_bytes: (Option<u64>, u64),
    },
    /// A rotation began.
    RotationOngoing(u64),
    /// A rotation is over.
    RotationCompleted(u64, ArchiveLocation),
}

impl Sessions {
    /// Knows how buffers are used from now on, or forgets it. Whether that is new, and sessions are to be told.
    pub(crate) fn watch_use(&mut self, watches_use: bool) -> bool {
        if !watches_use {
            self.all.values_mut().for_each(|watched| {
                watched.consumed_bytes = None;
                watched.channels.clear();
            });
        }
        std::mem::replace(&mut self.watches_use, watches_use) != watches_use
    }

    pub(crate) fn ended(&mut self, id: SessionId) {
        self.all.remove(&id);
    }

    fn watched(&mut self, id: SessionId, name: &str, owner: Credentials) -> &mut Watched {
        self.all.entry(id).or_insert_with(|| Watched {
            name: name.to_owned(),
            owner,
            consumed_bytes: None,
            channels: HashMap::new(),
            ongoing: None,
        })
    }

    /// The use of a channel was told. What was on its way when that was wanted no more is nothing new.
    pub(crate) fn used(
        &mut self,
        (id, name, owner): (SessionId, &str, Credentials),
        channel: &Arc<SampledChannel>,
        usage_bytes: u64,
        consumed_bytes: u64,
    ) -> Option<Change> {
        if !self.watches_use {
            return None;
        }
        let watched = self.watched(id, name, owner);
        let consumed_before = watched.consumed_bytes.replace(consumed_bytes);
        let used = Channel { channel: Arc::clone(channel), usage_bytes };
        let used_before = watched.channels.insert(channel.key, used).map(|it| it.usage_bytes);
        Some(Change::Used {
            channel: Arc::clone(channel),
            usage_bytes: (used_before, usage_bytes),
            consumed_bytes: (consumed_before, consumed_bytes),
        })
    }

    pub(crate) fn channel_gone(&mut self, id: SessionId, key: ChannelKey) {
        if let Some(watched) = self.all.get_mut(&id) {
            watched.channels.remove(&key);
        }
    }

    pub(crate) fn rotation_ongoing(
        &mut self,
        (id, name, owner): (SessionId, &str, Credentials),
        rotation: u64,
    ) -> Change {
        self.watched(id, name, owner).ongoing = Some(rotation);
        Change::RotationOngoing(rotation)
    }

    /// A rotation is over; `None` when nobody is to know.
    pub(crate) fn rotation_over(
        &mut self,
        (id, name, owner): (SessionId, &str, Credentials),
        rotation: u64,
        location: Option<ArchiveLocation>,
    ) -> Option<Change> {
        self.watched(id, name, owner).ongoing.take_if(|ongoing| *ongoing == rotation);
        location.map(|location| Change::RotationCompleted(rotation, location))
    }

    /// What makes a condition true now, and whose session it is about.
    pub(crate) fn state_of(&self, condition: &Condition) -> Option<(Evaluation, Credentials)> {
        let name = condition.session()?;
        let of_name = self.all.values().filter(|watched| watched.name == name);
        of_name.into_iter().find_map(|watched| Some((watched.state_of(condition)?, watched.owner)))
    }
}

impl Watched {
    fn state_of(&self, condition: &Condition) -> Option<Evaluation> {
        match condition {
            Condition::SessionConsumedSize { threshold_bytes, .. } => {
                consumed(*threshold_bytes, self.consumed_bytes)
            }
            Condition::BufferUsageHigh(_) | Condition::BufferUsageLow(_) => {
                let mut channels = self.channels.values();
                channels.find_map(|it| used(condition, &it.channel, Some(it.usage_bytes)))
            }
            Condition::RotationOngoing { .. } => {
                self.ongoing.map(|rotation_id| Evaluation::RotationOngoing { rotation_id })
            }
            Condition::RotationCompleted { .. } | Condition::EventRuleMatches { .. } => None,
        }
    }
}

impl Change {
    /// What of it made a condition true that was not before. The condition is about this session.
    pub(crate) fn makes_true(&self, condition: &Condition) -> Option<Evaluation> {
        match (self, condition) {
            (
                Self::Used { consumed_bytes: (before, now), .. },
                Condition::SessionConsumedSize { threshold_bytes, .. },
            ) => {
                let is_new = consumed(*threshold_bytes, *before).is_none();
                consumed(*threshold_bytes, Some(*now)).filter(|_| is_new)
            }
            (
                Self::Used { channel, usage_bytes: (before, now), .. },
                Condition::BufferUsageHigh(_) | Condition::BufferUsageLow(_),
            ) => {
                let is_new = used(condition, channel, *before).is_none();
                used(condition, channel, Some(*now)).filter(|_| is_new)
            }
            (Self::RotationOngoing(rotation_id), Condition::RotationOngoing { .. }) => {
                Some(Evaluation::RotationOngoing { rotation_id: *rotation_id })
            }
            (
                Self::RotationCompleted(rotation_id, location),
                Condition::RotationCompleted { .. },
            ) => {
                let location = Some(location.clone());
                Some(Evaluation::RotationCompleted { rotation_id: *rotation_id, location })
            }
            _ => None,
        }
    }
}

fn consumed(threshold_bytes: u64, consumed_bytes: Option<u64>) -> Option<Evaluation> {
    let consumed_bytes = consumed_bytes.filter(|it| *it >= threshold_bytes)?;
    Some(Evaluation::SessionConsumedSize { consumed_bytes })
}

/// What a sample of a channel makes true of a condition about the use of buffers.
fn used(
    condition: &Condition,
    channel: &SampledChannel,
    usage_bytes: Option<u64>,
) -> Option<Evaluation> {
    let (usage_bytes, capacity_bytes) = (usage_bytes?, channel.capacity_bytes);
    let is_about = |usage: &BufferUsage| {
        let domain = match channel.tracer {
            Tracer::Ust => Domain::Ust,
            Tracer::Kernel => Domain::Kernel,
        };
        usage.domain == domain && usage.channel == channel.name
    };
    match condition {
        Condition::BufferUsageHigh(usage) if is_about(usage) => {
            let is_true = usage_bytes >= usage.threshold.bytes_of(capacity_bytes);
            is_true.then_some(Evaluation::BufferUsageHigh { usage_bytes, capacity_bytes })
        }
        Condition::BufferUsageLow(usage) if is_about(usage) => {
            let is_true = usage_bytes <= usage.threshold.bytes_of(capacity_bytes);
            is_true.then_some(Evaluation::BufferUsageLow { usage_bytes, capacity_bytes })
        }
        _ => None,
    }
}
