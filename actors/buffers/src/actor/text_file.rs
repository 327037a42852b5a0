//! The file of the metadata text beside buffers that are in files.

use std::sync::Arc;

use actix::{AsyncContext, Context, Response, WrapFuture};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::{BufferSet, Inner, shm_error};
use crate::{BuffersError, progress::MetadataProgress, shm, state::Write};

impl BufferSet {
    /// Brings the file beside the buffers up to the text of now.
    pub(super) fn written(
        &mut self,
        context: &mut Context<Self>,
    ) -> impl Future<Output = ()> + use<> {
        let (reply, written) = oneshot::channel();
        if self.inner.state_mut().text_file.wait(reply) {
            let inner = std::rc::Rc::clone(&self.inner);
            let span = inner.span.clone();
            let work = async move { inner.write_text().await }.instrument(span);
            context.spawn(work.into_actor(self));
        }
        async move {
            // It is dropped when that is done, or cannot be.
            let _ = written.await;
        }
    }

    /// An event that an application records stands in the file before the application learns its id.
    pub(super) fn reply_when_written<T: 'static>(
        &mut self,
        reply: T,
        context: &mut Context<Self>,
    ) -> Response<T> {
        if !self.inner.state().text_file.is_there() {
            return Response::reply(reply);
        }
        let written = self.written(context);
        Response::fut(async move {
            written.await;
            reply
        })
    }
}

impl Inner {
    /// Makes the file, with the text of now.
    pub(super) async fn make_text_file(&self) -> Result<(), BuffersError> {
        let Some(directory) = self.config.shm_directory() else { return Ok(()) };
        if self.state().text_file.is_there() {
            return Ok(());
        }
        let file = directory.make(&self.config).await;
        let file = file.map_err(|error| shm_error(&directory.path(), &error))?;
        let mut written = MetadataProgress::default();
        loop {
            let text = written.missing(&self.state().registry);
            let (version, end) = (text.version, text.offset + text.bytes.len() as u64);
            if text.bytes.is_empty() || !self.has_written(shm::write(Arc::clone(&file), text).await)
            {
                break;
            }
            written.accept(version, end);
        }
        self.state_mut().text_file.insert(file, written);
        Ok(())
    }

    /// Writes as long as somebody waits for it.
    async fn write_text(&self) {
        loop {
            let Some(write) = self.state_mut().begin_write() else { return };
            let Write { file, text, .. } = &write;
            let (version, end) = (text.version, text.offset + text.bytes.len() as u64);
            if self.has_written(shm::write(Arc::clone(file), text.clone()).await) {
                self.state_mut().text_file.wrote(version, end);
            }
        }
    }

    fn has_written(&self, outcome: std::io::Result<()>) -> bool {
        if let Err(error) = &outcome {
            tracing::error!(%error, "metadata for lttng-crash is not written");
        }
        outcome.is_ok()
    }

    pub(super) async fn remove_text_file(&self) {
        let Some(directory) = self.config.shm_directory() else { return };
        if !self.state_mut().text_file.remove() {
            return;
        }
        if let Err(error) = directory.remove(&self.config).await {
            tracing::warn!(path = ?directory.path(), %error, "metadata for lttng-crash stays");
        }
    }
}
