//! What was told of the losses of a session.

use std::collections::HashMap;

use lttngd_model::{ChannelListing, Domain};

/// What was told of each channel's losses: events discarded and packets lost, by its domain and its name.
#[derive(Debug, Default)]
pub(crate) struct ToldLosses(HashMap<Domain, HashMap<String, (u64, u64)>>);

impl ToldLosses {
    /// Whether a channel lost something that was not told yet, which is told by this.
    pub(crate) fn take_new(&mut self, domain: Domain, channel: &ChannelListing) -> bool {
        let lost = (channel.discarded_events, channel.lost_packets);
        let told = self.0.entry(domain).or_default();
        match told.get_mut(&channel.name) {
            // What an application that is gone counted may be missing for a moment.
            Some(told) if lost.0 <= told.0 && lost.1 <= told.1 => false,
            Some(told) => {
                *told = lost;
                true
            }
            None if lost == (0, 0) => false,
            None => told.insert(channel.name.clone(), lost).is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::{BufferScheme, ChannelAttributes};

    use super::*;

    const UST: Domain = Domain::Ust;

    #[test]
    fn a_loss_is_told_once_and_again_when_it_grows() {
        let channel = |discarded_events, lost_packets| ChannelListing {
            discarded_events,
            lost_packets,
            ..ChannelListing::new("c", ChannelAttributes::user_space(BufferScheme::PerUid, 4096))
        };
        let mut told = ToldLosses::default();
        assert!(!told.take_new(UST, &channel(0, 0)));
        assert!(told.take_new(UST, &channel(1, 0)));
        assert!(!told.take_new(UST, &channel(1, 0)));
        assert!(told.take_new(UST, &channel(1, 2)));
        assert!(!told.take_new(UST, &channel(0, 2)), "it has not grown");
        assert!(told.take_new(UST, &channel(2, 2)));
        assert!(told.take_new(Domain::Kernel, &channel(1, 0)), "it is another one of this name");
        assert!(!told.take_new(UST, &channel(2, 2)));
    }
}
