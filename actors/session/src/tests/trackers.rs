//! Trackers, before and while the session records.

use lttngd_model::{
    BufferScheme, Domain, ErrorCode, ProcessAttribute as A, TrackerValue as V, TrackingPolicy as P,
};
use lttngd_peer::{AppScript, ConsumerScript, FakeApp};

use super::world::World;
use crate::{
    AddTrackerValue, Destroy, GetInclusionSet, GetTrackingPolicy, RemoveTrackerValue,
    SetTrackingPolicy, Start, Stop, rule_share::RuleShare,
};

const SETUP_METADATA: u32 = 12;
const CLOSE_METADATA: u32 = 11;
const APP_ENABLE: u32 = 0x80;

async fn policy(world: &World, attribute: A, policy: P) {
    world.ask(SetTrackingPolicy { domain: Domain::Ust, attribute, policy }).await.unwrap();
}

async fn add(world: &World, attribute: A, value: V) -> Result<(), ErrorCode> {
    world.ask(AddTrackerValue { domain: Domain::Ust, attribute, value }).await
}

async fn remove(world: &World, attribute: A, value: V) -> Result<(), ErrorCode> {
    world.ask(RemoveTrackerValue { domain: Domain::Ust, attribute, value }).await
}

/// The process id of this test, which every fake application has.
fn own_pid() -> V {
    V::Pid(std::process::id().cast_signed())
}

/// How often the application was asked to enable something.
fn enables(fake: &FakeApp) -> usize {
    fake.commands().iter().filter(|number| **number == APP_ENABLE).count()
}

#[actix::test]
async fn an_application_is_in_an_active_session_exactly_while_it_is_tracked() {
    for scheme in [BufferScheme::PerUid, BufferScheme::PerPid] {
        let world = World::new(ConsumerScript::default(), scheme).await;
        policy(&world, A::VirtualProcessId, P::IncludeSet).await;
        world.ask(Start).await.unwrap();
        let fake = world.app(AppScript::default()).await;
        assert_eq!(fake.objects(), 0, "it is not in the set");
        add(&world, A::VirtualProcessId, V::Pid(1)).await.unwrap();
        assert_eq!(fake.objects(), 0, "another process is");
        add(&world, A::VirtualProcessId, own_pid()).await.unwrap();
        let (objects, first) = (fake.objects(), enables(&fake));
        assert!(objects > 0 && first > 0);
        policy(&world, A::VirtualUserId, P::ExcludeAll).await;
        assert_eq!(fake.objects(), 0, "every tracker must let it through");
        policy(&world, A::VirtualUserId, P::IncludeAll).await;
        assert_eq!((fake.objects(), enables(&fake)), (objects, 2 * first));
        remove(&world, A::VirtualProcessId, own_pid()).await.unwrap();
        assert_eq!(fake.objects(), 0);
        policy(&world, A::VirtualProcessId, P::IncludeAll).await;
        assert_eq!(fake.objects(), objects);
        assert_eq!(world.fake.count(SETUP_METADATA), 1, "its buffers were kept, {scheme:?}");
        world.ask(Destroy).await.unwrap();
        assert_eq!(world.fake.count(CLOSE_METADATA), 1);
        assert_eq!(fake.objects(), 0);
        assert_eq!(fake.faults(), [""; 0]);
        drop(fake);
        world.end().await;
    }
}

#[actix::test]
async fn what_is_tracked_while_the_session_is_stopped_counts_at_the_next_start() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    world.ask(Stop).await.unwrap();
    let asked = fake.commands().len();
    policy(&world, A::VirtualGroupId, P::ExcludeAll).await;
    assert_eq!(fake.commands().len(), asked, "a stopped session leaves applications alone");
    world.ask(Start).await.unwrap();
    assert_eq!(fake.objects(), 0);
    world.ask(Stop).await.unwrap();
    policy(&world, A::VirtualGroupId, P::IncludeAll).await;
    world.ask(Start).await.unwrap();
    assert!(fake.objects() > 0);
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn names_mean_the_numbers_of_their_users_and_groups() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    let user = |name: &str| V::UserName(name.to_owned());
    let group = |name: &str| V::GroupName(name.to_owned());
    // The name is looked up first, as the stock daemon does.
    let nobody = user("no_such_user_at_all");
    assert_eq!(add(&world, A::VirtualUserId, nobody).await, Err(ErrorCode::UserNotFound));
    let nobody = group("no_such_group_at_all");
    assert_eq!(remove(&world, A::VirtualGroupId, nobody).await, Err(ErrorCode::GroupNotFound));
    let wrong = Err(ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy);
    assert_eq!(add(&world, A::VirtualUserId, user("root")).await, wrong);
    for (attribute, named, number) in
        [(A::VirtualUserId, user("root"), V::Uid(0)), (A::VirtualGroupId, group("root"), V::Gid(0))]
    {
        policy(&world, attribute, P::IncludeSet).await;
        assert_eq!(
            world.ask(GetTrackingPolicy { domain: Domain::Ust, attribute }).await,
            Ok(P::IncludeSet)
        );
        add(&world, attribute, named.clone()).await.unwrap();
        let exists = Err(ErrorCode::ProcessAttrExists);
        assert_eq!(add(&world, attribute, number).await, exists, "the name meant this number");
        assert_eq!(
            world.ask(GetInclusionSet { domain: Domain::Ust, attribute }).await,
            Ok(vec![named.clone()])
        );
        remove(&world, attribute, named.clone()).await.unwrap();
        let missing = Err(ErrorCode::ProcessAttrMissing);
        assert_eq!(remove(&world, attribute, named).await, missing);
    }
    world.ask(Destroy).await.unwrap();
    world.end().await;
}

#[actix::test]
async fn values_of_trackers_are_a_part_of_their_owners_share() {
    const OWNER: u32 = 54_321;

    let world =
        World::configured(ConsumerScript::default(), BufferScheme::PerUid, None, |config| {
            config.owner.uid = OWNER;
        })
        .await;
    for attribute in [A::VirtualProcessId, A::VirtualUserId] {
        policy(&world, attribute, P::IncludeSet).await;
    }
    add(&world, A::VirtualProcessId, V::Pid(1)).await.unwrap();
    add(&world, A::VirtualUserId, V::UserName("root".to_owned())).await.unwrap();
    // Other sessions of his have the rest.
    let mut others = RuleShare::default();
    for len in [1 << 20, 1 << 10, 1] {
        while others.take(OWNER, len).is_ok() {}
    }
    let none_left = Err(ErrorCode::Nomem);
    assert_eq!(add(&world, A::VirtualProcessId, V::Pid(2)).await, none_left);
    remove(&world, A::VirtualProcessId, V::Pid(1)).await.unwrap();
    add(&world, A::VirtualProcessId, V::Pid(2)).await.unwrap();
    assert_eq!(add(&world, A::VirtualProcessId, V::Pid(3)).await, none_left);
    // What a policy empties is given back, and so is what is refused.
    policy(&world, A::VirtualUserId, P::IncludeAll).await;
    for _ in 0..3 {
        let exists = Err(ErrorCode::ProcessAttrExists);
        assert_eq!(add(&world, A::VirtualProcessId, V::Pid(2)).await, exists);
    }
    add(&world, A::VirtualProcessId, V::Pid(3)).await.unwrap();
    assert_eq!(add(&world, A::VirtualProcessId, V::Pid(4)).await, none_left);
    world.ask(Destroy).await.unwrap();
    world.end().await;
}
