//! A kernel session with a kernel and a consumer daemon.

use actix::{Actor, Addr, Handler, Message};
use lttngd_buffers::{BuffersError, ChannelKeys, SetOutput};
use lttngd_consumer::{Consumer, ConsumerConfig, EnsureRunning};
use lttngd_kernel::{
    Apply, KernelSession, KernelSessionConfig, ModuleLists, SetRecording, Tracer, TracerConfig,
};
use lttngd_model::{
    ChannelAttributes, ChannelListing, ChunkId, ConsumerKind, ErrorCode, EventDescription,
    SessionId, SessionKind, Timestamp,
    kernel::{KernelDomain, KernelFacts, Plan},
};
use lttngd_peer::{ConsumerScript, FakeConsumer, FakeKernel, KernelObject, eventually};
use lttngd_runtime::{Descriptors, Outlet};
use std::{sync::Arc, time::Duration};

pub(super) const SESSION: SessionId = SessionId(5);

/// The actor of the tracer of a kernel.
pub(super) fn tracer(kernel: &FakeKernel) -> Addr<Tracer> {
    tracer_within(kernel, Descriptors::unlimited())
}

/// The same with a budget of descriptors.
fn tracer_within(kernel: &FakeKernel, descriptors: Descriptors) -> Addr<Tracer> {
    let (kernel, modules) = (Arc::new(kernel.clone()), ModuleLists::default());
    Tracer::new(TracerConfig { kernel, modules, descriptors }).start()
}

fn session(
    tracer: &Addr<Tracer>,
    consumer: &Addr<Consumer>,
    consumer_deadline: Duration,
) -> Addr<KernelSession> {
    let config = KernelSessionConfig {
        session: SESSION,
        name: "mine".to_owned(),
        auto_named: false,
        created_at: Timestamp { epoch_s: 0 },
        live_timer_interval_us: 0,
        page_size: 4096,
        tracer: tracer.clone(),
        consumer: consumer.clone(),
        keys: ChannelKeys::default(),
        consumer_deadline,
        sampled: Outlet::closed(),
        failed: Outlet::closed(),
    };
    KernelSession::new(config).start()
}

pub(super) struct World {
    pub(super) kernel: FakeKernel,
    pub(super) fake: FakeConsumer,
    pub(super) tracer: Addr<Tracer>,
    pub(super) consumer: Addr<Consumer>,
    pub(super) session: Addr<KernelSession>,
    pub(super) rules: KernelDomain,
}

impl World {
    pub(super) async fn new(kernel: FakeKernel, script: ConsumerScript) -> Self {
        Self::within(kernel, script, Descriptors::unlimited()).await
    }

    /// The same with a budget of descriptors.
    pub(super) async fn within(
        kernel: FakeKernel,
        script: ConsumerScript,
        descriptors: Descriptors,
    ) -> Self {
        Self::configured((kernel, descriptors), script, lttngd_peer::PATIENCE * 3).await
    }

    /// The same that waits so long for the consumer daemon.
    pub(super) async fn waiting(script: ConsumerScript, deadline: Duration) -> Self {
        let kernel = (FakeKernel::default(), Descriptors::unlimited());
        Self::configured(kernel, script, deadline).await
    }

    async fn configured(
        (kernel, descriptors): (FakeKernel, Descriptors),
        script: ConsumerScript,
        deadline: Duration,
    ) -> Self {
        let fake = FakeConsumer::new(script);
        let config = ConsumerConfig { kind: ConsumerKind::Kernel, deadline, ..fake.config() };
        let consumer = Consumer::new(config, Outlet::closed()).start();
        consumer.send(EnsureRunning).await.unwrap().unwrap();
        let tracer = tracer_within(&kernel, descriptors);
        let session = session(&tracer, &consumer, deadline);
        Self { kernel, fake, tracer, consumer, session, rules: KernelDomain::default() }
    }

    /// Another session takes the place of this one, which is returned.
    pub(super) fn next_session(&mut self) -> Addr<KernelSession> {
        self.rules = KernelDomain::default();
        let next = session(&self.tracer, &self.consumer, lttngd_peer::PATIENCE);
        std::mem::replace(&mut self.session, next)
    }

    pub(super) async fn ask<M>(&self, message: M) -> M::Result
    where
        M: Message + Send + 'static,
        M::Result: Send,
        KernelSession: Handler<M>,
    {
        self.session.send(message).await.unwrap()
    }

    /// Does what a session does with a command.
    pub(super) async fn carry_out(
        &mut self,
        plan: Result<Plan, ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let plan = plan?;
        let done = self.ask(Apply { plan: plan.clone() }).await?;
        self.rules.settle(&plan, &done)
    }

    pub(super) async fn enable_channel(&mut self, name: &str) -> Result<(), ErrorCode> {
        let channel = ChannelListing::new(name, ChannelAttributes::kernel());
        let plan = self.rules.plan_enable_channel(&channel, facts());
        self.carry_out(plan).await
    }

    pub(super) async fn enable_event(
        &mut self,
        channel: &str,
        event: &EventDescription,
    ) -> Result<(), ErrorCode> {
        let plan = self.rules.plan_enable_event(channel, event, facts());
        self.carry_out(plan).await
    }

    /// Starts or stops a session that writes to a relay daemon, which needs no directory.
    pub(super) async fn record(&self, active: bool) -> Result<(), ErrorCode> {
        let output = SetOutput::Relayd {
            chunk: ChunkId(0),
            net_index: lttngd_model::NetIndex(2),
            prefix: String::new(),
        };
        self.ask(SetRecording { active, output }).await
    }

    /// The same of one that nobody reads but for snapshots.
    pub(super) async fn record_in_memory(&self, active: bool) -> Result<(), ErrorCode> {
        self.ask(SetRecording { active, output: SetOutput::None }).await
    }

    pub(super) async fn end(self) {
        self.ask(lttngd_buffers::Close).await.unwrap();
        self.consumer.send(lttngd_consumer::Stop).await.unwrap();
        assert_eq!(self.fake.faults(), [""; 0]);
    }
}

pub(super) fn facts() -> KernelFacts {
    KernelFacts {
        kind: SessionKind::Regular,
        was_started: false,
        has_snapshot_output: false,
        can_be_monitored: true,
    }
}

/// Waits until nobody has anything of a kernel but the tracer: what a consumer daemon had goes with its thread.
pub(super) async fn only_the_tracer_is_left(kernel: &FakeKernel) {
    let is_left = || kernel.open_objects() == [KernelObject::Tracer];
    eventually("only the tracer is left", is_left).await;
}

/// What a set of buffers answers.
pub(super) fn text(outcome: Result<(), BuffersError>) -> String {
    outcome.map_or_else(|error| error.to_string(), |()| String::new())
}
