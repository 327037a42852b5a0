//! Metadata that the kernel makes: read when it comes, or when somebody needs all that there is, and given to the
//! data thread of its channel.

use std::sync::Arc;

use lttngd_kernelbuffer::{Descriptor, MetadataStream};
use lttngd_model::ChannelKey;
use lttngd_runtime::answer;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
};
use tracing::Instrument;

use crate::{
    source::text_fits,
    worker::{Order, PushedText, Reply},
    workers::WorkerHandle,
};

/// Who wants all text that there is.
type Asked = oneshot::Sender<()>;

/// The way to the task that reads the text of one channel. It ends with the last of these, or with the session in
/// the kernel.
#[derive(Clone, Debug)]
pub(super) struct TextReader(UnboundedSender<Asked>);

impl TextReader {
    /// Reads a channel's text when it comes, which `watched` tells, or else when it is asked for alone.
    pub(super) fn start(
        key: ChannelKey,
        stream: MetadataStream,
        worker: WorkerHandle,
        watched: Option<Arc<Descriptor>>,
    ) -> Self {
        let (asks, asked) = unbounded_channel();
        let read = async move {
            if let Err(error) = (Reading { key, stream, worker }).run(watched, asked).await {
                tracing::error!(%key, error, "metadata of the kernel stays as it is");
            }
        };
        tokio::task::spawn_local(read.in_current_span());
        Self(asks)
    }

    /// Has all text that there is given to the data thread. Nothing comes any more of one that has ended.
    pub(super) async fn refresh(&self) {
        let (asked, done) = oneshot::channel();
        if self.0.send(asked).is_ok() {
            // It has ended meanwhile.
            let _ = done.await;
        }
    }
}

struct Reading {
    key: ChannelKey,
    stream: MetadataStream,
    worker: WorkerHandle,
}

impl Reading {
    async fn run(
        mut self,
        watched: Option<Arc<Descriptor>>,
        mut asked: UnboundedReceiver<Asked>,
    ) -> Result<(), String> {
        let (key, worker) = (self.key, self.worker.clone());
        let is_watched = watched.is_some();
        // SAFETY: the descriptor is the same and open as long as it is held, which it is by what is made.
        let watch = |fd| unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        let watched = watched.map(watch);
        let watched = watched.transpose().map_err(|error| error.to_string())?;
        loop {
            let woken = async {
                match &watched {
                    Some(watched) => watched.readable().await.map(|mut ready| ready.clear_ready()),
                    None => std::future::pending().await,
                }
            };
            let asker = tokio::select! {
                asker = asked.recv() => Some(asker),
                woken = woken => woken.map(|()| None).map_err(|error| error.to_string())?,
            };
            if let Some(None) = asker {
                return Ok(());
            }
            self = self.read_all().await?;
            if let Some(Some(asker)) = asker {
                answer(asker, ());
            }
            if is_watched && self.stream.is_ended() {
                // Without the thread there is nothing to end.
                let _ = worker.ask(|answer| Order::CloseMetadata(key, answer)).await;
                return Ok(());
            }
        }
    }

    /// Gives all text that there is to the data thread.
    async fn read_all(mut self) -> Result<Self, String> {
        loop {
            let Self { key, mut stream, worker } = self;
            // It may wait for somebody who writes to the kernel's text.
            let read = tokio::task::spawn_blocking(move || {
                let text = stream.read();
                (stream, text)
            });
            let (stream, text) = read.await.map_err(|error| error.to_string())?;
            self = Self { key, stream, worker };
            let Some(text) = text.map_err(|error| error.to_string())? else { return Ok(self) };
            if !text_fits(text.offset, text.bytes.len() as u64) {
                return Err("it is larger than that of any trace".to_owned());
            }
            let (offset, version, uuid) = (text.offset, text.version, Some(text.uuid));
            let text = PushedText { key, offset, version, uuid, text: text.bytes };
            let push = |answer: Reply<_>| Order::PushMetadata(text, answer);
            // What is refused was logged where it was.
            let _ = self.worker.ask(push).await.map_err(|error| error.to_string())?;
        }
    }
}

#[cfg(test)]
mod tests;
