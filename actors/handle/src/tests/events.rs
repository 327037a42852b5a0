//! What subscribers are told, and what happens to those who do not read.

use futures::{FutureExt, StreamExt};
use lttngd_model::{Bitness, ConsumerKind, Credentials, Domain, ErrorCode, trigger::Condition};
use lttngd_notification::SubscribeNotifications;
use lttngd_peer::{
    AgentScript, AppScript, ConsumerAct, ConsumerScript, FakeConsumer, FakeKernel, PATIENCE,
    eventually,
};
use lttngd_registry::{Event, SUBSCRIPTIONS_MAX, Subscribe, Subscription};
use lttngd_session::SessionEvent;

use super::world::{World, own};
use crate::{AnyEvent, AnySubscription, Versioned};

/// DISCARDED_EVENTS of the consumer protocol.
const DISCARDED_EVENTS: u32 = 17;

async fn next(events: &mut Subscription) -> Event {
    tokio::time::timeout(PATIENCE, events.next()).await.unwrap().unwrap()
}

fn of(session: &str, event: SessionEvent) -> Event {
    Event::Session { session: session.to_owned(), event }
}

#[actix::test]
async fn the_life_of_a_session_and_of_an_application_is_told_in_its_order() {
    let world = World::new(ConsumerScript::default(), None).await;
    let mut events = world.handle.subscribe(64).await.unwrap();
    world.session("s").await;
    world.handle.start("s").await.unwrap();
    assert_eq!(next(&mut events).await, of("s", SessionEvent::Created));
    assert_eq!(next(&mut events).await, of("s", SessionEvent::Started));
    let fake = world.app(AppScript::default());
    let Event::AppRegistered(app) = next(&mut events).await else { panic!() };
    assert_eq!((app.pid, app.bitness), (std::process::id(), Bitness::Bits64));
    eventually("its main begins", || fake.has_got(0x44)).await;
    drop(fake);
    assert_eq!(next(&mut events).await, Event::AppUnregistered(app));
    world.handle.stop("s").await.unwrap();
    assert_eq!(next(&mut events).await, of("s", SessionEvent::Stopped));
    world.handle.destroy_session("s").await.unwrap();
    assert_eq!(next(&mut events).await, of("s", SessionEvent::Destroyed));
    assert_eq!(events.next().now_or_never(), None, "nothing else");
    world.end().await;
}

#[actix::test]
async fn who_subscribes_by_what_was_written_down_is_told_what_he_may_know() {
    let world = World::new(ConsumerScript::default(), None).await;
    let requester = Credentials { uid: own().uid + 1, gid: own().gid + 1 };
    let conditions = vec![Condition::RotationOngoing { session: "s".to_owned() }];
    let subscriptions: [AnySubscription; 2] = [
        Subscribe { requester, capacity: 8, looks_for_losses: false }.into(),
        SubscribeNotifications { requester, conditions, capacity: 8 }.into(),
    ];
    let written = subscriptions.map(|it| serde_json::to_string(&Versioned::new(it)).unwrap());
    let read =
        |text: &String| serde_json::from_str::<Versioned<AnySubscription>>(text).unwrap().content;
    // The one for whom the handle acts is told, whoever it was written for.
    let mut events = world.handle.subscribe_to(read(&written[0])).await.unwrap();
    let mut notifications = world.handle.subscribe_to(read(&written[1])).await.unwrap();
    world.session("s").await;
    let told = tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
    assert_eq!(told, Some(AnyEvent::Subscribe(of("s", SessionEvent::Created))));
    assert_eq!(notifications.next().now_or_never(), None);
    let refused = SubscribeNotifications {
        requester,
        conditions: vec![Condition::RotationOngoing { session: String::new() }],
        capacity: 8,
    };
    let refused = world.handle.subscribe_to(AnySubscription::from(refused)).await;
    assert_eq!(refused.err(), Some(ErrorCode::InvalidTrigger));
    world.end().await;
}

/// A consumer daemon that has dropped five events of each channel.
fn losing() -> ConsumerScript {
    ConsumerScript::new(|message| match message.number() {
        DISCARDED_EVENTS => ConsumerAct::Bytes(5_u64.to_ne_bytes().to_vec()),
        _ => ConsumerAct::Answer,
    })
}

fn lost(domain: Domain) -> SessionEvent {
    SessionEvent::EventsLost {
        domain,
        channel: "c".to_owned(),
        discarded_events: 5,
        lost_packets: 0,
    }
}

#[actix::test]
async fn what_channels_of_one_name_lost_in_either_domain_is_told() {
    let kernel = FakeConsumer::new(losing());
    let world = World::with_kernel(losing(), None, Some((&kernel, FakeKernel::default()))).await;
    let fake = world.app(AppScript::default());
    eventually("it registers", || fake.has_got(0x44)).await;
    world.session("s").await;
    let channel = lttngd_peer::channel_listing("c");
    world.handle.enable_kernel_channel("s", channel).await.unwrap();
    world.handle.start("s").await.unwrap();
    let mut events = world.handle.subscribe(64).await.unwrap();
    world.handle.stop("s").await.unwrap();
    assert_eq!(next(&mut events).await, of("s", SessionEvent::Stopped));
    let both = [next(&mut events).await, next(&mut events).await];
    for domain in [Domain::Kernel, Domain::Ust] {
        assert!(both.contains(&of("s", lost(domain))), "{domain:?}: {both:?}");
    }
    world.handle.destroy_session("s").await.unwrap();
    assert_eq!(next(&mut events).await, of("s", SessionEvent::Destroyed), "each once");
    drop(fake);
    world.end().await;
    assert_eq!(kernel.faults(), [""; 0]);
}

#[actix::test]
async fn what_a_session_lost_is_told_once_when_it_stops() {
    let world = World::new(losing(), None).await;
    let fake = world.app(AppScript::default());
    eventually("it registers", || fake.has_got(0x44)).await;
    world.session("s").await;
    world.handle.start("s").await.unwrap();
    let mut events = world.handle.subscribe(64).await.unwrap();
    world.handle.stop("s").await.unwrap();
    assert_eq!(next(&mut events).await, of("s", SessionEvent::Stopped));
    assert_eq!(next(&mut events).await, of("s", lost(Domain::Ust)));
    let listed = world.handle.list_channels("s").await.unwrap();
    assert_eq!(listed[0].discarded_events, 5);
    world.handle.destroy_session("s").await.unwrap();
    assert_eq!(next(&mut events).await, of("s", SessionEvent::Destroyed));
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn nobody_who_did_not_subscribe_costs_the_consumer_a_question() {
    let world = World::new(ConsumerScript::default(), None).await;
    let fake = world.app(AppScript::default());
    eventually("it registers", || fake.has_got(0x44)).await;
    world.session("s").await;
    world.handle.start("s").await.unwrap();
    world.handle.stop("s").await.unwrap();
    world.handle.destroy_session("s").await.unwrap();
    assert_eq!(world.fake.count(DISCARDED_EVENTS), 0);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_subscriber_who_does_not_read_delays_nobody_and_learns_how_much_he_missed() {
    let world = World::new(ConsumerScript::default(), None).await;
    let mut slow = world.handle.subscribe(2).await.unwrap();
    let mut quick = world.handle.subscribe(64).await.unwrap();
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        world.handle.create_session(None, world.descriptor(name)).await.unwrap();
    }
    for name in names {
        assert_eq!(next(&mut quick).await, of(name, SessionEvent::Created));
    }
    assert_eq!(next(&mut slow).await, of("a", SessionEvent::Created));
    // What comes while older ones wait is told in its place.
    world.handle.create_session(None, world.descriptor("f")).await.unwrap();
    assert_eq!(next(&mut slow).await, of("b", SessionEvent::Created));
    assert_eq!(next(&mut slow).await, Event::Missed { count: 3 });
    assert_eq!(next(&mut slow).await, of("f", SessionEvent::Created));
    assert_eq!(slow.next().now_or_never(), None);
    for name in ["g", "h", "i"] {
        world.handle.create_session(None, world.descriptor(name)).await.unwrap();
    }
    assert_eq!(next(&mut slow).await, of("g", SessionEvent::Created));
    assert_eq!(next(&mut slow).await, of("h", SessionEvent::Created));
    assert_eq!(next(&mut slow).await, Event::Missed { count: 1 }, "though nothing came after");
    world.end().await;
}

#[actix::test]
async fn users_are_told_of_what_is_theirs_and_root_of_all() {
    let world = World::new(ConsumerScript::default(), None).await;
    let (one, root) = (Credentials { uid: 4001, gid: 4001 }, Credentials { uid: 0, gid: 0 });
    let stranger = Credentials { uid: 4002, gid: 4001 };
    let mut subscriptions = Vec::new();
    for who in [one, stranger, root] {
        subscriptions.push(world.handle.acting_for(who).subscribe(64).await.unwrap());
    }
    let agent = world.registered(AgentScript::answering(Domain::Jul)).await;
    let owned = world.handle.acting_for(one);
    owned.create_session(None, world.descriptor("s")).await.unwrap();
    owned.destroy_session("s").await.unwrap();
    drop(agent);
    let told = [of("s", SessionEvent::Created), of("s", SessionEvent::Destroyed)];
    for event in told {
        assert_eq!(next(&mut subscriptions[0]).await, event);
    }
    assert_eq!(subscriptions[0].next().now_or_never(), None, "agents do not prove whose they are");
    assert_eq!(subscriptions[1].next().now_or_never(), None, "nothing of it is the stranger's");
    assert!(matches!(next(&mut subscriptions[2]).await, Event::AgentRegistered { .. }));
    world.end().await;
}

#[actix::test]
async fn a_consumer_daemon_that_dies_is_told() {
    let world = World::new(ConsumerScript::default(), None).await;
    world.session("s").await;
    let mut events = world.handle.subscribe(64).await.unwrap();
    world.handle.start("s").await.unwrap();
    world.fake.kill();
    assert_eq!(next(&mut events).await, of("s", SessionEvent::Started));
    assert_eq!(
        next(&mut events).await,
        Event::ConsumerLost { consumer: ConsumerKind::Ust(Bitness::Bits64) }
    );
    world.end().await;
}

#[actix::test]
async fn subscriptions_are_bounded_and_end_when_they_are_dropped() {
    let world = World::new(ConsumerScript::default(), None).await;
    let handle = world.handle.acting_for(own());
    let mut held = Vec::new();
    for _ in 0..SUBSCRIPTIONS_MAX {
        held.push(handle.subscribe(0).await.unwrap());
    }
    assert_eq!(handle.subscribe(1).await.map(drop), Err(ErrorCode::Overflow));
    drop(held.pop());
    held.push(handle.subscribe(1).await.unwrap());
    world.end().await;
}
