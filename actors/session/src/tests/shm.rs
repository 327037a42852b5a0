//! Buffers in files.

use std::path::PathBuf;

use lttngd_model::{BufferScheme, ErrorCode};
use lttngd_peer::{AppScript, ConsumerScript};

use super::world::World;
use crate::{Destroy, SetShmPath, Start, Stop};

async fn set(world: &World, path: impl Into<PathBuf>) -> Result<(), ErrorCode> {
    world.ask(SetShmPath { path: path.into() }).await
}

#[actix::test]
async fn files_are_there_from_the_first_application_to_the_end_of_the_session() {
    for (scheme, sets) in [(BufferScheme::PerUid, 1), (BufferScheme::PerPid, 2)] {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("s");
        let world = World::new(ConsumerScript::default(), scheme).await;
        assert_eq!(set(&world, "relative").await, Err(ErrorCode::Invalid));
        set(&world, &root).await.unwrap();
        world.ask(Start).await.unwrap();
        assert!(!root.exists(), "there is no application");
        let fakes = [world.app(AppScript::default()).await, world.app(AppScript::default()).await];
        let domain = root.join(if sets == 1 { "ust/uid" } else { "ust/pid" });
        assert!(domain.is_dir(), "{scheme:?}");
        assert_eq!(set(&world, "").await, Err(ErrorCode::SessionStarted));
        world.ask(Stop).await.unwrap();
        world.ask(Destroy).await.unwrap();
        assert!(!root.exists(), "{scheme:?}");
        drop(fakes);
        world.end().await;
    }
}

#[actix::test]
async fn an_empty_path_means_memory_without_a_name() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("s");
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    set(&world, &root).await.unwrap();
    set(&world, "").await.unwrap();
    world.ask(Start).await.unwrap();
    let fake = world.app(AppScript::default()).await;
    assert!(!root.exists());
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}
