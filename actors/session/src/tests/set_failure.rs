//! A buffer set that fails, by a fault of ours, in the middle of what its session has it do.

use lttngd_model::{BufferScheme, Domain, ErrorCode};
use lttngd_peer::{AppScript, ConsumerScript, FakeApp, eventually};
use lttngd_runtime::fail_point::{fail_here, has_failed};

use super::world::World;
use crate::{DataPending, Destroy, ListChannels, RegenerateMetadata, Rotate, Start, Stop};

const CLOSE_METADATA: u32 = 11;
const SETUP_METADATA: u32 = 12;
const CREATE_CHUNK: u32 = 23;
const CLOSE_CHUNK: u32 = 24;

/// A session that records two applications, of which a buffer set fails at its next `command`.
async fn failing(scheme: BufferScheme, command: &str) -> (World, [FakeApp; 2]) {
    let world = World::new(ConsumerScript::default(), scheme).await;
    world.ask(Start).await.unwrap();
    let apps = [world.app(AppScript::default()).await, world.app(AppScript::default()).await];
    fail_here(format!("BufferSet {command}"));
    (world, apps)
}

/// What the consumer daemon and the applications were made to have, they have no more.
async fn nothing_is_left(world: World, apps: [FakeApp; 2]) {
    for app in &apps {
        assert_eq!((app.objects(), app.faults()), (0, Vec::new()));
    }
    drop(apps);
    let count = |number| world.fake.count(number);
    eventually("metadata and trace chunks are let go of", || {
        count(SETUP_METADATA) == count(CLOSE_METADATA) && count(CREATE_CHUNK) == count(CLOSE_CHUNK)
    })
    .await;
    world.end().await;
}

#[actix::test]
async fn a_stop_says_that_not_all_is_in_the_trace_when_a_set_fails_and_so_does_the_end() {
    for scheme in [BufferScheme::PerUid, BufferScheme::PerPid] {
        let (world, apps) = failing(scheme, "flush").await;
        assert_eq!(world.ask(Stop).await, Err(ErrorCode::UstStopFail), "{scheme:?}");
        assert!(has_failed());
        assert!(!world.shown_active());
        assert_eq!(world.ask(ListChannels { domain: Domain::Ust }).await.unwrap().len(), 1);
        assert_eq!(world.ask(DataPending).await, Ok(false));
        assert!(world.ask(Destroy).await.is_err(), "{scheme:?}");
        nothing_is_left(world, apps).await;
    }
}

#[actix::test]
async fn a_rotation_is_refused_when_a_set_fails_and_the_trace_chunk_is_not_lost() {
    let (world, apps) = failing(BufferScheme::PerUid, "rotate").await;
    assert_eq!(world.ask(Rotate).await, Err(ErrorCode::RotationFailConsumer));
    assert!(has_failed());
    assert!(world.trace().is_dir());
    assert!(world.ask(Destroy).await.is_err());
    nothing_is_left(world, apps).await;
}

#[actix::test]
async fn an_application_that_comes_after_a_set_failed_begins_all_the_same() {
    let (world, apps) = failing(BufferScheme::PerUid, "flush").await;
    assert!(world.ask(Stop).await.is_err());
    assert!(has_failed());
    let _ = world.ask(Start).await;
    let late = world.app(AppScript::default()).await;
    assert_eq!(late.faults(), [""; 0]);
    let _ = world.ask(Destroy).await;
    drop(late);
    nothing_is_left(world, apps).await;
}

#[actix::test]
async fn an_application_that_comes_knows_the_ids_that_others_were_given() {
    let (world, apps) = failing(BufferScheme::PerUid, "regenerate").await;
    // Whoever has to be asked is not there any more.
    assert!(world.ask(RegenerateMetadata).await.is_err());
    assert!(has_failed());
    let late = world.app(AppScript::default()).await;
    assert_ne!(late.asked().len(), 0);
    let answers = |app: &FakeApp| app.asked().into_iter().map(|(_, answer)| answer);
    assert!(answers(&late).eq(answers(&apps[0])));
    let _ = world.ask(Destroy).await;
    drop(late);
    nothing_is_left(world, apps).await;
}
