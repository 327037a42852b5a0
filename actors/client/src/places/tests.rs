#![allow(clippy::unwrap_used)]

use std::{path::PathBuf, time::Duration};

use lttngd_peer::{ConsumerScript, FakeClient, FakeConsumer, PATIENCE};
use lttngd_wire::client::{Command, Request};
use tokio::task::{JoinHandle, spawn_blocking};

use super::*;
use crate::tests::world::daemon;

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
        let mut apart = Apart::new(listener, handle, Descriptors::unlimited());
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
    let (socket, Near { mut offers, told, .. }) = (world.socket(), world.near);
    let apart = tokio::task::spawn_local(world.apart.listen());
    let mut offer = None;
    let until = Instant::now() + PATIENCE;
    // On a busy machine some of them take too long to be in a row.
    while offer.is_none() {
        assert!(ask(socket.clone()).await.unwrap() && Instant::now() < until);
        offer = offers.try_recv().ok();
    }
    assert!(offer.unwrap().listers.is_empty());
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
    let is_proof = |told: &Told| matches!(told, Told::Proof(_));
    let Apart { near: line, .. } = world.apart;
    let Line { offers, mut told } = line.unwrap();
    let near = tokio::task::spawn_local(world.near.listen());
    let offer =
        |at| offers.send(Offer { at, listers: VecDeque::new(), proofs: Vec::new() }).ok().unwrap();
    offer(Instant::now() - IDLE_MAX * 2);
    tokio::task::yield_now().await;
    assert!(told.try_recv().is_err(), "the actors were busy");
    let mut client = ask(socket);
    // On a busy machine they are busy, or the client comes late.
    while timeout(Duration::from_millis(5), &mut client).await.is_err() {
        offer(Instant::now());
    }
    assert!(matches!(heard(&mut told).await, Told::Taken));
    // Who the client is is told, too; nobody comes any more.
    let mut last = heard(&mut told).await;
    while is_proof(&last) {
        last = heard(&mut told).await;
    }
    assert!(matches!(last, Told::Left));
    near.abort();
}
