//! Snapshots that go to relay daemons.

use std::time::Duration;

use lttngd_model::{BufferScheme, ErrorCode, NetIndex, SessionId, StreamKind};
use lttngd_peer::{AppScript, ConsumerAct, ConsumerScript, FakeApp, FakeRelayd, Gate};
use lttngd_wire::consumer::{ConsumerError as Code, Message};

use super::world::{World, relayds};
use crate::{
    AddSnapshotOutput, DeleteSnapshotOutput, Destroy, ListSnapshotOutputs, Output, RecordSnapshot,
    Start, Stop,
};

const ADD_RELAYD_SOCKET: u32 = 4;
const DESTROY_RELAYD: u32 = 5;
const DATA_PENDING: u32 = 6;
const SNAPSHOT_CHANNEL: u32 = 14;
const CREATE_TRACE_CHUNK: u32 = 23;
const CLOSE_TRACE_CHUNK: u32 = 24;

/// A session without continuous output that was started, and its application.
pub(super) async fn started(script: ConsumerScript) -> (World, FakeApp) {
    let world = World::configured(script, BufferScheme::PerUid, None, |config| {
        config.output = Output::None;
        config.relayds = relayds(Some(lttngd_peer::PATIENCE));
    })
    .await;
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    (world, fake)
}

pub(super) fn record(url: &str) -> RecordSnapshot {
    RecordSnapshot {
        name: String::new(),
        control_url: url.to_owned(),
        data_url: String::new(),
        max_size_bytes: 0,
    }
}

/// The names of the chunks that the consumer was told of.
fn chunks(world: &World) -> Vec<String> {
    let messages = world.fake.messages().into_iter();
    let named = messages.filter_map(|message| match message {
        Message::CreateTraceChunk { override_name, .. } => Some(override_name),
        _ => None,
    });
    named.collect()
}

#[actix::test]
async fn a_record_has_a_connection_of_its_own() {
    let (world, fake) = started(ConsumerScript::default()).await;
    let relayd = FakeRelayd::new();
    for net_index in [2, 3] {
        let before = world.fake.messages().len();
        world.ask(record(&format!("{}/a/b", relayd.url()))).await.unwrap();
        let messages = world.fake.messages();
        let [
            Message::AddRelaydSocket(control),
            Message::AddRelaydSocket(data),
            Message::CreateTraceChunk { relayd_id: created, owner: None, .. },
            Message::SnapshotChannel(channel),
            Message::SnapshotChannel(metadata),
            Message::DataPending { .. },
            Message::CloseTraceChunk { relayd_id: closed, .. },
            Message::DestroyRelayd { net_index: destroyed },
        ] = &messages[before..]
        else {
            panic!("{messages:?}")
        };
        assert_eq!((control.stream, data.stream), (StreamKind::Control, StreamKind::Data));
        let net_index = NetIndex(net_index);
        assert_eq!((control.net_index, data.net_index), (net_index, net_index));
        assert_eq!((*created, *closed, *destroyed), (Some(net_index), Some(net_index), net_index));
        assert_eq!((channel.relayd_id, channel.metadata), (Some(net_index), false));
        assert_eq!((metadata.relayd_id, metadata.metadata), (Some(net_index), true));
        assert!(channel.pathname.starts_with("uid/"), "{}", channel.pathname);
    }
    let [first, second] = &relayd.sessions()[..] else { panic!("a session for each record") };
    assert_eq!((first.base_path.as_str(), first.snapshot), ("a/b", true));
    assert_eq!((first.session_id, second.session_id), (SessionId(0), SessionId(0)));
    let [first, second] = &chunks(&world)[..] else { panic!("a chunk for each record") };
    assert!(first.starts_with("snapshot-0-") && first.ends_with("-0"), "{first}");
    assert!(second.ends_with("-1"), "{second}");
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn relay_daemons_without_chunks_are_told_whole_paths() {
    let (world, fake) = started(ConsumerScript::default()).await;
    let relayd = FakeRelayd::of(10);
    world.ask(record(&format!("{}/a/b", relayd.url()))).await.unwrap();
    let name = chunks(&world).remove(0);
    let paths = world.fake.messages().into_iter().filter_map(|message| match message {
        Message::SnapshotChannel(channel) => Some(channel.pathname),
        _ => None,
    });
    let paths: Vec<_> = paths.collect();
    assert_eq!(paths.len(), 2);
    let expected = format!("/host/a/b/{name}/ust/uid/");
    assert!(paths.iter().all(|path| path.starts_with(&expected)), "{paths:?}");
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_record_that_fails_is_given_up_and_not_counted() {
    use ErrorCode as E;
    for (number, code, chunks_made) in [
        (ADD_RELAYD_SOCKET, E::EnableConsumerFail, 0),
        (CREATE_TRACE_CHUNK, E::CreateTraceChunkFailConsumer, 1),
        (SNAPSHOT_CHANNEL, E::SnapshotFail, 1),
        (CLOSE_TRACE_CHUNK, E::CloseTraceChunkFailConsumer, 1),
    ] {
        let mut refusals = 1;
        let script = ConsumerScript::new(move |message| match message.number() == number {
            true if refusals > 0 => {
                refusals -= 1;
                ConsumerAct::Refuse(Code::RELAYD_FAIL)
            }
            _ => ConsumerAct::Answer,
        });
        let (world, fake) = started(script).await;
        let relayd = FakeRelayd::new();
        assert_eq!(world.ask(record(&relayd.url())).await, Err(code), "{number}");
        assert_eq!(world.fake.numbers().last(), Some(&DESTROY_RELAYD), "{number}");
        assert_eq!(
            world.fake.count(CLOSE_TRACE_CHUNK),
            usize::from(number == CLOSE_TRACE_CHUNK || number == SNAPSHOT_CHANNEL)
        );
        world.ask(record(&relayd.url())).await.unwrap();
        let chunks = chunks(&world);
        assert_eq!(chunks.len(), chunks_made + 1, "{number}: {chunks:?}");
        assert!(chunks.iter().all(|name| name.ends_with("-0")), "{number}: {chunks:?}");
        world.ask(Destroy).await.unwrap();
        drop(fake);
        world.end().await;
    }
}

#[actix::test]
async fn a_record_is_over_when_the_relay_daemon_has_written_it() {
    let mut pending = 3;
    let script = ConsumerScript::new(move |message| match message.number() {
        DATA_PENDING if pending > 0 => {
            pending -= 1;
            ConsumerAct::Bytes(1_i32.to_ne_bytes().to_vec())
        }
        _ => ConsumerAct::Answer,
    });
    let (world, fake) = started(script).await;
    let relayd = FakeRelayd::new();
    world.ask(record(&relayd.url())).await.unwrap();
    assert_eq!(world.fake.count(DATA_PENDING), 4);
    // Files of this machine are written when the consumer says so.
    let place = tempfile::tempdir().unwrap();
    world.ask(record(place.path().to_str().unwrap())).await.unwrap();
    assert_eq!(world.fake.count(DATA_PENDING), 4);
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn nothing_waits_for_a_relay_daemon_that_is_connected() {
    let (world, fake) = started(ConsumerScript::default()).await;
    let gate = Gate::default();
    let relayd = FakeRelayd::behind(gate.clone());
    let output = AddSnapshotOutput {
        name: "late".to_owned(),
        max_size_bytes: 0,
        control_url: relayd.url(),
        data_url: String::new(),
    };
    let id = world.ask(output).await.unwrap();
    let recording = world.begin(record(""));
    let place = tempfile::tempdir().unwrap();
    world.ask(record(place.path().to_str().unwrap())).await.unwrap();
    world.ask(DeleteSnapshotOutput { id, name: String::new() }).await.unwrap();
    assert_eq!(world.ask(ListSnapshotOutputs).await, Ok(Vec::new()));
    world.ask(Stop).await.unwrap();
    assert!(!recording.is_finished());
    gate.open();
    // It was asked for before the output was deleted.
    recording.await.unwrap().unwrap();
    assert!(chunks(&world)[1].starts_with("late-"));
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_session_that_ends_meanwhile_is_not_recorded() {
    let (world, fake) = started(ConsumerScript::default()).await;
    let gate = Gate::default();
    let relayd = FakeRelayd::behind(gate.clone());
    let recording = world.begin(record(&relayd.url()));
    world.ask(Destroy).await.unwrap();
    gate.open();
    assert_eq!(recording.await.unwrap(), Err(ErrorCode::SessNotFound));
    assert_eq!(world.fake.numbers().last(), Some(&DESTROY_RELAYD));
    assert_eq!(world.fake.count(SNAPSHOT_CHANNEL), 0);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_relay_daemon_that_is_silent_or_absent_costs_nobody_else() {
    let world =
        World::configured(ConsumerScript::default(), BufferScheme::PerUid, None, |config| {
            config.output = Output::None;
            config.relayds = relayds(Some(Duration::from_millis(60)));
        })
        .await;
    let fake = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    let gate = Gate::default();
    let relayd = FakeRelayd::behind(gate.clone());
    let before = world.fake.messages().len();
    for url in [relayd.url(), "net://127.0.0.1:3:4".to_owned()] {
        assert_eq!(world.ask(record(&url)).await, Err(ErrorCode::RelaydConnectFail), "{url}");
    }
    let after = world.fake.numbers()[before..].to_vec();
    assert!(after.iter().all(|number| *number == DESTROY_RELAYD), "{after:?}");
    gate.open();
    world.ask(Destroy).await.unwrap();
    drop(fake);
    world.end().await;
}
