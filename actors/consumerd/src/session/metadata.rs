//! Metadata: taken, asked for, closed.

use lttngd_model::ChannelKey;

use super::{Command, Inner};
use crate::{
    refusal::Refusal,
    request::{CloseMetadata, PushMetadata},
    source::{Text, text_fits},
    worker::{Order, PushedText},
};

impl Command for PushMetadata {
    type Done = ();
    const NAME: &'static str = "PUSH_METADATA";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        session.take_text(self.key, self.text).await
    }
}

impl Command for CloseMetadata {
    type Done = ();
    const NAME: &'static str = "CLOSE_METADATA";

    async fn perform(self, session: &Inner) -> Result<(), Refusal> {
        let worker = session.state.borrow().worker_of(self.key)?;
        Ok(worker.ask(|answer| Order::CloseMetadata(self.key, answer)).await??)
    }
}

impl Inner {
    /// Gives text to the data thread of its channel.
    async fn take_text(&self, key: ChannelKey, text: Text) -> Result<(), Refusal> {
        let worker = self.state.borrow().worker_of(key)?;
        let Text { target_offset, version, bytes } = text;
        if !text_fits(target_offset, bytes.len() as u64) {
            return Err(Refusal::TooLarge);
        }
        let (offset, uuid) = (target_offset, None);
        let text = PushedText { key, offset, version, uuid, text: bytes };
        Ok(worker.ask(|answer| Order::PushMetadata(text, answer)).await??)
    }

    /// Has all text that the kernel has made given to the data threads.
    pub(super) async fn refresh_all_text(&self) {
        let readers = self.state.borrow().text_readers();
        for reader in readers {
            reader.refresh().await;
        }
    }

    /// Asks the session daemon for text that is newer than what is here. Without an answer things go
    /// on with what there is.
    pub(super) async fn refresh_metadata(&self, key: ChannelKey) {
        let (worker, request, reader) = {
            let state = self.state.borrow();
            let Ok(worker) = state.worker_of(key) else { return };
            (worker, state.metadata_request(key), state.text_reader(key))
        };
        if let Some(reader) = reader {
            reader.refresh().await;
        }
        let take = async |text| self.take_text(key, text).await;
        if let Some(request) = request
            && let Err(error) = self.context.source.fetch(request, take).await
        {
            tracing::error!(%key, %error, "metadata stays as it is");
        }
        // Streams of a live session may wait for this; without the thread nobody does.
        let _ = worker.tell(Order::MetadataRefreshed(key));
    }
}
