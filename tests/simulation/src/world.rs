//! The daemon's actors as the daemon wires them, and those who are played around them.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use actix::{Actor, Addr, Arbiter, AsyncContext};
use lttngd_agent::Agents;
use lttngd_app::{AppSettings, Apps, listen};
use lttngd_clock::TraceClock;
use lttngd_consumer::{Consumer, ConsumerConfig};
use lttngd_handle::{Handle, Process, Settings};
use lttngd_model::{Bitness, ConsumerKind, Credentials, SessionId};
use lttngd_notification::{Notifiers, Triggers, TriggersConfig};
use lttngd_registry::{Registry, RegistryConfig};
use lttngd_relayd::{RelaydConfig, Relayds};
use lttngd_runtime::{
    Descriptors, Outlet,
    outside::{Connecting, Outside, Played, simulate},
};
use lttngd_session::{Consumers, SessionListings};
use lttngd_wire::ust::Abi;
use tokio::{task::JoinHandle, time::Instant};

use crate::{
    app::PlayedApp, chance::Chance, consumer::PlayedConsumer, life::Life, model::Model,
    relay::PlayedRelays, story::Story,
};

/// How long an application may go without an answer, and a consumer daemon, as in the daemon.
const APP_DEADLINE: Duration = Duration::from_secs(5);
const CONSUMER_DEADLINE: Duration = Duration::from_secs(60);

/// Sessions that have ended, and when.
pub(crate) type Ended = Rc<RefCell<BTreeMap<SessionId, Instant>>>;

/// A life's daemon and its peers.
pub(crate) struct World {
    pub(crate) life: Life,
    pub(crate) story: Rc<Story>,
    pub(crate) handle: Handle,
    pub(crate) registry: Addr<Registry>,
    pub(crate) listings: SessionListings,
    pub(crate) daemons: Addr<Consumer>,
    pub(crate) consumer: Rc<PlayedConsumer>,
    pub(crate) relays: Rc<PlayedRelays>,
    pub(crate) apps: RefCell<Vec<Rc<PlayedApp>>>,
    /// Whether everybody does right.
    pub(crate) calm: Rc<Cell<bool>>,
    /// Sessions that have ended, by what they were called in the consumer daemon.
    pub(crate) ended: Ended,
    /// Ids that sessions had.
    pub(crate) ids: RefCell<BTreeSet<SessionId>>,
    /// Sessions that are left.
    pub(crate) models: RefCell<Vec<Model>>,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) listener: JoinHandle<io::Result<()>>,
}

/// What everybody who is played has of the life.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) story: Rc<Story>,
    pub(crate) chance: Rc<Chance>,
    calm: Rc<Cell<bool>>,
    does_wrong: bool,
}

impl Part {
    /// Whether something goes wrong that does so once in so many times.
    pub(crate) fn fails(&self, once_in: u32) -> bool {
        self.does_wrong && !self.calm.get() && self.chance.once_in(once_in)
    }

    /// Takes its time, as one that is well.
    pub(crate) async fn pause(&self) {
        if !self.calm.get() {
            tokio::time::sleep(self.chance.latency()).await;
        }
    }
}

struct Surroundings {
    chance: Chance,
    calm: Rc<Cell<bool>>,
    consumer: Rc<PlayedConsumer>,
    relays: Rc<PlayedRelays>,
}

impl Outside for Surroundings {
    fn latency(&self) -> Duration {
        if self.calm.get() { Duration::ZERO } else { self.chance.latency() }
    }

    fn connect(&self, address: SocketAddr) -> Connecting {
        self.relays.connect(address)
    }

    fn start(&self, program: &Path) -> io::Result<Played> {
        self.consumer.start(program)
    }
}

/// This process's user.
pub(crate) fn own() -> Credentials {
    Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

fn consumer_config(directory: &Path) -> ConsumerConfig {
    ConsumerConfig {
        kind: ConsumerKind::Ust(Bitness::Bits64),
        binary: Some(PathBuf::from("consumerd")),
        libdir: None,
        command_socket: directory.join("command"),
        error_socket: directory.join("error"),
        home: None,
        group: "tracing".to_owned(),
        verbose: false,
        quiet: false,
        clock_plugin: None,
        sessiond_uuid: [7; 16],
        deadline: CONSUMER_DEADLINE,
        descriptors: Descriptors::unlimited(),
    }
}

struct Wired {
    registry: Addr<Registry>,
    apps: Addr<Apps>,
    triggers: Addr<Triggers>,
    daemons: Addr<Consumer>,
}

fn wire(directory: &Path, listings: &SessionListings) -> Wired {
    let mut known = None;
    let registry = Registry::create(|context| {
        let apps = Apps::new(Outlet::to(context.address().recipient())).start();
        let agents = Agents::new(Outlet::to(context.address().recipient())).start();
        let triggers = Triggers::new(TriggersConfig {
            notifiers: Notifiers::of(&apps, &agents),
            error_counters: 16,
            kernel: None,
            sessions: listings.clone(),
            watch_use: Outlet::to(context.address().recipient()),
        });
        let triggers = triggers.start();
        let exited = Outlet::to(context.address().recipient());
        let bits64 = Consumer::new(consumer_config(directory), exited).start();
        known = Some((apps.clone(), triggers.clone(), bits64.clone()));
        let relayds = RelaydConfig { sessiond_uuid: [7; 16], socket_timeout: None };
        Registry::new(RegistryConfig {
            observed: Outlet::to(triggers.recipient()),
            page_size: 4096,
            hostname: "host".to_owned(),
            clock: TraceClock::Monotonic,
            consumers: Consumers { bits64, bits32: None, serves_both: false, kernel: None },
            tracer: None,
            relayds: Relayds::new(relayds).start(),
            consumer_deadline: CONSUMER_DEADLINE,
            runas: lttngd_runas::Runas::new(None),
            listings: listings.clone(),
            apps,
            agents,
        })
    });
    let (apps, triggers, daemons) = known.unwrap();
    Wired { registry, apps, triggers, daemons }
}

impl World {
    pub(crate) fn begin(life: Life, story: Rc<Story>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let calm = Rc::<Cell<bool>>::default();
        let ended = Ended::default();
        let part = |who: &str, does_wrong| Part {
            story: Rc::clone(&story),
            chance: Rc::new(Chance::new(life.seed, who)),
            calm: Rc::clone(&calm),
            does_wrong,
        };
        let consumer = PlayedConsumer::new(
            directory.path(),
            part("consumer", life.faults.consumers),
            Rc::clone(&ended),
        );
        let relays = Rc::new(PlayedRelays::new(part("relay", life.faults.relays)));
        simulate(Some(Rc::new(Surroundings {
            chance: Chance::new(life.seed, "outside"),
            calm: Rc::clone(&calm),
            consumer: Rc::clone(&consumer),
            relays: Rc::clone(&relays),
        })));
        let listings = SessionListings::default();
        let Wired { registry, apps, triggers, daemons } = wire(directory.path(), &listings);
        let place = directory.path().join("apps");
        let settings = AppSettings {
            descriptors: Descriptors::unlimited(),
            deadline: Some(APP_DEADLINE),
            bitnesses: vec![Bitness::Bits64],
            registered: Outlet::to(apps.clone().recipient()),
            unregistered: Outlet::to(apps.clone().recipient()),
            attended: Outlet::to(apps.recipient()),
        };
        let socket = UnixListener::bind(&place).unwrap();
        let listener = tokio::task::spawn_local(listen(
            vec![(socket, Abi::V8..=Abi::V10)],
            settings,
            Vec::new(),
        ));
        let settings = Settings {
            is_root: false,
            serves_agents: false,
            tracer: None,
            triggers,
            process: Process::new(Descriptors::unlimited(), vec![Arbiter::current()]),
        };
        let handle = Handle::new(registry.clone(), listings.clone(), settings, own());
        let apps = (0..life.apps).map(|number| {
            PlayedApp::start(number, &place, part(&format!("app {number}"), life.faults.apps))
        });
        let apps = RefCell::new(apps.collect());
        Self {
            life,
            story,
            handle,
            registry,
            listings,
            daemons,
            consumer,
            relays,
            apps,
            calm,
            ended,
            ids: RefCell::default(),
            models: RefCell::default(),
            directory,
            listener,
        }
    }
}
