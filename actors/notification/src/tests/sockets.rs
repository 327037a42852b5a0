//! Subscribers at sockets, good and bad.

use lttngd_model::{
    Credentials, TracerToken,
    trigger::{Evaluation, EventNotified, Trigger},
};
use lttngd_wire::{
    client::{Dialect, encode_condition},
    notification::{MessageKind, Status, decode_notification, encode_handshake, encode_message},
};

use super::{
    event, notifying,
    world::{Client, World},
};
use crate::{RegisterTrigger, actor::tests_only::notify};

/// This process' user, who is the one at the other end.
fn own() -> Credentials {
    Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

async fn register(world: &World, pattern: &str) -> Trigger {
    let trigger = Trigger { owner_uid: own().uid, ..notifying(event(pattern)) };
    let request = RegisterTrigger { requester: own(), trigger, anonymous: false };
    world.triggers.send(request).await.unwrap().unwrap()
}

#[actix::test]
async fn a_subscriber_is_told_and_may_leave() {
    let world = World::new();
    let trigger = register(&world, "p:a").await;
    let client = world.subscriber(&[event("p:a")]).await;
    notify(&world.triggers, vec![EventNotified { token: TracerToken(0), captures: [].into() }])
        .await;
    let (kind, payload) = client.hear().await.unwrap();
    assert_eq!(kind, MessageKind::Notification);
    let notification = decode_notification(&payload).unwrap();
    assert_eq!(notification.trigger, trigger);
    assert_eq!(notification.evaluation, Evaluation::EventRuleMatches { captures: Vec::new() });
    let condition = encode_condition(&event("p:a"), Dialect::V2_13);
    for (kind, expected) in [
        (MessageKind::Subscribe, Status::AlreadySubscribed),
        (MessageKind::Unsubscribe, Status::Ok),
        (MessageKind::Unsubscribe, Status::UnknownCondition),
    ] {
        client.send(kind, &condition).await;
        assert_eq!(client.status().await, expected);
    }
    notify(&world.triggers, vec![EventNotified { token: TracerToken(0), captures: [].into() }])
        .await;
    client.send(MessageKind::Subscribe, &condition).await;
    assert_eq!(client.status().await, Status::Ok, "nothing was told meanwhile");
}

/// Whether the connection ends without a word.
async fn is_sent_away(client: &Client) -> bool {
    client.hear().await.is_none()
}

#[actix::test]
async fn those_who_speak_badly_are_sent_away_and_nobody_else() {
    let world = World::new();
    register(&world, "p:a").await;
    let bystander = world.subscriber(&[event("p:a")]).await;
    let condition = encode_condition(&event("p:a"), Dialect::V2_13);
    // Before the handshake.
    let client = world.connect().await;
    client.send(MessageKind::Subscribe, &condition).await;
    assert!(is_sent_away(&client).await);
    // After it.
    let head = |kind: i8, len: u32, fds: u32| {
        [&kind.to_ne_bytes()[..], &len.to_ne_bytes(), &fds.to_ne_bytes()].concat()
    };
    let trailing = [&condition[..], &[0]].concat();
    for wrong in [
        encode_handshake(),
        encode_message(MessageKind::Subscribe, &trailing),
        encode_message(MessageKind::Subscribe, &condition[..condition.len() - 1]),
        encode_message(MessageKind::Unsubscribe, &[9]),
        encode_message(MessageKind::CommandReply, &[0]),
        encode_message(MessageKind::NotificationDropped, &[]),
        head(1, 0, 0),
        head(1, 65_537, 0),
        head(1, u32::MAX, 0),
        head(6, 1, 0),
        [head(1, 1, 254), vec![0]].concat(),
    ] {
        let client = world.subscriber(&[]).await;
        client.0.write_all(&wrong).await.unwrap();
        assert!(is_sent_away(&client).await, "{wrong:?}");
    }
    // Half a message, and then the end.
    let client = world.subscriber(&[]).await;
    client.0.write_all(&head(1, 100, 0)).await.unwrap();
    drop(client);
    notify(&world.triggers, vec![EventNotified { token: TracerToken(0), captures: [].into() }])
        .await;
    assert_eq!(bystander.hear().await.unwrap().0, MessageKind::Notification);
}

// There are no points at which to fail in other builds.
#[cfg(debug_assertions)]
#[actix::test]
async fn a_subscriber_whose_actor_fails_is_gone_and_nobody_else() {
    use lttngd_runtime::fail_point::{fail_here, has_failed};

    let world = World::new();
    register(&world, "p:a").await;
    let condition = encode_condition(&event("p:a"), Dialect::V2_13);
    let event_of = || EventNotified { token: TracerToken(0), captures: [].into() };
    // In the middle of a request.
    let client = world.subscriber(&[]).await;
    let bystander = world.subscriber(&[event("p:a")]).await;
    fail_here("Subscriber request");
    client.send(MessageKind::Subscribe, &condition).await;
    assert!(is_sent_away(&client).await);
    assert!(has_failed());
    // In the middle of a notification, which the others get.
    let first = world.subscriber(&[event("p:a")]).await;
    fail_here("Subscriber notification");
    notify(&world.triggers, vec![event_of()]).await;
    let heard = [bystander.hear().await, first.hear().await];
    let told = heard.iter().flatten().filter(|it| it.0 == MessageKind::Notification).count();
    assert_eq!(told, 1, "one of the two has failed: {heard:?}");
    assert!(has_failed());
    // Whoever comes next is as any.
    let next = world.subscriber(&[event("p:a")]).await;
    notify(&world.triggers, vec![event_of()]).await;
    assert_eq!(next.hear().await.unwrap().0, MessageKind::Notification);
}

#[actix::test]
async fn another_version_is_told_so_and_a_long_handshake_is_one() {
    let world = World::new();
    let client = world.connect().await;
    client.send(MessageKind::Handshake, &[2, 0]).await;
    assert_eq!(client.hear().await.unwrap().0, MessageKind::Handshake);
    assert_eq!(client.status().await, Status::UnsupportedVersion);
    let client = world.connect().await;
    client.send(MessageKind::Handshake, &vec![1; 65_536]).await;
    assert_eq!(client.hear().await.unwrap().0, MessageKind::Handshake);
    assert_eq!(client.status().await, Status::Ok);
}

#[actix::test]
async fn a_message_may_come_byte_by_byte() {
    let world = World::new();
    let client = world.connect().await;
    let condition = encode_condition(&event("p:a"), Dialect::V2_13);
    let messages =
        [encode_handshake(), encode_message(MessageKind::Subscribe, &condition)].concat();
    for byte in messages {
        client.0.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(client.hear().await.unwrap().0, MessageKind::Handshake);
    assert_eq!([client.status().await, client.status().await], [Status::Ok; 2]);
}

#[actix::test]
async fn one_who_does_not_read_loses_what_does_not_fit_and_is_told() {
    let world = World::new();
    register(&world, "p:a").await;
    let deaf = world.subscriber(&[event("p:a")]).await;
    let bystander = world.subscriber(&[event("p:a")]).await;
    let captures: Box<[u8]> = vec![0xc0; 60_000].into();
    const COUNT: usize = 200;
    for _ in 0..COUNT {
        let captures = captures.clone();
        notify(&world.triggers, vec![EventNotified { token: TracerToken(0), captures }]).await;
        assert_eq!(bystander.hear().await.unwrap().0, MessageKind::Notification);
    }
    let (mut got, mut dropped) = (0, 0);
    while dropped == 0 {
        match deaf.hear().await.unwrap().0 {
            MessageKind::Notification => got += 1,
            MessageKind::NotificationDropped => dropped += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!((50..COUNT).contains(&got), "{got}");
    // It goes on afterwards.
    notify(&world.triggers, vec![EventNotified { token: TracerToken(0), captures: [].into() }])
        .await;
    assert_eq!(deaf.hear().await.unwrap().0, MessageKind::Notification);
}
