//! The half of a session daemon that has to do with applications, in a thread of the test: event notifiers
//! are set and events taken as the actor of triggers does it.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use actix::{Actor, Addr, Context, Handler, System};
use futures::executor::block_on;
use lttngd_app::{
    AppSettings, Apps, AppsChanged, CountNotifierErrors, EventsNotified, NotifierSettings,
    SetNotifiers, listen,
};
use lttngd_model::{
    Bitness,
    ust::{NotifierRule, NotifierSet},
};
use lttngd_runtime::{Descriptors, Hold, Outlet};
use lttngd_wire::ust::Abi;
use lttngd_world::{Arena, PATIENCE, eventually};

const APPS_SOCKET: &str = "lttng-ust-sock-8";
/// Counters of errors.
const COUNTERS: u16 = 16;

/// An event as it was told: of which process, of which notifier, what was captured.
pub type Told = (u32, u64, Vec<u8>);

/// What is told in the listener's thread.
struct Teller {
    told: std::sync::mpsc::Sender<Told>,
    holds: Holds,
    gone: Arc<Mutex<Vec<u32>>>,
}

/// While there is a list, all that is told is held in it.
type Holds = Arc<Mutex<Option<Vec<Hold>>>>;

impl Actor for Teller {
    type Context = Context<Self>;
}

impl Handler<EventsNotified> for Teller {
    type Result = ();

    fn handle(&mut self, notified: EventsNotified, _: &mut Self::Context) {
        for event in notified.events {
            let told = (notified.app.pid, event.token.0, event.captures.into_vec());
            // Nobody listens any more when the test is over.
            let _ = self.told.send(told);
        }
        if let Some(holds) = &mut *self.holds.lock().unwrap() {
            holds.push(notified.taken);
        }
    }
}

impl Handler<AppsChanged> for Teller {
    type Result = ();

    fn handle(&mut self, changed: AppsChanged, _: &mut Self::Context) {
        if !changed.is_registered {
            self.gone.lock().unwrap().push(changed.info.pid);
        }
    }
}

/// Where the arena's applications register.
pub struct Listener {
    apps: Addr<Apps>,
    teller: Addr<Teller>,
    told: Receiver<Told>,
    holds: Holds,
    gone: Arc<Mutex<Vec<u32>>>,
    system: System,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens where applications of the arena look, and waits that long for one of them.
    pub fn new(arena: &Arena, deadline: Duration) -> Self {
        let run_directory = arena.run_directory();
        fs::create_dir_all(&run_directory).unwrap();
        let path = run_directory.join(APPS_SOCKET);
        let socket = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let (events, told) = channel();
        let (holds, gone) = (Holds::default(), Arc::<Mutex<Vec<u32>>>::default());
        let (started, parts) = channel();
        let teller = Teller { told: events, holds: Arc::clone(&holds), gone: Arc::clone(&gone) };
        let thread = std::thread::spawn(move || {
            let system = System::new();
            system.block_on(async {
                let teller = teller.start();
                let apps = Apps::new(Outlet::to(teller.clone().recipient()))
                    .with_notifiers(NotifierSettings {
                        error_counters: COUNTERS,
                        ..NotifierSettings::default()
                    })
                    .start();
                let settings = AppSettings {
                    deadline: Some(deadline),
                    bitnesses: vec![Bitness::Bits64],
                    descriptors: Descriptors::unlimited(),
                    registered: Outlet::to(apps.clone().recipient()),
                    unregistered: Outlet::to(apps.clone().recipient()),
                    attended: Outlet::to(apps.clone().recipient()),
                };
                actix::spawn(listen(vec![(socket, Abi::V8..=Abi::V10)], settings, Vec::new()));
                started.send((apps, teller, System::current())).unwrap();
            });
            system.run().unwrap();
        });
        let (apps, teller, system) = parts.recv().unwrap();
        Self { apps, teller, told, holds, gone, system, thread: Some(thread) }
    }

    /// Has all applications have these notifiers; over when they do, or are not waited for.
    pub fn set(&self, rules: impl IntoIterator<Item = NotifierRule>) {
        let set = Arc::new(NotifierSet::new(rules.into_iter().map(Arc::new)));
        let notified = Outlet::to(self.teller.clone().recipient());
        block_on(self.apps.send(SetNotifiers { set, notified })).unwrap();
    }

    /// The next event.
    pub fn next(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    /// The next events, of whichever process.
    pub fn take(&self, count: usize) -> Vec<(u64, Vec<u8>)> {
        let next = || self.next();
        std::iter::repeat_with(next)
            .take(count)
            .map(|(_, token, captures)| (token, captures))
            .collect()
    }

    /// The events that have been told and not taken.
    pub fn rest(&self) -> Vec<Told> {
        self.told.try_iter().collect()
    }

    /// The next event, if there is one in that time.
    pub fn within(&self, time: Duration) -> Option<Told> {
        match self.told.recv_timeout(time) {
            Ok(told) => Some(told),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the listener is gone"),
        }
    }

    /// How many events of a counter could not be told.
    pub fn errors(&self, index: u64) -> u64 {
        block_on(self.apps.send(CountNotifierErrors { index })).unwrap()
    }

    /// Takes no more events, but for what is read already.
    pub fn hold(&self) {
        *self.holds.lock().unwrap() = Some(Vec::new());
    }

    /// Goes on.
    pub fn let_go(&self) {
        *self.holds.lock().unwrap() = None;
    }

    /// Waits until an application is gone.
    pub fn await_gone(&self, pid: i32) {
        let pid = u32::try_from(pid).unwrap();
        eventually("the application is gone", || {
            self.gone.lock().unwrap().contains(&pid).then_some(())
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.system.stop();
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            thread.join().unwrap();
        }
    }
}
