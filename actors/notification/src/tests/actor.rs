//! What is asked of triggers, and what they do.

use std::sync::Arc;

use futures::StreamExt;
use lttngd_model::{
    ChannelKey, ErrorCode, SessionId, Tracer, TracerToken,
    trigger::{
        Action, ActionPath, Condition, ErrorCounter, ErrorQuery, ErrorQueryTarget, Evaluation,
        EventNotified, RatePolicy, Trigger,
    },
};
use lttngd_session::{Observation, SampledChannel, SessionObserved, TraceArchive};

use super::{USER, event, notifying, start, world::World};
use crate::{
    ListTriggers, NotificationEvent, QueryErrors, RegisterTrigger, SubscribeNotifications,
    UnregisterTrigger, actor::tests_only::notify,
};

async fn register(world: &World, trigger: Trigger) -> Trigger {
    let request = RegisterTrigger { requester: USER, trigger, anonymous: false };
    world.triggers.send(request).await.unwrap().unwrap()
}

async fn observed(world: &World, observation: Observation) {
    let (id, session, owner) = (SessionId(1), "s".to_owned(), USER);
    world.triggers.send(SessionObserved { id, session, owner, observation }).await.unwrap();
}

fn matched(token: u64) -> EventNotified {
    EventNotified { token: TracerToken(token), captures: [0x91, 7].into() }
}

#[actix::test]
async fn applications_have_the_rule_when_the_reply_comes_and_lose_it_with_the_trigger() {
    let world = World::new();
    let trigger = register(&world, notifying(event("p:a"))).await;
    assert_eq!(trigger.name.as_deref(), Some("trigger0"));
    assert_eq!(world.apps.tokens(), [TracerToken(0)]);
    register(&world, notifying(event("p:b"))).await;
    assert_eq!(world.apps.tokens(), [TracerToken(0), TracerToken(1)]);
    assert_eq!(*world.apps.of_agents.lock().unwrap(), 2);
    let listed = world.triggers.send(ListTriggers { requester: USER }).await.unwrap().unwrap();
    assert_eq!(listed.len(), 2);
    let request = UnregisterTrigger { requester: USER, trigger };
    assert_eq!(world.triggers.send(request.clone()).await.unwrap(), Ok(()));
    assert_eq!(world.apps.tokens(), [TracerToken(1)]);
    assert_eq!(*world.apps.cleared.lock().unwrap(), [0]);
    assert_eq!(world.triggers.send(request).await.unwrap(), Err(ErrorCode::TriggerNotFound));
    // The counter is free again.
    register(&world, notifying(event("p:c"))).await;
    let set = world.apps.set.lock().unwrap().clone();
    assert_eq!(set.get(TracerToken(2)).unwrap().error_counter_index, 0);
}

#[actix::test]
async fn one_who_embeds_the_daemon_gets_what_he_may_know_and_learns_what_he_lost() {
    let world = World::new();
    register(&world, notifying(event("p:a"))).await;
    let subscribe = |uid, capacity| SubscribeNotifications {
        requester: lttngd_model::Credentials { uid, ..USER },
        conditions: vec![event("p:a"), event("p:b")],
        capacity,
    };
    let mut mine = world.triggers.send(subscribe(USER.uid, 2)).await.unwrap().unwrap();
    let mut roots = world.triggers.send(subscribe(0, 2)).await.unwrap().unwrap();
    notify(&world.triggers, (0..5).map(|_| matched(0)).collect()).await;
    for _ in 0..2 {
        let Some(NotificationEvent::Notified(notification)) = mine.next().await else { panic!() };
        let expected = Evaluation::EventRuleMatches { captures: vec![0x91, 7] };
        assert_eq!(notification.evaluation, expected);
    }
    assert_eq!(mine.next().await, Some(NotificationEvent::Dropped { count: 3 }));
    // A token that there is not.
    notify(&world.triggers, vec![matched(9), matched(0)]).await;
    assert!(matches!(mine.next().await, Some(NotificationEvent::Notified(_))));
    // Root is not told of the triggers of others.
    let none = futures::poll!(roots.next());
    assert!(none.is_pending());
    let wrong = SubscribeNotifications {
        conditions: vec![Condition::RotationOngoing { session: String::new() }],
        ..subscribe(0, 1)
    };
    let refused = world.triggers.send(wrong).await.unwrap();
    assert_eq!(refused.unwrap_err(), ErrorCode::InvalidTrigger);
}

#[actix::test]
async fn what_is_true_at_the_subscription_is_told_then_and_what_is_not_later() {
    let world = World::new();
    let session = "s".to_owned();
    let ongoing = Condition::RotationOngoing { session: session.clone() };
    let completed = Condition::RotationCompleted { session };
    register(&world, notifying(ongoing.clone())).await;
    register(&world, notifying(completed.clone())).await;
    observed(&world, Observation::RotationOngoing { rotation_id: 6 }).await;
    let subscribe = SubscribeNotifications {
        requester: USER,
        conditions: vec![completed, ongoing],
        capacity: 10,
    };
    let mut told = world.triggers.send(subscribe).await.unwrap().unwrap();
    let archive = Some(TraceArchive::Local("/a".into()));
    observed(&world, Observation::RotationOver { rotation_id: 6, archive }).await;
    let mut next = async || match told.next().await {
        Some(NotificationEvent::Notified(notification)) => notification.evaluation,
        other => panic!("{other:?}"),
    };
    assert_eq!(next().await, Evaluation::RotationOngoing { rotation_id: 6 });
    assert!(matches!(next().await, Evaluation::RotationCompleted { rotation_id: 6, .. }));
}

#[actix::test]
async fn sessions_tell_how_buffers_are_used_while_a_trigger_is_about_it() {
    let world = World::new();
    let watched = || world.apps.watched.lock().unwrap().clone();
    let consumed = |threshold_bytes| {
        notifying(Condition::SessionConsumedSize { session: "s".to_owned(), threshold_bytes })
    };
    let unregister = async |trigger| {
        let request = UnregisterTrigger { requester: USER, trigger };
        assert_eq!(world.triggers.send(request).await.unwrap(), Ok(()));
    };
    register(&world, notifying(event("p:a"))).await;
    let triggers = [register(&world, consumed(5)).await, register(&world, consumed(6)).await];
    assert_eq!(watched(), [true]);
    let subscribe = SubscribeNotifications {
        requester: USER,
        conditions: vec![triggers[0].condition.clone()],
        capacity: 10,
    };
    let mut told = world.triggers.send(subscribe).await.unwrap().unwrap();
    let channel = SampledChannel {
        key: ChannelKey(1),
        tracer: Tracer::Ust,
        name: "c".to_owned(),
        capacity_bytes: 10,
    };
    let used =
        Observation::ChannelUsed { channel: Arc::new(channel), usage_bytes: 0, consumed_bytes: 5 };
    observed(&world, used).await;
    let Some(NotificationEvent::Notified(notification)) = told.next().await else { panic!() };
    assert_eq!(notification.evaluation, Evaluation::SessionConsumedSize { consumed_bytes: 5 });
    let [first, second] = triggers;
    unregister(first).await;
    assert_eq!(watched(), [true]);
    unregister(second).await;
    assert_eq!(watched(), [true, false]);
}

#[actix::test]
async fn failures_are_counted_by_action_and_what_comes_after_is_done() {
    let world = World::new();
    let action = Action::List(vec![start("nowhere"), Action::Notify(RatePolicy::EveryN(2))]);
    let trigger = register(&world, Trigger { action, ..notifying(event("p:a")) }).await;
    let subscribe =
        SubscribeNotifications { requester: USER, conditions: vec![event("p:a")], capacity: 10 };
    let mut told = world.triggers.send(subscribe).await.unwrap().unwrap();
    notify(&world.triggers, (0..4).map(|_| matched(0)).collect()).await;
    for _ in 0..2 {
        assert!(matches!(told.next().await, Some(NotificationEvent::Notified(_))));
    }
    let query = async |target| {
        let query = ErrorQuery { trigger: trigger.clone(), target };
        world.triggers.send(QueryErrors { requester: USER, query }).await.unwrap()
    };
    let action = |path: &[u64]| ErrorQueryTarget::Action(ActionPath(path.to_vec()));
    assert_eq!(query(action(&[0])).await, Ok(vec![ErrorCounter::execution_failures(4)]));
    assert_eq!(query(action(&[1])).await, Ok(vec![ErrorCounter::execution_failures(0)]));
    assert_eq!(query(action(&[])).await, Ok(Vec::new()));
    assert_eq!(query(action(&[2])).await, Err(ErrorCode::InvalidProtocol));
    assert_eq!(query(ErrorQueryTarget::Trigger).await, Ok(Vec::new()));
    let counted = ErrorCounter::discarded_tracer_messages(100);
    assert_eq!(query(ErrorQueryTarget::Condition).await, Ok(vec![counted]));
}
