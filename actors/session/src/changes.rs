//! What a session tells of what happens to it.

use std::collections::HashMap;

use lttngd_model::ChannelListing;

use crate::{Observation, SessionChanged, SessionEvent, SessionObserved, actor::Inner};

/// What was told of each channel's losses: events discarded and packets lost, by its name.
#[derive(Debug, Default)]
pub(crate) struct ToldLosses(HashMap<String, (u64, u64)>);

impl ToldLosses {
    /// Whether a channel lost something that was not told yet, which is told by this.
    fn take_new(&mut self, channel: &ChannelListing) -> bool {
        let lost = (channel.discarded_events, channel.lost_packets);
        match self.0.get_mut(&channel.name) {
            // What an application that is gone counted may be missing for a moment.
            Some(told) if lost.0 <= told.0 && lost.1 <= told.1 => false,
            Some(told) => {
                *told = lost;
                true
            }
            None if lost == (0, 0) => false,
            None => self.0.insert(channel.name.clone(), lost).is_none(),
        }
    }
}

impl Inner {
    pub(crate) fn tell(&self, event: SessionEvent) {
        self.config.changes.tell(SessionChanged {
            id: self.config.id,
            session: self.config.name.clone(),
            owner: self.config.owner,
            event,
        });
    }

    /// Tells triggers.
    pub(crate) fn observe(&self, observation: Observation) {
        self.config.observed.tell(SessionObserved {
            id: self.config.id,
            session: self.config.name.clone(),
            owner: self.config.owner,
            observation,
        });
    }

    /// Tells of channels that lost more than was told before.
    pub(crate) fn tell_losses(&self, channels: &[ChannelListing]) {
        for channel in channels {
            if self.state_mut().told_losses.take_new(channel) {
                self.tell(SessionEvent::EventsLost {
                    channel: channel.name.clone(),
                    discarded_events: channel.discarded_events,
                    lost_packets: channel.lost_packets,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::{BufferScheme, ChannelAttributes};

    use super::*;

    #[test]
    fn a_loss_is_told_once_and_again_when_it_grows() {
        let channel = |discarded_events, lost_packets| ChannelListing {
            discarded_events,
            lost_packets,
            ..ChannelListing::new("c", ChannelAttributes::user_space(BufferScheme::PerUid, 4096))
        };
        let mut told = ToldLosses::default();
        assert!(!told.take_new(&channel(0, 0)));
        assert!(told.take_new(&channel(1, 0)));
        assert!(!told.take_new(&channel(1, 0)));
        assert!(told.take_new(&channel(1, 2)));
        assert!(!told.take_new(&channel(0, 2)), "it has not grown");
        assert!(told.take_new(&channel(2, 2)));
    }
}
