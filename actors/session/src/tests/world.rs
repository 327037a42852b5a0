//! A session with its consumer, and a listener for applications.

use std::{
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler};
use lttngd_agent::Agents;
use lttngd_app::{Abi, App, AppInfo, AppRegistered, AppSettings, AppUnregistered, Apps, listen};
use lttngd_buffers::ChannelKeys;
use lttngd_clock::TraceClock;
use lttngd_consumer::{Consumer, ConsumerExited, EnsureRunning};
use lttngd_model::{
    Bitness, BufferScheme, Credentials, Domain, ErrorCode, SessionId, SessionKind, Timestamp,
};
use lttngd_peer::{
    AppScript, ConsumerScript, FakeApp, FakeConsumer, channel_listing, event_description,
    eventually,
};
use lttngd_relayd::{RelaydConfig, Relayds};
use lttngd_runtime::{Asker, Outlet};
use tokio::task::JoinHandle;

use crate::{
    Asked, ConsumerLost, Consumers, EnableChannel, EnableEvent, FoundSession, Output,
    PrepareDomain, Session, SessionConfig, SessionListings, SessionRequest,
};

/// Does what the registry does, and keeps applications that register until the test passes them on.
#[derive(Clone, Default)]
pub(super) struct Told {
    session: Arc<Mutex<Option<Addr<Session>>>>,
    apps: Arc<Mutex<Option<Addr<Apps>>>>,
    registered: Arc<Mutex<Vec<AppRegistered>>>,
    lost: Arc<Mutex<usize>>,
}

impl Actor for Told {
    type Context = Context<Self>;
}

impl Told {
    fn session(&self) -> Option<Addr<Session>> {
        self.session.lock().unwrap().clone()
    }
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
        let apps = self.apps.lock().unwrap().clone().unwrap();
        Outlet::to(apps.recipient()).tell(gone);
    }
}

impl Handler<ConsumerExited> for Told {
    type Result = ();

    fn handle(&mut self, exited: ConsumerExited, _: &mut Self::Context) {
        if let Some(session) = self.session() {
            let successor = exited.remains.map(|remains| remains.into_consumer().start());
            Outlet::to(session.recipient()).tell(ConsumerLost { kind: exited.kind, successor });
        }
        *self.lost.lock().unwrap() += 1;
    }
}

pub(super) struct World {
    directory: tempfile::TempDir,
    pub(super) fake: FakeConsumer,
    pub(super) consumer: Addr<Consumer>,
    pub(super) session: Addr<Session>,
    listings: SessionListings,
    apps: Addr<Apps>,
    told: Told,
    listener: JoinHandle<std::io::Result<()>>,
}

/// An owner of connections to relay daemons.
pub(super) fn relayds(socket_timeout: Option<Duration>) -> Addr<Relayds> {
    Relayds::new(RelaydConfig { sessiond_uuid: [1; 16], socket_timeout }).start()
}

/// Name of the channel.
pub(super) const CHANNEL: &str = "c";

impl World {
    /// A session with one channel and one event.
    pub(super) async fn new(script: ConsumerScript, scheme: BufferScheme) -> Self {
        Self::with_deadlines(script, scheme, None, lttngd_peer::PATIENCE).await
    }

    pub(super) async fn with_deadlines(
        script: ConsumerScript,
        scheme: BufferScheme,
        apps: Option<Duration>,
        consumer_deadline: Duration,
    ) -> Self {
        Self::configured(script, scheme, apps, |config| {
            config.consumer_deadline = consumer_deadline;
        })
        .await
    }

    /// A session that is as `change` wants it.
    pub(super) async fn configured(
        script: ConsumerScript,
        scheme: BufferScheme,
        apps: Option<Duration>,
        change: impl FnOnce(&mut SessionConfig),
    ) -> Self {
        let world = Self::empty(script, apps, change).await;
        world.prepare_domain().await.unwrap();
        world.enable_channel(CHANNEL, scheme).await.unwrap();
        world.enable_event("p:e").await.unwrap();
        world
    }

    /// The same, of which nobody has asked anything yet.
    pub(super) async fn empty(
        script: ConsumerScript,
        apps: Option<Duration>,
        change: impl FnOnce(&mut SessionConfig),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let told = Told::default();
        let teller = told.clone().start();
        let socket = UnixListener::bind(directory.path().join("apps")).unwrap();
        let listener = tokio::task::spawn_local(listen(
            vec![(socket, Abi::V8..=Abi::V10)],
            AppSettings {
                descriptors: lttngd_runtime::Descriptors::unlimited(),
                deadline: apps,
                bitnesses: vec![Bitness::Bits64],
                registered: Outlet::to(teller.clone().recipient()),
                unregistered: Outlet::to(teller.clone().recipient()),
                attended: Outlet::closed(),
            },
            Vec::new(),
        ));
        let fake = FakeConsumer::new(script);
        let exited = Outlet::to(teller.clone().recipient());
        let consumer = Consumer::new(fake.config(), exited).start();
        let listings = SessionListings::default();
        let apps_known = Apps::new(Outlet::closed()).start();
        *told.apps.lock().unwrap() = Some(apps_known.clone());
        let mut config = SessionConfig {
            observed: Outlet::closed(),
            watches_use: false,
            id: SessionId(0),
            name: "s".to_owned(),
            auto_named: false,
            owner: Credentials {
                uid: rustix::process::geteuid().as_raw(),
                gid: rustix::process::getegid().as_raw(),
            },
            kind: SessionKind::Regular,
            created_at: Timestamp { epoch_s: 0 },
            hostname: "host".to_owned(),
            clock: TraceClock::Monotonic,
            output: Output::Local(directory.path().join("trace")),
            relayds: relayds(None),
            snapshot_output: None,
            page_size: 4096,
            consumers: Consumers {
                bits64: consumer.clone(),
                bits32: None,
                serves_both: false,
                kernel: None,
            },
            tracer: None,
            keys: ChannelKeys::default(),
            consumer_deadline: lttngd_peer::PATIENCE,
            runas: lttngd_runas::Runas::new(None),
            listings: listings.clone(),
            apps: apps_known.clone(),
            agents: Agents::new(Outlet::closed()).start(),
            changes: Outlet::closed(),
            failed: Outlet::closed(),
        };
        change(&mut config);
        let (id, owner) = (config.id, config.owner);
        let session = Session::new(config);
        let (listing, under_way) = (session.listing(), session.commands());
        let session = session.start();
        listings.publish(id, FoundSession { session: session.clone(), owner, under_way }, listing);
        *told.session.lock().unwrap() = Some(session.clone());
        Self { directory, fake, consumer, session, listings, apps: apps_known, told, listener }
    }

    pub(super) fn trace(&self) -> PathBuf {
        self.directory.path().join("trace")
    }

    pub(super) async fn ask<M>(&self, message: M) -> M::Result
    where
        M: actix::Message + Send + 'static,
        M::Result: Send,
        Session: Handler<M>,
    {
        self.session.send(message).await.unwrap()
    }

    /// The same, in the background.
    pub(super) fn begin<M>(&self, message: M) -> JoinHandle<M::Result>
    where
        M: actix::Message + Send + 'static,
        M::Result: Send,
        Session: Handler<M>,
    {
        let asked = self.session.send(message);
        tokio::task::spawn_local(async move { asked.await.unwrap() })
    }

    pub(super) async fn prepare_domain(&self) -> Result<(), ErrorCode> {
        self.prepare(Domain::Ust).await
    }

    pub(super) async fn prepare(&self, domain: Domain) -> Result<(), ErrorCode> {
        let request = PrepareDomain { domain };
        self.ask(Asked { needs: request.needs(), request, served: Ok(()), asker: Asker::nobody() })
            .await
    }

    pub(super) async fn enable_channel(
        &self,
        name: &str,
        scheme: BufferScheme,
    ) -> Result<(), ErrorCode> {
        let channel = channel_listing(name);
        self.ask(EnableChannel { domain: Domain::Ust, buffer_type: scheme as u32, channel }).await
    }

    pub(super) async fn enable_event(&self, name: &str) -> Result<(), ErrorCode> {
        let event = event_description(name);
        self.ask(EnableEvent {
            domain: Domain::Ust,
            buffer_type: 1,
            channel: CHANNEL.to_owned(),
            event,
        })
        .await
    }

    /// Passes on that an application has registered. Over when its `main` begins.
    pub(super) fn arrives(&self, info: Arc<AppInfo>, app: Addr<App>) -> JoinHandle<()> {
        let passed = self.apps.send(AppRegistered { info, app });
        tokio::task::spawn_local(async move { passed.await.unwrap() })
    }

    /// An application that has registered, which was not passed on.
    pub(super) async fn registered(&self, script: AppScript) -> (FakeApp, Arc<AppInfo>, Addr<App>) {
        let registered = || self.told.registered.lock().unwrap();
        let before = registered().len();
        let fake = FakeApp::connect(&self.directory.path().join("apps"), script).unwrap();
        eventually("the application registers", || registered().len() > before).await;
        let AppRegistered { info, app } = registered()[before].clone();
        (fake, info, app)
    }

    /// An application whose `main` has begun.
    pub(super) async fn app(&self, script: AppScript) -> FakeApp {
        let (fake, info, app) = self.registered(script).await;
        self.arrives(info, app).await.unwrap();
        fake
    }

    /// Whether the session shows itself as active.
    pub(super) fn shown_active(&self) -> bool {
        let root = Credentials { uid: 0, gid: 0 };
        self.listings.visible_to(root).iter().any(|listing| listing.active)
    }

    /// Kills the consumer and waits until the session was told.
    pub(super) async fn lose_consumer(&self) {
        let lost = || *self.told.lost.lock().unwrap();
        let before = lost();
        self.fake.kill();
        eventually("the consumer's end is told", || lost() > before).await;
    }

    /// The consumer runs again, as another session's command makes it.
    pub(super) async fn start_consumer(&self) {
        self.consumer.send(EnsureRunning).await.unwrap().unwrap();
    }

    pub(super) async fn end(self) {
        self.listener.abort();
        self.consumer.send(lttngd_consumer::Stop).await.unwrap();
        assert_eq!(self.fake.faults(), [""; 0]);
    }
}
