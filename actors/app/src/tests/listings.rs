//! What many applications list at a time.

use actix::{Addr, MailboxError};
use lttngd_model::NameList;
use lttngd_peer::{AppAct, AppScript, FakeApp, Gate, eventually};
use tokio::task::JoinHandle;

use super::world::World;
use crate::{App, AppError, ListTracepoints, RegisterDone};

const LIST_GET: u32 = 0x90;

/// How many tracepoints each application has: some round trips more than are asked for together.
const MANY: usize = 100;
/// How many applications there are: more than are asked at a time.
const APPS: usize = 7;
/// How many of them are silent: as many as have a turn, and one more.
const SILENT: usize = 3;

type Listing = JoinHandle<Result<Result<NameList<i32>, AppError>, MailboxError>>;

/// Applications of which [`SILENT`] do this from their 21st entry on.
async fn apps(world: &World, act: impl Fn() -> AppAct) -> Vec<(FakeApp, Addr<App>)> {
    let mut apps = Vec::new();
    for number in 0..APPS {
        let script = if number < SILENT {
            let (act, mut gets) = (act(), 0);
            AppScript::new(move |request| {
                gets += usize::from(request.command.number() == LIST_GET);
                if gets > 20 { act.clone() } else { AppAct::Answer }
            })
        } else {
            AppScript::default()
        };
        let tracepoints = vec![(format!("p:e{number}"), 13); MANY];
        let (fake, app, _) = world.app(AppScript { tracepoints, ..script }).await;
        apps.push((fake, app));
    }
    apps
}

/// What all of them list, when it is there.
fn listings(apps: &[(FakeApp, Addr<App>)]) -> Vec<Listing> {
    apps.iter().map(|(_, app)| tokio::task::spawn_local(app.send(ListTracepoints))).collect()
}

/// They are in step, and hold no list.
async fn at_rest(apps: &[(FakeApp, Addr<App>)]) {
    for (fake, app) in apps {
        app.send(RegisterDone).await.unwrap().unwrap();
        eventually("what was listed is released", || fake.objects() == 0).await;
        assert_eq!(fake.faults(), [""; 0]);
    }
}

#[actix::test]
async fn all_are_listed_whole_whoever_is_silent_beside_them() {
    let (world, gate) = (World::new(None).await, Gate::default());
    let apps = apps(&world, || AppAct::Late(gate.clone())).await;
    let mut silent = listings(&apps);
    for (number, listed) in (SILENT..).zip(silent.split_off(SILENT)) {
        let listed = listed.await.unwrap().unwrap().unwrap();
        assert_eq!(listed.len(), MANY, "{number}");
        assert!(listed.iter().all(|(name, _)| name == format!("p:e{number}")));
    }
    assert!(silent.iter().all(|listed| !listed.is_finished()));
    gate.open();
    for listed in silent {
        assert_eq!(listed.await.unwrap().unwrap().unwrap().len(), MANY);
    }
    at_rest(&apps).await;
    drop(apps);
    world.end().await;
}

#[actix::test]
async fn who_ends_in_its_turn_or_is_not_wanted_any_more_leaves_it_to_others() {
    let world = World::new(None).await;
    let mut apps = apps(&world, || AppAct::Cut(0)).await;
    let mut ended = listings(&apps);
    let mut others = ended.split_off(SILENT);
    // Nobody wants to know of the last one, whatever it has been asked.
    others.pop().unwrap().abort();
    for listed in ended {
        assert!(listed.await.unwrap().unwrap().is_err(), "it is gone");
    }
    for listed in others {
        assert_eq!(listed.await.unwrap().unwrap().unwrap().len(), MANY);
    }
    at_rest(&apps.split_off(SILENT)).await;
    drop(apps);
    world.end().await;
}
