//! The actor of the tracer.

use std::{os::fd::AsFd, sync::Arc};

use crate::{
    CallError, Device, EnsureReady, Kernel, ListKernelTracepoints, ListSyscalls, Loaded,
    ModuleLists, Release, TracerUnavailable, device::Calls,
};
use actix::{Actor, ActorFutureExt, Context, Handler, ResponseFuture, WrapFuture};
use lttngd_model::{ErrorCode, EventKind, EventListing};
use lttngd_runas::Runas;
use lttngd_runtime::{Descriptors, FailureNotice, NotRun, Queue};
use lttngd_wire::kernel::{
    Call, ListedSyscall, decode_abi_version, decode_tracer_version, parse_syscalls,
    parse_tracepoints,
};

/// Most requests that wait for the tracer to be opened.
const REQUESTS_MAX: usize = 1 << 12;
/// The major versions of the modules and of the ABI that are spoken here.
const MAJOR: u32 = 2;

/// Flags of listed system calls (`enum lttng_event_flag`).
const FLAG_32_BITS: u32 = 1;
const FLAG_64_BITS: u32 = 2;

/// What the actor of the tracer is told when it is made.
#[derive(Clone)]
pub struct TracerConfig {
    /// Where the tracer is.
    pub kernel: Arc<dyn Kernel>,
    /// What is loaded before.
    pub modules: ModuleLists,
    /// What the descriptors of sessions are counted in.
    pub descriptors: Descriptors,
}

/// The actor of the tracer.
pub struct Tracer {
    config: TracerConfig,
    runas: Runas,
    /// Of what may change whether the tracer is open.
    queue: Queue<Self>,
    open: Option<Open>,
    /// What was loaded for one that was lost.
    left: Vec<Loaded>,
    /// Whether the daemon ends, and it is not opened again.
    released: bool,
    _failure: Option<FailureNotice>,
}

/// The tracer is open.
#[derive(Clone)]
struct Open {
    device: Device,
    syscalls: Arc<[ListedSyscall]>,
    /// What was loaded for it, in the order of that.
    loaded: Vec<Loaded>,
}

/// Why a request of the tracer was not done.
enum NotDone {
    Unavailable(TracerUnavailable),
    NotRun(NotRun),
}

impl From<NotRun> for NotDone {
    fn from(not_run: NotRun) -> Self {
        Self::NotRun(not_run)
    }
}

impl Tracer {
    /// One that is opened when it is needed. Programs of probes are read by this process.
    #[must_use]
    pub fn new(config: TracerConfig) -> Self {
        let (runas, queue) = (Runas::new(None), Queue::new(REQUESTS_MAX));
        Self { config, runas, queue, open: None, left: Vec::new(), released: false, _failure: None }
    }

    /// The same, with what reads programs in place of this process.
    #[must_use]
    pub fn with_runas(self, runas: Runas) -> Self {
        Self { runas, ..self }
    }

    /// The same, whose owner is told when it fails. Nothing is left of it then.
    #[must_use]
    pub fn with_failure_notice(self, notice: FailureNotice) -> Self {
        Self { _failure: Some(notice), ..self }
    }

    /// The tracer, which is opened if it is not, and anew if the one that was is lost.
    fn opened(
        &mut self,
        context: &mut Context<Self>,
    ) -> ResponseFuture<Result<Open, TracerUnavailable>> {
        let work = |tracer: &mut Self, _: &mut Context<Self>| {
            let (known, released) = (tracer.open.clone(), tracer.released);
            let (config, runas) = (tracer.config.clone(), tracer.runas.clone());
            let opened = async move {
                match living(known).await {
                    Some(open) => Ok(open),
                    None if released => Err(missing("the daemon ends")),
                    None => tokio::task::spawn_blocking(move || open(&config, runas))
                        .await
                        .unwrap_or_else(|error| Err(missing(error))),
                }
                .map_err(NotDone::Unavailable)
            };
            opened.into_actor(tracer).map(|opened, tracer: &mut Self, _| {
                tracer.keep(opened.as_ref().ok());
                opened
            })
        };
        let opened = Queue::run_on_actor(|tracer| &mut tracer.queue, self, context, "open", work);
        Box::pin(async move {
            opened.await.map_err(|not_done| match not_done {
                NotDone::Unavailable(error) => error,
                NotDone::NotRun(error) => missing(error),
            })
        })
    }
}

/// The tracer, if it answers. What sessions have in one that does not is lost, and they are told so by what they ask.
async fn living(known: Option<Open>) -> Option<Open> {
    let open = known?;
    let is_there = open.device.is_there().await;
    if !is_there {
        tracing::error!("the kernel tracer is lost: it is opened anew");
    }
    is_there.then_some(open)
}

fn missing(reason: impl ToString) -> TracerUnavailable {
    TracerUnavailable::Missing(reason.to_string())
}

/// Opens the tracer. Nothing of it is left when that fails.
fn open(config: &TracerConfig, runas: Runas) -> Result<Open, TracerUnavailable> {
    let mut loaded = Vec::new();
    let opened = open_with(config, runas, &mut loaded);
    if opened.is_err() {
        unload(&*config.kernel, &loaded);
    }
    opened
}

fn open_with(
    config: &TracerConfig,
    runas: Runas,
    loaded: &mut Vec<Loaded>,
) -> Result<Open, TracerUnavailable> {
    let TracerConfig { kernel, modules, descriptors } = config;
    let mut load = |names: &[String]| -> Result<Vec<String>, TracerUnavailable> {
        let now = kernel.load(names).map_err(|error| missing(format!("its modules: {error}")))?;
        let absent = now.missing.clone();
        loaded.push(now);
        Ok(absent)
    };
    let absent = load(&modules.required)?;
    if !absent.is_empty() {
        return Err(missing(format!("modules cannot be loaded: {}", absent.join(", "))));
    }
    let mut without = load(&modules.optional)?;
    let tracer = kernel.open().map_err(|error| missing(format!("/proc/lttng: {error}")))?;
    let calls = Calls::of(&**kernel, tracer.as_fd(), (descriptors, &runas));
    let (version, abi) = versions(&calls).map_err(missing)?;
    if version.0 != MAJOR || abi.0 != MAJOR {
        let (major, minor, patch) = version;
        let text = format!("{major}.{minor}.{patch}, ABI {}.{}", abi.0, abi.1);
        return Err(TracerUnavailable::Version(text));
    }
    without.extend(load(&modules.probes)?);
    let syscalls = calls.list(&Call::ListSyscalls).unwrap_or_else(|error| {
        tracing::error!(%error, "system calls are not listed");
        String::new()
    });
    tracing::info!(?version, ?abi, ?without, "the kernel tracer is open");
    let device = Device::new(Arc::clone(kernel), tracer, (descriptors.clone(), runas), abi);
    Ok(Open { device, syscalls: parse_syscalls(&syscalls).into(), loaded: std::mem::take(loaded) })
}

type Versions = ((u32, u32, u32), (u32, u32));

fn versions(calls: &Calls<'_>) -> Result<Versions, String> {
    let tell = |call| calls.ask_tracer(&call).map_err(|error| error.to_string());
    let version = decode_tracer_version(&tell(Call::TracerVersion)?);
    let abi = decode_abi_version(&tell(Call::AbiVersion)?);
    Ok((version.map_err(|error| error.to_string())?, abi.map_err(|error| error.to_string())?))
}

/// Unloads what was loaded, the newest first. What stays is in the log.
fn unload(kernel: &dyn Kernel, loaded: &[Loaded]) {
    let new = loaded.iter().rev().flat_map(|loaded| loaded.new.clone()).collect();
    if let Err(error) = kernel.unload(&Loaded { new, missing: Vec::new() }) {
        tracing::warn!(%error, "modules of the kernel tracer stay loaded");
    }
}

impl Tracer {
    /// Keeps what was opened in the place of what was there before, unless that is the same.
    fn keep(&mut self, opened: Option<&Open>) {
        if let (Some(before), Some(now)) = (&self.open, opened)
            && before.device.is(&now.device)
        {
            return;
        }
        if let Some(lost) = std::mem::replace(&mut self.open, opened.cloned()) {
            self.left.extend(lost.loaded);
        }
    }
}

impl Actor for Tracer {
    type Context = Context<Self>;
}

impl Handler<EnsureReady> for Tracer {
    type Result = ResponseFuture<Result<Device, TracerUnavailable>>;

    fn handle(&mut self, _: EnsureReady, context: &mut Self::Context) -> Self::Result {
        let opened = self.opened(context);
        Box::pin(async move { Ok(opened.await?.device) })
    }
}

impl Handler<ListKernelTracepoints> for Tracer {
    type Result = ResponseFuture<Result<Vec<EventListing>, ErrorCode>>;

    fn handle(&mut self, _: ListKernelTracepoints, context: &mut Self::Context) -> Self::Result {
        let opened = self.opened(context);
        Box::pin(async move {
            let open = opened.await.map_err(|error| error.code())?;
            let text = open.device.run(|calls| calls.list(&Call::ListTracepoints)).await;
            let text = text.map_err(|error| unlisted(&error))?;
            let names = parse_tracepoints(&text).into_iter();
            Ok(names.map(|name| listing(EventKind::Tracepoint, name, 0)).collect())
        })
    }
}

impl Handler<ListSyscalls> for Tracer {
    type Result = ResponseFuture<Result<Vec<EventListing>, ErrorCode>>;

    fn handle(&mut self, _: ListSyscalls, context: &mut Self::Context) -> Self::Result {
        let opened = self.opened(context);
        Box::pin(async move {
            let open = opened.await.map_err(|error| error.code())?;
            let listed = open.syscalls.iter().map(|syscall| {
                let bits32 = if syscall.is_of_32_bits { FLAG_32_BITS } else { 0 };
                let bits64 = if syscall.is_of_64_bits { FLAG_64_BITS } else { 0 };
                listing(EventKind::Syscall, syscall.name.clone(), bits32 | bits64)
            });
            Ok(listed.collect())
        })
    }
}

fn unlisted(error: &CallError) -> ErrorCode {
    tracing::error!(%error);
    ErrorCode::KernListFail
}

fn listing(kind: EventKind, name: String, flags: u32) -> EventListing {
    EventListing {
        kind,
        name,
        loglevel_type: 0,
        loglevel: 0,
        enabled: -1,
        pid: 0,
        flags,
        filter_expression: None,
        exclusions: Vec::new(),
        probe: None,
        userspace_probe: None,
    }
}

impl Handler<Release> for Tracer {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Release, context: &mut Self::Context) -> Self::Result {
        self.released = true;
        let work = |tracer: &mut Self, _: &mut Context<Self>| {
            let (open, kernel) = (tracer.open.take(), Arc::clone(&tracer.config.kernel));
            let mut loaded = std::mem::take(&mut tracer.left);
            async move {
                if let Some(open) = open {
                    loaded.extend(open.loaded);
                    // As long as it is open none of its modules can be unloaded.
                    drop(open.device);
                }
                if loaded.is_empty() {
                    return Ok(());
                }
                let unloaded = tokio::task::spawn_blocking(move || unload(&*kernel, &loaded)).await;
                unloaded.map_err(|_| NotRun::Ended)
            }
        };
        let released =
            Queue::run_always(|tracer| &mut tracer.queue, self, context, "release", work);
        Box::pin(async move {
            // It fails only when unloading panicked, and the daemon ends.
            let _: Result<(), NotRun> = released.await;
        })
    }
}
