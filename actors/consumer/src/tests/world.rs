//! A consumer actor, its fake, and somebody who is told of its end.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler};
use lttngd_model::{Bitness, ChannelKey, ChannelOutput, ConsumerKind, Credentials, SessionId};
use lttngd_peer::{ConsumerScript, FakeConsumer, eventually};
use lttngd_runtime::Outlet;
use lttngd_wire::consumer::{AskChannel, ChannelClass};

use crate::{
    Consumer, ConsumerConfig, ConsumerError, ConsumerExited, EnsureRunning, FlushChannel,
    MetadataAccepted, MetadataRequested, MetadataSource, MetadataText, Remains, Stop,
};

pub(super) const KEY: ChannelKey = ChannelKey(3);
pub(super) const SESSION: SessionId = SessionId(1);

/// Is told of the consumer, and of metadata: answers with this text, or with none.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) exits: Arc<Mutex<Vec<String>>>,
    /// What is left of a consumer whose actor failed.
    pub(super) remains: Arc<Mutex<Option<Remains>>>,
    pub(super) text: Arc<Mutex<Option<MetadataText>>>,
    pub(super) accepted: Arc<Mutex<Vec<(u64, u64)>>>,
}

impl Actor for Told {
    type Context = Context<Self>;
}

impl Handler<ConsumerExited> for Told {
    type Result = ();

    fn handle(&mut self, exited: ConsumerExited, _: &mut Self::Context) {
        assert_eq!(exited.kind, ConsumerKind::Ust(Bitness::Bits64));
        self.exits.lock().unwrap().push(exited.reason);
        *self.remains.lock().unwrap() = exited.remains;
    }
}

impl Handler<MetadataRequested> for Told {
    type Result = ();

    fn handle(&mut self, request: MetadataRequested, _: &mut Self::Context) {
        if let Some(text) = self.text.lock().unwrap().clone() {
            request.reply.send(text).unwrap();
        }
    }
}

impl Handler<MetadataAccepted> for Told {
    type Result = ();

    fn handle(&mut self, accepted: MetadataAccepted, _: &mut Self::Context) {
        self.accepted.lock().unwrap().push((accepted.version, accepted.end));
    }
}

pub(super) struct World {
    pub(super) fake: FakeConsumer,
    pub(super) consumer: Addr<Consumer>,
    pub(super) told: Told,
    teller: Addr<Told>,
}

impl World {
    /// A consumer that nobody has started yet.
    pub(super) fn new(script: ConsumerScript) -> Self {
        let fake = FakeConsumer::new(script);
        let config = config(&fake);
        Self::with(fake, config)
    }

    pub(super) fn with(fake: FakeConsumer, config: ConsumerConfig) -> Self {
        let told = Told::default();
        let teller = told.clone().start();
        let consumer = Consumer::new(config, Outlet::to(teller.clone().recipient())).start();
        Self { fake, consumer, told, teller }
    }

    /// One that runs.
    pub(super) async fn running(script: ConsumerScript) -> Self {
        let world = Self::new(script);
        world.ensure_running().await.unwrap();
        world
    }

    pub(super) async fn ensure_running(&self) -> Result<(), ConsumerError> {
        self.consumer.send(EnsureRunning).await.unwrap()
    }

    pub(super) async fn flush(&self) -> Result<(), ConsumerError> {
        self.consumer.send(FlushChannel { session: SESSION, key: KEY }).await.unwrap()
    }

    pub(super) fn source(&self) -> MetadataSource {
        MetadataSource {
            requested: Outlet::to(self.teller.clone().recipient()),
            accepted: Outlet::to(self.teller.clone().recipient()),
        }
    }

    pub(super) fn exits(&self) -> usize {
        self.told.exits.lock().unwrap().len()
    }

    /// Waits until the consumer's end was told that many times in all.
    pub(super) async fn exited(&self, times: usize) {
        eventually("the exit is told", || self.exits() >= times).await;
        assert_eq!(self.exits(), times, "{:?}", self.told.exits);
    }

    /// Has the consumer that takes the place of one whose actor failed.
    pub(super) fn replace(&mut self) {
        let remains = self.told.remains.lock().unwrap().take();
        self.consumer = remains.expect("its actor failed").into_consumer().start();
    }

    pub(super) async fn end(self) {
        let exits = self.exits();
        self.consumer.send(Stop).await.unwrap();
        assert_eq!(self.exits(), exits, "an end that was asked for is not told");
        eventually("the fake has seen its end", || self.fake.process().is_none()).await;
        assert!(!self.fake.error_socket().exists());
        assert_eq!(self.fake.faults(), [""; 0]);
    }
}

pub(super) fn config(fake: &FakeConsumer) -> ConsumerConfig {
    ConsumerConfig {
        kind: ConsumerKind::Ust(Bitness::Bits64),
        binary: Some(fake.binary()),
        libdir: None,
        command_socket: fake.command_socket(),
        error_socket: fake.error_socket(),
        home: None,
        group: "tracing".to_owned(),
        verbose: true,
        quiet: false,
        clock_plugin: None,
        sessiond_uuid: [9; 16],
        deadline: Duration::from_secs(60),
        descriptors: lttngd_runtime::Descriptors::unlimited(),
    }
}

pub(super) fn ask(class: ChannelClass, key: ChannelKey) -> Box<AskChannel> {
    Box::new(AskChannel {
        buffer_layout: lttngd_model::BufferLayout::default(),
        bitness: Bitness::Bits64,
        subbuf_size_bytes: 4096,
        num_subbuf: 2,
        class,
        switch_timer_interval_us: 0,
        read_timer_interval_us: 0,
        live_timer_interval_us: 0,
        is_live: false,
        monitor_timer_interval_us: 0,
        output: ChannelOutput::Mmap,
        session_id: SessionId(1),
        pathname: "uid/0/64-bit".to_owned(),
        name: "c".to_owned(),
        buffer_owner: Credentials { uid: 0, gid: 0 },
        relayd_id: None,
        key,
        chunk_id: None,
        uuid: [1; 16],
        chan_id: 0,
        tracefile_size_bytes: 0,
        tracefile_count: 0,
        session_id_per_pid: 0,
        monitor: true,
        ust_app_uid: 0,
        blocking_timeout_us: 0,
        root_shm_path: String::new(),
        shm_path: String::new(),
    })
}
