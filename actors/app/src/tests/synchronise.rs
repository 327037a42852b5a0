//! Bringing an application to what a session wants.

use lttngd_model::{Bytecode, Filter, SessionId};
use lttngd_peer::{AppAct, AppScript, Gate, eventually};
use lttngd_wire::ust::{
    Abi,
    command::{Command, FieldEntry, REQUEST_LEN, UstError},
};

use super::world::{World, forget};
use crate::{
    Forget, ListTracepointFields, ListTracepoints, RegisterDone, Synchronise, plan::tests::channel,
};

const VERSION: u32 = 0x41;
const SESSION: u32 = 0x40;
const CHANNEL: u32 = 0x51;
const STREAM: u32 = 0x60;
const EVENT: u32 = 0x61;
const CONTEXT: u32 = 0x70;
const ENABLE: u32 = 0x80;
const DISABLE: u32 = 0x81;
const FILTER: u32 = 0xA0;
const EXCLUSION: u32 = 0xA1;
const QUIESCENT: u32 = 0x43;
const REGISTER_DONE: u32 = 0x44;
const RELEASE: u32 = 0x01;
const LIST_GET: u32 = 0x90;

#[actix::test]
async fn everything_is_made_in_the_order_of_the_protocol_and_released_children_first() {
    let world = World::new(None).await;
    let (fake, app, info) = world.app(AppScript::default()).await;
    assert_eq!(
        (info.tracer_version, info.abi, info.name.as_str()),
        ((2, 13, 5), Abi::V9, "fake-app")
    );
    let mut channels = [channel(0, 1, 2)];
    let bytecode = Bytecode { reloc_table_offset: 1, seqnum: 0, data: vec![9, 8, 7] };
    channels[0].events[0].filter = Some(Filter { expression: "a".to_owned(), bytecode });
    channels[0].events[0].exclusions = vec!["x".to_owned(), "y".to_owned()];
    app.send(world.want(true, &channels).await).await.unwrap().unwrap();
    app.send(RegisterDone).await.unwrap().unwrap();
    let expected = [
        VERSION,
        SESSION,
        CHANNEL,
        STREAM,
        STREAM,
        CONTEXT,
        EVENT,
        FILTER,
        EXCLUSION,
        ENABLE,
        EVENT,
        ENABLE,
        ENABLE,
        QUIESCENT,
        REGISTER_DONE,
    ];
    assert_eq!(fake.commands(), expected);
    let requests = fake.requests();
    assert_eq!(requests[2].payload.len(), 920);
    assert_eq!((requests[2].descriptors, requests[3].descriptors), (1, 2));
    assert_eq!(requests[7].payload, [9, 8, 7]);
    let numbers: Vec<_> = requests[3..5].iter().map(|request| request.command.clone()).collect();
    let stream = |stream_nr| Command::Stream { len: 4096, stream_nr };
    assert_eq!(numbers, [stream(0), stream(1)]);
    // Two events, then the channel, whose ids it could only get while ENABLE waited.
    assert!(fake.asked().iter().all(|(_, answer)| answer.is_some()));
    assert_eq!(fake.asked().len(), 3);
    assert_eq!(fake.objects(), 4);

    forget(&app).await.unwrap();
    assert_eq!(fake.commands()[expected.len()..], [RELEASE, RELEASE, RELEASE, RELEASE, QUIESCENT]);
    assert_eq!(
        (fake.objects(), fake.faults().as_slice()),
        (0, [""; 0].map(String::from).as_slice())
    );
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_stop_and_a_restart_touch_what_changed_only() {
    let world = World::new(None).await;
    let (fake, app, _) = world.app(AppScript::default()).await;
    let mut channels = [channel(0, 0, 1)];
    app.send(world.want(true, &channels).await).await.unwrap().unwrap();
    let before = fake.commands().len();
    app.send(world.want(true, &channels).await).await.unwrap().unwrap();
    app.send(world.want(false, &channels).await).await.unwrap().unwrap();
    channels[0].events[0].enabled = false;
    channels[0].enabled = false;
    app.send(world.want(true, &channels).await).await.unwrap().unwrap();
    let expected = [DISABLE, QUIESCENT, DISABLE, DISABLE, ENABLE, QUIESCENT];
    assert_eq!(fake.commands()[before..], expected);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn the_newest_wish_wins_while_an_older_one_waits() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(None).await;
    let script = AppScript::new(move |request| match request.command.number() {
        SESSION => AppAct::Late(held.clone()),
        _ => AppAct::Answer,
    });
    let (fake, app, _) = world.app(script).await;
    let mut channels = vec![channel(0, 0, 1), channel(1, 0, 1)];
    let old = app.send(world.want(true, &channels).await);
    let old = tokio::task::spawn_local(old);
    eventually("SESSION is held", || fake.has_got(SESSION)).await;
    channels.pop();
    let new = world.want(true, &channels).await;
    let new = tokio::task::spawn_local(app.send(new));
    tokio::task::yield_now().await;
    gate.open();
    old.await.unwrap().unwrap().unwrap();
    new.await.unwrap().unwrap().unwrap();
    let made = fake.commands().iter().filter(|number| **number == CHANNEL).count();
    assert_eq!(made, 1, "the channel that nobody wants any more is not made");
    forget(&app).await.unwrap();
    assert_eq!(fake.objects(), 0);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_session_that_is_forgotten_while_it_is_made_goes_away() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(None).await;
    let script = AppScript::new(move |request| match request.command.number() {
        CHANNEL => AppAct::Late(held.clone()),
        _ => AppAct::Answer,
    });
    let (fake, app, _) = world.app(script).await;
    let made = tokio::task::spawn_local(app.send(world.want(true, &[channel(0, 0, 1)]).await));
    eventually("CHANNEL is held", || fake.has_got(CHANNEL)).await;
    let forgotten = tokio::task::spawn_local({
        let app = app.clone();
        async move { forget(&app).await }
    });
    tokio::task::yield_now().await;
    gate.open();
    made.await.unwrap().unwrap().unwrap();
    forgotten.await.unwrap().unwrap();
    assert_eq!(fake.objects(), 0);
    assert!(!fake.has_got(EVENT), "{:x?}", fake.commands());
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn the_next_request_of_another_session_is_there_before_the_first_is_answered() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(None).await;
    let script = AppScript::new(move |request| match (request.command.number(), request.index) {
        (SESSION, 1) => AppAct::Late(held.clone()),
        _ => AppAct::Answer,
    });
    let (fake, app, _) = world.app(script).await;
    let channels = [channel(0, 1, 2), channel(1, 0, 1)];
    let want = world.want(true, &channels).await.want;
    let sessions: Vec<SessionId> = (1..=6).map(SessionId).collect();
    let wish = |&session| app.send(Synchronise { session, want: want.clone() });
    let made = futures::future::join_all(sessions.iter().map(wish));
    let opened = async {
        eventually("others wait in its socket", || fake.unread() >= REQUEST_LEN).await;
        gate.open();
    };
    let (made, ()) = futures::join!(made, opened);
    made.into_iter().for_each(|made| made.unwrap().unwrap());
    let enabled = fake.commands().into_iter().filter(|&number| number == ENABLE).count();
    assert_eq!(enabled, sessions.len() * 4, "each session and its events");
    let forgotten = sessions.iter().map(|&session| app.send(Forget { session }));
    let forgotten = futures::future::join_all(forgotten).await;
    forgotten.into_iter().for_each(|forgotten| forgotten.unwrap().unwrap());
    assert_eq!((fake.objects(), fake.faults()), (0, Vec::new()));
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn what_an_application_refuses_is_missing_and_the_rest_is_there() {
    let cases = [
        (SESSION, [0, 0, 0]),
        (CHANNEL, [2, 0, 1]),
        (STREAM, [2, 0, 1]),
        (CONTEXT, [2, 0, 1]),
        (EVENT, [2, 2, 1]),
        (FILTER, [2, 2, 4]),
        (ENABLE, [2, 2, 3]),
        (QUIESCENT, [2, 2, 3]),
    ];
    for (number, [channels_tried, events_tried, enabled_tried]) in cases {
        let world = World::new(None).await;
        let (fake, app, _) = world.app(AppScript::refusing(number, UstError::Invalid)).await;
        let mut channels = [channel(1, 1, 1), channel(2, 1, 1)];
        if number == FILTER {
            let bytecode = Bytecode { reloc_table_offset: 0, seqnum: 0, data: vec![1] };
            let filter = Filter { expression: "a".to_owned(), bytecode };
            channels[0].events[0].filter = Some(filter);
            channels[1].events.push(channels[1].events[0].clone());
        }
        app.send(world.want(true, &channels).await).await.unwrap().unwrap();
        let count = |number| fake.commands().iter().filter(|n| **n == number).count();
        assert_eq!(count(CHANNEL), channels_tried, "{number:#x}");
        if number != FILTER {
            assert_eq!(count(EVENT), events_tried, "{number:#x}");
            assert_eq!(count(ENABLE), enabled_tried, "{number:#x}");
        } else {
            assert_eq!((count(FILTER), count(RELEASE)), (1, 1), "the event went with its filter");
            assert_eq!(count(ENABLE), 3);
        }
        forget(&app).await.unwrap();
        assert_eq!(fake.objects(), 0, "{number:#x}");
        assert_eq!(fake.faults(), [""; 0], "{number:#x}");
        assert_eq!(world.told.unregistered(), []);
        drop(fake);
        world.end().await;
    }
}

#[actix::test]
async fn a_stop_that_is_refused_ends() {
    let world = World::new(Some(lttngd_peer::PATIENCE)).await;
    let (fake, app, _) = world.app(AppScript::refusing(DISABLE, UstError::Invalid)).await;
    let channels = [channel(0, 0, 1)];
    app.send(world.want(true, &channels).await).await.unwrap().unwrap();
    app.send(world.want(false, &channels).await).await.unwrap().unwrap();
    assert_eq!(fake.commands().iter().filter(|n| **n == DISABLE).count(), 1);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn listings_have_an_end_of_ours_too() {
    let world = World::new(None).await;
    let field = FieldEntry {
        event_name: "p:e".to_owned(),
        field_name: "f".to_owned(),
        kind: lttngd_model::EventFieldKind::Integer,
        loglevel: 13,
        nowrite: false,
    };
    let script = AppScript {
        tracepoints: vec![("p:e".to_owned(), 13); 70_000],
        fields: vec![field.clone(); 2],
        ..AppScript::default()
    };
    let (fake, app, _) = world.app(script).await;
    let listed = app.send(ListTracepointFields).await.unwrap().unwrap();
    let entries: Vec<_> = listed
        .iter()
        .map(|(both, field)| (field.names(both), field.kind, field.loglevel, field.nowrite))
        .collect();
    assert_eq!(entries, [(("p:e", "f"), field.kind, 13, false); 2]);
    assert_eq!(app.send(ListTracepoints).await.unwrap().unwrap().len(), 1 << 16);
    assert_eq!(fake.objects(), 0, "both lists are released");
    drop(fake);
    world.end().await;
}

/// How many tracepoints an application has whose listing takes many round trips.
const MANY: usize = 1000;

fn with_tracepoints() -> AppScript {
    AppScript { tracepoints: vec![("p:e".to_owned(), 13); MANY], ..AppScript::default() }
}

#[actix::test]
async fn a_listing_ends_where_it_is_refused_whatever_comes_behind() {
    for (refusal, expected) in [(UstError::NoEntry, Some(20)), (UstError::Invalid, None)] {
        let world = World::new(None).await;
        let mut gets = 0;
        let script = AppScript::new(move |request| {
            gets += usize::from(request.command.number() == LIST_GET);
            // Those behind it, which are on their way already, are granted again.
            if request.command.number() == LIST_GET && gets == 21 {
                AppAct::Refuse(refusal)
            } else {
                AppAct::Answer
            }
        });
        let script = AppScript { tracepoints: with_tracepoints().tracepoints, ..script };
        let (fake, app, _) = world.app(script).await;
        let listed = app.send(ListTracepoints).await.unwrap();
        assert_eq!(listed.ok().map(|listed| listed.len()), expected);
        app.send(RegisterDone).await.unwrap().unwrap();
        assert!(fake.commands().contains(&REGISTER_DONE), "the socket is in step");
        drop(fake);
        world.end().await;
    }
}

#[actix::test]
async fn neither_a_session_nor_main_waits_for_a_listing() {
    let world = World::new(None).await;
    let (fake, app, _) = world.app(with_tracepoints()).await;
    let listed = tokio::task::spawn_local(app.send(ListTracepoints));
    eventually("it is listed", || fake.has_got(LIST_GET)).await;
    app.send(world.want(true, &[channel(0, 0, 1)]).await).await.unwrap().unwrap();
    app.send(RegisterDone).await.unwrap().unwrap();
    assert_eq!(listed.await.unwrap().unwrap().unwrap().len(), MANY);
    let commands = fake.commands();
    let begun = commands.iter().position(|number| *number == REGISTER_DONE).unwrap();
    assert!(commands[begun..].contains(&LIST_GET), "the listing went on meanwhile");
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_listing_of_which_nobody_wants_to_know_ends() {
    let world = World::new(None).await;
    let (fake, app, _) = world.app(with_tracepoints()).await;
    let listed = tokio::task::spawn_local(app.send(ListTracepoints));
    eventually("it is listed", || fake.has_got(LIST_GET)).await;
    listed.abort();
    eventually("the list is released", || fake.has_got(RELEASE)).await;
    let gets = fake.commands().iter().filter(|number| **number == LIST_GET).count();
    assert!(gets < MANY, "{gets}");
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_session_that_is_wanted_again_while_it_is_released_is_made_again() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(None).await;
    let (fake, app, _) = world
        .app(AppScript::new(move |request| match request.command.number() {
            RELEASE => AppAct::Late(held.clone()),
            _ => AppAct::Answer,
        }))
        .await;
    let channels = [channel(0, 0, 1)];
    app.send(world.want(true, &channels).await).await.unwrap().unwrap();
    let objects = fake.objects();
    let forgotten = tokio::task::spawn_local({
        let app = app.clone();
        async move { forget(&app).await }
    });
    eventually("the release is held", || fake.has_got(RELEASE)).await;
    let wanted = app.send(world.want(true, &channels).await);
    gate.open();
    wanted.await.unwrap().unwrap();
    forgotten.await.unwrap().unwrap();
    assert_eq!(fake.objects(), objects);
    forget(&app).await.unwrap();
    assert_eq!((fake.objects(), fake.faults()), (0, Vec::new()));
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn the_first_event_of_a_channel_is_there_before_its_streams_are_answered() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(None).await;
    let script = AppScript::new(move |request| match request.command {
        Command::Stream { stream_nr: 0, .. } => AppAct::Late(held.clone()),
        _ => AppAct::Answer,
    });
    let (fake, app, _) = world.app(script).await;
    let made = tokio::task::spawn_local(app.send(world.want(true, &[channel(0, 0, 2)]).await));
    eventually("STREAM is held", || fake.has_got(STREAM)).await;
    eventually("STREAM and EVENT wait", || fake.unread() >= 2 * REQUEST_LEN).await;
    gate.open();
    made.await.unwrap().unwrap().unwrap();
    let expected = [STREAM, STREAM, EVENT, ENABLE, EVENT, ENABLE, ENABLE, QUIESCENT];
    assert_eq!(fake.commands()[3..], expected);
    forget(&app).await.unwrap();
    assert_eq!((fake.objects(), fake.faults()), (0, Vec::new()));
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn a_channel_that_lacks_a_stream_goes_and_takes_the_event_with_it_that_was_on_its_way() {
    let world = World::new(None).await;
    let mut is_refused = false;
    let script = AppScript::new(move |request| match request.command {
        Command::Stream { stream_nr: 1, .. } if !std::mem::replace(&mut is_refused, true) => {
            AppAct::Refuse(UstError::Invalid)
        }
        _ => AppAct::Answer,
    });
    let (fake, app, _) = world.app(script).await;
    let channels = [channel(0, 0, 2), channel(1, 0, 1)];
    app.send(world.want(true, &channels).await).await.unwrap().unwrap();
    let of_the_first = [SESSION, CHANNEL, STREAM, STREAM, EVENT, RELEASE, RELEASE];
    let of_the_second = [CHANNEL, STREAM, STREAM, EVENT, ENABLE, ENABLE, QUIESCENT];
    assert_eq!(fake.commands()[1..], [of_the_first, of_the_second].concat());
    assert_eq!(fake.objects(), 3, "the session, and the other channel with its event");
    forget(&app).await.unwrap();
    assert_eq!((fake.objects(), fake.faults()), (0, Vec::new()));
    drop(fake);
    world.end().await;
}
