//! Applications that do not answer, answer late, and answer again.

use std::{
    os::unix::net::UnixStream,
    rc::Rc,
    time::{Duration, Instant},
};

use actix::Addr;
use lttngd_model::SessionId;
use lttngd_peer::{AppAct, AppScript, FakeApp, Gate, PATIENCE, eventually, eventually_so};
use lttngd_runtime::{Hold, Outlet, PeerCredentials, tell};
use lttngd_wire::ust::Abi;

use super::world::{SESSION, World, forget};
use crate::{
    App, AppError, AppId, Forget, ListTracepointFields, ListTracepoints, RegenerateStatedump,
    RegisterDone, Synchronise, SynchroniseArrived, actor::Outlets, permits::Permits,
    plan::tests::channel, socket::CommandSocket,
};

const CHANNEL: u32 = 0x51;
const STATEDUMP: u32 = 0x54;
const RELEASE: u32 = 0x01;
const LIST: u32 = 0x42;
const REGISTER_DONE: u32 = 0x44;
const QUIESCENT: u32 = 0x43;

/// A time after which an application that is held counts as silent.
const SOON: Duration = Duration::from_millis(500);
/// Enough waits of [`SOON`] that nobody takes them for one.
const MANY: u32 = 50;

fn held_at(number: u32) -> (AppScript, Gate) {
    let gate = Gate::default();
    let held = gate.clone();
    let script = AppScript::new(move |request| match request.command.number() == number {
        true => AppAct::Late(held.clone()),
        false => AppAct::Answer,
    });
    (script, gate)
}

fn timed_out<T: std::fmt::Debug>(outcome: &Result<T, AppError>) {
    assert!(matches!(outcome, Err(AppError::TimedOut)), "{outcome:?}");
}

/// Takes the session of these tests out, however long that takes.
async fn taken_out(app: &Addr<App>, fake: &FakeApp) {
    let _ = forget(app).await;
    eventually("all is taken out", || fake.objects() == 0).await;
    assert_eq!(fake.faults(), [""; 0]);
}

#[actix::test]
async fn a_silent_application_costs_one_deadline_whatever_is_asked_and_does_it_when_it_wakes() {
    let world = World::new(Some(SOON)).await;
    let (script, gate) = held_at(CHANNEL);
    let (fake, app, _) = world.app(script).await;
    let begun = Instant::now();
    let want = world.want(true, &[channel(0, 0, 1)]).await;
    timed_out(&app.send(want).await.unwrap());
    assert!(begun.elapsed() >= SOON);
    let begun = Instant::now();
    for _ in 0..MANY {
        timed_out(&app.send(world.want(true, &[channel(0, 0, 2)]).await).await.unwrap());
        timed_out(&app.send(ListTracepoints).await.unwrap());
        timed_out(&app.send(ListTracepointFields).await.unwrap());
        timed_out(&app.send(RegenerateStatedump { session: SESSION }).await.unwrap());
    }
    timed_out(&app.send(RegisterDone).await.unwrap());
    assert!(begun.elapsed() < SOON * MANY, "each waits again: {:?}", begun.elapsed());
    assert_eq!(world.told.unregistered(), [], "it is not gone");
    gate.open();
    eventually("its main begins", || fake.has_got(REGISTER_DONE)).await;
    let count = |number| fake.commands().iter().filter(|n| **n == number).count();
    assert_eq!((count(QUIESCENT), count(STATEDUMP)), (1, 1), "the wish, once, and the state dump");
    assert_eq!(count(LIST), 0, "nobody would take the answer");
    assert_eq!(fake.objects(), 4, "the newest wish: a session, a channel and two events");
    taken_out(&app, &fake).await;
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn who_comes_while_another_waits_pays_the_rest() {
    const WHOLE: Duration = Duration::from_millis(1500);
    let world = World::new(Some(WHOLE)).await;
    let (script, gate) = held_at(CHANNEL);
    let (fake, app, _) = world.app(script).await;
    let begun = Instant::now();
    let first = tokio::task::spawn_local(app.send(world.want(true, &[channel(0, 0, 1)]).await));
    tokio::time::sleep(WHOLE * 2 / 3).await;
    let other = Synchronise { session: SessionId(9), want: world.want(true, &[]).await.want };
    timed_out(&app.send(other).await.unwrap());
    let took = begun.elapsed();
    assert!(took < WHOLE * 5 / 3, "it waited anew: {took:?}");
    timed_out(&first.await.unwrap().unwrap());
    gate.open();
    eventually("it has both sessions", || {
        fake.commands().iter().filter(|number| **number == QUIESCENT).count() == 2
    })
    .await;
    let _ = app.send(Forget { session: SessionId(9) }).await.unwrap();
    taken_out(&app, &fake).await;
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn an_application_that_answers_again_is_waited_for_again() {
    let world = World::new(Some(SOON)).await;
    let (script, gate) = held_at(CHANNEL);
    let (fake, app, _) = world.app(script).await;
    let want = world.want(true, &[channel(0, 0, 1)]).await;
    timed_out(&app.send(want).await.unwrap());
    timed_out(&app.send(ListTracepoints).await.unwrap());
    gate.open();
    eventually("the wish is fulfilled", || fake.has_got(QUIESCENT)).await;
    eventually_so("it is asked again, and its answer awaited", async || {
        app.send(ListTracepoints).await.unwrap().is_ok()
    })
    .await;
    taken_out(&app, &fake).await;
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn without_a_deadline_a_silent_application_is_waited_for() {
    let world = World::new(None).await;
    let (script, gate) = held_at(CHANNEL);
    let (fake, app, _) = world.app(script).await;
    let asked: Vec<_> = [world.want(true, &[channel(0, 0, 1)]).await]
        .map(|want| tokio::task::spawn_local(app.send(want)))
        .into();
    eventually("CHANNEL is held", || fake.has_got(CHANNEL)).await;
    let listed = tokio::task::spawn_local(app.send(ListTracepoints));
    tokio::time::sleep(SOON * 2).await;
    assert!(!listed.is_finished() && !asked[0].is_finished());
    gate.open();
    for outcome in asked {
        outcome.await.unwrap().unwrap().unwrap();
    }
    listed.await.unwrap().unwrap().unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn an_application_that_answers_slowly_but_steadily_is_waited_for() {
    const LISTED: usize = 40;
    let world = World::new(Some(SOON)).await;
    let script = AppScript {
        tracepoints: (0..LISTED).map(|n| (format!("p:{n}"), 13)).collect(),
        ..AppScript::new(|_| {
            std::thread::sleep(SOON / 30);
            AppAct::Answer
        })
    };
    let (fake, app, _) = world.app(script).await;
    let begun = Instant::now();
    let listed = app.send(ListTracepoints).await.unwrap().unwrap();
    assert!(begun.elapsed() > SOON, "the whole takes longer than the deadline");
    assert_eq!(listed.len(), LISTED);
    assert_eq!(listed.iter().nth(1), Some(("p:1", &13)));
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn sessions_that_come_and_go_leave_nothing_with_a_silent_application() {
    let world = World::new(Some(PATIENCE)).await;
    let (fake, live, info) = world.app(AppScript::default()).await;
    // One that is never driven: nothing that is queued begins.
    let socket = || lttngd_runtime::Peer::new(UnixStream::pair().unwrap().0.into()).unwrap();
    let process = PeerCredentials { pid: info.pid, uid: info.uid, gid: info.gid };
    let permits = Rc::new(Permits::new(2));
    let ledger = lttngd_users::Ledger::new("connections", 0);
    let permit = || permits.take(process, ledger.take(process.uid, 1, 99).unwrap()).unwrap();
    let silent = App::new(
        info,
        (CommandSocket::new(socket(), (AppId(1), 0, Abi::V9)), socket()),
        (permit(), permit()),
        Some(SOON),
        Rc::new(Outlets {
            registered: Outlet::closed(),
            unregistered: Outlet::closed(),
            attended: Outlet::closed(),
        }),
    );
    let want = world.want(true, &[channel(0, 0, 1)]).await.want;
    for session in (1..1000).map(SessionId) {
        // Nobody waits for the answers.
        drop(silent.agenda().wish(session.into(), Some(want.clone().into())));
        drop(silent.regenerate_statedump(session));
        drop(silent.regenerate_statedump(session));
        drop(silent.agenda().wish(session.into(), Some(want.clone().into())));
        assert_eq!(silent.queued(), 2);
        drop(silent.agenda().wish(session.into(), None));
        assert_eq!(silent.queued(), 0);
    }
    drop((live, fake));
    world.end().await;
}

#[actix::test]
async fn what_was_begun_of_a_session_is_taken_out_when_the_application_wakes() {
    let world = World::new(Some(SOON)).await;
    let (script, gate) = held_at(CHANNEL);
    let (fake, app, _) = world.app(script).await;
    timed_out(&app.send(world.want(true, &[channel(0, 0, 1)]).await).await.unwrap());
    timed_out(&forget(&app).await);
    gate.open();
    eventually("it is taken out", || fake.has_got(RELEASE) && fake.objects() == 0).await;
    assert_eq!(fake.faults(), [""; 0]);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn the_main_of_an_application_waits_for_what_it_is_told_and_no_longer_than_its_patience() {
    let world = World::new(Some(SOON)).await;
    let (script, gate) = held_at(CHANNEL);
    let (fake, app, _) = world.app(script).await;
    let want = world.want(true, &[channel(0, 0, 1)]).await.want;
    let arrived = |session| {
        let (hold, released) = Hold::new();
        let want = want.clone();
        tell(&app, SynchroniseArrived { session: SessionId(session), want, hold });
        released
    };
    let begun = Instant::now();
    futures::join!(arrived(1), arrived(1), arrived(2));
    let took = begun.elapsed();
    assert!(took >= SOON && took < SOON * MANY, "{took:?}");
    // It is set aside: nobody waits for it.
    let begun = Instant::now();
    arrived(3).await;
    assert!(begun.elapsed() < SOON * MANY);
    gate.open();
    eventually("it has all sessions", || {
        fake.commands().iter().filter(|number| **number == QUIESCENT).count() == 3
    })
    .await;
    // It answers: what it is told is there before it goes on.
    eventually_so("it is waited for again", async || {
        app.send(ListTracepoints).await.unwrap().is_ok()
    })
    .await;
    arrived(4).await;
    assert_eq!(fake.commands().iter().filter(|number| **number == QUIESCENT).count(), 4);
    drop(fake);
    world.end().await;
}
