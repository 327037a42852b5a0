//! Metadata and state dumps anew.

use std::time::Duration;

use lttngd_model::{BufferScheme, Domain, ErrorCode, ProcessAttribute, TrackingPolicy};
use lttngd_peer::{AppAct, AppScript, ConsumerScript, Gate};

use super::world::World;
use crate::{Destroy, RegenerateMetadata, RegenerateStatedump, SetTrackingPolicy, Start, Stop};

const PUSH_METADATA: u32 = 10;
const STATEDUMP: u32 = 0x54;

#[actix::test]
async fn metadata_is_pushed_again_from_its_beginning() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    assert_eq!(world.ask(RegenerateMetadata).await, Err(ErrorCode::SessionNotStarted));
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    let before = world.fake.count(PUSH_METADATA);
    world.ask(RegenerateMetadata).await.unwrap();
    assert_eq!(world.fake.count(PUSH_METADATA), before + 1);
    world.ask(Stop).await.unwrap();
    assert_eq!(world.fake.count(PUSH_METADATA), before + 1, "there is nothing new");
    assert_eq!(world.ask(RegenerateMetadata).await, Err(ErrorCode::SessionNotStarted));
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn buffers_of_single_applications_keep_their_metadata() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerPid).await;
    world.ask(Start).await.unwrap();
    assert_eq!(world.ask(RegenerateMetadata).await, Err(ErrorCode::PerPidSession));
    world.ask(Destroy).await.unwrap();
    world.end().await;
}

#[actix::test]
async fn state_dumps_are_asked_of_every_application_that_has_the_session() {
    let gate = Gate::default();
    let held = gate.clone();
    let soon = Some(Duration::from_millis(500));
    let world = World::with_deadlines(
        ConsumerScript::default(),
        BufferScheme::PerUid,
        soon,
        lttngd_peer::PATIENCE,
    )
    .await;
    assert_eq!(world.ask(RegenerateStatedump).await, Err(ErrorCode::SessionNotStarted));
    let silent = world
        .app(AppScript::new(move |request| match request.command.number() {
            STATEDUMP => AppAct::Late(held.clone()),
            _ => AppAct::Answer,
        }))
        .await;
    let good = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    // The silent one is not waited for longer than its deadline.
    world.ask(RegenerateStatedump).await.unwrap();
    for fake in [&silent, &good] {
        assert_eq!(fake.commands().iter().filter(|number| **number == STATEDUMP).count(), 1);
    }
    gate.open();
    let attribute = ProcessAttribute::VirtualUserId;
    world
        .ask(SetTrackingPolicy {
            domain: Domain::Ust,
            attribute,
            policy: TrackingPolicy::ExcludeAll,
        })
        .await
        .unwrap();
    world.ask(RegenerateStatedump).await.unwrap();
    assert_eq!(good.commands().iter().filter(|number| **number == STATEDUMP).count(), 1);
    world.ask(Destroy).await.unwrap();
    drop((silent, good));
    world.end().await;
}
