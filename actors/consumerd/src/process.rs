//! The process: its sockets, its start and its end.

use std::{
    fs, io,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};

use actix::System;
use lttngd_relaystream::RelayLimits;
use lttngd_runas::Runas;
use lttngd_runtime::{
    Descriptors, Pause, Peer, PeerError, Sockets, TooFewDescriptors, check_is_own, private_listener,
};
use lttngd_wire::consumer::{CONNECTIONS_OFFER, ConsumerError as Code, PACKETS_OFFER};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::unbounded_channel,
    task::JoinSet,
};

use crate::{
    alarm::Alarm,
    clock::PacketClock,
    command::{self, End},
    connections::accept_more,
    control::{Control, Surroundings},
    health::{self, Health, Pulse},
    options::Options,
    removed::RemovedAtEnd,
    source::Source,
    worker::Setup,
    workers::{WorkerHandle, Workers},
};

/// How long the session daemon may take to connect.
const CONNECT_DEADLINE: Duration = Duration::from_secs(60);
/// Descriptors that it opens for itself after its start: the session daemon's connections and its pipe,
/// one to refuse connections with, and a run-as worker's.
const OWN_DESCRIPTORS: usize = 8;
/// Milliseconds that a relay daemon may take, in the environment.
const NETWORK_SOCKET_TIMEOUT: &str = "LTTNG_NETWORK_SOCKET_TIMEOUT";
/// What the path of the pipe begins with by which a test has data stay in its buffers, in the environment. The
/// domain follows.
const PAUSE_PIPE_PATH: &str = "CONSUMER_PAUSE_PIPE_PATH";
/// Most threads besides the data threads and this one: for what may stand still, as files of users. More would
/// not be faster: see `docs/decisions/0224-channels-are-made-in-few-threads.md`.
const BLOCKING_THREADS_MAX: usize = 16;

/// Whether data stays in its buffers.
fn pause(is_kernels: bool) -> io::Result<Pause> {
    let domain = if is_kernels { "kernel".to_owned() } else { format!("ust{}", usize::BITS) };
    Pause::from_environment(PAUSE_PIPE_PATH, &format!("-{domain}"))
}

/// Why there is no consumer daemon, or no longer one.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerdError {
    /// It is not told whose buffers.
    #[error("start it with -u for the buffers of applications, or with -k for those of the kernel")]
    NoDomain,
    /// A socket is not named.
    #[error("name the {0} socket: a session daemon does when it starts a consumer daemon")]
    NoSocket(&'static str),
    /// Something of the system failed.
    #[error("{what}: {source}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The process may not open enough descriptors.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// The session daemon is not there, or no longer.
    #[error("the session daemon: {0}")]
    SessionDaemon(#[source] PeerError),
    /// It did not connect.
    #[error("the session daemon did not connect within {} s", CONNECT_DEADLINE.as_secs())]
    NotConnected,
    /// A data thread ended by itself, and took its streams with it.
    #[error("a data thread is gone")]
    DataThread,
    /// A part of the control thread panicked, without which the rest would not know what happens.
    #[error("a part of the control thread failed (the panic is in its log)")]
    ControlThread,
    /// It broke the protocol.
    #[error("the session daemon's commands: {0}")]
    Commands(#[source] PeerError),
}

fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> ConsumerdError {
    move |error| ConsumerdError::System { what, source: error.into() }
}

/// Is the consumer daemon until the session daemon is gone, or a signal ends it. Files are made by
/// `runas` with the rights of their owners.
///
/// # Errors
/// What cannot be used or made, or what the session daemon did wrong.
pub fn run(options: &Options, clock: PacketClock, runas: Runas) -> Result<(), ConsumerdError> {
    if !options.ust && !options.kernel {
        return Err(ConsumerdError::NoDomain);
    }
    let command = options.consumerd_cmd_sock.as_deref();
    let command = command.ok_or(ConsumerdError::NoSocket("command"))?;
    let error = options.consumerd_err_sock.as_deref();
    let error = error.ok_or(ConsumerdError::NoSocket("error"))?;
    let pulse = Pulse::default();
    let (rests, begins) = (pulse.clone(), pulse.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .on_thread_park(move || rests.rest())
        .on_thread_unpark(move || begins.beat())
        .build()
        .map_err(system("start the control thread"))?;
    let system = System::with_tokio_rt(|| runtime);
    system.block_on(serve(options, command, error, clock, runas, pulse))
}

async fn serve(
    options: &Options,
    command: &Path,
    error: &Path,
    clock: PacketClock,
    runas: Runas,
    pulse: Pulse,
) -> Result<(), ConsumerdError> {
    let mut terminated = signal(SignalKind::terminate()).map_err(system("catch SIGTERM"))?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(system("catch SIGINT"))?;
    let alarm = Alarm::new().map_err(system("make a timer"))?;
    let errors = Peer::connect(error).await.map_err(system("connect to the error socket"))?;
    let listener = listen(command).map_err(system("listen on the command socket"))?;
    let _remove = RemovedAtEnd::of(command);

    let (events, told) = unbounded_channel();
    let relay_limits = relay_limits(std::env::var(NETWORK_SOCKET_TIMEOUT).ok().as_deref());
    let setup = Setup {
        events: events.clone(),
        clock: clock.clone(),
        relay_limits,
        pulse: Pulse::default(),
        pause: pause(options.kernel).map_err(system("make the pipe of a test"))?,
    };
    let workers = Workers::start(&setup).map_err(system("start the data threads"))?;
    let mut health = start_health(options, &workers, pulse.clone());
    let thread_ended = workers.ended();

    let descriptors = Descriptors::of_process(OWN_DESCRIPTORS)?;
    let ready = Code::COMMAND_SOCK_READY.0.to_ne_bytes();
    errors.write_all(&ready).await.map_err(ConsumerdError::SessionDaemon)?;
    let connected = tokio::time::timeout(CONNECT_DEADLINE, accept_both(&listener, &errors));
    let (commands, metadata) = connected.await.map_err(|_| ConsumerdError::NotConnected)??;

    let takes_connections = std::env::var_os(CONNECTIONS_OFFER).is_some();
    let source = Source::start(metadata);
    let runas_too = runas.clone();
    let surroundings = Surroundings {
        events,
        clock,
        runas: runas_too,
        source,
        descriptors,
        takes_connections,
        tells_packets: std::env::var_os(PACKETS_OFFER).is_some(),
        is_kernels: options.kernel,
    };
    let control = Control::new(workers, surroundings, pulse);
    let mut beside = JoinSet::new();
    beside.spawn_local(Rc::clone(&control).listen(told));
    beside.spawn_local(Rc::clone(&control).sample(alarm));
    let accepting =
        takes_connections.then(|| beside.spawn_local(accept_more(listener, Rc::clone(&control))));
    let end = tokio::select! {
        end = command::serve(&commands, &control) => Ok(end),
        // A command that waits for a relay daemon does not see that nobody waits for its answer.
        _ = errors.closed() => Ok(End::Closed),
        // The session daemon is to know that something is lost, and to start another consumer.
        () = thread_ended.notified() => Err(ConsumerdError::DataThread),
        // None of them comes to an end but by a failure.
        Some(_) = beside.join_next() => Err(ConsumerdError::ControlThread),
        _ = terminated.recv() => Ok(End::Closed),
        _ = interrupted.recv() => Ok(End::Closed),
    };
    tracing::debug!(?end, "the consumer daemon ends");
    if let Err(failed) = &end {
        tracing::error!(%failed, "the consumer daemon ends when it has written what there is");
        // Whoever hears of it kills this process, which leaves nothing then.
        control.end();
        health = None;
    }
    // What happens now nobody asks about.
    drop(commands);
    if let Some(accepting) = accepting {
        accepting.abort();
    }
    control.read_last_text().await;
    control.end();
    runas.end();
    drop(beside);
    drop(health);
    match end {
        Ok(End::Broken(error)) => {
            // Who would read it may be gone as well.
            let _ = errors.write_all(&Code::ERROR_RECV_CMD.0.to_ne_bytes()).await;
            Err(ConsumerdError::Commands(error))
        }
        Err(failed) => {
            // The same of this one.
            let _ = errors.write_all(&Code::FATAL.0.to_ne_bytes()).await;
            Err(failed)
        }
        Ok(End::Closed) => Ok(()),
    }
}

/// How long relay daemons may take, by the environment variable for it. 0 and less mean the usual time,
/// as no number does.
fn relay_limits(timeout_ms: Option<&str>) -> RelayLimits {
    let timeout_ms = timeout_ms.and_then(|text| text.trim().parse::<i64>().ok());
    let timeout_ms = timeout_ms.and_then(|number| u64::try_from(number).ok()).filter(|it| *it > 0);
    match timeout_ms {
        Some(timeout_ms) => RelayLimits { stall_timeout: Duration::from_millis(timeout_ms) },
        None => RelayLimits::default(),
    }
}

fn listen(path: &Path) -> io::Result<Sockets> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    Sockets::new(private_listener(path)?)
}

/// The session daemon's two connections: for commands, then for metadata.
async fn accept_both(listener: &Sockets, errors: &Peer) -> Result<(Peer, Peer), ConsumerdError> {
    let accept = async || {
        let accepted = tokio::select! {
            accepted = listener.next() => accepted,
            closed = errors.closed() => {
                let error = closed.err().unwrap_or(PeerError::Closed);
                return Err(ConsumerdError::SessionDaemon(error));
            }
        };
        accepted.map_err(system("accept the session daemon"))
    };
    // Who may reach the socket may be more than may give commands.
    let accept = async || loop {
        let socket = accept().await?;
        match check_is_own(&socket) {
            Ok(()) => return Peer::accepted(socket).map_err(system("watch the session daemon")),
            Err(error) => tracing::error!(%error, "somebody else wants to give commands"),
        }
    };
    Ok((accept().await?, accept().await?))
}

/// Starts the health thread. Without it the consumer works as well.
fn start_health(options: &Options, workers: &Workers, control: Pulse) -> Option<Health> {
    // Others than those that all share may stand still in a user's file system, of which no one is ill.
    let data: Vec<Pulse> = workers.shared().map(WorkerHandle::pulse).collect();
    let mask = move || health::mask(&control, &data, Instant::now());
    let path = health::socket_path(options.kernel)?;
    Health::start(path, &options.group, mask)
        .inspect_err(|error| tracing::error!(%error, "the health of this daemon cannot be asked"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_how_long_relay_daemons_may_take() {
        let usual = RelayLimits::default();
        for text in [None, Some(""), Some("0"), Some("-1"), Some("soon")] {
            assert_eq!(relay_limits(text), usual, "{text:?}");
        }
        let limits = relay_limits(Some("1500"));
        assert_eq!(limits.stall_timeout, Duration::from_millis(1500));
    }
}
