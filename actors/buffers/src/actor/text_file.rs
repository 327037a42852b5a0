//! The file of the metadata text beside buffers that are in files.

use std::{rc::Rc, sync::Arc};

use actix::ResponseFuture;

use super::{Inner, shm_error};
use crate::{BuffersError, shm};

impl Inner {
    pub(super) async fn make_text_file(&self) -> Result<(), BuffersError> {
        let Some(directory) = self.config.shm_directory() else { return Ok(()) };
        if self.text_file.borrow().is_some() {
            return Ok(());
        }
        let file = directory.make(&self.config).await;
        let file = file.map_err(|error| shm_error(&directory.path(), &error))?;
        *self.text_file.borrow_mut() = Some(file);
        self.write_text().await;
        Ok(())
    }

    /// Brings the file beside the buffers up to the text. An event that an application records
    /// stands there before the application learns its id.
    pub(super) async fn write_text(&self) {
        let Some(file) = self.text_file.borrow().clone() else { return };
        let Ok(_turn) = self.writing.take().await else { return };
        loop {
            let text = self.written.get().missing(&self.registry.borrow());
            if text.bytes.is_empty() {
                return;
            }
            let (version, end) = (text.version, text.offset + text.bytes.len() as u64);
            if let Err(error) = shm::write(Arc::clone(&file), text).await {
                tracing::error!(session = self.config.session_name, %error, "metadata for lttng-crash is not written");
                return;
            }
            let mut written = self.written.get();
            written.accept(version, end);
            self.written.set(written);
        }
    }

    pub(super) fn reply_when_written<T: 'static>(self: &Rc<Self>, reply: T) -> ResponseFuture<T> {
        if self.text_file.borrow().is_none() {
            return Box::pin(std::future::ready(reply));
        }
        let inner = Rc::clone(self);
        Box::pin(async move {
            inner.write_text().await;
            reply
        })
    }

    pub(super) async fn remove_text_file(&self) {
        let Some(directory) = self.config.shm_directory() else { return };
        if self.text_file.borrow_mut().take().is_none() {
            return;
        }
        if let Err(error) = directory.remove(&self.config).await {
            tracing::warn!(path = ?directory.path(), %error, "metadata for lttng-crash stays");
        }
    }
}
