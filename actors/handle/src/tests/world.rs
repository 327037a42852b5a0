//! A registry as the daemon wires it.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, AsyncContext};
use lttngd_agent::{AgentSettings, Agents};
use lttngd_app::{AppSettings, Apps, listen};
use lttngd_clock::TraceClock;
use lttngd_consumer::{Consumer, ConsumerConfig};
use lttngd_kernel::{ModuleLists, Tracer, TracerConfig};
use lttngd_model::{
    Bitness, ConsumerKind, Credentials, DescriptorOutput, SessionDescriptor, SessionKind, Uri,
};
use lttngd_notification::{Notifiers, Triggers, TriggersConfig};
use lttngd_peer::{
    AgentScript, AppScript, ConsumerScript, FakeAgent, FakeApp, FakeConsumer, FakeKernel,
};
use lttngd_registry::{Registry, RegistryConfig};
use lttngd_relayd::{RelaydConfig, Relayds};
use lttngd_runtime::Outlet;
use lttngd_session::{Consumers, SessionListings};
use tokio::task::JoinHandle;

use crate::{Handle, Settings};

pub(super) struct World {
    pub(super) directory: tempfile::TempDir,
    pub(super) fake: FakeConsumer,
    consumer: Addr<Consumer>,
    kernel_consumer: Option<Addr<Consumer>>,
    pub(super) registry: Addr<Registry>,
    /// Acts for the user of this process.
    pub(super) handle: Handle,
    /// The same where no agents are served.
    pub(super) without_agents: Handle,
    agents: SocketAddr,
    listeners: [JoinHandle<std::io::Result<()>>; 2],
}

/// This process' user.
pub(super) fn own() -> Credentials {
    Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

impl World {
    /// A registry whose applications and agents have `deadline` to answer.
    pub(super) async fn new(script: ConsumerScript, deadline: Option<Duration>) -> Self {
        Self::with_kernel(script, deadline, None).await
    }

    /// The same that serves the kernel's domain, where there is this one with its consumer daemon.
    pub(super) async fn with_kernel(
        script: ConsumerScript,
        deadline: Option<Duration>,
        kernel: Option<(&FakeConsumer, FakeKernel)>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let fake = FakeConsumer::new(script);
        let consumer = Arc::new(Mutex::new(None));
        let listings = SessionListings::default();
        let shown = listings.clone();
        let mut known = None;
        let (kernel_consumer, tracer) = kernel
            .map(|(fake, kernel)| {
                let config = ConsumerConfig { kind: ConsumerKind::Kernel, ..fake.config() };
                let consumer = Consumer::new(config, Outlet::closed()).start();
                let (modules, kernel) = (ModuleLists::default(), Arc::new(kernel));
                let descriptors = lttngd_runtime::Descriptors::unlimited();
                (consumer, Tracer::new(TracerConfig { kernel, modules, descriptors }).start())
            })
            .unzip();
        let kernel = kernel_consumer.clone();
        let traced = tracer.clone();
        let registry = Registry::create(|context| {
            let exited = Outlet::to(context.address().recipient());
            let apps = Apps::new(Outlet::to(context.address().recipient())).start();
            let agents = Agents::new(Outlet::to(context.address().recipient())).start();
            let notifiers = Notifiers::of(&apps, &agents);
            let triggers =
                Triggers::new(TriggersConfig { notifiers, error_counters: 16, kernel: None })
                    .start();
            let observed = Outlet::to(triggers.clone().recipient());
            known = Some((apps.clone(), agents.clone(), triggers));
            let started = Consumer::new(fake.config(), exited).start();
            *consumer.lock().unwrap() = Some(started.clone());
            Registry::new(RegistryConfig {
                observed,
                page_size: 4096,
                hostname: "host".to_owned(),
                clock: TraceClock::Monotonic,
                consumers: Consumers { bits64: started, bits32: None, kernel },
                tracer: traced,
                relayds: Relayds::new(RelaydConfig {
                    sessiond_uuid: [1; 16],
                    socket_timeout: None,
                })
                .start(),
                consumer_deadline: lttngd_peer::PATIENCE,
                runas: lttngd_runas::Runas::new(None),
                listings: shown,
                apps,
                agents,
            })
        });
        let consumer = consumer.lock().unwrap().clone().unwrap();
        let (known_apps, known_agents, triggers) = known.unwrap();
        let socket = UnixListener::bind(directory.path().join("apps")).unwrap();
        let apps = tokio::task::spawn_local(listen(
            socket,
            AppSettings {
                descriptors: lttngd_runtime::Descriptors::unlimited(),
                deadline,
                bitnesses: vec![Bitness::Bits64],
                registered: Outlet::to(known_apps.clone().recipient()),
                unregistered: Outlet::to(known_apps.recipient()),
            },
        ));
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let agents = socket.local_addr().unwrap();
        let settings = AgentSettings {
            descriptors: lttngd_runtime::Descriptors::unlimited(),
            deadline,
            registered: Outlet::to(known_agents.clone().recipient()),
            unregistered: Outlet::to(known_agents.recipient()),
        };
        let listeners = [apps, tokio::task::spawn_local(lttngd_agent::listen(socket, settings))];
        let [handle, without_agents] = [true, false].map(|serves_agents| {
            let settings = Settings {
                is_root: true,
                serves_agents,
                tracer: tracer.clone(),
                triggers: triggers.clone(),
            };
            Handle::new(registry.clone(), listings.clone(), settings, own())
        });
        Self {
            directory,
            fake,
            consumer,
            kernel_consumer,
            registry,
            handle,
            without_agents,
            agents,
            listeners,
        }
    }

    pub(super) fn app(&self, script: AppScript) -> FakeApp {
        FakeApp::connect(&self.directory.path().join("apps"), script).unwrap()
    }

    pub(super) fn agent(&self, script: AgentScript) -> FakeAgent {
        FakeAgent::connect(self.agents, script).unwrap()
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
        self.listeners.iter().for_each(JoinHandle::abort);
        self.registry.send(lttngd_registry::Shutdown).await.unwrap();
        for consumer in [Some(&self.consumer), self.kernel_consumer.as_ref()].into_iter().flatten()
        {
            consumer.send(lttngd_consumer::Stop).await.unwrap();
        }
        assert_eq!(self.fake.faults(), [""; 0]);
    }
}
