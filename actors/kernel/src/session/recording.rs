//! Starting and stopping, and the streams of processors that come later.

use std::{os::fd::OwnedFd, rc::Rc, sync::Arc};

use actix::WeakAddr;
use futures::future::join_all;
use lttngd_buffers::{BuffersError, SetOutput};
use lttngd_consumer::{
    AddChannel, AddKernelChannel, AddKernelStreams, ChannelSampled, ConsumerError, DestroyChannel,
    KernelStream, OpenChannelPackets,
};
use lttngd_model::{ChannelAttributes, ChannelKey, ErrorCode, kernel::TracerError};
use lttngd_runtime::{Outlet, tell};
use lttngd_wire::kernel::Call;
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::JoinHandle,
};

use super::{
    Inner, KernelSession,
    objects::Objects,
    state::{announced, announced_metadata},
};
use crate::{SetRecording, device::Calls, message::BuffersCame};

/// Which streams of a channel.
#[derive(Clone, Copy)]
enum Which {
    /// Those that nobody had opened.
    New,
    All,
}

/// Who waits for buffers that nobody reads, one for each channel.
#[derive(Default)]
pub(super) struct Watches(Vec<JoinHandle<()>>);

impl Watches {
    /// Waits for those of one more channel.
    fn begin(&mut self, session: WeakAddr<KernelSession>, channel: u32, descriptor: Arc<OwnedFd>) {
        let watched = async move {
            // SAFETY: the descriptor is the same and open as long as it is held, which it is by what is made.
            let watched =
                unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
            let Ok(watched) = watched else {
                tracing::warn!(channel, "processors that come later are not recorded");
                return;
            };
            while let Ok(mut ready) = watched.readable().await {
                ready.clear_ready();
                let Some(session) = session.upgrade() else { return };
                tell(&session, BuffersCame { channel });
            }
        };
        self.0.push(tokio::task::spawn_local(watched));
    }

    /// Lets go of the channels.
    pub(super) fn end(&mut self) -> impl Future<Output = ()> + use<> {
        let watches = std::mem::take(&mut self.0);
        for watch in &watches {
            watch.abort();
        }
        async move {
            // Each has been ended.
            let _ = join_all(watches).await;
        }
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        drop(self.end());
    }
}

impl Inner {
    pub(super) async fn set_recording(
        self: Rc<Self>,
        request: SetRecording,
    ) -> Result<(), ErrorCode> {
        let SetRecording { active, output } = request;
        let known = self.state().recording;
        if known == Some(active) {
            return Ok(());
        }
        let refused = if active { ErrorCode::KernStartFail } else { ErrorCode::KernStopFail };
        if active {
            self.open().await?;
            self.send_all(output).await?;
        }
        let record = move |calls: &Calls<'_>, objects: &mut Objects| {
            objects.record(calls, (active, known.is_some())).map_err(|error| (refused, error))
        };
        let recorded = self.call(refused, record).await;
        self.state_mut().recording = match recorded {
            Ok(()) => Some(active),
            Err(_) if active => Some(false),
            Err(_) => None,
        };
        recorded?;
        if active && self.state().output.chunk().is_none() {
            self.open_packets().await.map_err(|error| self.failed(&error, ErrorCode::Unk))?;
        }
        Ok(())
    }

    pub(super) fn failed(&self, error: &BuffersError, code: ErrorCode) -> ErrorCode {
        tracing::error!(session = self.config.name, %error, "the kernel does not follow the session");
        code
    }

    /// Makes the time of all streams begin by now, where nobody reads them as they are filled.
    pub(super) async fn open_packets(&self) -> Result<(), BuffersError> {
        let session = self.config.session;
        let channels = self.state().sent();
        for channel in channels {
            self.ask(OpenChannelPackets { session, key: channel.key }).await?;
        }
        Ok(())
    }

    /// Gives the consumer daemon what it does not have: the metadata first, then each channel.
    async fn send_all(&self, output: SetOutput) -> Result<(), ErrorCode> {
        let is_new = self.state().metadata.is_none() && self.state().sent().is_empty();
        if is_new {
            self.state_mut().output = output;
        }
        let has_output = self.state().output.chunk().is_some();
        if has_output && self.state().metadata.is_none() {
            self.send_metadata().await?;
        }
        let missing: Vec<u32> =
            self.state().channels().filter(|of| !of.sent).map(|of| of.index).collect();
        for channel in missing {
            self.send_channel(channel).await?;
        }
        Ok(())
    }

    async fn send_metadata(&self) -> Result<(), ErrorCode> {
        let attributes = ChannelAttributes::kernel_metadata(self.config.page_size);
        let open = move |calls: &Calls<'_>, objects: &mut Objects| {
            objects.open_metadata(calls, &attributes)
        };
        let descriptor = self.call(ErrorCode::KernMetaFail, open).await?;
        let next = || self.config.keys.next();
        let key = *self.state_mut().given_metadata.get_or_insert_with(next);
        let output = self.state().output.clone();
        let live = self.config.live_timer_interval_us;
        let add = announced_metadata(self.config.session, key, attributes, &output, live);
        let streams = vec![KernelStream { cpu: 0, descriptor }];
        self.start_with(add, streams, 0).await
    }

    async fn send_channel(&self, index: u32) -> Result<(), ErrorCode> {
        // All of them, though some may have been opened for one that the consumer daemon did not take.
        let streams = self.open_streams(index, Which::All).await?;
        let (add, capacity_bytes) = {
            let mut state = self.state_mut();
            let output = state.output.clone();
            let Some(channel) = state.channel_mut(index) else { return Ok(()) };
            channel.streams = u32::try_from(streams.len()).unwrap_or(u32::MAX);
            let live = self.config.live_timer_interval_us;
            let add = announced(self.config.session, channel, &output, live);
            let attributes = &channel.attributes;
            let capacity_bytes = attributes.subbuf_size_bytes.saturating_mul(attributes.num_subbuf);
            (add, capacity_bytes)
        };
        self.start_with(add, streams, capacity_bytes).await
    }

    /// The consumer daemon has a channel, perhaps since somebody who does not wait for it any more wanted it to.
    pub(super) fn take(&self, key: ChannelKey) {
        let (index, descriptor) = {
            let mut state = self.state_mut();
            if state.closed {
                return;
            }
            let Some(index) = state.take(key) else { return };
            (index, state.objects.channel_descriptor(index))
        };
        let session = self.address.borrow().clone();
        if let (Some(descriptor), Some(session)) = (descriptor, session) {
            self.watches.borrow_mut().begin(session, index, descriptor);
        }
    }

    async fn open_streams(
        &self,
        channel: u32,
        which: Which,
    ) -> Result<Vec<KernelStream>, ErrorCode> {
        let refused = ErrorCode::KernStreamFail;
        let open = move |calls: &Calls<'_>, objects: &mut Objects| {
            let new = objects.open_streams(calls, channel).map_err(|error| (refused, error))?;
            Ok(match which {
                Which::New => new,
                Which::All => objects.streams(channel),
            })
        };
        let streams = self.call(refused, open).await?.into_iter();
        Ok(streams.map(|(cpu, descriptor)| KernelStream { cpu, descriptor }).collect())
    }

    /// Gives the consumer daemon a channel that the session starts with.
    async fn start_with(
        &self,
        add: AddChannel,
        streams: Vec<KernelStream>,
        capacity_bytes: u64,
    ) -> Result<(), ErrorCode> {
        let (key, is_monitored, sampled) = (add.key, add.monitor, self.config.sampled.clone());
        let added = self.add(add, streams, capacity_bytes, sampled).await;
        match &added {
            Ok(()) => self.take(key),
            // It may be taken later, and ends with the kernel's own alone: it is what the next start goes on with.
            Err(BuffersError::Consumer(ConsumerError::TimedOut)) if is_monitored => {}
            Err(_) => self.state_mut().give_anew(key, self.config.keys.next()),
        }
        added.map_err(|error| self.failed(&error, ErrorCode::KernStartFail))
    }

    /// Gives the consumer daemon a channel. Of one that nobody ends but us nothing is left when it is taken later
    /// than it is waited for.
    pub(super) async fn add(
        &self,
        add: AddChannel,
        streams: Vec<KernelStream>,
        capacity_bytes: u64,
        sampled: Outlet<ChannelSampled>,
    ) -> Result<(), BuffersError> {
        let (session, key, is_monitored) = (self.config.session, add.key, add.monitor);
        let this = self.address.borrow().as_ref().and_then(WeakAddr::upgrade);
        let taken = this.map_or_else(Outlet::closed, |this| Outlet::to(this.recipient()));
        let add = Box::new(add);
        let added =
            self.ask(AddKernelChannel { add, streams, capacity_bytes, sampled, taken }).await;
        if matches!(added, Err(BuffersError::Consumer(ConsumerError::TimedOut))) && !is_monitored {
            let destroyed = self.config.consumer.send(DestroyChannel { session, key });
            // What nobody waits for any more an actor does not do.
            actix::spawn(async move { drop(destroyed.await) });
        }
        added
    }

    /// Opens the streams of processors that came, and gives them to the consumer daemon.
    pub(super) async fn open_late_streams(self: Rc<Self>, channel: u32) -> Result<(), ErrorCode> {
        let streams = self.open_streams(channel, Which::New).await?;
        let key = {
            let mut state = self.state_mut();
            let Some(channel) = state.channel_mut(channel).filter(|_| !streams.is_empty()) else {
                return Ok(());
            };
            channel.streams += u32::try_from(streams.len()).unwrap_or(u32::MAX);
            channel.key
        };
        tracing::info!(session = self.config.name, count = streams.len(), "processors came");
        let add = AddKernelStreams { session: self.config.session, key, streams };
        self.ask(add).await.map_err(|error| self.failed(&error, ErrorCode::KernStreamFail))
    }

    pub(super) async fn statedump(self: Rc<Self>) -> Result<(), ErrorCode> {
        let dump = |calls: &Calls<'_>, objects: &mut Objects| {
            let dumped = objects.tell(calls, &Call::Statedump);
            dumped.map_err(|error| match error.kind() {
                TracerError::NoMemory => (ErrorCode::RegenStatedumpNomem, error),
                _ => (ErrorCode::RegenStatedumpFail, error),
            })
        };
        self.call(ErrorCode::RegenStatedumpFail, dump).await
    }
}
