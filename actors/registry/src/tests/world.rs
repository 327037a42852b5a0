//! A registry as the daemon wires it.

use std::{
    os::unix::net::UnixListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, AsyncContext};
use lttngd_app::{AppSettings, listen};
use lttngd_consumer::Consumer;
use lttngd_model::{Bitness, Credentials, DescriptorOutput, SessionDescriptor, SessionKind, Uri};
use lttngd_peer::{AppScript, ConsumerScript, FakeApp, FakeConsumer};
use lttngd_relayd::{ExpectedSessionIds, NetIndexes, RelaydConfig};
use lttngd_runtime::Outlet;
use lttngd_session::{Consumers, SessionListings};
use tokio::task::JoinHandle;

use crate::{Handle, Registry, RegistryConfig, Settings, TraceClock};

pub(super) struct World {
    pub(super) directory: tempfile::TempDir,
    pub(super) fake: FakeConsumer,
    consumer: Addr<Consumer>,
    pub(super) registry: Addr<Registry>,
    /// Acts for the user of this process.
    pub(super) handle: Handle,
    listener: JoinHandle<std::io::Result<()>>,
}

/// This process' user.
pub(super) fn own() -> Credentials {
    Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

impl World {
    pub(super) async fn new(script: ConsumerScript, app_deadline: Option<Duration>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let fake = FakeConsumer::new(script);
        let consumer = Arc::new(Mutex::new(None));
        let listings = SessionListings::default();
        let shown = listings.clone();
        let registry = Registry::create(|context| {
            let exited = Outlet::to(context.address().recipient());
            let started = Consumer::new(fake.config(), exited).start();
            *consumer.lock().unwrap() = Some(started.clone());
            Registry::new(RegistryConfig {
                page_size: 4096,
                hostname: "host".to_owned(),
                clock: TraceClock::Monotonic,
                consumers: Consumers { bits64: started, bits32: None },
                relayd: RelaydConfig {
                    sessiond_uuid: [1; 16],
                    socket_timeout: None,
                    indexes: NetIndexes::default(),
                    session_ids: ExpectedSessionIds::default(),
                },
                consumer_deadline: lttngd_peer::PATIENCE,
                runas: lttngd_runas::Runas::new(None),
                listings: shown,
            })
        });
        let consumer = consumer.lock().unwrap().clone().unwrap();
        let socket = UnixListener::bind(directory.path().join("apps")).unwrap();
        let listener = tokio::task::spawn_local(listen(
            socket,
            AppSettings {
                deadline: app_deadline,
                bitnesses: vec![Bitness::Bits64],
                registered: Outlet::to(registry.clone().recipient()),
                unregistered: Outlet::to(registry.clone().recipient()),
            },
        ));
        let handle = Handle::new(
            registry.clone(),
            listings,
            Settings { is_root: true, serves_agents: false },
            own(),
        );
        Self { directory, fake, consumer, registry, handle, listener }
    }

    pub(super) fn app(&self, script: AppScript) -> FakeApp {
        FakeApp::connect(&self.directory.path().join("apps"), script).unwrap()
    }

    /// A request for a session of this name.
    pub(super) fn descriptor(&self, name: &str) -> SessionDescriptor {
        SessionDescriptor {
            kind: SessionKind::Regular,
            name: Some(name.to_owned()),
            output: DescriptorOutput::Local(Some(Uri::Path(self.directory.path().join(name)))),
        }
    }

    /// A session of this name with a channel and an event.
    pub(super) async fn session(&self, name: &str) {
        self.handle.create_session(None, self.descriptor(name)).await.unwrap();
        let event = lttngd_peer::event_description("p:e");
        self.handle.enable_event(name, "c", event).await.unwrap();
    }

    pub(super) async fn end(self) {
        self.listener.abort();
        self.registry.send(crate::Shutdown).await.unwrap();
        self.consumer.send(lttngd_consumer::Stop).await.unwrap();
        assert_eq!(self.fake.faults(), [""; 0]);
    }
}
