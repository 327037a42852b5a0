//! A second domain beside user space: one that is recorded in one place, by a tracer and a consumer daemon
//! of its own.

use std::sync::{Arc, Mutex};

use actix::{Actor, Addr, Context, Handler, Message};
use lttngd_buffers::{BufferSet, BufferSetConfig, ChannelKeys, ChannelRequest, Prepare, SetOutput};
use lttngd_clock::TraceClock;
use lttngd_consumer::{Consumer, ConsumerConfig, EnsureRunning};
use lttngd_metadata::tsdl::Scheme;
use lttngd_model::{
    Bitness, BufferScheme, ChannelAttributes, ChannelListing, ConsumerKind, Credentials, Domain,
    ErrorCode, SessionId, SessionKind, Timestamp,
    ust::{SessionFacts, UstDomain},
};
use lttngd_peer::{AppScript, ConsumerScript, FakeConsumer, channel_listing};
use lttngd_runtime::Outlet;
use lttngd_wire::ust::registration::Alignments;

use super::world::{CHANNEL, World};
use crate::{
    ConsumerLost, Destroy, EnableChannel, ListChannels, ListDomains, ListEvents, Rotate, Session,
    SetRecording, Start, Stop,
    domains::{KernelDomain, RecordedDomain},
    state::SessionSet,
};

const FLUSH_CHANNEL: u32 = 13;
const CREATE_TRACE_CHUNK: u32 = 23;
const CLOSE_TRACE_CHUNK: u32 = 24;

/// The channels of the second domain.
struct Rules(Vec<ChannelListing>);

impl RecordedDomain for Rules {
    fn list(&self) -> Vec<(Domain, BufferScheme)> {
        vec![(Domain::Kernel, BufferScheme::Global)]
    }

    fn list_channels(&self) -> Vec<(u32, ChannelListing)> {
        (0..).zip(self.0.iter().cloned()).collect()
    }

    fn attributes(&self) -> Vec<ChannelAttributes> {
        self.0.iter().map(|channel| channel.attributes).collect()
    }
}

/// Its tracer, which keeps what it was told and refuses to record with a code, if it has one.
#[derive(Clone, Default)]
struct Tracer {
    told: Arc<Mutex<Vec<bool>>>,
    refusal: Option<ErrorCode>,
}

impl Actor for Tracer {
    type Context = Context<Self>;
}

impl Handler<SetRecording> for Tracer {
    type Result = Result<(), ErrorCode>;

    fn handle(&mut self, recording: SetRecording, _: &mut Self::Context) -> Self::Result {
        self.told.lock().unwrap().push(recording.active);
        self.refusal.filter(|_| recording.active).map_or(Ok(()), Err)
    }
}

/// Gives a session its second domain.
#[derive(Message)]
#[rtype(result = "()")]
struct Adopt(KernelDomain);

impl Handler<Adopt> for Session {
    type Result = ();

    fn handle(&mut self, adopt: Adopt, _: &mut Self::Context) {
        self.inner.state_mut().domains.kernel = Some(adopt.0);
    }
}

/// A world with a second consumer daemon.
struct Two {
    world: World,
    fake: FakeConsumer,
    consumer: Addr<Consumer>,
    tracer: Tracer,
}

impl Two {
    async fn new() -> Self {
        let fake = FakeConsumer::new(ConsumerScript::default());
        let config = ConsumerConfig { kind: ConsumerKind::Kernel, ..fake.config() };
        let consumer = Consumer::new(config, Outlet::closed()).start();
        let configured = consumer.clone();
        let world =
            World::configured(ConsumerScript::default(), BufferScheme::PerUid, None, |config| {
                config.consumers.kernel = Some(configured);
            })
            .await;
        Self { world, fake, consumer, tracer: Tracer::default() }
    }

    /// The session records in the second domain as well.
    async fn adopt(&self) {
        self.consumer.send(EnsureRunning).await.unwrap().unwrap();
        let rules = Rules(vec![channel_listing("k")]);
        // Buffers as applications have them do here: what matters is whose they are.
        let config = set_config().await;
        let path = config.path();
        let set = BufferSet::new(config, self.consumer.clone()).start();
        let mut ust = UstDomain::new(4096);
        let facts = SessionFacts { kind: SessionKind::Regular, was_started: false };
        ust.enable_channel(&channel_listing("k"), Domain::Ust, 1, facts).unwrap();
        let attributes = ust.channels[0].attributes;
        let channels = vec![ChannelRequest { index: 0, name: "k".to_owned(), attributes }];
        let prepare = Prepare { channels, metadata: ust.metadata_attributes() };
        set.send(prepare).await.unwrap().unwrap();
        let domain = KernelDomain {
            rules: Box::new(rules),
            set: SessionSet { actor: set, path, kind: ConsumerKind::Kernel, prepared: None },
            recorder: self.tracer.clone().start().recipient(),
        };
        self.world.ask(Adopt(domain)).await;
    }

    fn told(&self) -> Vec<bool> {
        self.tracer.told.lock().unwrap().clone()
    }

    /// Both consumer daemons have heard this so many times.
    fn both_heard(&self, number: u32, times: usize) {
        let counts = (self.world.fake.count(number), self.fake.count(number));
        assert_eq!(counts, (times, times), "command {number}");
    }

    async fn end(self) {
        self.consumer.send(lttngd_consumer::Stop).await.unwrap();
        assert_eq!(self.fake.faults(), [""; 0]);
        self.world.end().await;
    }
}

async fn set_config() -> BufferSetConfig {
    BufferSetConfig {
        session: SessionId(0),
        session_name: "s".to_owned(),
        auto_named: false,
        session_created_at: Timestamp { epoch_s: 0 },
        owner: Credentials {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        },
        hostname: "host".to_owned(),
        clock: TraceClock::Monotonic.sample().await,
        scheme: Scheme::Uid(0),
        bitness: Bitness::Bits64,
        alignments: Alignments {
            uint8_bits: 8,
            uint16_bits: 8,
            uint32_bits: 8,
            uint64_bits: 8,
            long_bits: 8,
        },
        tracer_version: (2, 13, 0),
        app_uid: 0,
        app_id: 0,
        output: SetOutput::None,
        live_timer_interval_us: 0,
        shm_path: None,
        keys: ChannelKeys::default(),
        sampled: Outlet::closed(),
        failed: Outlet::closed(),
        consumer_deadline: lttngd_peer::PATIENCE,
        runas: lttngd_runas::Runas::new(None),
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
        let listed = world.ask(ListChannels { domain }).await.unwrap();
        assert_eq!(listed.into_iter().map(|channel| channel.name).collect::<Vec<_>>(), [name]);
    }
    world.ask(Rotate).await.unwrap();
    two.both_heard(CREATE_TRACE_CHUNK, 2);
    lttngd_peer::eventually("the chunk is archived", || world.trace().join("archives").exists())
        .await;
    world.ask(Stop).await.unwrap();
    assert_eq!(two.told(), [true, false]);
    assert!(world.fake.count(FLUSH_CHANNEL) > 0 && two.fake.count(FLUSH_CHANNEL) > 0);
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
    world.ask(ConsumerLost { kind: ConsumerKind::Kernel }).await;
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
                world.ask(ConsumerLost { kind }).await;
                (ErrorCode::NoKernconsumerd, &world.fake)
            }
            ConsumerKind::Ust(_) => {
                world.lose_consumer().await;
                (ErrorCode::NoUstconsumerd, &two.fake)
            }
        };
        let rotated = world.ask(Rotate).await;
        assert_eq!(rotated, Err(code), "{kind}");
        // What the other one recorded is written to its end.
        let flushed = remains.count(FLUSH_CHANNEL);
        assert_eq!(world.ask(Stop).await, Err(code), "{kind}");
        assert!(remains.count(FLUSH_CHANNEL) > flushed, "{kind}");
        assert_eq!(two.told(), [true, false], "{kind}");
        assert_eq!(world.ask(Destroy).await.map(|_| ()), Err(code), "{kind}");
        assert_eq!(remains.count(CLOSE_TRACE_CHUNK), 1, "{kind}");
        drop(app);
        two.end().await;
    }
}

#[actix::test]
async fn a_tracer_that_refuses_keeps_the_session_from_starting() {
    let mut two = Two::new().await;
    two.tracer.refusal = Some(ErrorCode::KernStartFail);
    two.adopt().await;
    assert_eq!(two.world.ask(Start).await, Err(ErrorCode::KernStartFail));
    assert_eq!(two.told(), [true, false]);
    assert!(!two.world.shown_active());
    assert_eq!(two.world.ask(Stop).await, Err(ErrorCode::TraceAlreadyStopped));
    two.world.ask(Destroy).await.unwrap();
    two.end().await;
}

#[actix::test]
async fn commands_on_one_domain_do_not_reach_the_other() {
    let two = Two::new().await;
    two.adopt().await;
    let channel = channel_listing("other");
    let enable = EnableChannel { domain: Domain::Kernel, buffer_type: 2, channel };
    // Its rules are nobody's here.
    assert_eq!(two.world.ask(enable).await, Err(ErrorCode::UnknownDomain));
    let list = ListEvents { domain: Domain::Kernel, channel: CHANNEL.to_owned() };
    assert_eq!(two.world.ask(list).await, Err(ErrorCode::KernChanNotFound));
    let listed = two.world.ask(ListChannels { domain: Domain::Ust }).await.unwrap();
    assert_eq!(listed.into_iter().map(|channel| channel.name).collect::<Vec<_>>(), [CHANNEL]);
    two.world.ask(Destroy).await.unwrap();
    two.end().await;
}
