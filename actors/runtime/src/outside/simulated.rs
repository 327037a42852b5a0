//! A simulation in the place of what is outside.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::Path,
    pin::Pin,
    process::ExitStatus,
    rc::Rc,
    time::Duration,
};

use tokio::sync::oneshot;

/// `SIGKILL`, as a process that it ended has it in its status.
const KILLED: i32 = 9;

/// A connection that is being made: a socket of any kind that is connected when it is there.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<OwnedFd>>>>;

/// What is outside in a simulation.
pub trait Outside {
    /// How long another thread takes for what it does next.
    fn latency(&self) -> Duration;

    /// Connects to somebody in the network.
    fn connect(&self, address: SocketAddr) -> Connecting;

    /// Starts a program.
    ///
    /// # Errors
    /// Those of the system.
    fn start(&self, program: &Path) -> io::Result<Played>;
}

thread_local! {
    static OUTSIDE: RefCell<Option<Rc<dyn Outside>>> = const { RefCell::new(None) };
}

/// Puts `outside` in the place of what is outside of this thread, or nothing any more.
pub fn simulate(outside: Option<Rc<dyn Outside>>) {
    OUTSIDE.set(outside);
}

fn outside() -> Option<Rc<dyn Outside>> {
    OUTSIDE.with_borrow(Clone::clone)
}

pub(super) fn latency() -> Option<Duration> {
    outside().map(|outside| outside.latency())
}

pub(super) fn connecting(address: SocketAddr) -> Option<Connecting> {
    outside().map(|outside| outside.connect(address))
}

pub(super) fn started(program: &Path) -> Option<io::Result<Played>> {
    outside().map(|outside| outside.start(program))
}

/// A process that is played: what its parent has of it.
#[derive(Debug)]
pub struct Played {
    id: u32,
    ended: oneshot::Receiver<ExitStatus>,
    /// How it ended, once that was seen.
    status: Option<ExitStatus>,
    /// Dropped when it is killed.
    alive: Option<oneshot::Sender<()>>,
}

/// The same: what plays it.
#[derive(Debug)]
pub struct Player {
    ended: oneshot::Sender<ExitStatus>,
    killed: oneshot::Receiver<()>,
}

/// A process of this number that is played.
#[must_use]
pub fn play(id: u32) -> (Played, Player) {
    let (ends, ended) = oneshot::channel();
    let (alive, killed) = oneshot::channel();
    (Played { id, ended, status: None, alive: Some(alive) }, Player { ended: ends, killed })
}

impl Played {
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) async fn wait(&mut self) -> ExitStatus {
        if let Some(status) = self.status {
            return status;
        }
        // One that nobody plays any more was killed.
        let status = (&mut self.ended).await.unwrap_or(ExitStatus::from_raw(KILLED));
        *self.status.insert(status)
    }

    pub(super) fn kill(&mut self) {
        self.alive = None;
    }
}

impl Player {
    /// Waits until it is killed.
    pub async fn killed(&mut self) {
        // Nothing is ever sent.
        let _ = (&mut self.killed).await;
    }

    /// It ends with this code.
    pub fn exit(self, code: u8) {
        // Its parent may be gone.
        let _ = self.ended.send(ExitStatus::from_raw(i32::from(code) << 8));
    }
}
