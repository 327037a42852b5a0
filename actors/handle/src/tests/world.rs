//! A registry as the daemon wires it.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    sync::Arc,
    time::Duration,
};

use actix::{Actor, Addr, Arbiter, AsyncContext};
use lttngd_agent::{AgentSettings, Agents};
use lttngd_app::{Abi, AppSettings, Apps, listen};
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

use crate::{Handle, Process, Settings};

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

/// Actors whose events meet.
struct Wired {
    registry: Addr<Registry>,
    consumer: Addr<Consumer>,
    apps: Addr<Apps>,
    agents: Addr<Agents>,
    triggers: Addr<Triggers>,
}

/// The consumer daemon of a kernel's domain, and the tracer of that kernel.
fn kernel_actors(fake: &FakeConsumer, kernel: FakeKernel) -> (Addr<Consumer>, Addr<Tracer>) {
    let config = ConsumerConfig { kind: ConsumerKind::Kernel, ..fake.config() };
    let consumer = Consumer::new(config, Outlet::closed()).start();
    let (modules, kernel) = (ModuleLists::default(), Arc::new(kernel));
    let descriptors = lttngd_runtime::Descriptors::unlimited();
    (consumer, Tracer::new(TracerConfig { kernel, modules, descriptors }).start())
}

/// A registry with those whom it knows.
fn wired(
    fake: &FakeConsumer,
    (kernel, tracer): (Option<Addr<Consumer>>, Option<Addr<Tracer>>),
    listings: SessionListings,
) -> Wired {
    let mut known = None;
    let registry = Registry::create(|context| {
        let exited = Outlet::to(context.address().recipient());
        let apps = Apps::new(Outlet::to(context.address().recipient())).start();
        let agents = Agents::new(Outlet::to(context.address().recipient())).start();
        let notifiers = Notifiers::of(&apps, &agents);
        let triggers = TriggersConfig {
            notifiers,
            error_counters: 16,
            kernel: None,
            sessions: listings.clone(),
            watch_use: Outlet::to(context.address().recipient()),
        };
        let triggers = Triggers::new(triggers).start();
        let observed = Outlet::to(triggers.clone().recipient());
        let consumer = Consumer::new(fake.config(), exited).start();
        known = Some((consumer.clone(), apps.clone(), agents.clone(), triggers));
        let relayds = RelaydConfig { sessiond_uuid: [1; 16], socket_timeout: None };
        Registry::new(RegistryConfig {
            observed,
            page_size: 4096,
            hostname: "host".to_owned(),
            clock: TraceClock::Monotonic,
            consumers: Consumers { bits64: consumer, bits32: None, serves_both: false, kernel },
            tracer,
            relayds: Relayds::new(relayds).start(),
            consumer_deadline: lttngd_peer::PATIENCE,
            runas: lttngd_runas::Runas::new(None),
            listings,
            apps,
            agents,
        })
    });
    let (consumer, apps, agents, triggers) = known.unwrap();
    Wired { registry, consumer, apps, agents, triggers }
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
        let listings = SessionListings::default();
        let (kernel_consumer, tracer) =
            kernel.map(|(fake, kernel)| kernel_actors(fake, kernel)).unzip();
        let of_kernel = (kernel_consumer.clone(), tracer.clone());
        let Wired { registry, consumer, apps, agents, triggers } =
            wired(&fake, of_kernel, listings.clone());
        let socket = UnixListener::bind(directory.path().join("apps")).unwrap();
        let descriptors = lttngd_runtime::Descriptors::unlimited;
        let settings = AppSettings {
            descriptors: descriptors(),
            deadline,
            bitnesses: vec![Bitness::Bits64],
            registered: Outlet::to(apps.clone().recipient()),
            unregistered: Outlet::to(apps.clone().recipient()),
            attended: Outlet::to(apps.recipient()),
        };
        let apps = tokio::task::spawn_local(listen(
            vec![(socket, Abi::V8..=Abi::V10)],
            settings,
            Vec::new(),
        ));
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let settings = AgentSettings {
            descriptors: descriptors(),
            deadline,
            registered: Outlet::to(agents.clone().recipient()),
            unregistered: Outlet::to(agents.recipient()),
        };
        let listeners = [apps, tokio::task::spawn_local(lttngd_agent::listen(socket, settings))];
        let [handle, without_agents] = [true, false].map(|serves_agents| {
            let settings = Settings {
                is_root: true,
                serves_agents,
                tracer: tracer.clone(),
                triggers: triggers.clone(),
                process: Process::new(descriptors(), vec![Arbiter::current()]),
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
            agents: address,
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
        self.registry.send(lttngd_registry::Shutdown { keep: false }).await.unwrap();
        for consumer in [Some(&self.consumer), self.kernel_consumer.as_ref()].into_iter().flatten()
        {
            consumer.send(lttngd_consumer::Stop).await.unwrap();
        }
        assert_eq!(self.fake.faults(), [""; 0]);
    }
}
