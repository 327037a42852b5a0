//! Starts, ends, and deaths.

use futures::future::join_all;
use lttngd_model::{Bitness, ConsumerKind};
use lttngd_peer::{
    ConsumerAct, ConsumerScript, FakeConsumer, Gate, Greeting, Logged, alone, at_rest, eventually,
    eventually_so, open_descriptors,
};
use lttngd_runtime::Outlet;
use lttngd_wire::consumer::{ConsumerError as Code, Message};

use super::world::{KEY, SESSION, World, config};
use crate::{ConsumerConfig, ConsumerError, EnsureRunning, FlushChannel, Running, Stop};

const INIT: u32 = 22;
const MONITOR_PIPE: u32 = 20;
const FLUSH: u32 = 13;

#[actix::test]
async fn the_handshake_is_that_of_the_stock_daemon_and_made_once() {
    let world = World::new(ConsumerScript::default());
    assert_eq!(world.consumer.send(Running).await.unwrap(), None);
    let asks = (0..20).map(|_| world.consumer.send(EnsureRunning));
    for outcome in join_all(asks).await {
        outcome.unwrap().unwrap();
    }
    let expected = format!(
        "--verbose -u --consumerd-cmd-sock {} --consumerd-err-sock {} --group tracing",
        world.fake.command_socket().display(),
        world.fake.error_socket().display()
    );
    assert_eq!(world.fake.starts(), [expected]);
    let messages = world.fake.messages();
    assert_eq!(
        messages,
        [Message::Init { sessiond_uuid: [9; 16] }, Message::SetChannelMonitorPipe]
    );
    let pid = world.consumer.send(Running).await.unwrap().unwrap();
    assert_eq!(world.fake.process().unwrap().as_raw_pid(), i32::try_from(pid).unwrap());
    world.end().await;
}

#[actix::test]
async fn a_start_that_fails_is_told_to_who_asked_and_the_next_one_may_do() {
    let bad = [Greeting::Exit, Greeting::Says(Code::ENOMEM.0), Greeting::Says(0)];
    let script = ConsumerScript::greeting(move |start| *bad.get(start).unwrap_or(&Greeting::Ready));
    let world = World::new(script);
    for _ in bad {
        let outcome = world.ensure_running().await;
        let Err(ConsumerError::NotStarted { kind: ConsumerKind::Ust(Bitness::Bits64), reason }) =
            outcome
        else {
            panic!("{outcome:?}");
        };
        assert!(reason.starts_with(&world.fake.binary().display().to_string()), "{reason}");
        assert_eq!(world.exits(), 0, "what did not run does not end");
        assert!(matches!(world.flush().await, Err(ConsumerError::Lost)));
    }
    world.ensure_running().await.unwrap();
    world.flush().await.unwrap();
    world.end().await;
}

#[actix::test]
async fn a_command_of_the_handshake_that_fails_fails_the_start() {
    for number in [INIT, MONITOR_PIPE] {
        let acts = [ConsumerAct::Refuse(Code::FATAL), ConsumerAct::Die];
        for act in acts {
            let world = World::new(ConsumerScript::at(number, act));
            let outcome = world.ensure_running().await;
            assert!(matches!(outcome, Err(ConsumerError::NotStarted { .. })), "{outcome:?}");
            assert_eq!(world.consumer.send(Running).await.unwrap(), None);
            assert_eq!(world.exits(), 0);
        }
    }
}

#[actix::test]
async fn a_consumer_that_keeps_us_waiting_at_the_start_is_given_up() {
    for script in [
        ConsumerScript::greeting(|_| Greeting::Absent),
        ConsumerScript::greeting(|_| Greeting::Silent),
        ConsumerScript::at(INIT, ConsumerAct::Silent),
    ] {
        let world = World::new(script);
        // The clock jumps when nothing else is left to do.
        tokio::time::pause();
        let outcome = world.ensure_running().await;
        tokio::time::resume();
        let Err(ConsumerError::NotStarted { reason, .. }) = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("20 s"), "{reason}");
        // The process is killed; the fake's own end of it is closed by that.
        world.fake.kill();
    }
}

#[actix::test]
async fn binaries_that_cannot_run() {
    let fake = FakeConsumer::new(ConsumerScript::default());
    let bits32 = ConsumerKind::Ust(Bitness::Bits32);
    let none = ConsumerConfig { binary: None, kind: bits32, ..config(&fake) };
    let world = World::with(fake, none);
    assert!(matches!(
        world.ensure_running().await,
        Err(ConsumerError::NotConfigured(ConsumerKind::Ust(Bitness::Bits32)))
    ));
    let fake = FakeConsumer::new(ConsumerScript::default());
    let missing = ConsumerConfig { binary: Some("/nowhere/consumerd".into()), ..config(&fake) };
    let world = World::with(fake, missing);
    let outcome = world.ensure_running().await;
    assert!(matches!(outcome, Err(ConsumerError::NotStarted { .. })), "{outcome:?}");
}

#[actix::test]
async fn a_death_is_told_once_whatever_it_interrupts_and_the_next_start_is_good() {
    let mut deaths = 3;
    let script = ConsumerScript::new(move |message| match message.number() {
        FLUSH if deaths > 0 => {
            deaths -= 1;
            ConsumerAct::Die
        }
        _ => ConsumerAct::Answer,
    });
    let world = World::new(script);
    for death in 1..=3 {
        world.ensure_running().await.unwrap();
        let waiters = (0..10).map(|_| world.flush());
        for outcome in join_all(waiters).await {
            assert!(matches!(outcome, Err(ConsumerError::Lost)), "{outcome:?}");
        }
        world.exited(death).await;
        assert_eq!(world.consumer.send(Running).await.unwrap(), None);
        assert!(matches!(world.flush().await, Err(ConsumerError::Lost)));
    }
    world.ensure_running().await.unwrap();
    world.flush().await.unwrap();
    world.end().await;
}

#[actix::test]
async fn a_death_while_nothing_is_asked_is_noticed() {
    let logged = Logged::start();
    let world = World::running(ConsumerScript::default()).await;
    let pid = world.consumer.send(Running).await.unwrap().unwrap();
    world.fake.kill();
    world.exited(1).await;
    let span = format!("consumer{{kind=64-bit pid={pid}}}");
    for said in ["consumer daemon started", "the consumer daemon is gone"] {
        let lines = logged.of("lttngd_consumer");
        let line = lines.iter().find(|line| line.contains(said)).unwrap();
        assert!(line.contains(&span), "{line}");
    }
    assert!(!world.fake.error_socket().exists(), "its sockets are removed");
    world.end().await;
}

#[actix::test]
async fn a_start_right_behind_an_end_is_not_disturbed_by_it() {
    for _ in 0..20 {
        let mut falters = true;
        let world = World::running(ConsumerScript::new(move |message| match message.number() {
            FLUSH if std::mem::take(&mut falters) => ConsumerAct::Falter,
            _ => ConsumerAct::Answer,
        }))
        .await;
        // It may still answer this one.
        drop(world.flush().await);
        eventually_so("it counts as gone", async || {
            world.consumer.send(Running).await.unwrap().is_none()
        })
        .await;
        world.ensure_running().await.unwrap();
        world.flush().await.unwrap();
        world.exited(1).await;
        world.end().await;
    }
}

#[actix::test]
async fn an_answer_that_is_none_ends_the_consumer() {
    let answers: [(u32, Vec<u8>); 2] = [(6, vec![7, 0, 0, 0]), (7, vec![0xff; 16])];
    for (number, bytes) in answers {
        let world = World::running(ConsumerScript::at(number, ConsumerAct::Bytes(bytes))).await;
        let outcome = match number {
            6 => {
                let session = lttngd_model::SessionId(0);
                world.consumer.send(crate::DataPending { session }).await.unwrap().map(drop)
            }
            _ => {
                let class = lttngd_wire::consumer::ChannelClass::Data { overwrite: false };
                let ask = super::world::ask(class, KEY);
                world
                    .consumer
                    .send(crate::CreateChannel { ask, sampled: Outlet::closed() })
                    .await
                    .unwrap()
                    .map(drop)
            }
        };
        assert!(matches!(outcome, Err(ConsumerError::Protocol(_))), "{outcome:?}");
        world.exited(1).await;
        world.end().await;
    }
}

#[actix::test]
async fn a_stop_ends_it_and_what_waits() {
    let gate = Gate::default();
    let world = World::running(ConsumerScript::at(FLUSH, ConsumerAct::Late(gate.clone()))).await;
    let flush =
        tokio::task::spawn_local(world.consumer.send(FlushChannel { session: SESSION, key: KEY }));
    eventually("the flush is held", || world.fake.count(FLUSH) == 1).await;
    let stop = tokio::task::spawn_local(world.consumer.send(Stop));
    assert!(matches!(flush.await.unwrap().unwrap(), Err(ConsumerError::Lost)));
    gate.open();
    stop.await.unwrap().unwrap();
    assert_eq!(world.exits(), 0);
    world.end().await;
}

#[test]
fn lives_and_failed_starts_leave_no_descriptor() {
    alone(concat!(module_path!(), "::lives_and_failed_starts_leave_no_descriptor"), || {
        actix::System::new().block_on(async {
            let world = World::new(ConsumerScript::greeting(|start| match start % 4 {
                1 => Greeting::Says(1),
                2 => Greeting::Exit,
                _ => Greeting::Ready,
            }));
            world.ensure_running().await.unwrap();
            world.consumer.send(Stop).await.unwrap();
            let before = at_rest(open_descriptors).await;
            for start in 1..12 {
                let outcome = world.ensure_running().await;
                assert_eq!(outcome.is_ok(), matches!(start % 4, 0 | 3), "{outcome:?}");
                world.consumer.send(Stop).await.unwrap();
            }
            eventually("every descriptor is closed", || open_descriptors() <= before).await;
            world.end().await;
        });
    });
}
