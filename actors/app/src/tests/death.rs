//! Applications that die or break the protocol, at any moment.

use lttngd_wire::ust::Abi;
use std::io::{Read, Write};

use actix::System;
use lttngd_peer::{
    AppAct, AppRequest, AppScript, FakeApp, Gate, alone, at_rest, eventually, open_descriptors,
};
use lttngd_wire::ust::{
    command::{Command, REQUEST_LEN, ROOT_HANDLE, Reply},
    registration::SocketKind,
};

use super::world::World;
use crate::{AppError, ListTracepoints, RegisterDone, plan::tests::channel};

/// Numbers of the last requests of a life that are for the wish and the end of the registration.
const LAST_OF_WISH: usize = 14;
const LAST: usize = 15;

/// The number of the last request for the list, which goes on beside the wish, if it came to that.
fn last_of_list(fake: &FakeApp) -> Option<usize> {
    let requests = fake.requests();
    let list = requests.iter().find(|it| it.command == Command::TracepointListGet)?.handle;
    let of_list = |it: &&AppRequest| (it.handle, &it.command) == (list, &Command::Release);
    requests.iter().find(of_list).map(|release| release.index)
}

/// A life that the application ends at its request number `at` in the way `end` says.
async fn life(world: &World, at: usize, end: impl Fn(usize) -> AppAct + Send + 'static) {
    let before = world.told.unregistered().len();
    let script = AppScript::new(move |request| match request.index == at {
        true => end(request.index),
        false => AppAct::Answer,
    });
    let (fake, app, info) = world.app(script).await;
    let want = world.want(true, &[channel(0, 1, 2)]).await;
    let waiters = (app.send(want), app.send(ListTracepoints), app.send(RegisterDone));
    let (wish, list, done) = futures::join!(waiters.0, waiters.1, waiters.2);
    let outcomes = [wish, list.map(|outcome| outcome.map(drop)), done];
    let lasts = [LAST_OF_WISH, last_of_list(&fake).unwrap_or(at), LAST];
    for (outcome, last) in outcomes.into_iter().zip(lasts) {
        // Once the actor has stopped it is its mailbox that says so.
        match outcome {
            Err(_) | Ok(Err(AppError::Gone)) => assert!(at <= last, "{last} at request {at}"),
            outcome => assert!(at > last && matches!(outcome, Ok(Ok(()))), "{last}: {outcome:?}"),
        }
    }
    eventually("the end is told", || world.told.unregistered().len() > before).await;
    assert_eq!(world.told.unregistered()[before..], [info.id], "at request {at}");
    assert_eq!(fake.faults(), [""; 0]);
    drop(fake);
    world.told.registered.lock().unwrap().clear();
}

#[test]
fn death_at_any_message_is_told_once_and_leaves_nothing() {
    alone(
        concat!(module_path!(), "::death_at_any_message_is_told_once_and_leaves_nothing"),
        || {
            System::new().block_on(async {
                let world = World::new(None).await;
                // The first life opens what stays open.
                life(&world, 1, |_| AppAct::Cut(0)).await;
                let before = at_rest(open_descriptors).await;
                for at in 1..=LAST {
                    for len in [0, 1, 323] {
                        life(&world, at, move |_| AppAct::Cut(len)).await;
                    }
                    life(&world, at, |_| AppAct::WrongHandle).await;
                }
                eventually("every descriptor is closed", || open_descriptors() <= before).await;
                world.end().await;
            });
        },
    );
}

#[actix::test]
async fn data_that_nothing_asked_for_ends_the_application() {
    let world = World::new(None).await;
    life(&world, 1, |_| AppAct::Bytes(vec![0; 324 * 2])).await;
    let (fake, app, _) = world
        .app(AppScript::new(|request| match request.index {
            1 => {
                let mut bytes = Reply::new(0, request.command.number(), 0, 0).encode(Abi::V9);
                bytes.push(0);
                AppAct::Bytes(bytes)
            }
            _ => AppAct::Answer,
        }))
        .await;
    app.send(RegisterDone).await.unwrap().unwrap();
    eventually("its end is told", || world.told.unregistered().len() == 2).await;
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn whoever_waits_for_a_silent_application_that_dies_is_told() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(None).await;
    let script = AppScript::new(move |request| match request.command.number() {
        0x44 => AppAct::Late(held.clone()),
        _ => AppAct::Answer,
    });
    let (mut fake, app, _) = world.app(script).await;
    let done = tokio::task::spawn_local(app.send(RegisterDone));
    let list = tokio::task::spawn_local(app.send(ListTracepoints));
    eventually("REGISTER_DONE is held", || fake.has_got(0x44)).await;
    let died = tokio::task::spawn_blocking(move || fake.die());
    // The sockets close at once, the thread ends when the gate opens.
    assert!(matches!(done.await.unwrap().unwrap(), Err(AppError::Gone)));
    assert!(matches!(list.await.unwrap().unwrap(), Err(AppError::Gone)));
    gate.open();
    died.await.unwrap();
    assert_eq!(world.told.unregistered().len(), 1);
    world.end().await;
}

#[actix::test]
async fn a_command_socket_that_breaks_takes_the_notify_socket_along() {
    let world = World::new(None).await;
    let registration = AppScript::default().registration;
    let half = |kind| FakeApp::half(&world.socket(), &registration, kind).unwrap();
    let (mut command, mut notify) = (half(SocketKind::Command), half(SocketKind::Notify));
    let number = Command::TracerVersion.number();
    let (mut command, notify_ends) = tokio::task::spawn_blocking(move || {
        command.read_exact(&mut [0; REQUEST_LEN]).unwrap();
        command.write_all(&Reply::new(ROOT_HANDLE, number, 0, 0).encode(Abi::V9)).unwrap();
        notify.set_read_timeout(Some(lttngd_peer::PATIENCE)).unwrap();
        (command, move || notify.read(&mut [0]).unwrap())
    })
    .await
    .unwrap();
    eventually("it registers", || world.told.registered() == 1).await;
    command.write_all(&[0]).unwrap();
    assert_eq!(tokio::task::spawn_blocking(notify_ends).await.unwrap(), 0);
    world.end().await;
}
