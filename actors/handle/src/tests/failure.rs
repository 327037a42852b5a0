//! Sessions that fail in the middle of what they do, and the rest of the daemon.

use futures::StreamExt;
use lttngd_model::{ErrorCode, SessionDescriptor, SessionKind};
use lttngd_peer::{AppScript, ConsumerScript, FakeApp, PATIENCE, eventually, eventually_so};
use lttngd_registry::Event;
use lttngd_runtime::fail_point::{fail_here, has_failed};
use lttngd_session::{FAILED, RecordSnapshot, SessionEvent, SessionRequest};

use super::world::World;

/// The consumers know of a new trace chunk, and the session does not have it yet.
const CHUNK_PUBLISHED: &str = "Session chunk_published";
/// Buffers are there for an application, which does not have them yet.
const BUFFERS_PREPARED: &str = "Session buffers_prepared";
/// Applications are kept from recording for a clear.
const PAUSED: &str = "Session paused";

const CLOSE_METADATA: u32 = 11;
const SETUP_METADATA: u32 = 12;
const CREATE_CHUNK: u32 = 23;
const REGISTER_DONE: u32 = 0x44;
const CLOSE_CHUNK: u32 = 24;

/// A world with an application and a session that records, to which nothing is to happen.
async fn world() -> (World, FakeApp) {
    let world = World::new(ConsumerScript::default(), None).await;
    world.session("good").await;
    let app = world.app(AppScript::default());
    world.handle.start("good").await.unwrap();
    eventually("the good session records", || app.has_got(0x80)).await;
    (world, app)
}

/// The session `bad` has failed by now.
async fn is_let_go(world: &World, app: &FakeApp, objects_before: usize) {
    let handle = &world.handle;
    let listed = handle.list_sessions().await.unwrap();
    let mut shown: Vec<_> = listed.iter().map(|one| (one.name.as_str(), one.active)).collect();
    shown.sort_unstable();
    assert_eq!(shown, [("bad", false), ("good", true)]);
    assert_eq!(handle.stop("bad").await, Err(FAILED));
    assert_eq!(handle.start("bad").await, Err(FAILED));
    let event = lttngd_peer::event_description("p:e");
    assert_eq!(handle.enable_event("bad", "c", event).await, Err(FAILED));
    assert_eq!(handle.list_channels("bad").await.unwrap()[0].name, "c", "it can be listed");
    eventually_so("it is let go", async || handle.data_pending("bad").await == Ok(false)).await;
    assert_eq!(app.objects(), objects_before, "the application has forgotten it");
    // What the other session has stays.
    let count = |number| world.fake.count(number);
    assert_eq!(count(SETUP_METADATA), count(CLOSE_METADATA) + 1);
    assert_eq!(count(CREATE_CHUNK), count(CLOSE_CHUNK) + 1);
    // As the stock command line destroys it: it asks whether data is pending first.
    handle.destroy_session("bad").await.unwrap();
    assert_eq!(handle.start("bad").await, Err(ErrorCode::SessNotFound));
    assert_eq!(handle.list_sessions().await.unwrap().len(), 1);
}

/// The other session goes on, and a new one of the same name is as any.
async fn the_rest_goes_on(world: World, app: FakeApp) {
    let handle = &world.handle;
    world.session("bad").await;
    let before = app.objects();
    handle.start("bad").await.unwrap();
    assert!(app.objects() > before);
    handle.stop("good").await.unwrap();
    handle.rotate("good").await.unwrap();
    let is_over = async || handle.data_pending("good").await == Ok(false);
    eventually_so("the rotation is over", is_over).await;
    handle.start("good").await.unwrap();
    handle.destroy_session("bad").await.unwrap();
    handle.destroy_session("good").await.unwrap();
    assert_eq!(app.objects(), 0);
    assert_eq!(app.faults(), [""; 0]);
    let count = |number| world.fake.count(number);
    assert_eq!(count(SETUP_METADATA), count(CLOSE_METADATA));
    assert_eq!(count(CREATE_CHUNK), count(CLOSE_CHUNK));
    drop(app);
    world.end().await;
}

#[actix::test]
async fn a_session_that_fails_can_be_listed_and_destroyed_and_no_other_is_touched() {
    for (started, point) in [
        (false, CHUNK_PUBLISHED),
        (false, BUFFERS_PREPARED),
        (true, CHUNK_PUBLISHED),
        (true, PAUSED),
    ] {
        let (world, app) = world().await;
        let handle = &world.handle;
        let objects = app.objects();
        world.session("bad").await;
        if started {
            handle.start("bad").await.unwrap();
        }
        fail_here(point);
        let failed = match (started, point) {
            (false, _) => handle.start("bad").await,
            (true, PAUSED) => handle.clear("bad").await,
            (true, _) => handle.rotate("bad").await.map(drop),
        };
        assert_eq!(failed, Err(FAILED), "{started} {point}");
        assert!(has_failed());
        is_let_go(&world, &app, objects).await;
        the_rest_goes_on(world, app).await;
    }
}

#[actix::test]
async fn who_waits_behind_a_command_that_fails_is_answered() {
    let (world, app) = world().await;
    let handle = &world.handle;
    let objects = app.objects();
    world.session("bad").await;
    let mut events = handle.subscribe(16).await.unwrap();
    fail_here(BUFFERS_PREPARED);
    let (start, stop, pending, channels) = futures::join!(
        handle.start("bad"),
        handle.stop("bad"),
        handle.data_pending("bad"),
        handle.list_channels("bad"),
    );
    let failed = Event::Session { session: "bad".to_owned(), event: SessionEvent::Failed };
    assert_eq!(tokio::time::timeout(PATIENCE, events.next()).await.unwrap(), Some(failed));
    assert_eq!((start, stop, pending), (Err(FAILED), Err(FAILED), Err(FAILED)));
    assert_eq!(channels.unwrap()[0].name, "c");
    is_let_go(&world, &app, objects).await;
    the_rest_goes_on(world, app).await;
}

#[actix::test]
async fn a_session_that_fails_for_an_application_that_comes_does_not_hold_it_up() {
    let (world, app) = world().await;
    world.session("bad").await;
    world.handle.start("bad").await.unwrap();
    fail_here(BUFFERS_PREPARED);
    let late = world.app(AppScript::default());
    eventually("its main begins", || late.has_got(REGISTER_DONE)).await;
    eventually("a session has failed", has_failed).await;
    drop(late);
    // Whichever of the two it was.
    let bad = world.handle.stop("bad").await;
    let good = world.handle.stop("good").await;
    assert_ne!(bad.is_ok(), good.is_ok(), "{bad:?} {good:?}");
    for name in ["bad", "good"] {
        let let_go = async || world.handle.data_pending(name).await == Ok(false);
        eventually_so("nothing is pending", let_go).await;
        world.handle.destroy_session(name).await.unwrap();
    }
    assert_eq!(app.objects(), 0);
    let count = |number| world.fake.count(number);
    assert_eq!(count(SETUP_METADATA), count(CLOSE_METADATA));
    assert_eq!(count(CREATE_CHUNK), count(CLOSE_CHUNK));
    drop(app);
    world.end().await;
}

#[actix::test]
async fn a_snapshot_that_fails_leaves_no_trace_chunk_open() {
    let (world, app) = world().await;
    let handle = &world.handle;
    let objects = app.objects();
    let kind = SessionKind::Snapshot;
    let descriptor = SessionDescriptor { kind, ..world.descriptor("bad") };
    handle.create_session(None, descriptor).await.unwrap();
    let event = lttngd_peer::event_description("p:e");
    handle.enable_event("bad", "c", event).await.unwrap();
    handle.start("bad").await.unwrap();
    fail_here("Session snapshot_recorded");
    let (name, control_url, data_url) = Default::default();
    let record = RecordSnapshot { name, control_url, data_url, max_size_bytes: 0 };
    assert_eq!(handle.ask(record.in_session("bad")).await, Err(FAILED));
    is_let_go(&world, &app, objects).await;
    the_rest_goes_on(world, app).await;
}

#[actix::test]
async fn a_destroy_that_fails_frees_the_name_and_leaves_nothing() {
    let (world, app) = world().await;
    let handle = &world.handle;
    let objects = app.objects();
    world.session("bad").await;
    handle.start("bad").await.unwrap();
    fail_here("Session forgotten");
    assert_eq!(handle.destroy_session("bad").await, Err(FAILED));
    assert_eq!(handle.list_sessions().await.unwrap().len(), 1);
    let count = |number| world.fake.count(number);
    eventually("it is let go", || {
        app.objects() == objects
            && count(SETUP_METADATA) == count(CLOSE_METADATA) + 1
            && count(CREATE_CHUNK) == count(CLOSE_CHUNK) + 1
    })
    .await;
    the_rest_goes_on(world, app).await;
}
