//! Commands that are prepared when their turn has come, and what goes past them meanwhile.

use actix::{Actor, Addr};
use lttngd_model::{BufferScheme, Domain, ErrorCode, SessionId};
use lttngd_peer::{
    ConsumerScript, FakeRelayd, Gate, Greeting, channel_listing, event_description, eventually,
    eventually_so,
};
use lttngd_runtime::Asker;
use lttngd_wire::consumer::Message;

use super::{relay_snapshots, streaming::stream_to, world::World};
use crate::{
    Asked, COMMANDS_MAX, Clear, DataPending, Destroy, EnableChannel, EnableEvent, GetQueueReport,
    ListEvents, Session, Start, Stop, request::SessionRequest,
};

/// A request as clients make it.
fn asked<M: SessionRequest>(request: M) -> Asked<M> {
    Asked { needs: request.needs(), served: Ok(()), request, asker: Asker::nobody() }
}

fn enable_channel(name: &str) -> Asked<EnableChannel> {
    let channel = channel_listing(name);
    asked(EnableChannel { domain: Domain::Ust, buffer_type: 1, channel })
}

fn enable_event(name: &str) -> Asked<EnableEvent> {
    let (channel, event) = (super::world::CHANNEL.to_owned(), event_description(name));
    asked(EnableEvent { domain: Domain::Ust, buffer_type: 1, channel, event })
}

/// A new session whose consumer daemon is to be started, which takes until the gate opens.
async fn without_consumer(gate: Gate) -> (World, Addr<Session>) {
    let greet = move |start| {
        if start > 0 {
            gate.pass();
        }
        Greeting::Ready
    };
    let mut config = None;
    let world =
        World::configured(ConsumerScript::greeting(greet), BufferScheme::PerUid, None, |it| {
            config = Some(it.clone());
        })
        .await;
    world.lose_consumer().await;
    let mut config = config.unwrap();
    config.id = SessionId(1);
    let session = Session::new(config).start();
    (world, session)
}

async fn waiting(session: &Addr<Session>) -> usize {
    session.send(GetQueueReport).await.unwrap().unwrap().waiting
}

#[actix::test]
async fn a_start_waits_for_the_channel_whose_consumer_daemon_is_being_started() {
    let gate = Gate::default();
    let (world, session) = without_consumer(gate.clone()).await;
    let enabled = session.send(enable_channel("c"));
    let started = session.send(Start);
    eventually("the consumer daemon is started", || world.fake.starts().len() == 2).await;
    let report = session.send(GetQueueReport).await.unwrap().unwrap();
    assert_eq!((report.waiting, report.running), (2, None), "both are counted");
    assert!(report.oldest_waits.is_some());
    gate.open();
    assert_eq!(started.await.unwrap(), Ok(()));
    assert_eq!(enabled.await.unwrap(), Ok(()));
    session.send(Destroy).await.unwrap().unwrap();
    world.end().await;
}

#[actix::test]
async fn rules_are_enabled_in_the_order_in_which_they_came() {
    let gate = Gate::default();
    let (world, session) = without_consumer(gate.clone()).await;
    let channel = session.send(enable_channel(super::world::CHANNEL));
    let names: Vec<_> = (0..30).map(|number| format!("p:e{number}")).collect();
    let mut enabled = Vec::new();
    for (before, name) in names.iter().enumerate() {
        enabled.push(tokio::task::spawn_local(session.send(enable_event(name))));
        let expected = before + 2;
        eventually_so("it is there", async || waiting(&session).await == expected).await;
    }
    gate.open();
    // Whoever asks first for his reply changes nothing.
    for enabled in enabled.into_iter().rev() {
        assert_eq!(enabled.await.unwrap().unwrap(), Ok(()));
    }
    channel.await.unwrap().unwrap();
    let list = ListEvents { domain: Domain::Ust, channel: super::world::CHANNEL.to_owned() };
    let listed = session.send(list).await.unwrap().unwrap();
    let listed: Vec<_> = listed.into_iter().map(|listed| listed.name).collect();
    assert_eq!(listed, names);
    session.send(Destroy).await.unwrap().unwrap();
    world.end().await;
}

#[actix::test]
async fn what_stops_or_ends_a_session_does_not_wait_for_a_relay_daemon_that_is_silent() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    let gate = Gate::default();
    let relayd = FakeRelayd::behind(gate.clone());
    world.ask(stream_to(&relayd)).await.unwrap();
    let enabled = world.begin(enable_event("p:late"));
    assert_eq!(world.ask(Stop).await, Err(ErrorCode::TraceAlreadyStopped));
    assert_eq!(world.ask(DataPending).await, Ok(false));
    let started = world.begin(Start);
    let stopped = world.begin(Stop);
    let all = async || waiting(&world.session).await == 3;
    eventually_so("the stop waits for the start, which waits for the rule", all).await;
    world.ask(Destroy).await.unwrap();
    // Nothing waits for what has only to be refused.
    assert_eq!(started.await.unwrap(), Err(ErrorCode::SessNotFound));
    assert_eq!(stopped.await.unwrap(), Err(ErrorCode::SessNotFound));
    assert_eq!(enabled.await.unwrap(), Err(ErrorCode::SessNotFound));
    gate.open();
    world.end().await;
}

#[actix::test]
async fn commands_that_are_prepared_count_and_too_many_are_refused() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    let gate = Gate::default();
    let relayd = FakeRelayd::behind(gate.clone());
    world.ask(stream_to(&relayd)).await.unwrap();
    let enabled: Vec<_> = (0..COMMANDS_MAX).map(|_| world.begin(enable_event("p:late"))).collect();
    let full = async || waiting(&world.session).await == COMMANDS_MAX;
    eventually_so("the line is full", full).await;
    assert_eq!(world.ask(enable_event("p:later")).await, Err(ErrorCode::Fatal));
    world.ask(Destroy).await.unwrap();
    for enabled in enabled {
        assert_eq!(enabled.await.unwrap(), Err(ErrorCode::SessNotFound));
    }
    gate.open();
    world.end().await;
}

#[actix::test]
async fn a_channel_that_is_cleared_after_a_snapshot_was_asked_for_is_in_it() {
    let (world, fake) = relay_snapshots::started(ConsumerScript::default()).await;
    let gate = Gate::default();
    let relayd = FakeRelayd::behind(gate.clone());
    let recorded = world.begin(relay_snapshots::record(&relayd.url()));
    // What does not concern what is in the buffers goes past it.
    assert_eq!(world.ask(enable_event("p:late")).await, Ok(()));
    let cleared = world.begin(Clear);
    assert_eq!(waiting(&world.session).await, 2);
    gate.open();
    recorded.await.unwrap().unwrap();
    cleared.await.unwrap().unwrap();
    let messages = world.fake.messages();
    let at = |is: fn(&Message) -> bool| messages.iter().position(is).unwrap();
    let taken = at(|message| matches!(message, Message::SnapshotChannel(_)));
    assert!(taken < at(|message| matches!(message, Message::ClearChannel { .. })), "{messages:?}");
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}
