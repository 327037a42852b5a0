//! What actix 0.13 does at a panic behind an await, and with mailboxes that are full.

use std::{sync::mpsc, time::Duration};

use actix::{
    Actor, AsyncContext, Context, Handler, Message, ResponseActFuture, ResponseFuture, System,
    WrapFuture, dev::SendError,
};

use crate::{AskError, ask};

const LONG: Duration = Duration::from_secs(20);

struct Probe {
    ends: mpsc::Sender<&'static str>,
}

impl Actor for Probe {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        self.ends.send("stopped").unwrap();
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.ends.send("dropped").unwrap();
    }
}

fn probe() -> (actix::Addr<Probe>, mpsc::Receiver<&'static str>) {
    let (ends, ended) = mpsc::channel();
    (Probe { ends }.start(), ended)
}

/// Panics after an await, in a task of its own.
#[derive(Message)]
#[rtype(result = "()")]
struct PanicBeside;

impl Handler<PanicBeside> for Probe {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: PanicBeside, _: &mut Self::Context) -> Self::Result {
        Box::pin(async {
            tokio::task::yield_now().await;
            panic!("asked to");
        })
    }
}

/// Panics after an await, in the actor's context.
#[derive(Message)]
#[rtype(result = "()")]
struct PanicWithin;

impl Handler<PanicWithin> for Probe {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: PanicWithin, context: &mut Self::Context) -> Self::Result {
        // Others of the actor are under way: they end with it, and are not run again.
        context.spawn(std::future::pending().into_actor(self));
        let work = async {
            tokio::task::yield_now().await;
            panic!("asked to");
        };
        Box::pin(work.into_actor(self))
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Nothing;

impl Handler<Nothing> for Probe {
    type Result = ();

    fn handle(&mut self, _: Nothing, _: &mut Self::Context) {}
}

#[test]
fn a_panic_behind_a_response_future_does_not_end_the_actor() {
    System::new().block_on(async {
        let (probe, ended) = probe();
        assert_eq!(ask(&probe, PanicBeside, LONG).await, Err(AskError::Gone), "as if it had ended");
        assert_eq!(ask(&probe, Nothing, LONG).await, Ok(()));
        assert!(ended.try_recv().is_err());
    });
}

#[test]
fn a_panic_in_the_context_of_an_actor_ends_it_and_stopped_is_called() {
    System::new().block_on(async {
        let (probe, ended) = probe();
        let (other, _ended) = self::probe();
        let (panics, behind) = (probe.send(PanicWithin), probe.send(PanicWithin));
        assert!(panics.await.is_err());
        assert!(behind.await.is_err());
        assert_eq!(ask(&probe, Nothing, LONG).await, Err(AskError::Gone));
        assert_eq!(ended.try_iter().collect::<Vec<_>>(), ["stopped", "dropped"]);
        assert_eq!(ask(&other, Nothing, LONG).await, Ok(()));
    });
}

#[test]
fn a_mailbox_holds_back_those_that_try_and_nobody_who_sends() {
    System::new().block_on(async {
        let (probe, _ended) = probe();
        // Nothing is handled before the first await.
        let tried = (0..100).map(|_| probe.try_send(Nothing)).take_while(Result::is_ok).count();
        assert!(tried < 100, "it is full");
        assert!(matches!(probe.try_send(Nothing), Err(SendError::Full(Nothing))));
        for _ in 0..1000 {
            probe.do_send(Nothing);
        }
        let sends: Vec<_> = (0..1000).map(|_| probe.send(Nothing)).collect();
        for sent in sends {
            assert_eq!(sent.await, Ok(()));
        }
    });
}
