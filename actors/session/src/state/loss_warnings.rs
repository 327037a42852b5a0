//! Which losses of a session are warned of. No input or output.

use std::{collections::HashMap, time::Duration};

use lttngd_model::{ChannelListing, Domain};
use tokio::time::Instant;

/// How long nothing more is said of a channel of which something was.
const SAYS_NOTHING_FOR: Duration = Duration::from_secs(60);

/// What was said of each channel, by its domain and its name.
#[derive(Debug, Default)]
pub(crate) struct LossWarnings(HashMap<(Domain, String), Warned>);

#[derive(Clone, Copy, Debug)]
struct Warned {
    at: Instant,
    lost: Lost,
}

/// What a channel lost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lost {
    pub(crate) events: u64,
    pub(crate) packets: u64,
}

impl Lost {
    /// Of a channel as it is listed.
    fn of(channel: &ChannelListing) -> Self {
        Self { events: channel.discarded_events, packets: channel.lost_packets }
    }

    fn since(self, before: Self) -> Self {
        Self {
            events: self.events.saturating_sub(before.events),
            packets: self.packets.saturating_sub(before.packets),
        }
    }

    /// Why.
    pub(crate) fn why(self) -> &'static str {
        match (self.events, self.packets) {
            (_, 0) => {
                "discarded: its buffers are full, and its consumer daemon does not empty them as fast"
            }
            (0, _) => "overwritten: its consumer daemon does not read its packets as fast",
            (_, _) => "discarded and overwritten: its consumer daemon does not read as fast",
        }
    }
}

impl LossWarnings {
    /// A channel lost something new. What it lost since the last warning, if there is to be one now.
    pub(crate) fn due(
        &mut self,
        domain: Domain,
        channel: &ChannelListing,
        now: Instant,
    ) -> Option<Lost> {
        let lost = Lost::of(channel);
        let warned = self.0.get_mut(&(domain, channel.name.clone()));
        let before = warned.as_ref().map_or(Lost::default(), |warned| warned.lost);
        match warned {
            Some(it) if now.saturating_duration_since(it.at) < SAYS_NOTHING_FOR => return None,
            Some(it) => *it = Warned { at: now, lost },
            None => drop(self.0.insert((domain, channel.name.clone()), Warned { at: now, lost })),
        }
        Some(lost.since(before))
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::{BufferScheme, ChannelAttributes};

    use super::*;

    fn channel(name: &str, discarded_events: u64, lost_packets: u64) -> ChannelListing {
        ChannelListing {
            discarded_events,
            lost_packets,
            ..ChannelListing::new(name, ChannelAttributes::user_space(BufferScheme::PerUid, 4096))
        }
    }

    #[test]
    fn the_first_loss_is_told_at_once_and_what_follows_together_and_seldom() {
        let (mut warnings, now) = (LossWarnings::default(), Instant::now());
        let lost = |events, packets| Some(Lost { events, packets });
        let mut due = |channel, at| warnings.due(Domain::Ust, &channel, at);
        assert_eq!(due(channel("c", 5, 0), now), lost(5, 0));
        assert_eq!(due(channel("c", 50, 0), now + SAYS_NOTHING_FOR / 2), None);
        assert_eq!(due(channel("d", 0, 2), now + SAYS_NOTHING_FOR / 2), lost(0, 2), "another one");
        assert_eq!(due(channel("c", 80, 1), now + SAYS_NOTHING_FOR), lost(75, 1));
        assert_eq!(due(channel("c", 81, 1), now + SAYS_NOTHING_FOR), None);
        let of_kernel = warnings.due(Domain::Kernel, &channel("c", 1, 0), now);
        assert_eq!(of_kernel, lost(1, 0), "it is another one of this name");
    }

    #[test]
    fn a_warning_says_why() {
        assert!(Lost { events: 1, packets: 0 }.why().starts_with("discarded:"));
        assert!(Lost { events: 0, packets: 1 }.why().starts_with("overwritten:"));
        assert!(Lost { events: 1, packets: 1 }.why().starts_with("discarded and overwritten:"));
    }
}
