//! Metadata: taken, asked for, closed.

use lttngd_model::ChannelKey;
use lttngd_wire::consumer::ConsumerError as Code;

use super::{Inner, outcome};
use crate::{
    request::Reply,
    source::{Text, text_fits},
    worker::{Order, PushedText},
};

impl Inner {
    pub(super) async fn push_metadata(&self, key: ChannelKey, text: Text) -> Result<(), Code> {
        let worker = self.state.borrow().channels.get(&key).map(|channel| channel.worker.clone());
        let Some(worker) = worker else { return Err(Code::CHANNEL_FAIL) };
        let Text { target_offset, version, bytes } = text;
        if !text_fits(target_offset, bytes.len() as u64) {
            return Err(Code::ERROR_METADATA);
        }
        let text = PushedText { key, offset: target_offset, version, text: bytes };
        let pushed = worker.ask(|answer| Order::PushMetadata(text, answer)).await;
        pushed.unwrap_or(Err(Code::FATAL))
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
        let take = async |text| self.push_metadata(key, text).await;
        if let Some(request) = request
            && let Err(error) = self.context.source.fetch(request, take).await
        {
            tracing::error!(%key, %error, "metadata stays as it is");
        }
        // Streams of a live session may wait for this; without the thread nobody does.
        let _ = worker.tell(Order::MetadataRefreshed(key));
    }
}
