//! Starts the actors whose events meet, and connects these.

use std::{path::Path, sync::Arc};

use actix::{Actor, Addr, AsyncContext};
use lttngd_agent::Agents;
use lttngd_app::{Apps, NotifierSettings};
use lttngd_clock::TraceClock;
use lttngd_consumer::{Consumer, ConsumerConfig};
use lttngd_kernel::{
    EnsureReady, Machine, ModuleLists, Notifiers as KernelNotifiers, NotifiersConfig, Tracer,
    TracerConfig,
};
use lttngd_model::{Bitness, ConsumerKind};
use lttngd_notification::{KernelNotifiers as KernelTriggers, Notifiers, Triggers, TriggersConfig};
use lttngd_registry::{Registry, RegistryConfig};
use lttngd_relayd::{RelaydConfig, Relayds};
use lttngd_runas::Runas;
use lttngd_runtime::{Descriptors, FailureNotice, Outlet, Pause};
use lttngd_session::{Consumers, SessionListings, WatchUse};
use tokio::sync::mpsc as events;

use super::CONSUMER_DEADLINE;
use crate::{
    config::{Config, ConsumerdConfig},
    error::{DaemonFailed, StartError},
    room::Room,
};

/// The path of the pipe by which a test has event notifications stay where they are, in the environment.
const PAUSE_PIPE_PATH: &str = "NOTIFIER_PAUSE_PIPE_PATH";

/// The actors that others are told of or ask.
pub(super) struct Wired {
    pub(super) registry: Addr<Registry>,
    pub(super) apps: Addr<Apps>,
    pub(super) agents: Addr<Agents>,
    pub(super) consumers: Consumers,
    /// Of the kernel, where its domain is served.
    pub(super) tracer: Option<Addr<Tracer>>,
    /// The event notifiers in it.
    pub(super) kernel_notifiers: Option<Addr<KernelNotifiers>>,
    pub(super) triggers: Addr<Triggers>,
}

/// As long as it is on nothing is read of what tracers tell of events.
pub(super) fn pause() -> Result<Pause, StartError> {
    Pause::from_environment(PAUSE_PIPE_PATH, "")
        .map_err(StartError::path("make the pipe of", Path::new(PAUSE_PIPE_PATH)))
}

/// The kernel tracer, which is opened at once, so that those who need it do not wait, and its event notifiers:
/// another daemon's than root's has none.
fn kernel_tracer(
    config: &Config,
    descriptors: &Descriptors,
    (runas, pause): (&Runas, &Pause),
    notice: impl Fn(&'static str) -> FailureNotice,
) -> Option<(Addr<Tracer>, Addr<KernelNotifiers>)> {
    let (instead, besides) = (config.kmod_probes.as_deref(), config.extra_kmod_probes.as_deref());
    let serves = config.is_root && !config.no_kernel;
    let tracer = serves.then(|| {
        let modules = ModuleLists::with_probes(instead, besides);
        let (kernel, descriptors) = (Arc::new(Machine), descriptors.clone());
        Tracer::new(TracerConfig { kernel, modules, descriptors })
            .with_runas(runas.clone())
            .with_failure_notice(notice("actor of the kernel tracer"))
            .start()
    })?;
    let opening = tracer.clone();
    tokio::task::spawn_local(async move {
        if let Ok(Err(error)) = opening.send(EnsureReady).await {
            tracing::info!(%error, "the kernel's domain is not served");
        }
    });
    let error_counters = config.event_notifier_error_buffer_size_kernel;
    let notifiers =
        NotifiersConfig { tracer: tracer.clone(), error_counters, pause: pause.clone() };
    let notifiers = KernelNotifiers::new(notifiers)
        .with_failure_notice(notice("actor of the kernel's event notifiers"));
    Some((tracer, notifiers.start()))
}

/// Starts the actors whose events meet, those of triggers on their own arbiter.
pub(super) fn wire_actors(
    config: &Config,
    descriptors: &Descriptors,
    clock: TraceClock,
    (listings, runas): (SessionListings, Runas),
    (triggers_at, pause): (&Room, Pause),
    failures: &events::UnboundedSender<DaemonFailed>,
) -> Wired {
    let notice = |what| failure_notice(what, failures.clone());
    let sessiond_uuid = *uuid::Uuid::new_v4().as_bytes();
    let (tracer, kernel_notifiers) =
        kernel_tracer(config, descriptors, (&runas, &pause), notice).unzip();
    let mut wired = None;
    let registry = Registry::create(|context| {
        let consumer = |kind, settings: &ConsumerdConfig| {
            let config = consumer_config(config, descriptors, kind, settings, sessiond_uuid);
            let exited = Outlet::to(context.address().recipient());
            Consumer::new(config, exited).start()
        };
        let all = Consumers {
            bits64: consumer(ConsumerKind::Ust(Bitness::Bits64), &config.consumerd64),
            serves_both: config.has_own_consumer(),
            bits32: (config.consumerd32.binary.as_ref())
                .map(|_| consumer(ConsumerKind::Ust(Bitness::Bits32), &config.consumerd32)),
            kernel: tracer.as_ref().map(|_| consumer(ConsumerKind::Kernel, &config.kconsumerd)),
        };
        let notifiers = NotifierSettings {
            error_counters: config.event_notifier_error_buffer_size_userspace,
            descriptors: descriptors.clone(),
            arbiter: Some(triggers_at.arbiter().clone()),
            pause,
        };
        let apps = Apps::new(Outlet::to(context.address().recipient()))
            .with_notifiers(notifiers)
            .with_failure_notice(notice("actor of applications"))
            .start();
        let agents = Agents::new(Outlet::to(context.address().recipient()))
            .with_failure_notice(notice("actor of agents"))
            .start();
        let of_rules = (&apps, &agents, kernel_notifiers.clone());
        let of_sessions = (listings.clone(), Outlet::to(context.address().recipient()));
        let at = (triggers_at, failures.clone());
        let triggers = start_triggers(config, of_rules, of_sessions, at);
        let observed = Outlet::to(triggers.clone().recipient());
        wired = Some((apps.clone(), agents.clone(), all.clone(), triggers));
        Registry::new(RegistryConfig {
            page_size: rustix::param::page_size() as u64,
            hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            clock,
            consumers: all,
            tracer: tracer.clone(),
            relayds: Relayds::new(RelaydConfig {
                sessiond_uuid,
                socket_timeout: config.network_socket_timeout,
            })
            .with_failure_notice(notice("actor of relay connections"))
            .start(),
            consumer_deadline: CONSUMER_DEADLINE,
            runas,
            listings,
            apps,
            agents,
            observed,
        })
        .with_failure_notice(notice("registry"))
    });
    let (apps, agents, consumers, triggers) =
        wired.unwrap_or_else(|| unreachable!("create calls its argument"));
    Wired { registry, apps, agents, consumers, tracer, kernel_notifiers, triggers }
}

fn failure_notice(
    what: &'static str,
    failures: events::UnboundedSender<DaemonFailed>,
) -> FailureNotice {
    FailureNotice::of(move || {
        // Nobody listens any more when the daemon ends as it was to.
        let _ = failures.send(DaemonFailed::of(what));
    })
}

fn start_triggers(
    config: &Config,
    (apps, agents, of_kernel): (&Addr<Apps>, &Addr<Agents>, Option<Addr<KernelNotifiers>>),
    (sessions, watch_use): (SessionListings, Outlet<WatchUse>),
    (room, failures): (&Room, events::UnboundedSender<DaemonFailed>),
) -> Addr<Triggers> {
    let kernel = of_kernel.map(|notifiers| {
        let error_counters = config.event_notifier_error_buffer_size_kernel.into();
        KernelTriggers { notifiers, error_counters }
    });
    let error_counters = config.event_notifier_error_buffer_size_userspace.into();
    let notifiers = Notifiers::of(apps, agents);
    let config = TriggersConfig { notifiers, error_counters, kernel, sessions, watch_use };
    Triggers::start_in_arbiter(room.arbiter(), |_| {
        let notice = failure_notice("actor of triggers", failures);
        Triggers::new(config).with_failure_notice(notice)
    })
}

fn consumer_config(
    config: &Config,
    descriptors: &Descriptors,
    kind: ConsumerKind,
    settings: &ConsumerdConfig,
    sessiond_uuid: [u8; 16],
) -> ConsumerConfig {
    ConsumerConfig {
        kind,
        binary: settings.binary.clone(),
        libdir: settings.libdir.clone(),
        command_socket: settings.cmd_sock.clone(),
        error_socket: settings.err_sock.clone(),
        home: config
            .run_dir
            .parent()
            .filter(|_| config.run_dir.ends_with(".lttng"))
            .map(Into::into),
        group: config.tracing_group.clone(),
        verbose: config.verbose_consumer,
        quiet: config.quiet,
        clock_plugin: config.clock_plugin.as_ref().map(|plugin| plugin.library.clone()),
        sessiond_uuid,
        deadline: CONSUMER_DEADLINE,
        descriptors: descriptors.clone(),
    }
}
