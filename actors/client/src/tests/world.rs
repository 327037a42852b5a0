//! A daemon's client side in a thread of its own, for clients that block.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::PathBuf,
    sync::mpsc,
    thread::JoinHandle,
};

use actix::{Actor, Addr, System};
use lttngd_agent::Agents;
use lttngd_app::Apps;
use lttngd_clock::TraceClock;
use lttngd_consumer::{Consumer, Stop};
use lttngd_handle::{Handle, Process, Settings};
use lttngd_model::{
    BufferScheme, Credentials, DescriptorOutput, Domain, SessionDescriptor, SessionKind, Uri,
};
use lttngd_notification::{Notifiers, Triggers, TriggersConfig};
use lttngd_peer::{ConsumerScript, FakeClient, FakeConsumer};
use lttngd_registry::{Registry, RegistryConfig, Shutdown};
use lttngd_relayd::{RelaydConfig, Relayds};
use lttngd_runtime::{Descriptors, Outlet};
use lttngd_session::{Consumers, SessionListings};
use lttngd_wire::client::{Command, Dialect, Reply, Request};
use tokio::sync::oneshot;

use crate::Apart;

pub(super) struct World {
    directory: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a daemon has between its clients and the consumer `fake`.
pub(crate) fn daemon(fake: &FakeConsumer) -> (Handle, Addr<Registry>, Addr<Consumer>) {
    let consumer = Consumer::new(fake.config(), Outlet::closed()).start();
    let listings = SessionListings::default();
    let apps = Apps::new(Outlet::closed()).start();
    let agents = Agents::new(Outlet::closed()).start();
    let notifiers = Notifiers::of(&apps, &agents);
    let triggers = TriggersConfig {
        notifiers,
        error_counters: 16,
        kernel: None,
        sessions: listings.clone(),
        watch_use: Outlet::closed(),
    };
    let triggers = Triggers::new(triggers).start();
    let registry = Registry::new(RegistryConfig {
        observed: Outlet::to(triggers.clone().recipient()),
        page_size: 4096,
        hostname: "host".to_owned(),
        clock: TraceClock::Monotonic,
        consumers: Consumers {
            bits64: consumer.clone(),
            bits32: None,
            serves_both: false,
            kernel: None,
        },
        tracer: None,
        relayds: Relayds::new(RelaydConfig { sessiond_uuid: [1; 16], socket_timeout: None })
            .start(),
        consumer_deadline: lttngd_peer::PATIENCE,
        runas: lttngd_runas::Runas::new(None),
        listings: listings.clone(),
        apps,
        agents,
    })
    .start();
    let nobody = Credentials { uid: u32::MAX, gid: u32::MAX };
    let handle = Handle::new(
        registry.clone(),
        listings,
        Settings {
            is_root: true,
            serves_agents: false,
            tracer: None,
            triggers,
            process: Process::new(Descriptors::unlimited(), Vec::new()),
        },
        nobody,
    );
    (handle, registry, consumer)
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("clients");
        let socket = UnixListener::bind(&path).unwrap();
        // Whoever comes is told apart by the daemon, not by the file system.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let fake = FakeConsumer::new(ConsumerScript::default());
                let (handle, registry, consumer) = daemon(&fake);
                let descriptors = Descriptors::unlimited();
                let mut clients = Apart::new(socket, handle, descriptors).serving(Dialect::V2_13);
                tokio::task::spawn_local(clients.answering().listen());
                let listener = tokio::task::spawn_local(clients.listen());
                ready.send(()).unwrap();
                // It fails when the test has failed.
                let _ = stopped.await;
                listener.abort();
                registry.send(Shutdown { keep: false }).await.unwrap();
                consumer.send(Stop).await.unwrap();
                assert_eq!(fake.faults(), [""; 0]);
            });
        });
        started.recv().unwrap();
        Self { directory, stop: Some(stop), thread: Some(thread) }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("clients")
    }

    pub(super) fn connect(&self) -> FakeClient {
        FakeClient::connect(&self.socket()).unwrap()
    }

    /// A command to a session in the user-space domain.
    pub(super) fn call(&self, session: &str, command: &Command) -> Reply {
        FakeClient::call(&self.socket(), &bytes(session, command)).unwrap().unwrap()
    }

    /// Makes a session.
    pub(super) fn session(&self, name: &str) {
        let descriptor = SessionDescriptor {
            kind: SessionKind::Regular,
            name: Some(name.to_owned()),
            output: DescriptorOutput::Local(Some(Uri::Path(self.directory.path().join(name)))),
        };
        let reply = self.call("", &Command::CreateSession { home: None, descriptor });
        assert_eq!(reply.failure(), None);
    }

    /// Whether it still serves.
    pub(super) fn check(&self) {
        assert_eq!(self.call("", &Command::ListSessions).failure(), None);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // It fails only when the thread has ended.
        let _ = self.stop.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The bytes of a command to a session in the user-space domain.
pub(super) fn bytes(session: &str, command: &Command) -> Vec<u8> {
    FakeClient::bytes(command, |request: Request| {
        request.in_session(session).in_domain(Domain::Ust, BufferScheme::PerUid)
    })
}
