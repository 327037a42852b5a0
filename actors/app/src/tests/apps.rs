//! Whom an application concerns that comes or goes.

use std::sync::{Arc, Mutex};

use actix::{Actor, ActorContext, Addr, Context, Handler};
use lttngd_model::{
    ProcessAttribute, SessionId, TrackingPolicy,
    ust::{Trackers, UstDomain},
};
use lttngd_peer::{AppScript, FakeApp, eventually};
use lttngd_runtime::{Hold, Outlet};
use tokio::task::JoinHandle;

use super::world::World;
use crate::{
    App, AppArrived, AppExited, AppId, AppInfo, AppRegistered, AppUnregistered, Apps, AppsChanged,
    AwaitNoApps, FollowApps, LeaveApps, ListApps,
};

const REGISTER_DONE: u32 = 0x44;

/// What a session is told, and the applications that it holds up.
#[derive(Clone, Default)]
struct Told {
    arrived: Arc<Mutex<Vec<AppId>>>,
    held: Arc<Mutex<Vec<Hold>>>,
    gone: Arc<Mutex<Vec<AppId>>>,
}

impl Actor for Told {
    type Context = Context<Self>;
}

impl Handler<AppArrived> for Told {
    type Result = ();

    fn handle(&mut self, arrived: AppArrived, _: &mut Self::Context) {
        self.held.lock().unwrap().push(arrived.hold);
        self.arrived.lock().unwrap().push(arrived.info.id);
    }
}

impl Handler<AppExited> for Told {
    type Result = ();

    fn handle(&mut self, gone: AppExited, _: &mut Self::Context) {
        self.gone.lock().unwrap().push(gone.id);
    }
}

impl Told {
    fn arrived(&self) -> Vec<AppId> {
        self.arrived.lock().unwrap().clone()
    }

    fn gone(&self) -> Vec<AppId> {
        self.gone.lock().unwrap().clone()
    }

    fn lets_go(&self) {
        self.held.lock().unwrap().clear();
    }
}

/// The world is told as well.
#[derive(Clone, Default)]
struct Changes(Arc<Mutex<Vec<(AppId, bool)>>>);

impl Actor for Changes {
    type Context = Context<Self>;
}

impl Handler<AppsChanged> for Changes {
    type Result = ();

    fn handle(&mut self, changed: AppsChanged, _: &mut Self::Context) {
        self.0.lock().unwrap().push((changed.info.id, changed.is_registered));
    }
}

fn everybody() -> Trackers {
    Trackers::default()
}

fn nobody() -> Trackers {
    let mut ust = UstDomain::new(4096);
    ust.set_tracking_policy(ProcessAttribute::VirtualProcessId, TrackingPolicy::ExcludeAll)
        .unwrap();
    ust.trackers
}

/// A session that follows; the applications that it was given.
async fn follow(apps: &Addr<Apps>, id: u64, told: &Told, trackers: Trackers) -> Vec<AppId> {
    let me = told.clone().start();
    let request = FollowApps {
        session: SessionId(id),
        trackers,
        arrived: Outlet::to(me.clone().recipient()),
        gone: Outlet::to(me.recipient()),
    };
    apps.send(request).await.unwrap().into_iter().map(|(id, _)| id).collect()
}

fn registers(apps: &Addr<Apps>, info: &Arc<AppInfo>, app: &Addr<App>) -> JoinHandle<()> {
    let told = apps.send(AppRegistered { info: Arc::clone(info), app: app.clone() });
    tokio::task::spawn_local(async move { told.await.unwrap() })
}

async fn registered(apps: &Addr<Apps>, world: &World) -> (FakeApp, AppId) {
    let (fake, app, info) = world.app(AppScript::default()).await;
    registers(apps, &info, &app).await.unwrap();
    (fake, info.id)
}

#[actix::test]
async fn the_main_of_an_application_waits_for_those_who_follow_it_and_for_nobody_else() {
    let world = World::new(None).await;
    let changes = Changes::default();
    let apps = Apps::new(Outlet::to(changes.clone().start().recipient())).start();
    let (first, second, other) = (Told::default(), Told::default(), Told::default());
    assert!(follow(&apps, 1, &first, everybody()).await.is_empty());
    assert!(follow(&apps, 2, &second, everybody()).await.is_empty());
    assert!(follow(&apps, 3, &other, nobody()).await.is_empty());
    let (fake, app, info) = world.app(AppScript::default()).await;
    let begins = registers(&apps, &info, &app);
    let both = || first.arrived() == [info.id] && second.arrived() == [info.id];
    eventually("both are told", both).await;
    first.lets_go();
    app.send(crate::ListTracepoints).await.unwrap().unwrap();
    assert!(!fake.has_got(REGISTER_DONE), "the second one is not ready");
    second.lets_go();
    begins.await.unwrap();
    assert!(fake.has_got(REGISTER_DONE));
    assert_eq!(apps.send(ListApps).await.unwrap().len(), 1);
    apps.send(AppUnregistered { id: info.id }).await.unwrap();
    let both = || first.gone() == [info.id] && second.gone() == [info.id];
    eventually("both are told that it is gone", both).await;
    assert!(other.arrived().is_empty() && other.gone().is_empty());
    eventually("so is the world", || {
        *changes.0.lock().unwrap() == [(info.id, true), (info.id, false)]
    })
    .await;
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn an_application_that_registers_while_sessions_start_and_stop_is_missed_by_none() {
    let world = World::new(None).await;
    let apps = Apps::new(Outlet::closed()).start();
    let session = Told::default();
    // Before, at the same moment as, and after the start: it is given or told.
    let (before, before_id) = registered(&apps, &world).await;
    let (during, app, info) = world.app(AppScript::default()).await;
    let begins = registers(&apps, &info, &app);
    let mut known = follow(&apps, 1, &session, everybody()).await;
    let (after, late, late_info) = world.app(AppScript::default()).await;
    let begins_late = registers(&apps, &late_info, &late);
    eventually("it is told", || session.arrived().contains(&late_info.id)).await;
    known.extend(session.arrived());
    known.sort();
    known.dedup();
    assert_eq!(known, [before_id, info.id, late_info.id]);
    session.lets_go();
    begins.await.unwrap();
    begins_late.await.unwrap();
    // While it is stopped none is told that comes, and each that goes of those that it has.
    apps.send(AwaitNoApps { session: SessionId(1) }).await.unwrap();
    let (idle, idle_id) = registered(&apps, &world).await;
    apps.send(AppUnregistered { id: before_id }).await.unwrap();
    eventually("it is told", || session.gone() == [before_id]).await;
    assert!(!session.arrived().contains(&idle_id));
    let known = follow(&apps, 1, &session, everybody()).await;
    assert_eq!(known, [info.id, late_info.id, idle_id]);
    // After its end it is told of nothing, and holds up nobody.
    apps.send(LeaveApps { session: SessionId(1) }).await.unwrap();
    apps.send(AppUnregistered { id: idle_id }).await.unwrap();
    let (last, _) = registered(&apps, &world).await;
    assert_eq!(session.gone(), [before_id]);
    drop((before, during, after, idle, last));
    world.end().await;
}

/// A session whose actor is gone.
struct Failed;

impl Actor for Failed {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.stop();
    }
}

impl Handler<AppArrived> for Failed {
    type Result = ();

    fn handle(&mut self, _: AppArrived, _: &mut Self::Context) {}
}

impl Handler<AppExited> for Failed {
    type Result = ();

    fn handle(&mut self, _: AppExited, _: &mut Self::Context) {}
}

#[actix::test]
async fn a_session_that_failed_without_a_word_holds_up_nobody() {
    let world = World::new(None).await;
    let apps = Apps::new(Outlet::closed()).start();
    let failed = Failed.start();
    eventually("it has failed", || !failed.connected()).await;
    let request = FollowApps {
        session: SessionId(1),
        trackers: everybody(),
        arrived: Outlet::to(failed.clone().recipient()),
        gone: Outlet::to(failed.recipient()),
    };
    apps.send(request).await.unwrap();
    let (fake, _) = registered(&apps, &world).await;
    assert!(fake.has_got(REGISTER_DONE));
    drop(fake);
    world.end().await;
}
