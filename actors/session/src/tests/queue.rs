//! Commands that wait for those before them.

use lttngd_model::{BufferScheme, Domain, ErrorCode};
use lttngd_peer::{ConsumerAct, ConsumerScript, Gate, eventually, eventually_so};

use super::world::World;
use crate::{
    CommandQueue, DataPending, Destroy, GetQueueReport, ListDomains, RegenerateStatedump, Start,
    Stop,
};

const CREATE_CHUNK: u32 = 23;

#[actix::test]
async fn commands_wait_in_the_order_in_which_they_came_and_queries_are_answered_meanwhile() {
    let gate = Gate::default();
    let script = ConsumerScript::at(CREATE_CHUNK, ConsumerAct::Late(gate.clone()));
    let world = World::new(script, BufferScheme::PerUid).await;
    assert_eq!(world.ask(GetQueueReport).await, Ok(CommandQueue::default()));
    let started = world.begin(Start);
    eventually("the start is held", || world.fake.count(CREATE_CHUNK) == 1).await;
    let stopped = world.begin(Stop);
    let pending = world.begin(DataPending);
    let again = world.begin(Start);
    let waiting = async || world.ask(GetQueueReport).await.unwrap().waiting;
    eventually_so("they wait", async || waiting().await == 3).await;
    let report = world.ask(GetQueueReport).await.unwrap();
    let running = report.running.unwrap();
    assert_eq!(running.name, "start");
    let oldest_waits = report.oldest_waits.unwrap();
    assert!(running.runs_for >= oldest_waits, "{running:?} {oldest_waits:?}");
    assert_eq!(world.ask(ListDomains).await.unwrap()[0].0, Domain::Ust);
    assert!(!started.is_finished() && !stopped.is_finished());
    gate.open();
    assert_eq!(started.await.unwrap(), Ok(()));
    assert_eq!(stopped.await.unwrap(), Ok(()));
    assert_eq!(pending.await.unwrap(), Ok(false));
    assert_eq!(again.await.unwrap(), Ok(()));
    assert_eq!(world.ask(GetQueueReport).await, Ok(CommandQueue::default()));
    world.ask(Destroy).await.unwrap();
    world.end().await;
}

#[actix::test]
async fn a_line_that_is_full_refuses_all_but_the_end_of_the_session() {
    let gate = Gate::default();
    let script = ConsumerScript::at(CREATE_CHUNK, ConsumerAct::Late(gate.clone()));
    let world = World::new(script, BufferScheme::PerUid).await;
    let started = world.begin(Start);
    eventually("the start is held", || world.fake.count(CREATE_CHUNK) == 1).await;
    let waiting: Vec<_> =
        (0..crate::COMMANDS_MAX).map(|_| world.begin(RegenerateStatedump)).collect();
    let full = async || world.ask(GetQueueReport).await.unwrap().waiting == crate::COMMANDS_MAX;
    eventually_so("the line is full", full).await;
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::Fatal));
    let destroyed = world.begin(Destroy);
    gate.open();
    assert_eq!(started.await.unwrap(), Ok(()));
    for command in waiting {
        assert_eq!(command.await.unwrap(), Ok(()));
    }
    destroyed.await.unwrap().unwrap();
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::SessNotFound));
    world.end().await;
}
