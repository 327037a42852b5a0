//! What the buffers of a session's channels hold, and what of it triggers are told.

use std::{collections::HashMap, sync::Arc};

use lttngd_model::ChannelKey;

use crate::{Observation, SampledChannel};

/// The channels whose use was looked at.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    is_told: bool,
    channels: HashMap<ChannelKey, Use>,
}

#[derive(Debug)]
struct Use {
    channel: Arc<SampledChannel>,
    usage_bytes: u64,
    was_told: bool,
}

impl Uses {
    /// None so far, which are told or not.
    pub(crate) fn told(is_told: bool) -> Self {
        Self { is_told, ..Self::default() }
    }

    /// A channel was looked at.
    pub(crate) fn used(
        &mut self,
        channel: Arc<SampledChannel>,
        usage_bytes: u64,
        consumed_bytes: u64,
    ) -> Option<Observation> {
        let was_told = |of: &Use| of.was_told;
        let was_told = self.is_told || self.channels.get(&channel.key).is_some_and(was_told);
        let of = Use { channel: Arc::clone(&channel), usage_bytes, was_told };
        self.channels.insert(channel.key, of);
        let observation = Observation::ChannelUsed { channel, usage_bytes, consumed_bytes };
        self.is_told.then_some(observation)
    }

    /// A channel is not looked at any more.
    pub(crate) fn gone(&mut self, key: ChannelKey) -> Option<Observation> {
        let of = self.channels.remove(&key)?;
        of.was_told.then_some(Observation::ChannelGone(key))
    }

    /// Has what is looked at told, or not any more. What is known already is to be told now.
    pub(crate) fn watch(&mut self, is_told: bool, consumed_bytes: u64) -> Vec<Observation> {
        let begins = is_told && !self.is_told;
        self.is_told = is_told;
        if !begins {
            return Vec::new();
        }
        let known = self.channels.values_mut().map(|of| {
            of.was_told = true;
            let (channel, usage_bytes) = (Arc::clone(&of.channel), of.usage_bytes);
            Observation::ChannelUsed { channel, usage_bytes, consumed_bytes }
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::Tracer;

    use super::*;

    fn channel(key: u64) -> Arc<SampledChannel> {
        let (key, name) = (ChannelKey(key), "c".to_owned());
        Arc::new(SampledChannel { key, tracer: Tracer::Ust, name, capacity_bytes: 1000 })
    }

    fn is_use(observation: Option<&Observation>, expected: (u64, u64)) -> bool {
        matches!(observation, Some(Observation::ChannelUsed { usage_bytes, consumed_bytes, .. })
            if (*usage_bytes, *consumed_bytes) == expected)
    }

    #[test]
    fn uses_that_nobody_wants_are_not_told_and_known_when_somebody_does() {
        let mut uses = Uses::default();
        assert!(uses.used(channel(1), 5, 7).is_none());
        assert!(uses.used(channel(1), 6, 8).is_none());
        let known = uses.watch(true, 8);
        assert!(known.len() == 1 && is_use(known.first(), (6, 8)), "{known:?}");
        assert!(is_use(uses.used(channel(1), 9, 10).as_ref(), (9, 10)));
        assert!(uses.watch(true, 10).is_empty(), "they were told");
    }

    #[test]
    fn a_channel_that_was_told_is_told_to_be_gone() {
        let mut uses = Uses::told(true);
        assert!(uses.used(channel(1), 1, 1).is_some());
        assert!(uses.watch(false, 1).is_empty());
        assert!(uses.used(channel(1), 1, 1).is_none() && uses.used(channel(2), 1, 1).is_none());
        assert!(matches!(uses.gone(ChannelKey(1)), Some(Observation::ChannelGone(ChannelKey(1)))));
        assert!(uses.gone(ChannelKey(2)).is_none(), "nobody knows it");
        assert!(uses.gone(ChannelKey(1)).is_none() && uses.watch(true, 1).is_empty());
    }
}
