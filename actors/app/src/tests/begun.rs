//! Requests that are begun and not ended, or for handles that are not there, and processes that register
//! again and again.

use lttngd_wire::ust::Abi;
use std::{os::unix::net::UnixStream, sync::mpsc};

use lttngd_model::{EnumerationEntry, EnumerationValue};
use lttngd_peer::{AppScript, FakeApp, eventually};
use lttngd_wire::ust::{
    notify::{Answer, EINVAL, ENUMERATION_ENTRY_COUNT_MAX, Request},
    registration::SocketKind,
};

use super::{listener::refused, world::World};
use crate::{REGISTRATIONS_EACH_MAX, RegisterDone, notify::REQUEST_DEADLINE, plan::tests::channel};

const SESSION_HANDLE: u32 = 1;
const NO_HANDLE: u32 = 77;

fn enumeration(session_objd: u32, count: usize) -> Vec<u8> {
    let entry = |value| {
        let value = EnumerationValue { value, signed: false };
        EnumerationEntry { start: value, end: value, label: "label".to_owned(), auto: false }
    };
    let entries = (0..count as u64).map(entry).collect();
    Request::Enumeration { session_objd, name: "p_e".to_owned(), entries }.encode(Abi::V9)
}

/// Lets virtual time pass until all deadlines are over.
async fn wait_for_the_deadline() {
    tokio::time::pause();
    tokio::time::sleep(REQUEST_DEADLINE * 2).await;
    tokio::time::resume();
}

async fn expect_notify_closed(fake: FakeApp) -> FakeApp {
    let closed = move || {
        fake.expect_notify_closed();
        fake
    };
    tokio::task::spawn_blocking(closed).await.unwrap()
}

/// Memory of this process in KiB that is its own.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[actix::test]
async fn a_request_that_is_begun_and_not_ended_is_waited_for_until_the_deadline() {
    let world = World::new(None).await;
    let whole = enumeration(SESSION_HANDLE, 3);
    for len in [1, 4, 200, whole.len() - 1] {
        let (fake, app, _) = world.app(AppScript::default()).await;
        app.send(world.want(true, &[channel(0, 0, 0)]).await).await.unwrap().unwrap();
        fake.write_notify(&whole[..len]).unwrap();
        eventually("it is taken", || fake.notify_unread() == 0).await;
        wait_for_the_deadline().await;
        let fake = expect_notify_closed(fake).await;
        app.send(RegisterDone).await.unwrap().unwrap();
        drop(fake);
    }
    // Who says nothing has begun nothing.
    let (fake, ..) = world.app(AppScript::default()).await;
    wait_for_the_deadline().await;
    let ask = move || {
        fake.write_notify(&enumeration(NO_HANDLE, 1)).unwrap();
        (fake.answer(), fake)
    };
    let (answer, fake) = tokio::task::spawn_blocking(ask).await.unwrap();
    assert_eq!(answer, Some(Answer::Enumeration { ret_code: -EINVAL, enum_id: 0 }));
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn large_requests_for_no_handle_take_no_memory_and_are_refused() {
    let world = World::new(None).await;
    let bytes = enumeration(NO_HANDLE, ENUMERATION_ENTRY_COUNT_MAX);
    let mut fakes = Vec::new();
    for _ in 0..8 {
        fakes.push(world.app(AppScript::default()).await.0);
    }
    let before = resident_kib();
    // All but the last byte, all together.
    let (fakes, bytes) = tokio::task::spawn_blocking(move || {
        std::thread::scope(|scope| {
            for fake in &fakes {
                scope.spawn(|| fake.write_notify(&bytes[..bytes.len() - 1]).unwrap());
            }
        });
        (fakes, bytes)
    })
    .await
    .unwrap();
    eventually("all is taken", || fakes.iter().all(|fake| fake.notify_unread() == 0)).await;
    let held = resident_kib().saturating_sub(before);
    assert!(held < 8 << 10, "{held} KiB are held for 8 requests of {} bytes", bytes.len());
    for fake in fakes {
        let answer = tokio::task::spawn_blocking(move || {
            fake.write_notify(&[0]).unwrap();
            fake.answer()
        });
        let refused = Answer::Enumeration { ret_code: -EINVAL, enum_id: 0 };
        assert_eq!(answer.await.unwrap(), Some(refused));
    }
    world.end().await;
}

#[actix::test]
async fn a_process_holds_one_large_request_at_a_time() {
    let world = World::new(None).await;
    let mut fakes = Vec::new();
    for _ in 0..3 {
        let (fake, app, _) = world.app(AppScript::default()).await;
        app.send(world.want(true, &[channel(0, 0, 0)]).await).await.unwrap().unwrap();
        fakes.push(fake);
    }
    let [first, second, third] = fakes.try_into().ok().unwrap();
    let large = enumeration(SESSION_HANDLE, 400);
    first.write_notify(&large[..large.len() - 1]).unwrap();
    eventually("the first is read", || first.notify_unread() == 0).await;
    let (answered, answers) = mpsc::channel();
    let asking = std::thread::spawn({
        let large = large.clone();
        move || {
            second.write_notify(&large).unwrap();
            answered.send(second.answer()).unwrap();
            second
        }
    });
    // What is small does not wait for it.
    let small = enumeration(SESSION_HANDLE, 2);
    let ask = move || {
        // As often as the other needs to be answered if it did not wait.
        let answers = [(); 20].map(|()| {
            third.write_notify(&small).unwrap();
            third.answer()
        });
        (answers[0], third)
    };
    let (answer, third) = tokio::task::spawn_blocking(ask).await.unwrap();
    assert_eq!(answer, Some(Answer::Enumeration { ret_code: 0, enum_id: 0 }));
    assert_eq!(answers.try_recv(), Err(mpsc::TryRecvError::Empty));
    let end = move || {
        first.write_notify(&large[large.len() - 1..]).unwrap();
        (first.answer(), first)
    };
    let (answer, first) = tokio::task::spawn_blocking(end).await.unwrap();
    let known = Some(Answer::Enumeration { ret_code: 0, enum_id: 1 });
    assert_eq!(answer, known);
    let second = tokio::task::spawn_blocking(move || asking.join().unwrap()).await.unwrap();
    assert_eq!(answers.recv().unwrap(), known);
    drop((first, second, third));
    world.end().await;
}

#[actix::test]
async fn a_process_registers_so_often_and_no_more() {
    let world = World::new(None).await;
    let mut fakes = Vec::new();
    for _ in 0..REGISTRATIONS_EACH_MAX {
        fakes.push(world.app(AppScript::default()).await.0);
    }
    let registration = AppScript::default().registration;
    for _ in 0..3 {
        // It may be closed before all is written.
        let Ok(half) = FakeApp::half(&world.socket(), &registration, SocketKind::Command) else {
            continue;
        };
        refused(half, "one more").await;
        refused(UnixStream::connect(world.socket()).unwrap(), "one more that is silent").await;
    }
    fakes.pop();
    let one_less = REGISTRATIONS_EACH_MAX - 1;
    eventually("it is gone", || world.told.unregistered().len() == 1).await;
    assert_eq!(fakes.len(), one_less);
    fakes.push(world.app(AppScript::default()).await.0);
    drop(fakes);
    world.end().await;
}
