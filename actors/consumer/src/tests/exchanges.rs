//! The commands.

use std::{fs::File, sync::Arc};

use actix::System;
use lttngd_model::{ChunkId, Credentials};
use lttngd_peer::{ConsumerAct, ConsumerScript, FakeConsumer, Gate, alone, eventually};
use lttngd_runtime::{Descriptors, Outlet, Shares};
use lttngd_wire::consumer::{
    CHANNEL_IMAGE_MAX_LEN, ChannelClass, ChannelHead, ConsumerError as Code, Message, encode_status,
};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::world::{KEY, SESSION, World, ask, config};
use crate::{
    ChunkPlace, ConsumerConfig, ConsumerError, CreateChannel, CreateTraceChunk, DataPending,
    DiscardedEvents, FlushChannel, MetadataText, PushMetadata, TraceChunkExists,
    TraceChunkPresence,
};

/// How many descriptors the process may have.
const LIMIT: u64 = 100;
const DATA: ChannelClass = ChannelClass::Data { overwrite: false };

#[actix::test]
async fn a_channel_comes_with_its_objects() {
    let world = World::running(ConsumerScript::at(8, ConsumerAct::Streams(3))).await;
    let object = world
        .consumer
        .send(CreateChannel { ask: ask(DATA, KEY), sampled: Outlet::closed() })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((object.key, object.kind, object.image.len()), (KEY, 0, 920));
    let streams: Vec<_> = object.streams.iter().map(|s| (s.number, s.len)).collect();
    assert_eq!(streams, [(0, 4096), (1, 4096), (2, 4096)]);
    let pending = world.consumer.send(DataPending { session: SESSION }).await.unwrap();
    assert!(!pending.unwrap());
    let lost = world.consumer.send(DiscardedEvents { session: SESSION, key: KEY }).await.unwrap();
    assert_eq!(lost.unwrap(), 0);
    let chunk = TraceChunkExists { session: SESSION, chunk: ChunkId(0), relayd: None };
    let presence = world.consumer.send(chunk).await.unwrap().unwrap();
    assert_eq!(presence, TraceChunkPresence::Unknown);
    world.end().await;
}

/// What is sent behind the descriptors for which there is no room is read, and the channel's end is told
/// to nobody: the consumer daemon sees it.
#[test]
fn a_channel_for_which_there_is_no_room_leaves_the_consumer_in_step() {
    let name = "::a_channel_for_which_there_is_no_room_leaves_the_consumer_in_step";
    alone(&[module_path!(), name].concat(), || {
        System::new().block_on(async {
            let world = World::running(ConsumerScript::at(8, ConsumerAct::Streams(3))).await;
            let create = || async {
                let ask = ask(DATA, KEY);
                world.consumer.send(CreateChannel { ask, sampled: Outlet::closed() }).await.unwrap()
            };
            drop(create().await.unwrap());
            let limits = Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) };
            setrlimit(Resource::Nofile, limits).unwrap();
            let root = File::open("/").unwrap();
            let mut all: Vec<_> = std::iter::from_fn(|| root.try_clone().ok()).collect();
            // The fake one is in this process, too: it makes six descriptors before it sends any.
            for left in 7..14 {
                all.truncate(all.len() - left);
                match create().await {
                    Err(ConsumerError::NoneLeft) => {}
                    Ok(object) => assert_eq!(object.streams.len(), 3, "{left}"),
                    other => panic!("{left}: {other:?}"),
                }
                let pending = world.consumer.send(DataPending { session: SESSION }).await.unwrap();
                assert!(!pending.unwrap(), "{left}: in step");
                all.extend(std::iter::from_fn(|| root.try_clone().ok()));
            }
            drop(all);
            assert_eq!(create().await.unwrap().streams.len(), 3);
            world.end().await;
        });
    });
}

#[actix::test]
async fn a_channel_that_does_not_fit_into_the_budget_is_not_fetched() {
    let fake = FakeConsumer::new(ConsumerScript::at(8, ConsumerAct::Streams(2)));
    // Room for one channel of two streams, and not for two.
    let descriptors = Descriptors::new(Shares::new(20, 0));
    let config = ConsumerConfig { descriptors, ..config(&fake) };
    let world = World::with(fake, config);
    world.ensure_running().await.unwrap();
    let create = || async {
        let ask = ask(DATA, KEY);
        world.consumer.send(CreateChannel { ask, sampled: Outlet::closed() }).await.unwrap()
    };
    let all: Vec<_> =
        [create().await.unwrap(), create().await.unwrap(), create().await.unwrap()].into();
    let (asked, fetched) = (world.fake.count(7), world.fake.count(8));
    let refused = create().await.unwrap_err();
    assert!(matches!(refused, ConsumerError::NoRoom(_)), "{refused:?}");
    assert_eq!((world.fake.count(7), world.fake.count(8)), (asked, fetched), "nor asked for");
    drop(all);
    create().await.unwrap();
    world.end().await;
}

#[actix::test]
async fn objects_that_go_beyond_every_limit_end_the_consumer() {
    let status = encode_status(0);
    let head = ChannelHead { image_len: CHANNEL_IMAGE_MAX_LEN + 1, kind: 0 }.encode();
    let oversized = [status.as_slice(), &head].concat();
    for act in [ConsumerAct::Bytes(oversized), ConsumerAct::Streams(8193)] {
        let world = World::running(ConsumerScript::at(8, act)).await;
        let made = world
            .consumer
            .send(CreateChannel { ask: ask(DATA, KEY), sampled: Outlet::closed() })
            .await
            .unwrap();
        assert!(matches!(made, Err(ConsumerError::Protocol(_))), "{made:?}");
        world.exited(1).await;
    }
}

#[actix::test]
async fn what_nothing_asked_for_is_not_taken_for_the_next_answer() {
    // Two answers in place of one.
    let twice = [encode_status(0), encode_status(0)].concat();
    let world = World::running(ConsumerScript::at(13, ConsumerAct::Bytes(twice))).await;
    let flush = || world.consumer.send(FlushChannel { session: SESSION, key: KEY });
    flush().await.unwrap().unwrap();
    let next = flush().await.unwrap();
    assert!(matches!(next, Err(ConsumerError::Protocol(_))), "{next:?}");
    world.exited(1).await;
}

#[actix::test]
async fn a_refusal_is_told_and_the_consumer_goes_on() {
    let refusals = [
        (7, Code::CHANNEL_FAIL),
        (8, Code::CHAN_NOT_FOUND),
        (10, Code::UST_CHAN_NOT_FOUND),
        (13, Code(-22)),
        (23, Code::CREATE_TRACE_CHUNK_FAILED),
    ];
    for (number, code) in refusals {
        let world = World::running(ConsumerScript::at(number, ConsumerAct::Refuse(code))).await;
        let send = &world.consumer;
        let outcome = match number {
            7 | 8 => send
                .send(CreateChannel { ask: ask(DATA, KEY), sampled: Outlet::closed() })
                .await
                .unwrap()
                .map(drop),
            10 => {
                let text = MetadataText { offset: 0, version: 0, bytes: b"text".to_vec() };
                send.send(PushMetadata { session: SESSION, key: KEY, text }).await.unwrap()
            }
            13 => send.send(FlushChannel { session: SESSION, key: KEY }).await.unwrap(),
            _ => {
                let create = CreateTraceChunk {
                    override_name: String::new(),
                    session: SESSION,
                    chunk: ChunkId(0),
                    created_at_s: 1,
                    place: ChunkPlace::Directory {
                        owner: Credentials { uid: 0, gid: 0 },
                        directory: Arc::new(File::open("/").unwrap().into()),
                    },
                };
                send.send(create).await.unwrap()
            }
        };
        assert!(matches!(outcome, Err(ConsumerError::Refused(c)) if c == code), "{outcome:?}");
        if number == 8 {
            let destroy = Message::DestroyChannel { key: KEY };
            assert_eq!(world.fake.messages().last(), Some(&destroy), "nobody would fetch it");
        }
        let pending = world.consumer.send(DataPending { session: SESSION }).await.unwrap();
        assert!(!pending.unwrap(), "the next command is answered");
        world.end().await;
    }
}

#[actix::test]
async fn commands_take_turns_in_the_order_of_asking() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::running(ConsumerScript::new(move |message| match message.number() {
        13 => ConsumerAct::Late(held.clone()),
        _ => ConsumerAct::Answer,
    }))
    .await;
    let first =
        tokio::task::spawn_local(world.consumer.send(FlushChannel { session: SESSION, key: KEY }));
    eventually("the flush is held", || world.fake.count(13) == 1).await;
    let create =
        world.consumer.send(CreateChannel { ask: ask(DATA, KEY), sampled: Outlet::closed() });
    let create = tokio::task::spawn_local(create);
    tokio::task::yield_now().await;
    let pending = world.consumer.send(DataPending { session: SESSION });
    let pending = tokio::task::spawn_local(pending);
    tokio::task::yield_now().await;
    assert_eq!(world.fake.numbers(), [22, 20, 13], "one at a time");
    gate.open();
    first.await.unwrap().unwrap().unwrap();
    create.await.unwrap().unwrap().unwrap();
    pending.await.unwrap().unwrap().unwrap();
    assert_eq!(world.fake.numbers()[3], 7);
    world.end().await;
}
