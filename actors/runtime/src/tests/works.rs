//! Works of an actor that go on side by side.

use actix::{Actor, Addr, Context, Handler, Message};
use tokio::sync::oneshot;

use crate::{Beside, MayBegin, Works};

#[derive(Default)]
struct Worker {
    works: Works,
    expected: Option<MayBegin>,
}

impl Actor for Worker {
    type Context = Context<Self>;
}

/// A work that gives what it is told, and panics when whoever tells is dropped.
#[derive(Message)]
#[rtype(result = "u32")]
struct Wait(oneshot::Receiver<u32>);

impl Handler<Wait> for Worker {
    type Result = Beside<u32>;

    fn handle(&mut self, Wait(told): Wait, _: &mut Self::Context) -> Self::Result {
        self.works.answer(async { told.await.expect("it is told") })
    }
}

/// Lets works begin later.
#[derive(Message)]
#[rtype(result = "()")]
struct Expect;

impl Handler<Expect> for Worker {
    type Result = ();

    fn handle(&mut self, _: Expect, context: &mut Self::Context) {
        self.expected = Some(self.works.expect(context));
    }
}

/// Begins one without the context.
#[derive(Message)]
#[rtype(result = "()")]
struct BeginLater(oneshot::Sender<()>);

impl Handler<BeginLater> for Worker {
    type Result = ();

    fn handle(&mut self, BeginLater(done): BeginLater, _: &mut Self::Context) {
        self.expected.take().unwrap().begin(async move { done.send(()).unwrap() });
    }
}

fn ask(worker: &Addr<Worker>) -> (oneshot::Sender<u32>, actix::dev::Request<Worker, Wait>) {
    let (tell, told) = oneshot::channel();
    (tell, worker.send(Wait(told)))
}

#[actix::test]
async fn works_do_not_wait_for_each_other() {
    let worker = Worker::default().start();
    let (first, first_done) = ask(&worker);
    let (second, second_done) = ask(&worker);
    second.send(2).unwrap();
    assert_eq!(second_done.await.unwrap(), 2);
    let (third, third_done) = ask(&worker);
    third.send(3).unwrap();
    assert_eq!(third_done.await.unwrap(), 3);
    first.send(1).unwrap();
    assert_eq!(first_done.await.unwrap(), 1);
    let (again, again_done) = ask(&worker);
    again.send(4).unwrap();
    assert_eq!(again_done.await.unwrap(), 4, "after there was none");
}

#[actix::test]
async fn a_work_begins_without_the_context_when_it_was_expected() {
    let worker = Worker::default().start();
    worker.send(Expect).await.unwrap();
    let (done, is_done) = oneshot::channel();
    worker.send(BeginLater(done)).await.unwrap();
    is_done.await.unwrap();
}

#[actix::test]
async fn a_work_that_panics_ends_the_actor_and_whoever_waits_is_told() {
    let worker = Worker::default().start();
    let (_other, other_done) = ask(&worker);
    let (panics, done) = ask(&worker);
    drop(panics);
    assert!(done.await.is_err());
    assert!(other_done.await.is_err());
    assert!(!worker.connected());
}

#[actix::test]
async fn an_actor_that_nobody_knows_ends_when_its_works_have() {
    let worker = Worker::default().start();
    let weak = worker.downgrade();
    let (tell, done) = ask(&worker);
    drop(worker);
    tokio::task::yield_now().await;
    tell.send(1).unwrap();
    assert_eq!(done.await.unwrap(), 1);
    while weak.upgrade().is_some() {
        tokio::task::yield_now().await;
    }
}
