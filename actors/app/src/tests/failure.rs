//! A failure of ours while an application is served: it ends that application's actor, and nothing else.

use lttngd_wire::ust::Abi;
use std::{
    io::{Read, Write},
    sync::Arc,
};

use actix::{Addr, System};
use lttngd_model::{EnumerationEntry, EnumerationValue};
use lttngd_peer::{AppScript, FakeApp, alone, at_rest, eventually, open_descriptors};
use lttngd_runtime::fail_point::fail_here;
use lttngd_wire::ust::{
    command::{Command, REQUEST_LEN, ROOT_HANDLE, Reply},
    notify::{Answer, Request},
    registration::SocketKind,
};

use super::world::World;
use crate::{
    App, AppError, AppInfo, ListTracepoints, REGISTRATIONS_EACH_MAX, RegisterDone,
    plan::tests::channel,
};

const SESSION_HANDLE: u32 = 1;
const CHANNEL: u32 = 0x51;
const EVENT: u32 = 0x61;
const LIST: u32 = 0x42;

async fn told_gone(world: &World, info: &Arc<AppInfo>, before: usize) {
    eventually("its end is told", || world.told.unregistered().len() > before).await;
    assert_eq!(world.told.unregistered()[before..], [info.id]);
}

/// An enumeration that the application registers.
fn enumeration() -> Request {
    let value = EnumerationValue { value: 1, signed: true };
    let entry =
        EnumerationEntry { start: value, end: value, label: "label".to_owned(), auto: false };
    Request::Enumeration {
        session_objd: SESSION_HANDLE,
        name: "p_e".to_owned(),
        entries: vec![entry],
    }
}

/// Asks the actor for all that one is asked; whether each is refused since the actor is gone.
async fn asked(world: &World, app: &Addr<App>) -> [bool; 3] {
    let want = world.want(true, &[channel(0, 1, 2)]).await;
    let (wish, list, done) =
        futures::join!(app.send(want), app.send(ListTracepoints), app.send(RegisterDone));
    [wish, list.map(|outcome| outcome.map(drop)), done]
        .map(|outcome| matches!(outcome, Err(_) | Ok(Err(AppError::Gone))))
}

#[test]
fn a_failure_in_the_middle_of_a_command_ends_that_application_and_no_other() {
    alone(
        concat!(
            module_path!(),
            "::a_failure_in_the_middle_of_a_command_ends_that_application_and_no_other"
        ),
        || {
            System::new().block_on(async {
                let world = World::new(None).await;
                let (bystander, other, _) = world.app(AppScript::default()).await;
                let want = world.want(true, &[channel(0, 1, 2)]).await;
                other.send(want).await.unwrap().unwrap();
                let before = at_rest(open_descriptors).await;
                // More often than a process may have registrations: nothing of one is left.
                for round in 0..=REGISTRATIONS_EACH_MAX {
                    let request = [CHANNEL, EVENT, LIST][round % 3];
                    let told = world.told.unregistered().len();
                    let (fake, app, info) = world.app(AppScript::default()).await;
                    fail_here(format!("App request {request:#x}"));
                    let [wish, list, done] = asked(&world, &app).await;
                    // The list goes on beside the wish, and may be over before that gets so far.
                    assert!(wish && done && (list || request != LIST), "at {request:#x}");
                    told_gone(&world, &info, told).await;
                    let closed = tokio::task::spawn_blocking(move || fake.expect_notify_closed());
                    closed.await.unwrap();
                    assert!(app.send(RegisterDone).await.is_err(), "its mailbox is closed");
                }
                eventually("every descriptor is closed", || open_descriptors() <= before).await;
                assert_eq!(asked(&world, &other).await, [false; 3]);
                assert_eq!(bystander.faults(), [""; 0]);
                drop(bystander);
                world.end().await;
            });
        },
    );
}

#[actix::test]
async fn an_application_whose_actor_failed_finds_both_sockets_closed() {
    let world = World::new(None).await;
    let registration = AppScript::default().registration;
    let half = |kind| FakeApp::half(&world.socket(), &registration, kind).unwrap();
    let (mut command, notify) = (half(SocketKind::Command), half(SocketKind::Notify));
    let number = Command::TracerVersion.number();
    let sockets = tokio::task::spawn_blocking(move || {
        command.read_exact(&mut [0; REQUEST_LEN]).unwrap();
        command.write_all(&Reply::new(ROOT_HANDLE, number, 0, 0).encode(Abi::V9)).unwrap();
        [command, notify]
    });
    let sockets = sockets.await.unwrap();
    eventually("it registers", || world.told.registered() == 1).await;
    let (app, info) = {
        let registered = world.told.registered.lock().unwrap();
        (registered[0].app.clone(), Arc::clone(&registered[0].info))
    };
    fail_here(format!("App request {:#x}", Command::RegisterDone.number()));
    let done = app.send(RegisterDone).await;
    assert!(matches!(done, Err(_) | Ok(Err(AppError::Gone))), "{done:?}");
    told_gone(&world, &info, 0).await;
    for mut socket in sockets {
        socket.set_read_timeout(Some(lttngd_peer::PATIENCE)).unwrap();
        let rest = tokio::task::spawn_blocking(move || socket.read_to_end(&mut Vec::new()));
        rest.await.unwrap().unwrap();
    }
    world.end().await;
}

#[actix::test]
async fn a_failure_at_the_notify_socket_ends_that_application_and_no_other() {
    let world = World::new(None).await;
    let mut fakes = Vec::new();
    for _ in 0..2 {
        let (fake, app, info) = world.app(AppScript::default()).await;
        app.send(world.want(true, &[channel(0, 0, 0)]).await).await.unwrap().unwrap();
        fakes.push((fake, app, info));
    }
    let [(failing, app, info), (bystander, other, _)] = fakes.try_into().ok().unwrap();
    fail_here("App notification");
    let ask = |fake: FakeApp| async {
        tokio::task::spawn_blocking(move || (fake.ask(&enumeration()), fake)).await.unwrap()
    };
    let (answer, failing) = ask(failing).await;
    assert_eq!(answer, None);
    told_gone(&world, &info, 0).await;
    assert_eq!(asked(&world, &app).await, [true; 3]);
    let (answer, bystander) = ask(bystander).await;
    assert_eq!(answer, Some(Answer::Enumeration { ret_code: 0, enum_id: 0 }));
    assert_eq!(asked(&world, &other).await, [false; 3]);
    drop((failing, bystander));
    world.end().await;
}

#[actix::test]
async fn a_failure_in_a_handler_ends_that_application_and_no_other() {
    let world = World::new(None).await;
    let (failing, app, info) = world.app(AppScript::default()).await;
    let (bystander, other, _) = world.app(AppScript::default()).await;
    let waits = tokio::task::spawn_local(app.send(ListTracepoints));
    fail_here("App wish");
    assert_eq!(asked(&world, &app).await, [true; 3]);
    // What it had begun ends too.
    let waited = waits.await.unwrap();
    assert!(matches!(waited, Err(_) | Ok(Err(AppError::Gone) | Ok(_))), "{waited:?}");
    told_gone(&world, &info, 0).await;
    assert_eq!(asked(&world, &other).await, [false; 3]);
    drop((failing, bystander));
    world.end().await;
}
