#![allow(clippy::unwrap_used)]

use std::{path::PathBuf, time::Duration};

use lttngd_peer::{ConsumerScript, FakeClient, FakeConsumer, PATIENCE};
use lttngd_wire::client::{Command, CommandKind, Reply, Request};
use tokio::task::{JoinHandle, spawn_blocking};

use super::*;
use crate::{listers::Listers, tests::world::daemon};

/// Clients of a socket, and the daemon behind it.
struct World {
    directory: tempfile::TempDir,
    apart: Apart,
    near: Near,
    _fake: FakeConsumer,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("clients")).unwrap();
        let fake = FakeConsumer::new(ConsumerScript::default());
        let (handle, _, _) = daemon(&fake);
        let apart = Apart::new(listener, handle, Descriptors::unlimited());
        let mut apart = apart.serving(Dialect::V2_13);
        let near = apart.near().unwrap();
        Self { directory, apart, near, _fake: fake }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("clients")
    }
}

/// A client that asks for a session that there is not, and is told so.
fn ask(socket: PathBuf) -> JoinHandle<bool> {
    let (request, _) = Request::new(&Command::StopTrace);
    let bytes = request.in_session("none").encode(&[]);
    spawn_blocking(move || FakeClient::call(&socket, &bytes).unwrap().is_some())
}

async fn heard<T>(receiver: &mut mpsc::UnboundedReceiver<T>) -> T {
    timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap()
}

#[actix::test]
async fn clients_that_come_one_after_the_other_are_left_to_the_actors_thread_until_it_gives_up() {
    let world = World::new();
    let (socket, Near { mut from_apart, told, .. }) = (world.socket(), world.near);
    let apart = tokio::task::spawn_local(world.apart.listen());
    let mut is_offered = false;
    let until = Instant::now() + PATIENCE;
    // On a busy machine some of them take too long to be in a row.
    while !is_offered {
        assert!(ask(socket.clone()).await.unwrap() && Instant::now() < until);
        is_offered = matches!(from_apart.try_recv(), Ok(ToNear::Offer(_)));
    }
    told.send(Told::Taken).ok().unwrap();
    // It has heard that before the next one comes.
    tokio::task::yield_now().await;
    let mut client = ask(socket.clone());
    assert!(timeout(Duration::from_millis(50), &mut client).await.is_err(), "it is served here");
    told.send(Told::Left).ok().unwrap();
    assert!(client.await.unwrap());
    // Nobody is lost when the other place is gone.
    told.send(Told::Taken).ok().unwrap();
    drop(told);
    assert!(ask(socket).await.unwrap());
    apart.abort();
}

#[actix::test]
async fn what_is_heard_is_answered_by_another_task_and_where_it_was_heard_when_that_is_gone() {
    let mut world = World::new();
    let socket = world.socket();
    let answering = world.apart.answering();
    let apart = tokio::task::spawn_local(world.apart.listen());
    let mut client = ask(socket.clone());
    assert!(timeout(Duration::from_millis(50), &mut client).await.is_err(), "nobody answers yet");
    let answers = tokio::task::spawn_local(answering.listen());
    assert!(client.await.unwrap());
    answers.abort();
    assert!(answers.await.unwrap_err().is_cancelled());
    assert!(ask(socket).await.unwrap());
    apart.abort();
}

#[actix::test]
async fn clients_are_served_near_the_actors_as_long_as_one_is_alone() {
    let world = World::new();
    let socket = world.socket();
    let Apart { near: line, .. } = world.apart;
    let Line { to_near, mut told } = line.unwrap();
    let near = tokio::task::spawn_local(world.near.listen());
    let offer = |at| to_near.send(ToNear::Offer(at)).ok().unwrap();
    offer(Instant::now() - IDLE_MAX * 2);
    tokio::task::yield_now().await;
    assert!(told.try_recv().is_err(), "the actors were busy");
    let mut client = ask(socket);
    // On a busy machine they are busy, or the client comes late.
    while timeout(Duration::from_millis(5), &mut client).await.is_err() {
        offer(Instant::now());
    }
    assert!(matches!(heard(&mut told).await, Told::Taken));
    assert!(matches!(heard(&mut told).await, Told::Left), "nobody comes any more");
    near.abort();
}

#[actix::test]
async fn who_began_to_list_apart_is_known_near_the_actors_though_the_offer_was_made_before() {
    let world = World::new();
    let socket = world.socket();
    let Apart { near: line, .. } = world.apart;
    let Line { to_near, told: _told } = line.unwrap();
    let near = tokio::task::spawn_local(world.near.listen());
    let served_near = async |client: JoinHandle<bool>| {
        let mut client = client;
        // On a busy machine actors are busy, or the client comes late.
        loop {
            to_near.send(ToNear::Offer(Instant::now())).ok().unwrap();
            if let Ok(answered) = timeout(Duration::from_millis(5), &mut client).await {
                return answered.unwrap();
            }
        }
    };
    let kind = CommandKind::TrackerGetPolicy.to_raw(Dialect::V2_13).unwrap();
    let policy = |socket: PathBuf| {
        let (request, _) = Request::new(&Command::Undefined(kind));
        let bytes = request.in_session("gone").encode(&[]);
        spawn_blocking(move || {
            FakeClient::call(&socket, &bytes).unwrap().unwrap().failure().is_none()
        })
    };
    assert!(!served_near(policy(socket.clone())).await, "it never listed that session");
    let apart = to_near.clone();
    let listers = Listers::new(move |change| {
        apart.send(ToNear::News(News::Listers(change))).ok().unwrap();
    });
    let schedules = CommandKind::SessionListRotationSchedules.to_raw(Dialect::V2_13).unwrap();
    let (request, _) = Request::new(&Command::Undefined(schedules));
    let request = request.in_session("gone");
    listers.told(std::process::id(), &request, Reply::ok(&request), Instant::now());
    assert!(served_near(policy(socket)).await, "its library takes no code for that");
    near.abort();
}
