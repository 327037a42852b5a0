//! A buffer set and its fake consumer daemon.

use std::{os::fd::OwnedFd, path::PathBuf, sync::Arc, time::Duration};

use actix::{Actor, Addr};
use lttngd_clock::sample_clock;
use lttngd_consumer::{Consumer, EnsureRunning, Stop};
use lttngd_metadata::{tsdl::Scheme, ustregistry::EventRegistration};
use lttngd_model::{
    Bitness, BufferMode, ChannelAttributes, ChannelKey, ChannelOutput, ChunkId, Credentials,
    SessionId, Timestamp,
};
use lttngd_peer::{ConsumerScript, FakeConsumer};
use lttngd_runtime::Outlet;
use lttngd_wire::{
    consumer::{ChannelClass, Message},
    ust::registration::Alignments,
};

use crate::{
    BufferObjects, BufferSet, BufferSetConfig, BufferSetFailed, BuffersError, ChannelKeys,
    ChannelRequest, Prepare, RegisterChannel, RegisterEvent, SetOutput, held::Registry,
};

pub(super) struct World {
    pub(super) fake: FakeConsumer,
    pub(super) consumer: Addr<Consumer>,
    pub(super) set: Addr<BufferSet>,
    /// Where what is prepared is written.
    pub(super) output: SetOutput,
}

impl World {
    pub(super) async fn new(script: ConsumerScript) -> Self {
        Self::with_chunk(script, None).await
    }

    pub(super) async fn with_chunk(script: ConsumerScript, chunk: Option<OwnedFd>) -> Self {
        let world = Self::with_config(script, config()).await;
        let output = chunk.map_or(SetOutput::None, |directory| SetOutput::Directory {
            chunk: ChunkId(0),
            domain: Arc::new(directory),
        });
        Self { output, ..world }
    }

    pub(super) async fn with_shm_path(script: ConsumerScript, path: PathBuf) -> Self {
        Self::with_config(script, BufferSetConfig { shm_path: Some(path), ..config() }).await
    }

    /// Somebody is told of its failure.
    pub(super) async fn told(script: ConsumerScript, failed: Outlet<BufferSetFailed>) -> Self {
        Self::with_config(script, BufferSetConfig { failed, ..config() }).await
    }

    /// With buffers of this user's applications.
    pub(super) async fn of_user(script: ConsumerScript, app_uid: u32) -> Self {
        let scheme = Scheme::Uid(app_uid);
        Self::with_config(script, BufferSetConfig { scheme, app_uid, ..config() }).await
    }

    /// Which waits for the consumer daemon no longer than that.
    pub(super) async fn impatient(script: ConsumerScript, deadline: Duration) -> Self {
        Self::with_config(script, BufferSetConfig { consumer_deadline: deadline, ..config() }).await
    }

    async fn with_config(script: ConsumerScript, config: BufferSetConfig) -> Self {
        let fake = FakeConsumer::new(script);
        let consumer = Consumer::new(fake.config(), Outlet::closed()).start();
        consumer.send(EnsureRunning).await.unwrap().unwrap();
        let set = BufferSet::new(config, consumer.clone()).start();
        Self { fake, consumer, set, output: SetOutput::None }
    }

    /// Prepares channels of these numbers; the odd ones overwrite.
    pub(super) async fn prepare(
        &self,
        indexes: impl IntoIterator<Item = u32>,
    ) -> Result<Arc<BufferObjects>, BuffersError> {
        let output = self.output.clone();
        self.set.send(Prepare { output, ..prepare(indexes) }).await.unwrap()
    }

    /// Registers an event of this name in the channel of this id.
    pub(super) async fn event(&self, channel_id: u32, name: &str) {
        let event = EventRegistration {
            name: name.to_owned(),
            loglevel: 13,
            fields: Vec::new(),
            model_emf_uri: None,
        };
        self.set.send(RegisterEvent { channel_id, event }).await.unwrap().unwrap();
    }

    pub(super) async fn stream(&self, channel_id: u32) {
        let channel = RegisterChannel { channel_id, context: Vec::new() };
        self.set.send(channel).await.unwrap().unwrap();
    }

    /// The commands behind the handshake.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.fake.numbers()[2..].to_vec()
    }

    /// The key of the metadata channel.
    pub(super) fn metadata_key(&self) -> ChannelKey {
        let ask = |message: &Message| match message {
            Message::AskChannelCreation(ask) if ask.class == ChannelClass::Metadata => {
                Some(ask.key)
            }
            _ => None,
        };
        self.fake.messages().iter().rev().find_map(ask).unwrap()
    }

    pub(super) async fn end(self) {
        self.consumer.send(Stop).await.unwrap();
        assert_eq!(self.fake.faults(), [""; 0]);
    }
}

pub(super) fn prepare(indexes: impl IntoIterator<Item = u32>) -> Prepare {
    let channels = indexes.into_iter().map(|index| ChannelRequest {
        index,
        name: format!("channel{index}"),
        attributes: attributes(index % 2 == 1),
    });
    Prepare { channels: channels.collect(), metadata: attributes(false), output: SetOutput::None }
}

fn attributes(overwrite: bool) -> ChannelAttributes {
    ChannelAttributes {
        mode: if overwrite { BufferMode::Overwrite } else { BufferMode::Discard },
        subbuf_size_bytes: 4096,
        num_subbuf: 4,
        switch_timer_interval_us: 0,
        read_timer_interval_us: 0,
        monitor_timer_interval_us: 0,
        live_timer_interval_us: 0,
        blocking_timeout_us: 0,
        output: ChannelOutput::Mmap,
        tracefile_size_bytes: 0,
        tracefile_count: 0,
    }
}

/// The ids and the text of a set without channels.
pub(crate) fn registry() -> Registry {
    config().registry([0x11; 16])
}

fn config() -> BufferSetConfig {
    BufferSetConfig {
        layout: lttngd_model::BufferLayout::default(),
        is_beside: false,
        session: SessionId(5),
        session_name: "s".to_owned(),
        auto_named: false,
        session_created_at: Timestamp { epoch_s: 0 },
        owner: Credentials {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        },
        hostname: "host".to_owned(),
        clock: sample_clock(),
        scheme: Scheme::Uid(42),
        bitness: Bitness::Bits64,
        alignments: Alignments::PACKED,
        tracer_version: (2, 13, 5),
        app_uid: 42,
        app_id: 0,
        live_timer_interval_us: 0,
        shm_path: None,
        keys: ChannelKeys::default(),
        sampled: Outlet::closed(),
        given: Outlet::closed(),
        failed: Outlet::closed(),
        consumer_deadline: lttngd_peer::PATIENCE,
        runas: lttngd_runas::Runas::new(None),
    }
}
