//! Whether a session has data that is not written yet.

use std::time::Instant;

use lttngd_model::SessionId;

use super::{Worker, metadata::Metadata, order::Reply, stream::DataStream};

/// Turns that the streams of a session get before they count as pending.
const TURNS_MAX: usize = 64;

impl Worker {
    /// Answers whether packets of a session are not where they should be. What can be written at once
    /// is written before.
    pub(crate) fn data_pending(&mut self, session: SessionId, reply: Reply<bool>) {
        let of_session = |metadata: &Metadata| metadata.session() == session;
        let keys: Vec<_> =
            self.metadata.iter().filter(|(_, m)| of_session(m)).map(|(key, _)| *key).collect();
        for key in keys {
            self.write_again(key, Instant::now());
        }
        let places: Vec<usize> = self
            .channels
            .values()
            .filter(|channel| channel.session == session && channel.monitored)
            .flat_map(|channel| channel.streams.iter().copied())
            .collect();
        for place in places {
            for _ in 0..TURNS_MAX {
                match self.streams.get_mut(place).map(|stream| stream.ring.is_readable()) {
                    Some(Ok(true)) => self.serve(place),
                    _ => break,
                }
            }
            if self.streams.get_mut(place).is_some_and(|stream| stream.is_pending()) {
                reply.answer(true);
                return;
            }
        }
        self.remote_data_pending(session, reply);
    }
}

impl DataStream {
    /// Whether packets up to the last flush of the stopped stream are not read. Those that their
    /// writers have not finished are waited for as well, which ends; not those that an application
    /// writes later, though it should not.
    fn is_pending(&mut self) -> bool {
        let Ok(at) = self.ring.sample_positions() else { return false };
        let end = self.flushed_until.unwrap_or(at.produced);
        let end = end - end % self.ring.subbuf_size_bytes();
        end.wrapping_sub(at.consumed).cast_signed() > 0
    }
}
