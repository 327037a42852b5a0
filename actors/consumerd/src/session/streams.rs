//! What is done to the streams of a channel or of the session, by the data thread that has them.

use std::time::Instant;

use lttngd_model::ChannelKey;

use super::{Command, Inner};
use crate::{
    refusal::Refusal,
    request::{
        ClearChannel, ClearQuiescentChannel, FlushChannel, GetDataPending, GetDiscardedEvents,
        GetLostPackets, OpenChannelPackets, RecordSnapshot, RotateChannel,
    },
    worker::{Counts, Order, Recording},
    workers::WorkerHandle,
};

/// Commands for a channel that are an order for its data thread.
macro_rules! orders {
    ($($command:ident, $name:literal, $order:path;)*) => {$(
        impl Command for $command {
            type Done = ();
            const NAME: &'static str = $name;

            async fn perform(self, session: &Inner) -> Result<(), Refusal> {
                let worker = session.state.borrow().worker_of(self.key)?;
                Ok(worker.ask(|answer| $order(self.key, answer)).await??)
            }
        }
    )*};
}

orders! {
    FlushChannel, "FLUSH_CHANNEL", Order::FlushChannel;
    ClearQuiescentChannel, "CLEAR_QUIESCENT_CHANNEL", Order::ClearQuiescent;
    ClearChannel, "CLEAR_CHANNEL", Order::ClearChannel;
    OpenChannelPackets, "OPEN_CHANNEL_PACKETS", Order::OpenPackets;
}

impl Command for RotateChannel {
    type Done = ();
    const NAME: &'static str = "ROTATE_CHANNEL";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        let (worker, reader) = {
            let state = session.state.borrow();
            (state.worker_of(self.key)?, state.text_reader(self.key))
        };
        // The trace chunk that is left describes what is in it.
        if let Some(reader) = reader {
            reader.refresh().await;
        }
        Ok(worker.ask(|answer| Order::RotateChannel(self.key, answer)).await??)
    }
}

impl Command for GetDiscardedEvents {
    type Done = u64;
    const NAME: &'static str = "DISCARDED_EVENTS";

    async fn perform(self, session: &Inner) -> Result<u64, Refusal> {
        session.counts(self.key).await.map(|counts| counts.discarded_events)
    }
}

impl Command for GetLostPackets {
    type Done = u64;
    const NAME: &'static str = "LOST_PACKETS";

    async fn perform(self, session: &Inner) -> Result<u64, Refusal> {
        session.counts(self.key).await.map(|counts| counts.lost_packets)
    }
}

impl Command for GetDataPending {
    type Done = bool;
    const NAME: &'static str = "DATA_PENDING";

    async fn perform(self, session: &Inner) -> Result<bool, Refusal> {
        session.refresh_all_text().await;
        for worker in session.workers_that_may_owe() {
            // A worker that is gone has nothing left to write.
            let pending = worker.ask(|reply| Order::TellDataPending(session.id, reply)).await;
            if pending == Ok(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Command for RecordSnapshot {
    type Done = ();
    const NAME: &'static str = "SNAPSHOT_CHANNEL";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        let Self(snapshot) = self;
        let key = snapshot.key;
        let (worker, chunk) = session.state.borrow().record(key)?;
        if snapshot.metadata {
            session.refresh_metadata(key).await;
        }
        let recording = Box::new(Recording {
            key,
            metadata: snapshot.metadata,
            path: snapshot.pathname,
            relay: snapshot.relayd_id,
            packets_max: snapshot.nb_packets_per_stream,
            chunk,
        });
        Ok(worker.ask(|answer| Order::Record(recording, answer)).await??)
    }
}

impl Inner {
    /// The data threads that may have something of the session to write, or to hear from a relay daemon: what
    /// it sent of channels that are over may still be under way there.
    fn workers_that_may_owe(&self) -> Vec<&WorkerHandle> {
        let mut workers = self.workers();
        let remote = &self.context.remote;
        if self.context.had_relays.get() && !workers.iter().any(|worker| worker.is(remote)) {
            workers.push(remote);
        }
        workers
    }

    /// What a channel has lost; what was known before where its data thread stands still.
    async fn counts(&self, key: ChannelKey) -> Result<Counts, Refusal> {
        let (worker, patience) = {
            let state = self.state.borrow();
            (state.worker_of(key)?, state.counts.patience(Instant::now()))
        };
        let told = worker.ask(|reply| Order::TellCounts(key, reply));
        let told = tokio::time::timeout(patience, told).await;
        let known = &mut self.state.borrow_mut().counts;
        match told {
            Ok(counts) => {
                let counts = counts?;
                known.are(key, counts);
                Ok(counts)
            }
            Err(_) => Ok(known.were(key, Instant::now())),
        }
    }
}
