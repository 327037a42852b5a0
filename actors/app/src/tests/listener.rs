//! Registrations.

use std::{io::Read, os::unix::net::UnixStream};

use lttngd_peer::{AppAct, AppScript, FakeApp, eventually};
use lttngd_runtime::{Descriptors, Purpose, Shares};
use lttngd_wire::ust::registration::SocketKind;

use super::world::World;
use crate::REGISTRATION_DEADLINE;

/// Waits until the daemon closes the connection without a word.
pub(super) async fn refused(mut stream: UnixStream, why: &str) {
    stream.set_read_timeout(Some(lttngd_peer::PATIENCE)).unwrap();
    let mut rest = Vec::new();
    let read = tokio::task::spawn_blocking(move || stream.read_to_end(&mut rest)).await.unwrap();
    let reset =
        read.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
    assert!(reset || matches!(read, Ok(0)), "{why}: {read:?}");
}

#[actix::test]
async fn registrations_that_are_refused() {
    let world = World::new(None).await;
    let good = AppScript::default().registration;
    let bytes = good.encode();
    let with = |offset: usize, word: u32| {
        let mut bytes = bytes.clone();
        bytes[offset..offset + 4].copy_from_slice(&word.to_ne_bytes());
        bytes
    };
    let bad = [
        ("magic", with(0, 1)),
        ("other byte order", with(0, 0xC57C_57C5_u32.swap_bytes())),
        ("ABI 7", with(4, 7)),
        ("ABI 10", with(4, 10)),
        ("word size without consumer", with(28, 32)),
        ("word size", with(28, 31)),
        ("kind of socket", with(52, 2)),
    ];
    for (why, bytes) in bad {
        let mut stream = UnixStream::connect(world.socket()).unwrap();
        std::io::Write::write_all(&mut stream, &bytes).unwrap();
        refused(stream, why).await;
    }
    let mut cut = UnixStream::connect(world.socket()).unwrap();
    std::io::Write::write_all(&mut cut, &bytes[..135]).unwrap();
    cut.shutdown(std::net::Shutdown::Write).unwrap();
    refused(cut, "cut").await;
    // None of them stands in the way of a good one.
    let (fake, _, info) = world.app(AppScript::default()).await;
    assert_eq!(info.pid, std::process::id());
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn two_connections_of_one_kind_are_no_application() {
    let world = World::new(None).await;
    let registration = AppScript::default().registration;
    for kind in [SocketKind::Command, SocketKind::Notify] {
        let one = FakeApp::half(&world.socket(), &registration, kind).unwrap();
        let other = FakeApp::half(&world.socket(), &registration, kind).unwrap();
        refused(one, "first").await;
        refused(other, "second").await;
    }
    let notify = FakeApp::half(&world.socket(), &registration, SocketKind::Notify).unwrap();
    let command = FakeApp::half(&world.socket(), &registration, SocketKind::Command).unwrap();
    let fake = FakeApp::over(command, notify, AppScript::default()).unwrap();
    eventually("either order is good", || world.told.registered() == 1).await;
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_first_connection_that_closes_makes_room_for_another() {
    let world = World::new(None).await;
    let registration = AppScript::default().registration;
    for _ in 0..3 {
        drop(FakeApp::half(&world.socket(), &registration, SocketKind::Command).unwrap());
        drop(UnixStream::connect(world.socket()).unwrap());
    }
    let (fake, ..) = world.app(AppScript::default()).await;
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_version_that_is_not_told_is_no_application() {
    let world = World::new(None).await;
    let acts = [
        AppAct::Refuse(lttngd_wire::ust::command::UstError::NoSys),
        AppAct::WrongHandle,
        AppAct::Cut(100),
    ];
    for act in acts {
        let fake = FakeApp::connect(&world.socket(), AppScript::new(move |_| act.clone())).unwrap();
        tokio::task::spawn_blocking(move || fake.expect_notify_closed()).await.unwrap();
    }
    assert_eq!((world.told.registered(), world.told.unregistered().len()), (0, 0));
    world.end().await;
}

#[actix::test]
async fn silence_is_waited_for_until_the_deadline() {
    let world = World::new(None).await;
    let registration = AppScript::default().registration;
    let silent = UnixStream::connect(world.socket()).unwrap();
    let alone = FakeApp::half(&world.socket(), &registration, SocketKind::Command).unwrap();
    eventually("both are accepted", || true).await;
    // The clock jumps whenever nothing else is left to do.
    tokio::time::pause();
    tokio::time::sleep(REGISTRATION_DEADLINE * 2).await;
    tokio::time::resume();
    refused(silent, "silent").await;
    refused(alone, "alone").await;
    world.end().await;
}

#[actix::test]
async fn a_flood_of_connections_does_not_keep_applications_out() {
    // Of as many processes.
    let world = World::allowing(1000).await;
    let flood: Vec<_> = (0..500).map(|_| UnixStream::connect(world.socket()).unwrap()).collect();
    let (fake, ..) = world.app(AppScript::default()).await;
    drop(flood);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn applications_beyond_the_budget_find_the_end_and_those_within_stay() {
    // Room for two applications, and for half of a third.
    let world = World::within(Descriptors::new(Shares::new(13, 0))).await;
    let kept = [world.app(AppScript::default()).await, world.app(AppScript::default()).await];
    let registration = AppScript::default().registration;
    for _ in 0..3 {
        let half = FakeApp::half(&world.socket(), &registration, SocketKind::Command).unwrap();
        // Where it has said something that nobody reads it would find a reset.
        let rest = UnixStream::connect(world.socket()).unwrap();
        let _ = std::io::Write::write_all(&mut &rest, &registration.encode());
        ends(rest).await;
        ends(half).await;
    }
    assert_eq!((world.told.registered(), world.told.unregistered().len()), (2, 0));
    let [(first, ..), (second, ..)] = kept;
    drop(first);
    eventually("one is gone", || world.told.unregistered().len() == 1).await;
    let (third, ..) = world.app(AppScript::default()).await;
    drop((second, third));
    world.end().await;
}

#[actix::test]
async fn the_first_connection_of_an_application_comes_with_room_for_the_second() {
    let descriptors = Descriptors::new(Shares::new(13, 0));
    let left = || descriptors.left(Purpose::Registrations);
    assert_eq!(left(), 5);
    let world = World::within(descriptors.clone()).await;
    let registration = AppScript::default().registration;
    let half = |kind| FakeApp::half(&world.socket(), &registration, kind).unwrap();
    let others = descriptors.take(Purpose::Registrations, 3).unwrap();
    let command = half(SocketKind::Command);
    eventually("its second one has a descriptor", || left() == 0).await;
    assert!(descriptors.take(Purpose::Registrations, 1).is_err(), "nobody else takes it");
    let notify = half(SocketKind::Notify);
    let fake = FakeApp::over(command, notify, AppScript::default()).unwrap();
    eventually("both fit", || world.told.registered() == 1).await;
    assert_eq!(left(), 0, "what was kept is what the second one took");
    drop(fake);
    eventually("all is given back", || left() == 2).await;

    let one_more = descriptors.take(Purpose::Registrations, 1).unwrap();
    refused(half(SocketKind::Command), "without room for another").await;
    drop(one_more);
    let gone = half(SocketKind::Command);
    eventually("one is kept", || left() == 0).await;
    drop(gone);
    eventually("and not longer than who came first is there", || left() == 2).await;
    drop(others);
    world.end().await;
}

/// Waits until the daemon ends the connection, which must not be by a reset.
async fn ends(mut stream: UnixStream) {
    stream.set_read_timeout(Some(lttngd_peer::PATIENCE)).unwrap();
    let read = tokio::task::spawn_blocking(move || stream.read(&mut [0])).await.unwrap();
    assert!(matches!(read, Ok(0)), "{read:?}");
}
