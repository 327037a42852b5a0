//! Making the channels.

use std::{fs, os::unix::fs::symlink};

use futures::future::join_all;
use lttngd_consumer::ConsumerError;
use lttngd_peer::{ConsumerAct, ConsumerScript, Logged};
use lttngd_wire::consumer::{ChannelClass, ConsumerError as Code, Message};

use super::world::{World, prepare};
use crate::{BuffersError, Prepare};

const ASK: u32 = 7;
const GET: u32 = 8;
const SETUP_METADATA: u32 = 12;

#[actix::test]
async fn each_channel_is_made_once_however_many_ask() {
    let world = World::new(ConsumerScript::default()).await;
    let asks = (0..12).map(|turn| world.set.send(prepare((0..3).map(|n| (n + turn) % 3))));
    let all: Vec<_> = join_all(asks).await.into_iter().map(|o| o.unwrap().unwrap()).collect();
    for objects in &all {
        for index in 0..3 {
            let key = |objects: &crate::BufferObjects| objects.channel(index).unwrap().object.key;
            assert_eq!(key(objects), key(&all[0]));
        }
    }
    assert_eq!(world.numbers(), [ASK, GET, ASK, GET, ASK, GET, ASK, SETUP_METADATA]);
    let later = world.prepare(0..4).await.unwrap();
    assert_eq!(world.numbers()[8..], [ASK, GET], "the one that is new");
    assert_eq!(later.channels.iter().map(|c| (c.index, c.id)).collect::<Vec<_>>().len(), 4);
    world.end().await;
}

#[actix::test]
async fn the_requests_say_what_the_channels_are() {
    let world = World::new(ConsumerScript::default()).await;
    let objects = world.prepare([7, 8]).await.unwrap();
    let asks: Vec<_> = world
        .fake
        .messages()
        .into_iter()
        .filter_map(|message| match message {
            Message::AskChannelCreation(ask) => Some(ask),
            _ => None,
        })
        .collect();
    let names: Vec<_> = asks.iter().map(|ask| ask.name.as_str()).collect();
    assert_eq!(names, ["channel7", "channel8", "metadata"]);
    let classes: Vec<_> = asks.iter().map(|ask| ask.class).collect();
    let data = |overwrite| ChannelClass::Data { overwrite };
    assert_eq!(classes, [data(true), data(false), ChannelClass::Metadata]);
    assert_eq!(asks.iter().map(|ask| ask.chan_id).collect::<Vec<_>>(), [0, 1, u32::MAX]);
    assert_eq!(objects.channels.iter().map(|c| c.id).collect::<Vec<_>>(), [0, 1]);
    assert!(asks.iter().all(|ask| ask.pathname == "uid/42/64-bit" && ask.ust_app_uid == 42));
    assert!(asks.iter().all(|ask| ask.uuid == asks[0].uuid && !ask.monitor));
    world.end().await;
}

#[actix::test]
async fn what_the_consumer_refuses_is_asked_for_again_and_the_rest_is_not() {
    let logged = Logged::start();
    for number in [ASK, GET, SETUP_METADATA] {
        let mut turn = 0;
        let world = World::new(ConsumerScript::new(move |message| {
            turn += usize::from(message.number() == number);
            // Of the channels, the second.
            let fatal = if number == SETUP_METADATA { 1 } else { 2 };
            match message.number() == number && turn == fatal {
                true => ConsumerAct::Refuse(Code::ENOMEM),
                false => ConsumerAct::Answer,
            }
        }))
        .await;
        match world.prepare(0..2).await {
            Err(BuffersError::Consumer(ConsumerError::Refused(Code::ENOMEM)))
                if number == SETUP_METADATA => {}
            // The other one is there, and applications record into it.
            Ok(objects) if number != SETUP_METADATA => assert_eq!(objects.channels.len(), 1),
            prepared => panic!("{prepared:?}"),
        }
        let objects = world.prepare(0..2).await.unwrap();
        assert_eq!(objects.channels.len(), 2);
        let names: Vec<_> = world
            .fake
            .messages()
            .into_iter()
            .filter_map(|message| match message {
                Message::AskChannelCreation(ask) => Some((ask.name, ask.key)),
                _ => None,
            })
            .collect();
        let asked = |name: &str| names.iter().filter(|(n, _)| n == name).count();
        assert_eq!(asked("channel0"), 1);
        assert_eq!(asked("channel1"), if number == SETUP_METADATA { 1 } else { 2 });
        assert_eq!(asked("metadata"), if number == SETUP_METADATA { 2 } else { 1 });
        // The ids that applications are told are those of the channels that are there.
        for channel in &objects.channels {
            world.stream(channel.id).await;
        }
        world.end().await;
    }
    let lines = logged.of("lttngd_buffers");
    let missed: Vec<_> =
        lines.iter().filter(|it| it.contains("a channel has no buffers")).collect();
    assert_eq!(missed.len(), 2, "{lines:#?}");
    for line in missed {
        assert!(line.contains("session{name=\"s\"}:channel{name=\"channel1\"}"), "{line}");
    }
}

#[actix::test]
async fn what_has_no_memory_is_refused_before_the_consumer_is_asked() {
    let logged = Logged::start();
    let world = World::new(ConsumerScript::default()).await;
    let large = |indexes| {
        let mut prepare = prepare(indexes);
        for channel in prepare.channels.iter_mut().filter(|it| it.index == 1) {
            channel.attributes.subbuf_size_bytes = 1 << 60;
        }
        Prepare { output: world.output.clone(), ..prepare }
    };
    let refused = world.set.send(large(1..2)).await.unwrap();
    assert!(matches!(refused, Err(BuffersError::NoMemory(_))), "{refused:?}");
    let objects = world.set.send(large(0..2)).await.unwrap().unwrap();
    assert_eq!(objects.channels.len(), 1, "the other one is there");
    let of_large = |message: &Message| matches!(message, Message::AskChannelCreation(ask) if ask.name == "channel1");
    assert!(!world.fake.messages().iter().any(of_large));
    let held = || {
        let all = lttngd_users::held_here().into_iter();
        all.filter(|it| it.what == crate::BUFFER_BYTES).map(|it| it.held).sum::<u64>()
    };
    let streams = u64::from(lttngd_ringbuffer::possible_cpu_count().unwrap());
    assert_eq!(held(), 4096 * 4 * streams, "what is there is held");
    let lines = logged.of("lttngd_buffers");
    assert!(lines.iter().any(|it| it.contains("bytes of buffers are wanted, and")), "{lines:#?}");
    world.end().await;
}

#[actix::test]
async fn a_consumer_that_dies_meanwhile() {
    let world = World::new(ConsumerScript::at(GET, ConsumerAct::Die)).await;
    let lost = world.prepare(0..2).await;
    assert!(matches!(lost, Err(BuffersError::Consumer(ConsumerError::Lost))), "{lost:?}");
}

#[actix::test]
async fn directories_are_there_before_the_consumer_opens_files_in_them() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    let index = root.join("uid/42/64-bit/index");
    let expected = index.clone();
    let script = ConsumerScript::new(move |message| match message.number() {
        ASK if !expected.is_dir() => ConsumerAct::Refuse(Code::FATAL),
        _ => ConsumerAct::Answer,
    });
    let chunk = fs::File::open(&root).unwrap().into();
    let world = World::with_chunk(script, Some(chunk)).await;
    world.prepare(0..1).await.unwrap();
    assert!(index.is_dir());
    world.end().await;
}

#[actix::test]
async fn a_link_out_of_the_output_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), directory.path().join("uid")).unwrap();
    let chunk = fs::File::open(directory.path()).unwrap().into();
    let world = World::with_chunk(ConsumerScript::default(), Some(chunk)).await;
    let refused = world.prepare(0..1).await;
    assert!(matches!(refused, Err(BuffersError::Directory { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert_eq!(world.numbers(), [0; 0]);
    world.end().await;
}
