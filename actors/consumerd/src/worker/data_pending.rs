//! Whether a session has data that is not written yet.

use lttngd_model::SessionId;
use tokio::sync::oneshot;

use super::Worker;

/// Turns that the streams of a session get before they count as pending.
const TURNS_MAX: usize = 64;

impl Worker {
    /// Answers whether packets of a session are not where they should be. What can be written at once
    /// is written before.
    pub(crate) fn data_pending(&mut self, session: SessionId, reply: oneshot::Sender<bool>) {
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
            let readable = self.streams.get_mut(place).map(|stream| stream.ring.is_readable());
            if matches!(readable, Some(Ok(true))) {
                // Who asked may have gone.
                let _ = reply.send(true);
                return;
            }
        }
        self.remote_data_pending(session, reply);
    }
}
