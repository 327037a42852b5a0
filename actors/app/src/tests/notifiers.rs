//! Event notifiers in applications: what these are asked for, and what they tell.

mod hostile;
mod synchronise;
mod telling;

use std::sync::{Arc, Mutex};

use actix::{Actor, Addr, Context, Handler};
use lttngd_model::{
    Bytecode, Filter, LogLevelRule, TracerToken,
    ust::{NotifierEvents, NotifierRule, NotifierSet, TracepointEvents},
};
use lttngd_peer::{AppScript, FakeApp};
use lttngd_runtime::{Descriptors, Hold, Outlet};
use tokio::task::JoinHandle;

use super::world::World;
use crate::{
    AppId, AppRegistered, AppUnregistered, Apps, EventsNotified, NotifierSettings, SetNotifiers,
};

const RELEASE: u32 = 0x01;
const REGISTER_DONE: u32 = 0x44;
const GROUP: u32 = 0x46;
const ENABLE: u32 = 0x80;
const DISABLE: u32 = 0x81;
const FILTER: u32 = 0xA0;
const EXCLUSION: u32 = 0xA1;
const CREATE: u32 = 0xB0;
const CAPTURE: u32 = 0xB6;
const COUNTER: u32 = 0xC0;
const COUNTER_CPU: u32 = 0xD1;

/// Who set the notifiers.
#[derive(Clone, Default)]
struct Notified {
    events: Arc<Mutex<Vec<Told>>>,
    /// While it is so, all that is told is held.
    holds: Arc<Mutex<Option<Vec<Hold>>>>,
}

/// An event as it was told: whose, of which notifier, what was captured.
type Told = (AppId, u64, Vec<u8>);

impl Actor for Notified {
    type Context = Context<Self>;
}

impl Handler<EventsNotified> for Notified {
    type Result = ();

    fn handle(&mut self, notified: EventsNotified, _: &mut Self::Context) {
        let EventsNotified { app, events, taken } = notified;
        let events = events.into_iter().map(|it| (app.id, it.token.0, it.captures.into_vec()));
        self.events.lock().unwrap().extend(events);
        if let Some(holds) = &mut *self.holds.lock().unwrap() {
            holds.push(taken);
        }
    }
}

impl Notified {
    fn all(&self) -> Vec<Told> {
        self.events.lock().unwrap().clone()
    }

    fn tokens(&self) -> Vec<u64> {
        self.events.lock().unwrap().iter().map(|(_, token, _)| *token).collect()
    }
}

/// The actor of all applications, and who sets notifiers.
struct Stage {
    world: World,
    apps: Addr<Apps>,
    notified: Notified,
    teller: Addr<Notified>,
}

impl Stage {
    async fn new() -> Self {
        Self::over(World::new(None).await)
    }

    fn over(world: World) -> Self {
        Self::with(world, NotifierSettings::default())
    }

    fn with(world: World, settings: NotifierSettings) -> Self {
        let apps = Apps::new(Outlet::closed()).with_notifiers(settings).start();
        let notified = Notified::default();
        let teller = notified.clone().start();
        Self { world, apps, notified, teller }
    }

    /// An application whose `main` has begun.
    async fn app(&self, script: AppScript) -> (FakeApp, AppId) {
        let (fake, id, begun) = self.arrived(script).await;
        begun.await.unwrap();
        (fake, id)
    }

    /// An application that registers; over when its `main` begins.
    async fn arrived(&self, script: AppScript) -> (FakeApp, AppId, JoinHandle<()>) {
        let (fake, app, info) = self.world.app(script).await;
        let id = info.id;
        let told = self.apps.send(AppRegistered { info, app });
        (fake, id, tokio::task::spawn_local(async move { told.await.unwrap() }))
    }

    /// Over when all applications have these notifiers that are waited for.
    fn set(&self, rules: impl IntoIterator<Item = NotifierRule>) -> JoinHandle<()> {
        let set = Arc::new(NotifierSet::new(rules.into_iter().map(Arc::new)));
        let notified = Outlet::to(self.teller.clone().recipient());
        let done = self.apps.send(SetNotifiers { set, notified });
        tokio::task::spawn_local(async move { done.await.unwrap() })
    }

    async fn goes(&self, mut fake: FakeApp, id: AppId) {
        fake.die();
        assert_eq!(fake.faults(), [""; 0]);
        self.apps.send(AppUnregistered { id }).await.unwrap();
    }

    async fn end(self) {
        self.world.end().await;
    }
}

fn rule(token: u64) -> NotifierRule {
    NotifierRule {
        token: TracerToken(token),
        error_counter_index: 100 + token,
        events: NotifierEvents::Tracepoints(TracepointEvents {
            name: format!("p:e{token}"),
            loglevel: LogLevelRule::All,
            filter: None,
            exclusions: Vec::new(),
        }),
        captures: Vec::new(),
        app_contexts: Vec::new(),
    }
}

/// The same with so many captures.
fn capturing(token: u64, count: u64) -> NotifierRule {
    let captures = (0..count).map(|seqnum| Bytecode {
        reloc_table_offset: 5,
        seqnum,
        data: b"\x51\x52\x02\0\x01\x01\0str\0".to_vec(),
    });
    NotifierRule { captures: captures.collect(), ..rule(token) }
}

/// The same with all that a rule can have.
fn rich(token: u64) -> NotifierRule {
    let events = TracepointEvents {
        name: "p:*".to_owned(),
        loglevel: LogLevelRule::Range(5),
        filter: Some(Filter::compile("a > 2").unwrap()),
        exclusions: vec!["p:x".to_owned(), "p:y*".to_owned()],
    };
    NotifierRule { events: NotifierEvents::Tracepoints(events), ..capturing(token, 2) }
}

fn count(fake: &FakeApp, number: u32) -> usize {
    fake.commands().into_iter().filter(|command| *command == number).count()
}

/// The names of the notifiers that an application was asked for.
fn created(fake: &FakeApp) -> Vec<String> {
    let requests = fake.requests().into_iter();
    let created = requests.filter(|request| request.command.number() == CREATE);
    created.map(|request| notifier(&request.payload).name).collect()
}

fn notifier(payload: &[u8]) -> lttngd_wire::ust::command::EventNotifier {
    lttngd_wire::ust::command::EventNotifier::decode(payload).unwrap()
}

fn settings(descriptors: Descriptors) -> NotifierSettings {
    NotifierSettings { error_counters: 16, descriptors, ..NotifierSettings::default() }
}
