//! Buffers in files, with their metadata beside them.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use lttngd_clock::sample_clock;
use lttngd_peer::{ConsumerScript, eventually_so};
use lttngd_wire::consumer::Message;

use super::world::World;
use crate::{Close, Flush, RegenerateMetadata};

/// The directory of the set below the domain's.
const WORLD_PATH: &str = "uid/42/64-bit";

/// What the consumer was told of a channel's files.
fn told(world: &World) -> Vec<(String, String)> {
    let messages = world.fake.messages();
    let asks = messages.iter().filter_map(|message| match message {
        Message::AskChannelCreation(ask) => Some((ask.root_shm_path.clone(), ask.shm_path.clone())),
        _ => None,
    });
    asks.collect()
}

fn text(directory: &Path) -> String {
    fs::read_to_string(directory.join("metadata")).unwrap()
}

#[actix::test]
async fn the_text_stands_beside_the_buffers_from_the_first_event_to_the_end() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("a/b");
    let world = World::with_shm_path(ConsumerScript::default(), root.clone()).await;
    let directory = root.join("ust").join(WORLD_PATH);
    assert!(!root.exists(), "nothing is made before the first buffers");
    world.prepare([0]).await.unwrap();
    let shown = root.display().to_string();
    let prefix = format!("{}/channel0_", directory.display());
    let metadata = (String::new(), String::new());
    assert_eq!(told(&world), [(shown, prefix), metadata]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        (mode(&directory), mode(&root), mode(&directory.join("metadata"))),
        (0o770, 0o770, 0o600)
    );
    assert!(text(&directory).starts_with("/* CTF 1.8 */"));
    world.stream(0).await;
    world.event(0, "p:first").await;
    assert!(text(&directory).contains("p:first"), "before the application goes on");
    let before = text(&directory);
    world.set.send(RegenerateMetadata { clock: sample_clock() }).await.unwrap().unwrap();
    assert_eq!(text(&directory).matches("p:first").count(), 1);
    assert!(text(&directory).len() <= before.len());
    world.event(0, "p:second").await;
    assert!(text(&directory).contains("p:second"));
    world.set.send(Close).await.unwrap().unwrap();
    assert!(!root.exists() && !place.path().join("a/b").exists());
    assert!(place.path().join("a").exists(), "what is above is not the session's");
    world.end().await;
}

#[actix::test]
async fn what_is_there_already_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let world = World::with_shm_path(ConsumerScript::default(), place.path().to_owned()).await;
    let directory = place.path().join("ust").join(WORLD_PATH);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("metadata"), "somebody's").unwrap();
    assert!(world.prepare([0]).await.is_err());
    world.set.send(Close).await.unwrap().unwrap();
    assert_eq!(text(&directory), "somebody's");
    world.end().await;
}

#[actix::test]
async fn a_path_that_is_too_long_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let long = place.path().join("d/".repeat(2030));
    let world = World::with_shm_path(ConsumerScript::default(), long).await;
    assert!(world.prepare([0]).await.is_err());
    assert_eq!(told(&world), []);
    world.end().await;
}

#[actix::test]
async fn when_the_consumer_is_lost_the_files_stay() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("s");
    let world = World::with_shm_path(ConsumerScript::default(), root.clone()).await;
    world.prepare([0]).await.unwrap();
    world.fake.kill();
    let lost = async || world.set.send(Flush).await.unwrap().is_err();
    eventually_so("the consumer's end is seen", lost).await;
    assert!(world.set.send(Close).await.unwrap().is_err());
    assert!(text(&root.join("ust").join(WORLD_PATH)).starts_with("/* CTF 1.8 */"));
    world.end().await;
}
