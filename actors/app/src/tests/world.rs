//! A listener, a consumer, a buffer set, and somebody who is told of applications.

use std::{
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler};
use lttngd_buffers::{
    BufferObjects, BufferSet, BufferSetConfig, ChannelKeys, ChannelRequest, IdsGiven, Prepare,
    SetOutput,
};
use lttngd_clock::sample_clock;
use lttngd_consumer::{Consumer, EnsureRunning, Stop};
use lttngd_metadata::tsdl::Scheme;
use lttngd_model::{Bitness, Credentials, SessionId, Timestamp, ust::Channel};
use lttngd_peer::{AppScript, ConsumerScript, FakeApp, FakeConsumer, eventually};
use lttngd_runtime::{Descriptors, Outlet};
use lttngd_wire::ust::Abi;
use lttngd_wire::ust::registration::Alignments;
use tokio::task::JoinHandle;

use crate::{
    App, AppError, AppId, AppInfo, AppRegistered, AppSettings, AppUnregistered, Forget,
    SessionWish, Synchronise, permits::CONNECTIONS_EACH_MAX, plan::tests::channel,
    threads::listen_allowing,
};

/// The session of these tests.
pub(super) const SESSION: SessionId = SessionId(5);

/// What was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) registered: Arc<Mutex<Vec<AppRegistered>>>,
    pub(super) unregistered: Arc<Mutex<Vec<AppId>>>,
    /// What the buffers say that they have given.
    pub(super) given: Arc<Mutex<Option<IdsGiven>>>,
}

impl Actor for Told {
    type Context = Context<Self>;
}

impl Handler<AppRegistered> for Told {
    type Result = ();

    fn handle(&mut self, registered: AppRegistered, _: &mut Self::Context) {
        self.registered.lock().unwrap().push(registered);
    }
}

impl Handler<AppUnregistered> for Told {
    type Result = ();

    fn handle(&mut self, gone: AppUnregistered, _: &mut Self::Context) {
        self.unregistered.lock().unwrap().push(gone.id);
    }
}

impl Handler<IdsGiven> for Told {
    type Result = ();

    fn handle(&mut self, given: IdsGiven, _: &mut Self::Context) {
        *self.given.lock().unwrap() = Some(given);
    }
}

impl Told {
    pub(super) fn registered(&self) -> usize {
        self.registered.lock().unwrap().len()
    }

    pub(super) fn unregistered(&self) -> Vec<AppId> {
        self.unregistered.lock().unwrap().clone()
    }
}

pub(super) struct World {
    directory: tempfile::TempDir,
    pub(super) told: Told,
    consumer: Addr<Consumer>,
    /// The consumer's end.
    pub(super) fake_consumer: FakeConsumer,
    pub(super) buffers: Addr<BufferSet>,
    listener: JoinHandle<std::io::Result<()>>,
}

impl World {
    /// A world whose applications have that much time to answer.
    pub(super) async fn new(deadline: Option<Duration>) -> Self {
        Self::with_consumer(deadline, ConsumerScript::default()).await
    }

    pub(super) async fn with_consumer(deadline: Option<Duration>, script: ConsumerScript) -> Self {
        Self::with(deadline, script, CONNECTIONS_EACH_MAX, Descriptors::unlimited()).await
    }

    /// A world in which each process may have that many connections.
    pub(super) async fn allowing(connections_each_max: usize) -> Self {
        let descriptors = Descriptors::unlimited();
        Self::with(None, ConsumerScript::default(), connections_each_max, descriptors).await
    }

    /// A world whose connections of applications must fit into a budget.
    pub(super) async fn within(descriptors: Descriptors) -> Self {
        Self::with(None, ConsumerScript::default(), CONNECTIONS_EACH_MAX, descriptors).await
    }

    async fn with(
        deadline: Option<Duration>,
        script: ConsumerScript,
        connections_each_max: usize,
        descriptors: Descriptors,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let told = Told::default();
        let teller = told.clone().start();
        let socket = UnixListener::bind(directory.path().join("apps")).unwrap();
        let settings = AppSettings {
            descriptors,
            deadline,
            bitnesses: vec![Bitness::Bits64],
            registered: Outlet::to(teller.clone().recipient()),
            unregistered: Outlet::to(teller.clone().recipient()),
            attended: Outlet::closed(),
        };
        let listener = tokio::task::spawn_local(listen_allowing(
            vec![(socket, Abi::V8..=Abi::V10)],
            settings,
            connections_each_max,
        ));
        let fake_consumer = FakeConsumer::new(script);
        let consumer = Consumer::new(fake_consumer.config(), Outlet::closed()).start();
        consumer.send(EnsureRunning).await.unwrap().unwrap();
        let given = Outlet::to(teller.recipient());
        let config = BufferSetConfig { given, ..buffer_set() };
        let buffers = BufferSet::new(config, consumer.clone()).start();
        Self { directory, told, consumer, fake_consumer, buffers, listener }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("apps")
    }

    /// An application that registers, and what is known of it.
    pub(super) async fn app(&self, script: AppScript) -> (FakeApp, Addr<App>, Arc<AppInfo>) {
        let before = self.told.registered();
        let fake = FakeApp::connect(&self.socket(), script).unwrap();
        eventually("the application registers", || self.told.registered() > before).await;
        let AppRegistered { info, app } = self.told.registered.lock().unwrap()[before].clone();
        (fake, app, info)
    }

    /// The objects of these channels.
    pub(super) async fn objects(&self, channels: &[Channel]) -> Arc<BufferObjects> {
        let requests = channels.iter().map(|channel| ChannelRequest {
            index: channel.index,
            name: channel.name.clone(),
            attributes: channel.attributes,
        });
        let metadata = channel(0, 0, 0).attributes;
        let output = SetOutput::None;
        let prepare = Prepare { channels: requests.collect(), metadata, output };
        self.buffers.send(prepare).await.unwrap().unwrap()
    }

    /// The session's wish.
    pub(super) async fn want(&self, active: bool, channels: &[Channel]) -> Synchronise {
        let objects = self.objects(channels).await;
        let want = SessionWish {
            active,
            channels: channels.to_vec().into(),
            buffers: self.buffers.clone().into(),
            objects,
            known: Arc::default(),
        };
        Synchronise { session: SESSION, want }
    }

    pub(super) async fn end(self) {
        self.listener.abort();
        self.consumer.send(Stop).await.unwrap();
        assert_eq!(self.fake_consumer.faults(), [""; 0]);
    }
}

/// Takes the session of these tests out of an application.
pub(super) async fn forget(app: &Addr<App>) -> Result<(), AppError> {
    app.send(Forget { session: SESSION }).await.unwrap()
}

fn buffer_set() -> BufferSetConfig {
    BufferSetConfig {
        layout: lttngd_model::BufferLayout::default(),
        is_beside: false,
        session: SESSION,
        session_name: "s".to_owned(),
        auto_named: false,
        session_created_at: Timestamp { epoch_s: 0 },
        owner: Credentials { uid: 0, gid: 0 },
        hostname: "host".to_owned(),
        clock: sample_clock(),
        scheme: Scheme::Uid(0),
        bitness: Bitness::Bits64,
        alignments: Alignments::PACKED,
        tracer_version: (2, 13, 5),
        app_uid: 0,
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
