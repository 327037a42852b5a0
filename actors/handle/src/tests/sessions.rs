//! Names, owners, and ends of sessions.

use lttngd_model::{BufferScheme, Credentials, Domain, ErrorCode, SessionKind};
use lttngd_peer::{
    AppScript, ConsumerAct, ConsumerScript, Gate, channel_listing, event_description, eventually,
    eventually_so,
};
use lttngd_session::{DisableChannel, DisableEvent, EnableEvent, SessionRequest};

use super::world::{World, own};

#[actix::test]
async fn names_belong_to_one_session_of_all_users() {
    let world = World::new(ConsumerScript::default(), None).await;
    let other = world.handle.acting_for(Credentials { uid: own().uid + 1, gid: 1 });
    world.session("s").await;
    for handle in [&world.handle, &other] {
        let twice = handle.create_session(None, world.descriptor("s")).await;
        assert_eq!(twice, Err(ErrorCode::ExistSess));
    }
    let kind = SessionKind::Live { timer_interval_us: 1 };
    let local = lttngd_model::SessionDescriptor { kind, ..world.descriptor("t") };
    let made = world.handle.create_session(None, local).await;
    assert_eq!(made, Err(ErrorCode::Invalid), "live sessions are streamed");
    world.end().await;
}

#[actix::test]
async fn whoever_is_neither_owner_nor_root_may_nothing() {
    let world = World::new(ConsumerScript::default(), None).await;
    let owner = Credentials { uid: 4001, gid: 4001 };
    let root = Credentials { uid: 0, gid: 0 };
    let stranger = world.handle.acting_for(Credentials { uid: 4002, gid: 4001 });
    let owned = world.handle.acting_for(owner);
    owned.create_session(None, world.descriptor("s")).await.unwrap();
    let names = |listing: Vec<lttngd_model::SessionListing>| {
        listing.into_iter().map(|session| session.name).collect::<Vec<_>>()
    };
    assert_eq!(names(owned.list_sessions().await.unwrap()), ["s"]);
    assert_eq!(names(world.handle.acting_for(root).list_sessions().await.unwrap()), ["s"]);
    assert_eq!(names(stranger.list_sessions().await.unwrap()), [""; 0]);
    let channel = channel_listing("c");
    let outcomes = [
        stranger.enable_channel("s", BufferScheme::PerUid, channel).await,
        stranger.disable_channel("s", "c").await,
        stranger.enable_event("s", "c", event_description("p:e")).await,
        stranger.disable_event("s", "c", event_description("p:e")).await,
        stranger.start("s").await,
        stranger.stop("s").await,
        stranger.data_pending("s").await.map(drop),
        stranger.list_channels("s").await.map(drop),
        stranger.list_events("s", "c").await.map(drop),
        stranger.list_domains("s").await.map(drop),
        stranger.set_consumer_uri("s", Vec::new()).await,
        stranger.check("s", Some(Domain::Ust)).await,
        stranger.destroy_session("s").await.map(drop),
    ];
    assert_eq!(outcomes, [Err(ErrorCode::Eperm); 13]);
    assert_eq!(world.fake.starts(), [""; 0], "nothing was begun for it");
    world.handle.acting_for(root).destroy_session("s").await.unwrap();
    assert_eq!(owned.start("s").await, Err(ErrorCode::SessNotFound));
    world.end().await;
}

#[actix::test]
async fn listings_show_what_is_newest_first_and_how_it_is() {
    let world = World::new(ConsumerScript::default(), None).await;
    world.session("a").await;
    world.session("b").await;
    world.handle.start("a").await.unwrap();
    let listed = world.handle.list_sessions().await.unwrap();
    let seen: Vec<_> = listed.iter().map(|s| (s.name.as_str(), s.active)).collect();
    assert_eq!(seen, [("b", false), ("a", true)]);
    assert_eq!(listed[1].path, world.directory.path().join("a").to_str().unwrap());
    world.handle.destroy_session("a").await.unwrap();
    assert_eq!(world.handle.list_sessions().await.unwrap().len(), 1);
    world.end().await;
}

#[actix::test]
async fn a_name_is_free_while_its_old_session_ends() {
    let gate = Gate::default();
    let held = gate.clone();
    let world = World::new(
        ConsumerScript::new(move |message| match message.number() {
            24 => ConsumerAct::Late(held.clone()),
            _ => ConsumerAct::Answer,
        }),
        None,
    )
    .await;
    world.session("s").await;
    world.handle.start("s").await.unwrap();
    let destroyed = tokio::task::spawn_local({
        let handle = world.handle.clone();
        async move { handle.destroy_session("s").await }
    });
    eventually("the chunk's end is held", || world.fake.count(24) == 1).await;
    assert_eq!(world.handle.start("s").await, Err(ErrorCode::SessNotFound));
    let twice = world.handle.destroy_session("s").await;
    assert_eq!(twice, Err(ErrorCode::SessNotFound));
    assert_eq!(world.handle.list_sessions().await.unwrap(), []);
    world.session("s").await;
    gate.open();
    destroyed.await.unwrap().unwrap();
    assert_eq!(world.handle.list_sessions().await.unwrap().len(), 1, "the new one is still there");
    world.end().await;
}

#[actix::test]
async fn a_shutdown_ends_every_session_whole_and_takes_no_new_one() {
    let world = World::new(ConsumerScript::default(), None).await;
    let fake = world.app(AppScript::default());
    eventually("it registers", || fake.has_got(0x44)).await;
    for name in ["a", "b", "c"] {
        world.session(name).await;
        world.handle.start(name).await.unwrap();
    }
    world.registry.send(lttngd_registry::Shutdown { keep: false }).await.unwrap();
    assert_eq!(fake.objects(), 0);
    assert_eq!(world.fake.count(11), 3, "every metadata channel is closed");
    let made = world.handle.create_session(None, world.descriptor("d")).await;
    assert_eq!(made, Err(ErrorCode::SessionFail));
    assert_eq!(world.handle.list_sessions().await.unwrap(), []);
    drop(fake);
    world.end().await;
}

#[actix::test]
async fn domains_that_are_not_there() {
    let world = World::new(ConsumerScript::default(), None).await;
    world.session("s").await;
    // Whoever disables something of what the session does not record is told that before all else. What
    // agents hand over is recorded in user space.
    let cases = [
        (Domain::Kernel, ErrorCode::KernNa, ErrorCode::NoChannel),
        (Domain::Jul, ErrorCode::AgentTracingDisabled, ErrorCode::AgentTracingDisabled),
        (Domain::Python, ErrorCode::AgentTracingDisabled, ErrorCode::AgentTracingDisabled),
    ];
    for (domain, code, disabled) in cases {
        let handle = &world.without_agents;
        let (channel, event) = (String::new(), event_description("e"));
        let disable = DisableEvent { domain, channel, event: event.clone() };
        let outcome = handle.ask(disable.in_session("s")).await;
        assert_eq!(outcome, Err(disabled), "{domain:?}");
        let enable = EnableEvent { domain, buffer_type: 1, channel: String::new(), event };
        let outcome = handle.ask(enable.in_session("s")).await;
        assert_eq!(outcome, Err(code), "{domain:?}");
        assert_eq!(handle.check("s", Some(domain)).await, Err(code));
        assert_eq!(handle.list_tracepoints(Some(domain)).await, Err(code));
        assert_eq!(handle.list_tracepoint_fields(Some(domain)).await, Err(code));
    }
    assert_eq!(world.handle.list_tracepoints(None).await, Err(ErrorCode::Und));
    // Loggers have no fields.
    let fields = world.handle.list_tracepoint_fields(Some(Domain::Jul)).await;
    assert_eq!(fields, Err(ErrorCode::Und));
    assert_eq!(world.handle.list_syscalls().await, Err(ErrorCode::KernNa));
    world.end().await;
}

#[actix::test]
async fn who_disables_what_is_not_there_brings_about_no_domain() {
    let world = World::new(ConsumerScript::default(), None).await;
    world.handle.create_session(None, world.descriptor("s")).await.unwrap();
    for domain in [Domain::Ust, Domain::Jul, Domain::Kernel] {
        let (channel, event) = (String::new(), event_description("e"));
        let disable = DisableChannel { domain, channel: channel.clone() };
        let outcome = world.handle.ask(disable.in_session("s")).await;
        assert_eq!(outcome, Err(ErrorCode::NoChannel), "{domain:?}");
        let disable = DisableEvent { domain, channel, event };
        let outcome = world.handle.ask(disable.in_session("s")).await;
        assert_eq!(outcome, Err(ErrorCode::NoChannel), "{domain:?}");
    }
    assert_eq!(world.handle.list_domains("s").await.unwrap(), []);
    assert_eq!(world.fake.starts(), [""; 0], "no consumer daemon is started for it");
    world.end().await;
}

#[actix::test]
async fn a_dead_consumer_costs_the_sessions_it_had() {
    let world = World::new(ConsumerScript::default(), None).await;
    world.session("lost").await;
    world.handle.start("lost").await.unwrap();
    world.fake.kill();
    // The first ones may come before the end is noticed.
    eventually_so("the session is lost", async || {
        let event = event_description("p:x");
        let outcome = world.handle.enable_event("lost", "c", event).await;
        outcome == Err(ErrorCode::NoUstconsumerd)
    })
    .await;
    world.session("next").await;
    world.handle.start("next").await.unwrap();
    assert_eq!(world.fake.starts().len(), 2);
    // It is gone, and what it recorded may not be whole.
    let destroyed = world.handle.destroy_session("lost").await;
    assert_eq!(destroyed, Err(ErrorCode::NoUstconsumerd));
    assert_eq!(world.handle.start("lost").await, Err(ErrorCode::SessNotFound));
    world.handle.destroy_session("next").await.unwrap();
    world.end().await;
}
