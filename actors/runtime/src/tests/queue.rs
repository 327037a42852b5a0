//! The line of an actor's commands.

use std::{cell::Cell, time::Duration};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseFuture, System,
    WrapFuture,
};

use crate::{
    AskError, Asker, FailureNotice, GoesPast, NotRun, Outlet, Progress, Queue, QueueReport, ask,
};

const LONG: Duration = Duration::from_secs(20);

struct Worker {
    line: Queue<Self>,
    done: Vec<u32>,
    _failure: Option<FailureNotice>,
}

impl Worker {
    fn start_with(limit: usize, failure: Option<FailureNotice>) -> Addr<Self> {
        // The last command waits for nothing that is only prepared.
        let goes_past: GoesPast =
            |command, ahead| command == "last" && ahead.progress == Progress::Preparing;
        Self::start_letting_past(limit, goes_past, failure)
    }

    fn start_letting_past(
        limit: usize,
        goes_past: GoesPast,
        failure: Option<FailureNotice>,
    ) -> Addr<Self> {
        Self { line: Queue::letting_past(limit, goes_past), done: Vec::new(), _failure: failure }
            .start()
    }

    fn line(&mut self) -> &mut Queue<Self> {
        &mut self.line
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
}

/// A command that ends when it is told to, and panics when whoever tells is dropped.
#[derive(Message)]
#[rtype(result = "Result<usize, NotRun>")]
struct Do(u32, tokio::sync::oneshot::Receiver<()>);

impl Handler<Do> for Worker {
    type Result = ResponseFuture<Result<usize, NotRun>>;

    fn handle(&mut self, Do(number, end): Do, context: &mut Self::Context) -> Self::Result {
        Queue::run(Self::line, self, context, "do", move |actor, context| {
            let done_before = actor.done.len();
            let me = context.address();
            async move {
                end.await.expect("told to panic");
                me.send(Done(number)).await.ok();
                Ok(done_before)
            }
        })
    }
}

/// A command that ends at once, and is not refused.
#[derive(Message)]
#[rtype(result = "Result<Vec<u32>, NotRun>")]
struct Last;

impl Handler<Last> for Worker {
    type Result = ResponseFuture<Result<Vec<u32>, NotRun>>;

    fn handle(&mut self, _: Last, context: &mut Self::Context) -> Self::Result {
        Queue::run_on_actor(Self::line, self, context, "last", |actor, _| {
            async {}.into_actor(actor).map(|(), actor: &mut Self, _| Ok(actor.done.clone()))
        })
    }
}

/// A command that is prepared when it is told to, and fails when whoever tells is dropped.
#[derive(Message)]
#[rtype(result = "Result<Vec<u32>, NotRun>")]
struct Prepared(tokio::sync::oneshot::Receiver<u32>);

impl Handler<Prepared> for Worker {
    type Result = ResponseFuture<Result<Vec<u32>, NotRun>>;

    fn handle(&mut self, Prepared(told): Prepared, context: &mut Self::Context) -> Self::Result {
        let prepare = |_: &mut Self| async { told.await.map_err(|_| NotRun::Ended) };
        let work = |actor: &mut Self, _: &mut Context<Self>, number| {
            actor.done.push(number);
            let done = actor.done.clone();
            async { Ok(done) }
        };
        Queue::run_after(Self::line, self, context, "prepared", prepare, work)
    }
}

/// A query that tells how many commands there were before it.
#[derive(Message)]
#[rtype(result = "Result<usize, NotRun>")]
struct Count(Asker);

impl Handler<Count> for Worker {
    type Result = ResponseFuture<Result<usize, NotRun>>;

    fn handle(&mut self, Count(asker): Count, context: &mut Self::Context) -> Self::Result {
        Queue::run_query(Self::line, self, context, ("count", asker), |actor, _| {
            let done = actor.done.len();
            async move { Ok(done) }
        })
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Done(u32);

impl Handler<Done> for Worker {
    type Result = ();

    fn handle(&mut self, Done(number): Done, _: &mut Self::Context) {
        self.done.push(number);
    }
}

#[derive(Message)]
#[rtype(result = "QueueReport")]
struct Look;

impl Handler<Look> for Worker {
    type Result = QueueReport;

    fn handle(&mut self, _: Look, _: &mut Self::Context) -> QueueReport {
        self.line.report()
    }
}

struct Owner {
    told: tokio::sync::mpsc::UnboundedSender<&'static str>,
}

impl Actor for Owner {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct WorkerFailed;

impl Handler<WorkerFailed> for Owner {
    type Result = ();

    fn handle(&mut self, _: WorkerFailed, _: &mut Self::Context) {
        self.told.send("failed").unwrap();
    }
}

/// Sends `Do`, which has its place in the line when this returns.
async fn begin(
    worker: &Addr<Worker>,
    number: u32,
) -> (tokio::sync::oneshot::Sender<()>, actix::dev::Request<Worker, Do>) {
    let (end, ended) = tokio::sync::oneshot::channel();
    let request = worker.send(Do(number, ended));
    // A message behind it has been answered.
    ask(worker, Look, LONG).await.unwrap();
    (end, request)
}

#[test]
fn commands_run_one_at_a_time_in_the_order_in_which_they_came() {
    System::new().block_on(async {
        let worker = Worker::start_with(8, None);
        let (first_end, first) = begin(&worker, 1).await;
        let (second_end, second) = begin(&worker, 2).await;
        let last = worker.send(Last);
        // The second could end at once, and has not begun.
        second_end.send(()).unwrap();
        let report = ask(&worker, Look, LONG).await.unwrap();
        assert_eq!(report.waiting, 2, "answered while commands wait");
        assert_eq!(report.running.map(|(name, _)| name), Some("do"));
        assert!(report.oldest_waits.is_some());
        first_end.send(()).unwrap();
        assert_eq!(first.await, Ok(Ok(0)));
        assert_eq!(second.await, Ok(Ok(1)), "it saw what the first one had done");
        assert_eq!(last.await, Ok(Ok(vec![1, 2])));
        assert_eq!(ask(&worker, Look, LONG).await.unwrap(), QueueReport::default());
    });
}

#[test]
fn a_query_whose_asker_has_gone_takes_no_place_and_is_not_done() {
    System::new().block_on(async {
        let worker = Worker::start_with(2, None);
        let (first_end, first) = begin(&worker, 1).await;
        let (waits, asker) = Asker::new();
        let (stays, other) = Asker::new();
        let gone = worker.send(Count(asker));
        let counted = worker.send(Count(other));
        let refused = worker.send(Count(Asker::nobody()));
        assert_eq!(refused.await, Ok(Err(NotRun::Full)), "both wait");
        drop(waits);
        let (second_end, second) = begin(&worker, 2).await;
        assert_eq!(gone.await, Ok(Err(NotRun::Ended)), "it left its place to another");
        assert_eq!(ask(&worker, Look, LONG).await.unwrap().waiting, 2);
        first_end.send(()).unwrap();
        assert_eq!(first.await, Ok(Ok(0)));
        assert_eq!(counted.await, Ok(Ok(1)), "who waits is answered");
        second_end.send(()).unwrap();
        assert_eq!(second.await, Ok(Ok(1)));
        drop(stays);
    });
}

/// Nothing is held up any more.
#[derive(Message)]
#[rtype(result = "()")]
struct Over;

impl Handler<Over> for Worker {
    type Result = ();

    fn handle(&mut self, _: Over, context: &mut Self::Context) {
        Queue::let_all_go(Self::line, self, context);
    }
}

#[test]
fn what_has_only_to_be_refused_does_not_wait_for_the_last_command() {
    System::new().block_on(async {
        let worker = Worker::start_with(4, None);
        let (first_end, first) = begin(&worker, 1).await;
        let (second_end, second) = begin(&worker, 2).await;
        let counted = worker.send(Count(Asker::nobody()));
        assert_eq!(ask(&worker, Look, LONG).await.unwrap().waiting, 2);
        worker.send(Over).await.unwrap();
        assert_eq!(counted.await, Ok(Ok(0)), "the first one runs still");
        second_end.send(()).unwrap();
        assert_eq!(second.await, Ok(Ok(0)));
        let report = ask(&worker, Look, LONG).await.unwrap();
        assert_eq!((report.waiting, report.running.is_some()), (0, true));
        first_end.send(()).unwrap();
        assert_eq!(first.await, Ok(Ok(0)));
    });
}

#[test]
fn a_command_that_is_prepared_keeps_its_place_and_counts() {
    System::new().block_on(async {
        let worker = Worker::start_with(2, None);
        let (tell, told) = tokio::sync::oneshot::channel();
        let first = worker.send(Prepared(told));
        let (second_end, second) = begin(&worker, 2).await;
        second_end.send(()).unwrap();
        let report = ask(&worker, Look, LONG).await.unwrap();
        assert_eq!((report.waiting, report.running), (2, None));
        let (_third_end, third) = begin(&worker, 3).await;
        assert_eq!(third.await, Ok(Err(NotRun::Full)));
        tell.send(1).unwrap();
        assert_eq!(first.await, Ok(Ok(vec![1])));
        assert_eq!(second.await, Ok(Ok(1)), "it ran after the first one");
        assert_eq!(ask(&worker, Look, LONG).await.unwrap(), QueueReport::default());
    });
}

#[test]
fn what_may_goes_past_a_command_that_is_prepared_and_one_that_fails_holds_up_nobody() {
    System::new().block_on(async {
        let worker = Worker::start_with(8, None);
        let (tell, told) = tokio::sync::oneshot::channel();
        let first = worker.send(Prepared(told));
        assert_eq!(worker.send(Last).await, Ok(Ok(Vec::new())), "it goes past");
        let (second_end, second) = begin(&worker, 2).await;
        let last = worker.send(Last);
        assert_eq!(ask(&worker, Look, LONG).await.unwrap().waiting, 3, "not past the second");
        drop(tell);
        assert_eq!(first.await, Ok(Err(NotRun::Ended)));
        second_end.send(()).unwrap();
        assert_eq!(second.await, Ok(Ok(0)));
        assert_eq!(last.await, Ok(Ok(vec![2])));
    });
}

#[test]
fn a_full_line_refuses_all_but_the_last_command() {
    System::new().block_on(async {
        let worker = Worker::start_with(1, None);
        let (first_end, first) = begin(&worker, 1).await;
        let (second_end, second) = begin(&worker, 2).await;
        let (_third_end, third) = begin(&worker, 3).await;
        assert_eq!(third.await, Ok(Err(NotRun::Full)));
        let last = worker.send(Last);
        first_end.send(()).unwrap();
        second_end.send(()).unwrap();
        assert_eq!((first.await, second.await), (Ok(Ok(0)), Ok(Ok(1))));
        assert_eq!(last.await, Ok(Ok(vec![1, 2])));
    });
}

#[test]
fn a_command_whose_asker_has_gone_runs_and_the_next_one_after_it() {
    System::new().block_on(async {
        let worker = Worker::start_with(8, None);
        let (end, abandoned) = begin(&worker, 1).await;
        drop(abandoned);
        let last = worker.send(Last);
        end.send(()).unwrap();
        assert_eq!(last.await, Ok(Ok(vec![1])));
    });
}

#[test]
fn a_command_that_panics_ends_its_actor_and_all_who_wait_and_the_owner_know() {
    System::new().block_on(async {
        let (told, mut owner_hears) = tokio::sync::mpsc::unbounded_channel();
        let owner = Owner { told }.start();
        let notice = FailureNotice::new(Outlet::to(owner.recipient()), WorkerFailed);
        let worker = Worker::start_with(8, Some(notice));
        let (end, panics) = begin(&worker, 1).await;
        let (_kept, behind) = begin(&worker, 2).await;
        drop(end);
        assert_eq!(panics.await, Ok(Err(NotRun::Ended)));
        assert_eq!(behind.await, Ok(Err(NotRun::Ended)));
        assert_eq!(owner_hears.recv().await, Some("failed"));
        assert_eq!(ask(&worker, Look, LONG).await, Err(AskError::Gone));
    });
}

#[test]
fn an_end_that_was_said_is_no_failure() {
    System::new().block_on(async {
        let (told, mut owner_hears) = tokio::sync::mpsc::unbounded_channel();
        let owner = Owner { told }.start();
        let mut notice = FailureNotice::new(Outlet::to(owner.clone().recipient()), WorkerFailed);
        notice.dismiss();
        drop(notice);
        drop(FailureNotice::new(Outlet::to(owner.recipient()), WorkerFailed));
        assert_eq!(owner_hears.recv().await, Some("failed"));
        assert!(owner_hears.try_recv().is_err(), "told once");
    });
}

thread_local! {
    static LOOKS: Cell<usize> = const { Cell::new(0) };
}

#[actix::test]
async fn a_command_that_comes_to_a_long_line_of_those_that_are_alike_looks_at_one_of_them() {
    const MANY: usize = 1000;
    let goes_past: GoesPast = |_, ahead| {
        LOOKS.set(LOOKS.get() + 1);
        ahead.progress == Progress::Preparing
    };
    let worker = Worker::start_letting_past(MANY, goes_past, None);
    let prepared: Vec<_> = (0..MANY)
        .map(|_| {
            let (tell, told) = tokio::sync::oneshot::channel();
            (tell, actix::spawn(worker.send(Prepared(told))))
        })
        .collect();
    while worker.send(Look).await.unwrap().waiting < MANY {}
    assert!(LOOKS.get() < 2 * MANY, "{} looks for {MANY} commands", LOOKS.get());
    for (number, (tell, prepared)) in (0..).zip(prepared) {
        tell.send(number).unwrap();
        assert_eq!(prepared.await.unwrap().unwrap().unwrap().last(), Some(&number));
    }
}
