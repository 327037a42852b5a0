//! The notify socket.

use lttngd_buffers::Flush;
use lttngd_model::{EnumerationEntry, EnumerationValue};
use lttngd_peer::{AppAct, AppScript, ConsumerAct, ConsumerScript, FakeApp, Gate, eventually};
use lttngd_runtime::fail_point::fail_here;
use lttngd_wire::ust::Abi;
use lttngd_wire::ust::notify::{Answer, EINVAL, Request};

use super::world::{SESSION, World, forget};
use crate::{RegisterDone, SessionWish, Synchronise, plan::tests::channel};

const SESSION_HANDLE: u32 = 1;
const CHANNEL_HANDLE: u32 = 2;

fn event(channel_objd: u32, name: &str) -> Request {
    Request::Event {
        session_objd: SESSION_HANDLE,
        channel_objd,
        name: name.to_owned(),
        loglevel: 13,
        signature: "void".to_owned(),
        fields: Vec::new(),
        model_emf_uri: None,
    }
}

fn enumeration(session_objd: u32, label: &str) -> Request {
    let value = EnumerationValue { value: 1, signed: true };
    let entry = EnumerationEntry { start: value, end: value, label: label.to_owned(), auto: false };
    Request::Enumeration { session_objd, name: "p_e".to_owned(), entries: vec![entry] }
}

#[actix::test]
async fn ids_are_given_while_a_command_waits() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(None).await;
    let script = AppScript::new(move |request| match request.command.number() {
        0x80 if request.handle == SESSION_HANDLE => AppAct::Late(held.clone()),
        _ => AppAct::Answer,
    });
    let (fake, app, _) = world.app(script).await;
    let want = world.want(true, &[channel(0, 0, 0)]).await;
    let made = tokio::task::spawn_local(app.send(want));
    eventually("the session's ENABLE is held", || fake.has_got(0x80)).await;
    let (fake, answers) = tokio::task::spawn_blocking(move || {
        let answers = [
            fake.ask(&event(CHANNEL_HANDLE, "p:a")),
            fake.ask(&event(CHANNEL_HANDLE, "p:b")),
            fake.ask(&event(CHANNEL_HANDLE, "p:a")),
            fake.ask(&enumeration(SESSION_HANDLE, "x")),
            fake.ask(&enumeration(SESSION_HANDLE, "y")),
        ];
        (fake, answers)
    })
    .await
    .unwrap();
    let event = |event_id| Some(Answer::Event { ret_code: 0, event_id });
    let enumeration = |enum_id| Some(Answer::Enumeration { ret_code: 0, enum_id });
    assert_eq!(answers, [event(0), event(1), event(0), enumeration(0), enumeration(1)]);
    assert!(!made.is_finished());
    gate.open();
    made.await.unwrap().unwrap().unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn handles_that_name_nothing_of_ours_are_refused_and_the_socket_lives() {
    let world = World::new(None).await;
    let (fake, app, _) = world.app(AppScript::default()).await;
    app.send(world.want(true, &[channel(0, 0, 0)]).await).await.unwrap().unwrap();
    let ask = |fake: FakeApp, request: Request| async {
        tokio::task::spawn_blocking(move || (fake.ask(&request), fake)).await.unwrap()
    };
    let refused = Answer::Event { ret_code: -EINVAL, event_id: 0 };
    let mut fake = fake;
    let mut answer;
    for handle in [0, SESSION_HANDLE, 3, u32::MAX] {
        (answer, fake) = ask(fake, event(handle, "p:e")).await;
        assert_eq!(answer, Some(refused), "{handle}");
    }
    for handle in [0, CHANNEL_HANDLE, 99] {
        (answer, fake) = ask(fake, enumeration(handle, "x")).await;
        assert_eq!(answer, Some(Answer::Enumeration { ret_code: -EINVAL, enum_id: 0 }));
    }
    (answer, fake) = ask(fake, event(CHANNEL_HANDLE, "p:e")).await;
    assert_eq!(answer, Some(Answer::Event { ret_code: 0, event_id: 0 }));
    forget(&app).await.unwrap();
    (answer, fake) = ask(fake, event(CHANNEL_HANDLE, "p:e")).await;
    assert_eq!(answer, Some(refused), "its session is forgotten");
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn garbage_ends_the_notify_socket_and_nothing_else() {
    let huge_fields = {
        let mut bytes = event(CHANNEL_HANDLE, "p:e").encode(Abi::V9);
        // The size of the field records, behind number, two handles, name, log level and signature.
        bytes[4 + 8 + 256 + 4 + 4..][..4].copy_from_slice(&u32::MAX.to_ne_bytes());
        bytes
    };
    let odd_entries = {
        let mut bytes = enumeration(SESSION_HANDLE, "x").encode(Abi::V9);
        bytes[4 + 4 + 256..][..4].copy_from_slice(&335_u32.to_ne_bytes());
        bytes
    };
    let mut no_signature = event(CHANNEL_HANDLE, "p:e").encode(Abi::V9);
    no_signature[4 + 8 + 256 + 4..][..4].fill(0);
    let garbage =
        [3_u32.to_ne_bytes().to_vec(), vec![0xff; 64], huge_fields, odd_entries, no_signature];
    let world = World::new(None).await;
    for bytes in garbage {
        let (fake, app, _) = world.app(AppScript::default()).await;
        fake.write_notify(&bytes).unwrap();
        let fake = tokio::task::spawn_blocking(move || {
            fake.expect_notify_closed();
            fake
        })
        .await
        .unwrap();
        app.send(RegisterDone).await.unwrap().unwrap();
        app.send(world.want(true, &[channel(0, 0, 1)]).await).await.unwrap().unwrap();
        assert_eq!(fake.faults(), [""; 0]);
        drop(fake);
    }
    world.end().await;
}

#[actix::test]
async fn ids_do_not_wait_for_a_consumer_that_is_busy() {
    let gate = Gate::default();
    let held = gate.clone();
    let script = ConsumerScript::new(move |message| match message.number() {
        13 => ConsumerAct::Late(held.clone()),
        _ => ConsumerAct::Answer,
    });
    let world = World::with_consumer(None, script).await;
    let (fake, app, _) = world.app(AppScript::default()).await;
    app.send(world.want(true, &[channel(0, 0, 0)]).await).await.unwrap().unwrap();
    let flush = tokio::task::spawn_local(world.buffers.send(Flush));
    eventually("the flush is held", || world.fake_consumer.count(13) == 1).await;
    let (answer, fake) =
        tokio::task::spawn_blocking(move || (fake.ask(&event(CHANNEL_HANDLE, "p:e")), fake))
            .await
            .unwrap();
    assert_eq!(answer, Some(Answer::Event { ret_code: 0, event_id: 0 }));
    gate.open();
    flush.await.unwrap().unwrap().unwrap();
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn an_id_that_was_given_is_asked_of_nobody_and_another_one_is() {
    let world = World::new(None).await;
    let channels = [channel(0, 0, 2)];
    let want = world.want(true, &channels).await;
    let mut fakes = Vec::new();
    for _ in 0..2 {
        let (fake, app, _) = world.app(AppScript::default()).await;
        app.send(Synchronise { want: want.want.clone(), ..want }).await.unwrap().unwrap();
        fakes.push(fake);
    }
    eventually("the buffers tell of it", || world.told.given.lock().unwrap().is_some()).await;
    let known = world.told.given.lock().unwrap().take().unwrap().known;
    // Whoever is asked from now on is not there.
    fail_here("BufferSet flush");
    assert!(world.buffers.send(Flush).await.unwrap().is_err());
    let (fake, app, _) = world.app(AppScript::default()).await;
    let want = SessionWish { known, ..want.want };
    app.send(Synchronise { session: SESSION, want }).await.unwrap().unwrap();
    let answers = |fake: &FakeApp| fake.asked().into_iter().map(|(_, answer)| answer);
    assert_eq!(answers(&fake).count(), 3, "two events and the channel");
    assert!(answers(&fake).eq(answers(&fakes[0])));
    let (answer, fake) =
        tokio::task::spawn_blocking(move || (fake.ask(&event(CHANNEL_HANDLE, "p:other")), fake))
            .await
            .unwrap();
    assert_eq!(answer, Some(Answer::Event { ret_code: -EINVAL, event_id: 0 }));
    drop((fake, fakes));
    world.end().await;
}
