//! The composition root: which actors there are, where they live, how their events are wired, and in which
//! order everything stops.
//!
//! # Where they live
//!
//! | thread | arbiter | what |
//! | --- | --- | --- |
//! | `lttngd-actors` | the system's | all actors but those of triggers, and the sockets by which applications and agents register |
//! | `lttngd-clients` | a [`Room`] | the socket for clients and their connections, which are tasks |
//! | `lttngd-triggers` | a [`Room`] | triggers, the pipes by which applications tell of events, and subscribers with their socket |
//! | `lttngd-apps` | a [`Room`] each, with `--actor-threads` above 1 | the actors of applications, those of a process in one of them, with its registrations |
//! | `lttngd-status` | a [`Room`] | the socket for those who look at the daemon, and of those who declare sessions, their connections, which are tasks, and the declared sessions |
//!
//! Those that ask each other most are on one arbiter, where an ask takes 1 to 2 us instead of 9 to 20. What
//! clients are told at once, as the list of sessions, is no work of the actors' thread. What may block in the
//! file system runs on tokio's threads for that, health checks and files of users in places of their own.

mod budget;
mod ending;
mod sockets;
mod wiring;

use std::{
    net::TcpListener,
    os::unix::net::UnixListener,
    sync::{Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use actix::{Arbiter, ArbiterHandle, System};
use budget::descriptors_for;
use ending::end_tracing;
use lttngd_app::{Abi, AppSocket};
use lttngd_clock::TraceClock;
use lttngd_handle::{Handle, Process, Settings};
use lttngd_model::Credentials;
use lttngd_runas::Runas;
use lttngd_runtime::{Descriptors, Pause};
use lttngd_session::SessionListings;
use sockets::{LookedAt, listen_for_clients, listen_for_peers, listen_in_rooms};
use tokio::{
    sync::{mpsc as events, oneshot},
    task::JoinHandle as TaskHandle,
};
use wiring::{Wired, pause, wire_actors};

use crate::{
    config::Config,
    error::{DaemonFailed, StartError},
    handover::Handover,
    health,
    keep::Keeper,
    load::load,
    process::time_zone,
    room::{self, Room},
    rundir::RunDir,
    wait_page::WaitPage,
};

/// Longest wait for one reply of a consumer daemon. It is long, because the consumer may be writing
/// to a slow disk; whoever waits gives up then, and the request goes on.
const CONSUMER_DEADLINE: Duration = Duration::from_secs(60);
/// Longest wait for the end of all but the kernel's modules, and then for that of these, of which the kernel unloads
/// one after the other. It is more than that of its parts together; what passes it is held up by the system itself,
/// as by a file system that does not answer, and is left.
const END_DEADLINE: Duration = Duration::from_millis(9500);

/// A daemon that runs in threads of its own.
///
/// Dropping it stops it, as [`Daemon::stop`] does.
#[derive(Debug)]
pub struct Daemon {
    handle: Handle,
    health: Option<lttngd_health::Health>,
    stop: Option<oneshot::Sender<()>>,
    /// The thread says here that it ends though nobody stops it, or ends without a word.
    failed: oneshot::Receiver<DaemonFailed>,
    thread: Option<JoinHandle<()>>,
    /// The end of the thread, before which it says that what it has begun may take long. The lock makes it one that
    /// threads may share, and is never taken.
    over: Mutex<mpsc::Receiver<()>>,
}

/// What the start hands to the thread.
struct Parts {
    config: Config,
    descriptors: Descriptors,
    rundir: RunDir,
    wait_pages: Vec<WaitPage>,
    clock: TraceClock,
    clients: Option<UnixListener>,
    apps: Vec<AppSocket>,
    agents: Option<TcpListener>,
    notifications: Option<UnixListener>,
    looked_at: LookedAt,
    pause: Pause,
    lives: mpsc::Sender<()>,
}

impl Daemon {
    /// Starts a daemon: makes its run directory and sockets, and lets applications know. It is ready
    /// when this returns.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`] when another daemon serves the run directory,
    /// [`StartError::Descriptors`] when the process may open too few, else what could not be made there.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with_sockets(config, Handover::default())
    }

    /// The same with listening sockets that another daemon has left, and whoever keeps those of this one for the
    /// next: peers that connect while there is none wait for it.
    ///
    /// # Errors
    /// As [`Daemon::start`]. A socket that does not fit `config` is none: one is made in its place.
    pub fn start_with_sockets(
        mut config: Config,
        mut handover: Handover,
    ) -> Result<Self, StartError> {
        time_zone::settle();
        let descriptors = descriptors_for(&mut config)?;
        let mut rundir = RunDir::prepare(&config, &mut handover)?;
        let names = [&config.wait_shm_name, &config.newer_wait_shm_name];
        let opened = names.map(|name| WaitPage::open_if_possible(name, config.is_root));
        let wait_pages = opened.into_iter().flatten().collect();
        let clock = match &config.clock_plugin {
            Some(plugin) => TraceClock::with_plugin(&plugin.program, &plugin.library)?,
            None => TraceClock::Monotonic,
        };
        let health_listener = rundir.take_health_listener();
        let (lives, over) = mpsc::channel();
        let parts = Parts {
            lives: lives.clone(),
            clients: rundir.take_client_listener(),
            apps: app_sockets(&mut rundir)?,
            agents: rundir.take_agent_listener(),
            notifications: rundir.take_notification_listener(),
            looked_at: LookedAt {
                status: rundir.take_status_listener(),
                metrics: rundir.take_metrics_listener(),
                declare: rundir.take_declare_listener(),
            },
            pause: pause()?,
            config,
            descriptors,
            rundir,
            wait_pages,
            clock,
        };
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (failure, failed) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("lttngd-actors".to_owned())
            .spawn(move || {
                let _lives = lives;
                System::new().block_on(run(parts, ready, (stopped, failure)));
            })
            .map_err(|_| StartError::Thread)?;
        match started.recv() {
            Ok(Ok(handle)) => {
                let (stop, thread) = (Some(stop), Some(thread));
                let mut daemon =
                    Self { handle, health: None, stop, failed, thread, over: over.into() };
                daemon.health = health_listener.and_then(|listener| {
                    health::start(listener, daemon.handle())
                        .inspect_err(|error| {
                            tracing::error!(%error, "the daemon's health cannot be asked");
                        })
                        .ok()
                });
                Ok(daemon)
            }
            Ok(Err(error)) => {
                // It has stopped as after a run; that it panicked on the way has been reported.
                let _ = thread.join();
                Err(error)
            }
            Err(_) => Err(StartError::Thread),
        }
    }

    /// The way in, acting for the user of this process.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until the daemon fails, by a fault of its own: a part that it cannot do without is gone. It
    /// ends then, and every request is answered `LTTNG_ERR_FATAL`; what was recorded may not be whole.
    pub async fn failed(&mut self) -> DaemonFailed {
        let Some(_) = &self.thread else { return DaemonFailed::of("thread") };
        (&mut self.failed).await.unwrap_or(DaemonFailed::of("thread"))
    }

    /// Stops: ends all sessions, with their traces whole, then the consumer daemons, then removes
    /// what [`Daemon::start`] made.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        drop(self.health.take());
        if let Some(stop) = self.stop.take() {
            // It fails only when the thread has ended already.
            let _ = stop.send(());
        }
        let Some(thread) = self.thread.take() else { return };
        let over = self.over.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !is_over(over, END_DEADLINE) {
            tracing::error!("the daemon's thread does not end in time, and is left");
        } else if thread.join().is_err() {
            tracing::error!("the daemon's thread panicked");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Whether there is an end within the time that each thing which takes long may have.
fn is_over(end: &mpsc::Receiver<()>, deadline: Duration) -> bool {
    loop {
        match end.recv_timeout(deadline) {
            Ok(()) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => return false,
            Err(mpsc::RecvTimeoutError::Disconnected) => return true,
        }
    }
}

/// The rooms beside the actors' thread.
struct Rooms {
    clients: Option<Room>,
    triggers: Room,
    apps: Vec<Room>,
    status: Option<Room>,
}

impl Rooms {
    fn open(parts: &Parts) -> Result<Self, StartError> {
        let room = |is_needed: bool, name| is_needed.then(|| Room::open(name)).transpose();
        Ok(Self {
            clients: room(parts.clients.is_some(), room::CLIENTS)?,
            triggers: Room::open(room::TRIGGERS)?,
            apps: (0..parts.config.app_threads())
                .map(|_| Room::open(room::APPS))
                .collect::<Result<_, _>>()?,
            status: room(parts.looked_at.is_some(), room::STATUS)?,
        })
    }

    /// All threads of actors, this one too.
    fn arbiters(&self) -> Vec<ArbiterHandle> {
        let Self { clients, triggers, apps, status } = self;
        let rooms = clients.iter().chain([triggers]).chain(apps).chain(status);
        rooms.map(|room| room.arbiter().clone()).chain([Arbiter::current()]).collect()
    }
}

/// The life of the actors' thread.
async fn run(
    parts: Parts,
    ready: mpsc::Sender<Result<Handle, StartError>>,
    ends: (oneshot::Receiver<()>, oneshot::Sender<DaemonFailed>),
) {
    match Rooms::open(&parts) {
        Ok(rooms) => run_in(rooms, parts, ready, ends).await,
        Err(error) => {
            parts.rundir.remove();
            // Whoever started the daemon may be gone.
            let _ = ready.send(Err(error));
        }
    }
    System::current().stop();
}

async fn run_in(
    rooms: Rooms,
    parts: Parts,
    ready: mpsc::Sender<Result<Handle, StartError>>,
    (stopped, failure): (oneshot::Receiver<()>, oneshot::Sender<DaemonFailed>),
) {
    let arbiters = rooms.arbiters();
    let Rooms { clients: mut clients_room, triggers: mut triggers_room, .. } = rooms;
    let (apps_rooms, mut status_room) = (rooms.apps, rooms.status);
    let Parts { config, descriptors, rundir, wait_pages, clock, clients, .. } = parts;
    let Parts { apps, agents, notifications, looked_at, pause, lives, .. } = parts;
    let (listings, runas) = (SessionListings::default(), Runas::new(config.program.clone()));
    let (failures, mut failed) = events::unbounded_channel();
    let answers = (listings.clone(), runas.clone());
    let wired =
        wire_actors(&config, &descriptors, clock, answers, (&triggers_room, pause), &failures);
    let process = Process::new(descriptors.clone(), arbiters);
    let handle = way_in(&wired, listings, (config.is_root, agents.is_some()), process);
    let Wired { registry, apps: known_apps, agents: known_agents, consumers, .. } = wired;
    let Wired { tracer, kernel_notifiers, triggers, .. } = wired;
    let (known_by, agents) = (known_apps.clone(), (agents, known_agents));
    let places = apps_rooms.iter().map(|room| room.arbiter().clone()).collect();
    let peers = ((apps, known_by, places), agents);
    let mut listeners = listen_for_peers(&config, &descriptors, peers, &consumers, &failures);
    let notifications = notifications.map(|socket| (socket, triggers));
    let rooms = (&mut triggers_room, status_room.as_mut());
    listen_in_rooms(rooms, notifications, (looked_at, &handle), &descriptors, &failures);
    let mut keeper = Keeper::of(&config.run_dir, config.keep_sessions);
    // Who has waited for this daemon finds them.
    let made_again = keeper.make_again(&handle).await;
    let answering = clients.zip(clients_room.as_mut()).map(|(socket, room)| {
        let clients = (socket, handle.clone(), descriptors);
        let (near, answering) =
            listen_for_clients(room, clients, config.unknown_client_version, &failures);
        listeners.extend(near);
        answering
    });
    let woken = announce(&wait_pages);
    let begun = load(&handle, config.load_path, config.autoload).await;
    keeper.start(made_again).await;
    if begun.is_ok() {
        tracing::info!(run_dir = ?config.run_dir, woken, "ready");
        // It fails only when whoever started the daemon is gone; then nobody stops it either.
        let _ = ready.send(Ok(handle.clone()));
        until_it_ends(stopped, (&mut failed, failure)).await;
    }
    keeper.end(&handle).await;

    for listener in listeners {
        listener.abort();
    }
    if let Some(room) = &mut clients_room {
        room.close().await;
    }
    triggers_room.close().await;
    // Who looks meanwhile is not waited for.
    drop(status_room);
    let ending = (tracer, kernel_notifiers, lives);
    let keep = keeper.is_wanted();
    let kept = end_tracing((&registry, keep), &known_apps, (&consumers, &runas), ending).await;
    keeper.write_down(kept).await;
    drop(wait_pages);
    rundir.remove();
    let rooms = clients_room.into_iter().chain([triggers_room]).chain(apps_rooms);
    end_rooms(rooms, answering).await;
    if let Err(error) = begun {
        // Whoever started the daemon may be gone.
        let _ = ready.send(Err(error.into()));
    }
}

/// The way in, acting for the user of this process.
fn way_in(
    wired: &Wired,
    listings: SessionListings,
    (is_root, serves_agents): (bool, bool),
    process: Process,
) -> Handle {
    let (tracer, triggers) = (wired.tracer.clone(), wired.triggers.clone());
    let settings = Settings { is_root, serves_agents, tracer, triggers, process };
    Handle::new(wired.registry.clone(), listings, settings, own_credentials())
}

/// Waits until the daemon is stopped, or fails, which is told.
async fn until_it_ends(
    stopped: oneshot::Receiver<()>,
    (failed, failure): (
        &mut events::UnboundedReceiver<DaemonFailed>,
        oneshot::Sender<DaemonFailed>,
    ),
) {
    tokio::select! {
        _ = stopped => {}
        Some(failed) = failed.recv() => {
            // Whoever started the daemon may be gone.
            let _ = failure.send(failed);
        }
    }
}

/// Ends the rooms, and what `answering` answers of what was heard there.
async fn end_rooms(rooms: impl Iterator<Item = Room>, answering: Option<TaskHandle<()>>) {
    for room in rooms {
        room.end().await;
    }
    if let Some(answering) = answering {
        // It has told when it failed.
        let _ = answering.await;
    }
    // Clients near the actors that could be answered by now are.
    let _ = tokio::task::spawn_local(async {}).await;
}

/// Where applications register, of which ABI.
fn app_sockets(rundir: &mut RunDir) -> Result<Vec<AppSocket>, StartError> {
    let older = rundir.take_apps_listener().ok_or(StartError::Thread)?;
    let newer = rundir.take_newer_apps_listener();
    let newer = newer.map(|socket| (socket, Abi::V11..=Abi::V11));
    Ok([(older, Abi::V8..=Abi::V10)].into_iter().chain(newer).collect())
}

/// Tells applications that wait for the daemon that it is here: how many waited.
fn announce(wait_pages: &[WaitPage]) -> usize {
    let announced = wait_pages.iter().map(|page| {
        page.announce().unwrap_or_else(|error| {
            tracing::error!(%error, "applications that wait for the daemon are not told that it is here");
            0
        })
    });
    announced.sum()
}

/// The user of this process.
fn own_credentials() -> Credentials {
    Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_end_is_waited_for_as_long_as_it_makes_progress() {
        let (lives, end) = mpsc::channel();
        lives.send(()).unwrap();
        assert!(!is_over(&end, Duration::ZERO));
        lives.send(()).unwrap();
        lives.send(()).unwrap();
        drop(lives);
        assert!(is_over(&end, Duration::ZERO));
    }
}
