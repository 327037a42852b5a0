//! A second domain beside user space: the kernel's, which is recorded in one place, by a tracer and a consumer
//! daemon of its own.

use std::sync::Arc;

use actix::{Actor, Addr};
use lttngd_consumer::{Consumer, ConsumerConfig};
use lttngd_kernel::{ModuleLists, Tracer, TracerConfig};
use lttngd_model::{
    Bitness, BufferScheme, ConsumerKind, Domain, ErrorCode, EventDescription, ProcessAttribute,
    SessionKind, TrackingPolicy,
};
use lttngd_peer::{
    AppScript, ConsumerAct, ConsumerScript, FakeConsumer, FakeKernel, FakeRelayd, KernelAct,
    KernelObject, channel_listing,
};
use lttngd_runtime::{Asker, Outlet};
use lttngd_wire::kernel::Call;

use super::{
    streaming::stream_to,
    world::{CHANNEL, World},
};
use crate::{
    Asked, ConsumerLost, Destroy, EnableChannel, EnableEvent, GetTrackingPolicy, ListChannels,
    ListDomains, ListEvents, Needs, Output, RecordSnapshot, RegenerateMetadata,
    RegenerateStatedump, Rotate, SetTrackingPolicy, Start, Stop,
};

const FLUSH_CHANNEL: u32 = 13;
const CREATE_TRACE_CHUNK: u32 = 23;
const CLOSE_TRACE_CHUNK: u32 = 24;
const ADD_RELAYD_SOCKET: u32 = 4;
const DISCARDED_EVENTS: u32 = 17;
const LOST_PACKETS: u32 = 18;
const DESTROY_CHANNEL: u32 = 9;
const ADD_CHANNEL: u32 = 0;
const SNAPSHOT_CHANNEL: u32 = 14;
const ASK_CHANNEL_CREATION: u32 = 7;
/// Of applications.
const SESSION: u32 = 0x40;

/// A world with a second tracer and consumer daemon.
pub(super) struct Two {
    pub(super) world: World,
    pub(super) fake: FakeConsumer,
    consumer: Addr<Consumer>,
    pub(super) kernel: FakeKernel,
}

impl Two {
    pub(super) async fn new() -> Self {
        Self::with(FakeKernel::default()).await
    }

    async fn with(kernel: FakeKernel) -> Self {
        Self::configured(kernel, ConsumerScript::default(), SessionKind::Regular).await
    }

    async fn configured(kernel: FakeKernel, script: ConsumerScript, kind: SessionKind) -> Self {
        let two = Self::without_user_space(kernel, script, kind).await;
        two.world.prepare_domain().await.unwrap();
        two.world.enable_channel(CHANNEL, BufferScheme::PerUid).await.unwrap();
        two.world.enable_event("p:e").await.unwrap();
        two
    }

    /// The same, where nobody has asked for anything yet.
    async fn without_user_space(
        kernel: FakeKernel,
        script: ConsumerScript,
        kind: SessionKind,
    ) -> Self {
        let fake = FakeConsumer::new(script);
        let config = ConsumerConfig { kind: ConsumerKind::Kernel, ..fake.config() };
        let consumer = Consumer::new(config, Outlet::closed()).start();
        let modules = ModuleLists::default();
        let descriptors = lttngd_runtime::Descriptors::unlimited();
        let tracer = TracerConfig { kernel: Arc::new(kernel.clone()), modules, descriptors };
        let (configured, tracer) = (consumer.clone(), Tracer::new(tracer).start());
        let world = World::empty(ConsumerScript::default(), None, |config| {
            config.consumers.kernel = Some(configured);
            config.tracer = Some(tracer);
            config.kind = kind;
            if kind == SessionKind::Snapshot {
                config.output = Output::None;
            }
        })
        .await;
        Self { world, fake, consumer, kernel }
    }

    /// The session records in the second domain as well.
    pub(super) async fn adopt(&self) {
        self.world.prepare(Domain::Kernel).await.unwrap();
        self.enable_channel("k").await.unwrap();
    }

    pub(super) async fn enable_channel(&self, name: &str) -> Result<(), ErrorCode> {
        let (domain, channel) = (Domain::Kernel, channel_listing(name));
        self.world.ask(EnableChannel { domain, buffer_type: 2, channel }).await
    }

    async fn channels(&self, domain: Domain) -> Vec<String> {
        let listed = self.world.ask(ListChannels { domain }).await.unwrap();
        listed.into_iter().map(|channel| channel.name).collect()
    }

    fn told(&self) -> Vec<bool> {
        self.kernel.recordings()
    }

    /// How often packets of the kernel's were closed.
    fn flushed(&self) -> usize {
        self.kernel.count(|call| *call == Call::Flush)
    }

    /// Both consumer daemons have heard this so many times.
    fn both_heard(&self, number: u32, times: usize) {
        let counts = (self.world.fake.count(number), self.fake.count(number));
        assert_eq!(counts, (times, times), "command {number}");
    }

    pub(super) async fn end(self) {
        self.consumer.send(lttngd_consumer::Stop).await.unwrap();
        assert_eq!(self.fake.faults(), [""; 0]);
        self.world.end().await;
        // The tracer itself is the daemon's, and streams were the consumer daemon's.
        let open = self.kernel.open_objects();
        assert!(open.iter().all(|object| *object == KernelObject::Tracer), "{open:?}");
    }
}

#[actix::test]
async fn two_domains_are_recorded_side_by_side() {
    let two = Two::new().await;
    let world = &two.world;
    two.adopt().await;
    let app = world.app(AppScript::default()).await;
    let domains = world.ask(ListDomains).await.unwrap();
    let kernel = (Domain::Kernel, BufferScheme::Global);
    assert_eq!((domains[0], domains[1].0), (kernel, Domain::Ust));
    world.ask(Start).await.unwrap();
    assert_eq!(two.told(), [true]);
    // Each consumer daemon writes to the directory of its own domain.
    two.both_heard(CREATE_TRACE_CHUNK, 1);
    assert!(world.fake.write_to_chunk("of-ust") && two.fake.write_to_chunk("of-kernel"));
    assert!(world.trace().join("ust/of-ust").exists());
    assert!(world.trace().join("kernel/of-kernel").exists());
    for (domain, name) in [(Domain::Kernel, "k"), (Domain::Ust, CHANNEL)] {
        assert_eq!(two.channels(domain).await, [name]);
    }
    world.ask(Rotate).await.unwrap();
    two.both_heard(CREATE_TRACE_CHUNK, 2);
    lttngd_peer::eventually("the chunk is archived", || world.trace().join("archives").exists())
        .await;
    world.ask(Stop).await.unwrap();
    assert_eq!(two.told(), [true, false]);
    assert!(world.fake.count(FLUSH_CHANNEL) > 0 && two.flushed() > 0);
    world.ask(Destroy).await.unwrap();
    two.both_heard(CLOSE_TRACE_CHUNK, 2);
    // Both parts of the first chunk went to one place.
    let archives = std::fs::read_dir(world.trace().join("archives")).unwrap();
    let archives: Vec<_> = archives.map(|entry| entry.unwrap().path()).collect();
    let whole = |archive: &std::path::PathBuf| {
        archive.join("ust/of-ust").exists() && archive.join("kernel/of-kernel").exists()
    };
    assert!(archives.iter().any(whole), "{archives:?}");
    drop(app);
    two.end().await;
}

#[actix::test]
async fn a_session_asks_nothing_of_the_consumer_of_a_domain_that_it_does_not_have() {
    let two = Two::new().await;
    let world = &two.world;
    let app = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    world.ask(ConsumerLost { kind: ConsumerKind::Kernel, successor: None }).await;
    world.ask(Rotate).await.unwrap();
    world.ask(Stop).await.unwrap();
    world.ask(Destroy).await.unwrap();
    assert_eq!(two.fake.starts(), [""; 0]);
    assert!(!world.trace().join("kernel").exists());
    drop(app);
    two.end().await;
}

#[actix::test]
async fn a_consumer_that_dies_takes_what_its_own_tracer_recorded() {
    for kind in [ConsumerKind::Kernel, ConsumerKind::Ust(Bitness::Bits64)] {
        let two = Two::new().await;
        let world = &two.world;
        two.adopt().await;
        let app = world.app(AppScript::default()).await;
        world.ask(Start).await.unwrap();
        let (code, remains) = match kind {
            ConsumerKind::Kernel => {
                two.fake.kill();
                world.ask(ConsumerLost { kind, successor: None }).await;
                (ErrorCode::NoKernconsumerd, &world.fake)
            }
            ConsumerKind::Ust(_) => {
                world.lose_consumer().await;
                (ErrorCode::NoUstconsumerd, &two.fake)
            }
        };
        let flushes = || match kind {
            ConsumerKind::Kernel => world.fake.count(FLUSH_CHANNEL),
            ConsumerKind::Ust(_) => two.flushed(),
        };
        let rotated = world.ask(Rotate).await;
        assert_eq!(rotated, Err(code), "{kind}");
        // What the other one recorded is written to its end.
        let flushed = flushes();
        assert_eq!(world.ask(Stop).await, Err(code), "{kind}");
        assert!(flushes() > flushed, "{kind}");
        assert_eq!(two.told(), [true, false], "{kind}");
        assert_eq!(world.ask(Destroy).await.map(|_| ()), Err(code), "{kind}");
        assert_eq!(remains.count(CLOSE_TRACE_CHUNK), 1, "{kind}");
        drop(app);
        two.end().await;
    }
}

#[actix::test]
async fn a_tracer_that_refuses_keeps_the_session_from_starting() {
    let two = Two::with(FakeKernel::new(|_, call| match call {
        Call::Start => KernelAct::Refuse(rustix::io::Errno::NOMEM),
        _ => KernelAct::Answer,
    }))
    .await;
    two.adopt().await;
    assert_eq!(two.world.ask(Start).await, Err(ErrorCode::KernStartFail));
    assert_eq!(two.told(), [true], "it was asked, and there is nothing to stop");
    assert!(!two.world.shown_active());
    assert_eq!(two.world.ask(Stop).await, Err(ErrorCode::TraceAlreadyStopped));
    two.world.ask(Destroy).await.unwrap();
    two.end().await;
}

#[actix::test]
async fn commands_on_one_domain_do_not_reach_the_other() {
    let two = Two::new().await;
    two.adopt().await;
    two.enable_channel("other").await.unwrap();
    assert_eq!(two.channels(Domain::Kernel).await, ["other", "k"]);
    assert_eq!(two.channels(Domain::Ust).await, [CHANNEL]);
    let list = ListEvents { domain: Domain::Kernel, channel: CHANNEL.to_owned() };
    assert_eq!(two.world.ask(list).await, Err(ErrorCode::KernChanNotFound));
    let event = EventDescription::tracepoint("sched_switch");
    let (domain, channel) = (Domain::Kernel, "other".to_owned());
    let enable = EnableEvent { domain, buffer_type: 2, channel: channel.clone(), event };
    two.world.ask(enable).await.unwrap();
    let listed = two.world.ask(ListEvents { domain, channel }).await.unwrap();
    assert_eq!(listed.len(), 1);
    let (attribute, policy) = (ProcessAttribute::VirtualProcessId, TrackingPolicy::ExcludeAll);
    two.world.ask(SetTrackingPolicy { domain, attribute, policy }).await.unwrap();
    for (domain, expected) in [(Domain::Kernel, policy), (Domain::Ust, TrackingPolicy::IncludeAll)]
    {
        let tracks = two.world.ask(GetTrackingPolicy { domain, attribute }).await;
        assert_eq!(tracks, Ok(expected), "{domain:?}");
    }
    two.world.ask(Destroy).await.unwrap();
    two.end().await;
}

#[actix::test]
async fn metadata_and_state_of_both_are_regenerated() {
    let two = Two::new().await;
    two.adopt().await;
    two.world.ask(Start).await.unwrap();
    two.world.ask(RegenerateMetadata).await.unwrap();
    two.world.ask(RegenerateStatedump).await.unwrap();
    for call in [Call::RegenerateMetadata, Call::Statedump] {
        assert_eq!(two.kernel.count(|made| *made == call), 1, "{call:?}");
    }
    two.world.ask(Destroy).await.unwrap();
    two.end().await;
}

#[actix::test]
async fn a_session_that_the_tracer_does_not_make_has_no_such_domain() {
    let two = Two::with(FakeKernel::new(|_, call| match call {
        Call::CreateSession => KernelAct::Refuse(rustix::io::Errno::NOMEM),
        _ => KernelAct::Answer,
    }))
    .await;
    let domain = Domain::Kernel;
    let list = ListChannels { domain };
    let (needs, asker) = (Needs::Open(domain), Asker::nobody());
    let asked = Asked { request: list, needs, served: Ok(()), asker };
    assert_eq!(two.world.ask(asked).await, Err(ErrorCode::KernSessFail));
    let domains = two.world.ask(ListDomains).await.unwrap();
    assert!(domains.iter().all(|(domain, _)| *domain == Domain::Ust), "{domains:?}");
    two.world.ask(Destroy).await.unwrap();
    two.end().await;
}

#[actix::test]
async fn a_domain_that_is_named_too_late_hears_nothing_of_the_trace_chunk() {
    let two = Two::new().await;
    let world = &two.world;
    world.ask(Start).await.unwrap();
    world.prepare(Domain::Kernel).await.unwrap();
    assert_eq!(two.enable_channel("k").await, Err(ErrorCode::TraceAlreadyStarted));
    // Nor of the next one.
    world.ask(Rotate).await.unwrap();
    lttngd_peer::eventually("the chunk is archived", || world.trace().join("archives").exists())
        .await;
    world.ask(Stop).await.unwrap();
    world.ask(Destroy).await.unwrap();
    assert_eq!(world.fake.count(CLOSE_TRACE_CHUNK), 2);
    for number in [CREATE_TRACE_CHUNK, CLOSE_TRACE_CHUNK] {
        assert_eq!(two.fake.count(number), 0, "command {number}");
    }
    assert!(!world.trace().join("kernel").exists());
    two.end().await;
}

#[actix::test]
async fn a_domain_that_is_named_too_late_is_not_in_snapshots() {
    let script = ConsumerScript::default();
    let two = Two::configured(FakeKernel::default(), script, SessionKind::Snapshot).await;
    let world = &two.world;
    let app = world.app(AppScript::default()).await;
    world.ask(Start).await.unwrap();
    world.prepare(Domain::Kernel).await.unwrap();
    assert_eq!(two.enable_channel("k").await, Err(ErrorCode::TraceAlreadyStarted));
    let directory = tempfile::tempdir().unwrap();
    let record = RecordSnapshot {
        name: String::new(),
        control_url: format!("file://{}", directory.path().display()),
        data_url: String::new(),
        max_size_bytes: 0,
    };
    world.ask(record).await.unwrap();
    assert!(world.fake.count(SNAPSHOT_CHANNEL) > 0);
    for number in [CREATE_TRACE_CHUNK, ADD_CHANNEL, SNAPSHOT_CHANNEL] {
        assert_eq!(two.fake.count(number), 0, "command {number}");
    }
    world.ask(Destroy).await.unwrap();
    drop(app);
    two.end().await;
}

#[actix::test]
async fn user_space_that_is_refused_in_a_started_session_leaves_nothing_when_a_program_comes() {
    for kind in [SessionKind::Regular, SessionKind::Snapshot] {
        let script = ConsumerScript::default();
        let two = Two::without_user_space(FakeKernel::default(), script, kind).await;
        let world = &two.world;
        two.adopt().await;
        world.ask(Start).await.unwrap();
        world.prepare(Domain::Ust).await.unwrap();
        let refused = ErrorCode::TraceAlreadyStarted;
        for _ in 0..2 {
            let enabled = world.enable_channel(CHANNEL, BufferScheme::PerUid).await;
            assert_eq!(enabled, Err(refused), "{kind:?}");
            assert_eq!(world.enable_event("p:e").await, Err(refused), "{kind:?}");
        }
        let app = world.app(AppScript::default()).await;
        if kind == SessionKind::Regular {
            world.ask(Rotate).await.unwrap();
        }
        world.ask(Stop).await.unwrap();
        world.ask(Start).await.unwrap();
        let later = world.app(AppScript::default()).await;
        assert!(
            world.ask(ListChannels { domain: Domain::Ust }).await.unwrap_or_default().is_empty()
        );
        world.ask(Stop).await.unwrap();
        world.ask(Destroy).await.unwrap();
        // Programs were told of no session, their consumer daemon of no channel and no trace chunk.
        for app in [&app, &later] {
            assert!(!app.has_got(SESSION), "{kind:?}: {:?}", app.commands());
            assert_eq!(app.objects(), 0, "{kind:?}");
        }
        assert!(!world.trace().join("ust").exists());
        for number in [ASK_CHANNEL_CREATION, CREATE_TRACE_CHUNK, CLOSE_TRACE_CHUNK] {
            assert_eq!(world.fake.count(number), 0, "{kind:?}: command {number}");
        }
        assert_eq!(two.told(), [true, false, true, false], "{kind:?}");
        drop((app, later));
        two.end().await;
    }
}

#[actix::test]
async fn the_consumer_daemon_that_takes_no_relay_daemon_is_that_of_its_domain() {
    let script = ConsumerScript::at(ADD_RELAYD_SOCKET, ConsumerAct::Die);
    let two = Two::configured(FakeKernel::default(), script, SessionKind::Regular).await;
    let world = &two.world;
    let relayd = FakeRelayd::new();
    world.ask(stream_to(&relayd)).await.unwrap();
    assert_eq!(world.prepare(Domain::Kernel).await, Err(ErrorCode::NoKernconsumerd));
    // That of user space has taken both of its sockets before.
    let heard = (world.fake.count(ADD_RELAYD_SOCKET), two.fake.count(ADD_RELAYD_SOCKET));
    assert_eq!(heard, (2, 1));
    world.ask(Destroy).await.unwrap();
    two.end().await;
}

// There are no points at which to fail in other builds.
#[cfg(debug_assertions)]
#[actix::test]
async fn what_records_of_the_kernel_fails_and_its_channels_are_let_go_with_what_they_lost() {
    use lttngd_runtime::fail_point::{fail_here, has_failed};

    for kind in [SessionKind::Regular, SessionKind::Snapshot] {
        let script = ConsumerScript::new(|message| match message.number() {
            DISCARDED_EVENTS | LOST_PACKETS => ConsumerAct::Bytes(5_u64.to_ne_bytes().to_vec()),
            _ => ConsumerAct::Answer,
        });
        let two = Two::configured(FakeKernel::default(), script, kind).await;
        let world = &two.world;
        two.adopt().await;
        world.ask(Start).await.unwrap();
        fail_here("KernelSession flush");
        let mut stopped = world.ask(Stop).await;
        // What is flushed at once has no middle in which it could fail.
        while !has_failed() {
            assert_eq!(stopped, Ok(()), "{kind:?}");
            world.ask(Start).await.unwrap();
            stopped = world.ask(Stop).await;
        }
        assert!(stopped.is_err(), "{kind:?}");
        assert!(!world.shown_active());
        // It is listed with what it had lost until then.
        let list = ListChannels { domain: Domain::Kernel };
        lttngd_peer::eventually_so("its losses are known", async || {
            let listed = world.ask(list.clone()).await.unwrap();
            // Channels of snapshots overwrite.
            match kind {
                SessionKind::Snapshot => listed[0].lost_packets == 5,
                _ => listed[0].discarded_events == 5,
            }
        })
        .await;
        if kind == SessionKind::Snapshot {
            // Its channels do not end with the tracer's. Of these one has data, and none has metadata.
            lttngd_peer::eventually("they are destroyed", || two.fake.count(DESTROY_CHANNEL) == 1)
                .await;
        }
        assert_eq!(world.ask(Start).await, Err(ErrorCode::KernStartFail), "{kind:?}");
        assert!(world.ask(Destroy).await.is_err(), "{kind:?}");
        two.end().await;
    }
}
