//! Triggers among fakes: applications that take what they are given, and subscribers at sockets.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler};
use lttngd_app::{ClearNotifierErrors, CountNotifierErrors, SetNotifiers};
use lttngd_kernel::{ModuleLists, NotifiersConfig, Tracer, TracerConfig};
use lttngd_model::trigger::Condition;
use lttngd_model::{TracerToken, ust::NotifierSet};
use lttngd_peer::FakeKernel;
use lttngd_runtime::{Descriptors, Outlet, Pause, Peer};
use lttngd_session::{SessionListings, WatchUse};
use lttngd_wire::client::{Dialect, encode_condition};
use lttngd_wire::notification::{
    HEADER_LEN, Header, MessageKind, Status, decode_status, encode_handshake, encode_message,
};

use crate::{KernelNotifiers, Notifiers, Triggers, TriggersConfig, listen};

/// How long a test waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What stands for all applications.
#[derive(Clone, Default)]
pub(super) struct FakeApps {
    pub(super) set: Arc<Mutex<Arc<NotifierSet>>>,
    pub(super) of_agents: Arc<Mutex<usize>>,
    pub(super) cleared: Arc<Mutex<Vec<u64>>>,
    /// What sessions were told.
    pub(super) watched: Arc<Mutex<Vec<bool>>>,
}

impl FakeApps {
    pub(super) fn tokens(&self) -> Vec<TracerToken> {
        self.set.lock().unwrap().iter().map(|(token, _)| token).collect()
    }
}

impl Actor for FakeApps {
    type Context = Context<Self>;
}

impl Handler<SetNotifiers> for FakeApps {
    type Result = ();

    fn handle(&mut self, request: SetNotifiers, _: &mut Self::Context) {
        *self.set.lock().unwrap() = request.set;
    }
}

impl Handler<WatchUse> for FakeApps {
    type Result = ();

    fn handle(&mut self, WatchUse(is_told): WatchUse, _: &mut Self::Context) {
        self.watched.lock().unwrap().push(is_told);
    }
}

impl Handler<lttngd_agent::SetNotifiers> for FakeApps {
    type Result = ();

    fn handle(&mut self, request: lttngd_agent::SetNotifiers, _: &mut Self::Context) {
        *self.of_agents.lock().unwrap() = request.set.len();
    }
}

impl Handler<CountNotifierErrors> for FakeApps {
    type Result = u64;

    fn handle(&mut self, request: CountNotifierErrors, _: &mut Self::Context) -> u64 {
        100 + request.index
    }
}

impl Handler<ClearNotifierErrors> for FakeApps {
    type Result = ();

    fn handle(&mut self, request: ClearNotifierErrors, _: &mut Self::Context) {
        self.cleared.lock().unwrap().push(request.index);
    }
}

pub(super) struct World {
    directory: tempfile::TempDir,
    pub(super) apps: FakeApps,
    pub(super) triggers: Addr<Triggers>,
    /// What is in the kernel, if there is one.
    pub(super) kernel: Option<Addr<lttngd_kernel::Notifiers>>,
    listener: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::of(None)
    }

    /// The same on a machine that has this kernel.
    pub(super) fn with_kernel(kernel: &FakeKernel) -> Self {
        let modules = ModuleLists::default();
        let (kernel, descriptors) = (Arc::new(kernel.clone()), Descriptors::unlimited());
        let tracer = Tracer::new(TracerConfig { kernel, modules, descriptors }).start();
        let config = NotifiersConfig { tracer, error_counters: 2, pause: Pause::default() };
        let notifiers = lttngd_kernel::Notifiers::new(config).start();
        Self::of(Some(KernelNotifiers { notifiers, error_counters: 2 }))
    }

    fn of(kernel: Option<KernelNotifiers>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let in_kernel = kernel.as_ref().map(|kernel| kernel.notifiers.clone());
        let apps = FakeApps::default();
        let started = apps.clone().start();
        let notifiers = Notifiers {
            set: started.clone().recipient(),
            set_of_agents: started.clone().recipient(),
            count_errors: started.clone().recipient(),
            clear_errors: started.clone().recipient(),
        };
        let config = TriggersConfig {
            notifiers,
            error_counters: 8,
            kernel,
            sessions: SessionListings::default(),
            watch_use: Outlet::to(started.recipient()),
        };
        let triggers = Triggers::new(config).start();
        let socket = std::os::unix::net::UnixListener::bind(directory.path().join("n")).unwrap();
        let listening = listen(socket, triggers.clone(), Descriptors::unlimited());
        let listener = tokio::task::spawn_local(listening);
        Self { directory, apps, triggers, kernel: in_kernel, listener }
    }

    /// A connection on which nothing was said.
    pub(super) async fn connect(&self) -> Client {
        Client(Peer::connect(&self.directory.path().join("n")).await.unwrap())
    }

    /// A subscriber to these conditions.
    pub(super) async fn subscriber(&self, conditions: &[Condition]) -> Client {
        let client = self.connect().await;
        client.shake_hands().await;
        for condition in conditions {
            client.send(MessageKind::Subscribe, &encode_condition(condition, Dialect::V2_13)).await;
            assert_eq!(client.status().await, Status::Ok);
        }
        client
    }
}

/// A client of the notification socket.
pub(super) struct Client(pub(super) Peer);

impl Client {
    pub(super) async fn send(&self, kind: MessageKind, payload: &[u8]) {
        self.0.write_all(&encode_message(kind, payload)).await.unwrap();
    }

    /// The next message, `None` when the connection ends.
    pub(super) async fn hear(&self) -> Option<(MessageKind, Vec<u8>)> {
        let heard = async {
            let mut head = [0; HEADER_LEN];
            self.0.read_exact(&mut head).await.ok()?;
            let head = Header::of_daemon(&head).unwrap();
            let mut payload = vec![0; head.len];
            self.0.read_exact(&mut payload).await.ok()?;
            Some((head.kind, payload))
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("nothing comes and the connection stays")
    }

    pub(super) async fn status(&self) -> Status {
        let (kind, payload) = self.hear().await.unwrap();
        assert_eq!(kind, MessageKind::CommandReply);
        decode_status(&payload).unwrap()
    }

    pub(super) async fn shake_hands(&self) {
        self.0.write_all(&encode_handshake()).await.unwrap();
        assert_eq!(self.hear().await, Some((MessageKind::Handshake, vec![1, 1])));
        assert_eq!(self.status().await, Status::Ok);
    }
}
