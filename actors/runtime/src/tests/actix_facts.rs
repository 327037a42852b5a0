//! What actix 0.13 does and the project rests on.

use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseFuture, System};

use crate::{AskError, Outlet, ask};

struct Probe {
    seen: u32,
}

impl Actor for Probe {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "u32")]
struct Slow(Duration);

#[derive(Message)]
#[rtype(result = "u32")]
struct Seen;

#[derive(Message)]
#[rtype(result = "()")]
struct Event;

#[derive(Message)]
#[rtype(result = "()")]
struct Panic;

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl Handler<Slow> for Probe {
    type Result = ResponseFuture<u32>;

    fn handle(&mut self, Slow(time): Slow, context: &mut Self::Context) -> Self::Result {
        let me = context.address();
        Box::pin(async move {
            tokio::time::sleep(time).await;
            me.send(Event).await.ok();
            7
        })
    }
}

impl Handler<Seen> for Probe {
    type Result = u32;

    fn handle(&mut self, _: Seen, _: &mut Self::Context) -> u32 {
        self.seen
    }
}

impl Handler<Event> for Probe {
    type Result = ();

    fn handle(&mut self, _: Event, _: &mut Self::Context) {
        self.seen += 1;
    }
}

impl Handler<Panic> for Probe {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("asked to");
    }
}

impl Handler<Stop> for Probe {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        context.stop();
    }
}

const LONG: Duration = Duration::from_secs(20);

fn run<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F) {
    System::new().block_on(test());
}

#[test]
fn a_response_future_does_not_stop_the_mailbox() {
    run(|| async {
        let probe = Probe { seen: 0 }.start();
        let slow = tokio::task::spawn_local({
            let probe = probe.clone();
            async move { ask(&probe, Slow(Duration::from_millis(50)), LONG).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(ask(&probe, Seen, LONG).await, Ok(0), "answered while Slow is under way");
        assert_eq!(slow.await.unwrap(), Ok(7));
        assert_eq!(ask(&probe, Seen, LONG).await, Ok(1));
    });
}

#[test]
fn a_deadline_abandons_the_reply_and_not_the_work() {
    run(|| async {
        let probe = Probe { seen: 0 }.start();
        let short = Duration::from_millis(1);
        let outcome = ask(&probe, Slow(Duration::from_millis(20)), short).await;
        assert_eq!(outcome, Err(AskError::TimedOut));
        while ask(&probe, Seen, LONG).await != Ok(1) {
            tokio::time::sleep(short).await;
        }
    });
}

#[test]
fn a_stopped_actor_is_gone_and_events_for_it_are_dropped() {
    run(|| async {
        let probe = Probe { seen: 0 }.start();
        let outlet = Outlet::to(probe.clone().recipient::<Event>());
        ask(&probe, Stop, LONG).await.ok();
        outlet.tell(Event);
        assert_eq!(ask(&probe, Seen, LONG).await, Err(AskError::Gone));
        Outlet::<Event>::closed().tell(Event);
    });
}

#[test]
fn a_panic_ends_the_actor_alone() {
    run(|| async {
        let probe = Probe { seen: 0 }.start();
        let other = Probe { seen: 5 }.start();
        assert_eq!(ask(&probe, Panic, LONG).await, Err(AskError::Gone));
        assert_eq!(ask(&probe, Seen, LONG).await, Err(AskError::Gone));
        assert_eq!(ask(&other, Seen, LONG).await, Ok(5));
    });
}

#[test]
fn an_ask_works_from_a_runtime_without_actix() {
    let (tell_address, address) = std::sync::mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let system = std::thread::spawn(move || {
        run(|| async move {
            tell_address.send(Probe { seen: 3 }.start()).unwrap();
            ended.await.ok();
        });
    });
    let probe = address.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(ask(&probe, Seen, LONG)), Ok(3));
    end.send(()).unwrap();
    system.join().unwrap();
    assert_eq!(runtime.block_on(ask(&probe, Seen, LONG)), Err(AskError::Gone));
}
