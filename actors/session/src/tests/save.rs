//! Saving, compared with what the stock daemon saved after the same commands.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use lttngd_model::{BufferScheme, Context, ContextKind, Credentials, Domain, ErrorCode};
use lttngd_peer::ConsumerScript;
use lttngd_sessionfile::{SavedSession, read};

use super::world::{CHANNEL, World};
use crate::{AddContext, RotationSchedule, Save, SetConsumerUri, SetRotationSchedule, Start, Stop};

fn own() -> Credentials {
    Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

async fn save(world: &World, directory: &Path, overwrite: bool) -> Result<(), ErrorCode> {
    let directory = Some(directory.to_owned());
    world.ask(Save { requester: own(), directory, overwrite }).await
}

fn saved(path: &Path) -> SavedSession {
    read(&fs::read_to_string(path).unwrap()).unwrap().remove(0)
}

/// Checks a file with the stock schema, where both that and the program are installed.
fn validate(path: &Path) {
    let schema = Path::new("/usr/share/xml/lttng/session.xsd");
    if !schema.exists() {
        return;
    }
    let Ok(output) =
        Command::new("xmllint").args(["--noout", "--schema"]).arg(schema).arg(path).output()
    else {
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[actix::test]
async fn a_started_session_is_saved_as_by_the_stock_daemon() {
    let stock = include_str!("../../../../tests/recorded/save/started.lttng");
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    for schedule in [
        RotationSchedule::Periodic { period_us: 60_000_000 },
        RotationSchedule::SizeThreshold { bytes: 16 << 20 },
    ] {
        world.ask(SetRotationSchedule { add: true, schedule }).await.unwrap();
    }
    let uris = vec![lttngd_model::Uri::Path("/traces/started".into())];
    world.ask(SetConsumerUri { domain: Some(Domain::Ust), uris }).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    save(&world, directory.path(), false).await.unwrap();
    let path = directory.path().join("s.lttng");
    validate(&path);
    let mut ours = saved(&path);
    let mut theirs = read(stock).unwrap().remove(0);
    // What the two were told differently.
    assert_eq!(ours.started, Some(false));
    ours.started = Some(true);
    theirs.name = "s".to_owned();
    let channel = &mut theirs.domains[0].channels[0];
    CHANNEL.clone_into(&mut channel.name);
    channel.events[0].name = Some("p:e".to_owned());
    let attributes = lttngd_peer::channel_listing(CHANNEL).attributes;
    channel.subbuffer_size_bytes = Some(attributes.subbuf_size_bytes);
    channel.subbuffer_count = Some(attributes.num_subbuf);
    channel.monitor_timer_interval_us = Some(attributes.monitor_timer_interval_us);
    assert_eq!(ours, theirs);
    world.end().await;
}

#[actix::test]
async fn contexts_and_the_state_are_saved() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerPid).await;
    let kind = ContextKind::Vpid;
    let context = Some(Context::Plain(kind));
    let channel = CHANNEL.to_owned();
    world
        .ask(AddContext { domain: Domain::Ust, channel, raw_type: kind as u32, context })
        .await
        .unwrap();
    world.ask(Start).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    save(&world, directory.path(), false).await.unwrap();
    let path = directory.path().join("s.lttng");
    validate(&path);
    let session = saved(&path);
    assert_eq!(session.started, Some(true));
    assert_eq!(session.domains[0].channels[0].contexts[0].plain.as_deref(), Some("VPID"));
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // It is written anew only when it may.
    world.ask(Stop).await.unwrap();
    assert_eq!(save(&world, directory.path(), false).await, Err(ErrorCode::SaveFileExist));
    assert_eq!(saved(&path).started, Some(true));
    save(&world, directory.path(), true).await.unwrap();
    assert_eq!(saved(&path).started, Some(false));
    world.end().await;
}

#[actix::test]
async fn places_where_nothing_can_be_saved() {
    let world = World::new(ConsumerScript::default(), BufferScheme::PerUid).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let long = PathBuf::from(format!("/{}", "a/".repeat(2048)));
    for place in [file.join("below"), long, PathBuf::from("not/absolute")] {
        assert_eq!(save(&world, &place, true).await, Err(ErrorCode::SetUrl), "{place:?}");
    }
    fs::create_dir(directory.path().join("s.lttng")).unwrap();
    assert_eq!(save(&world, directory.path(), true).await, Err(ErrorCode::SaveIoFail));
    world.end().await;
}
