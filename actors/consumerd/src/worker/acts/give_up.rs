//! The end of a session to which nobody can give commands any more.

use lttngd_model::{ChannelKey, SessionId};

use crate::worker::state::Worker;

impl Worker {
    /// Ends the channels of a session. What their buffers hold is written, as at the consumer's end, and so is
    /// the metadata that is here; applications that go on write to buffers that nobody reads.
    pub(in crate::worker) fn give_up_session(&mut self, session: SessionId) {
        let of_session = self.channels.iter().filter(|(_, channel)| channel.session == session);
        let channels: Vec<(ChannelKey, bool)> =
            of_session.map(|(key, channel)| (*key, channel.monitored)).collect();
        for (key, monitored) in channels {
            if !monitored {
                self.remove_channel(key);
                continue;
            }
            for slot in self.streams_of(key) {
                self.streams[slot].end(&self.setup.clock);
                self.make_ready(slot);
            }
        }
        let of_session = self.metadata.iter().filter(|(_, metadata)| metadata.session() == session);
        let keys: Vec<ChannelKey> = of_session.map(|(key, _)| *key).collect();
        for key in keys {
            // It is one of those that are known.
            let _ = self.close_metadata(key);
        }
        self.relays.give_up_snapshots(session);
    }
}
