//! Metadata: taken, asked for, closed.

use lttngd_model::ChannelKey;
use lttngd_wire::consumer::ConsumerError as Code;

use super::{Inner, outcome};
use crate::{
    request::Reply,
    worker::{MetadataText, Order},
};

impl Inner {
    pub(super) async fn push_metadata(
        &self,
        key: ChannelKey,
        offset: u64,
        version: u64,
        text: Vec<u8>,
    ) -> Reply {
        let worker = self.state.borrow().channels.get(&key).map(|channel| channel.worker.clone());
        let Some(worker) = worker else { return Code::CHANNEL_FAIL.into() };
        let text = MetadataText { key, offset, version, text };
        outcome(worker.ask(|answer| Order::PushMetadata(text, answer)).await)
    }

    pub(super) async fn close_metadata(&self, key: ChannelKey) -> Reply {
        let worker = self.state.borrow().channels.get(&key).map(|channel| channel.worker.clone());
        let Some(worker) = worker else { return Code::UST_CHAN_NOT_FOUND.into() };
        outcome(worker.ask(|answer| Order::CloseMetadata(key, answer)).await)
    }

    /// Asks the session daemon for text that is newer than what is here. Without an answer things go
    /// on with what there is.
    pub(super) async fn refresh_metadata(&self, key: ChannelKey) {
        let (worker, request) = {
            let state = self.state.borrow();
            let Some(channel) = state.channels.get(&key) else { return };
            (channel.worker.clone(), channel.metadata_request())
        };
        if let (Some(control), Some(request)) = (self.context.control.upgrade(), request)
            && let Err(error) = control.source().fetch(&control, request).await
        {
            tracing::error!(%key, %error, "metadata stays as it is");
        }
        // Streams of a live session may wait for this; without the thread nobody does.
        let _ = worker.tell(Order::MetadataRefreshed(key));
    }
}
