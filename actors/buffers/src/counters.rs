//! What the consumer daemon counts of channels.

use std::time::Duration;

use actix::Addr;
use futures::future::join_all;
use lttngd_consumer::{Consumer, DiscardedEvents, LostPackets};
use lttngd_model::{ChannelKey, SessionId};
use lttngd_runtime::ask;

use crate::{BuffersError, ChannelCounters};

/// What channels of a session lost so far, by the session's number of each, its key and whether it overwrites:
/// one that does discards no events.
///
/// # Errors
/// When the consumer daemon does not tell, within `deadline` for each reply.
pub async fn counters_of(
    consumer: &Addr<Consumer>,
    deadline: Duration,
    session: SessionId,
    channels: impl Iterator<Item = (u32, ChannelKey, bool)>,
) -> Result<Vec<ChannelCounters>, BuffersError> {
    let counted = channels.map(async |(index, key, overwrite)| {
        let discarded_events = match overwrite {
            true => 0,
            false => ask(consumer, DiscardedEvents { session, key }, deadline).await??,
        };
        let lost_packets =
            ask(consumer, LostPackets { session, key, overwrite }, deadline).await??;
        Ok(ChannelCounters { index, discarded_events, lost_packets })
    });
    join_all(counted).await.into_iter().collect()
}
