//! The data threads, as the control thread sees them.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use lttngd_model::SessionId;
use lttngd_runtime::{Descriptors, Held, NoDescriptors, Purpose};
use tokio::sync::Notify;

use crate::{
    apart::{Apart, Cause},
    health::Pulse,
    worker::{Order, Reply, Setup, Worker},
};

/// The data thread is gone: it panicked, or the consumer ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a data thread of the consumer is gone")]
pub(crate) struct WorkerGone;

/// A way to give work to one data thread. Orders are carried out one after the other.
#[derive(Clone, Debug)]
pub(crate) struct WorkerHandle {
    orders: mpsc::Sender<Order>,
    wakeup_fd: Arc<OwnedFd>,
    pulse: Pulse,
}

impl WorkerHandle {
    /// Shows whether the thread does something.
    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Whether it is the same thread.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.wakeup_fd, &other.wakeup_fd)
    }

    /// Gives an order.
    pub(crate) fn tell(&self, order: Order) -> Result<(), WorkerGone> {
        self.orders.send(order).map_err(|_| WorkerGone)?;
        // The counter is full only when the thread has been woken already.
        let _ = rustix::io::write(self.wakeup_fd.as_fd(), &1_u64.to_ne_bytes());
        Ok(())
    }

    /// Gives an order and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        order: impl FnOnce(Reply<T>) -> Order,
    ) -> Result<T, WorkerGone> {
        let (reply, outcome) = Reply::new();
        self.tell(order(reply))?;
        outcome.await.map_err(|_| WorkerGone)
    }
}

#[cfg(test)]
impl WorkerHandle {
    /// A data thread that a test plays: it gets the orders.
    pub(crate) fn played() -> (Self, mpsc::Receiver<Order>) {
        let (orders, inbox) = mpsc::channel();
        // Nobody needs to be woken.
        let wakeup_fd = std::fs::File::open("/dev/null").map(|file| Arc::new(file.into()));
        let wakeup_fd = wakeup_fd.expect("it is always there");
        (Self { orders, wakeup_fd, pulse: Pulse::default() }, inbox)
    }
}

/// Data threads of a kind: a disk that hangs holds up the sessions of one thread only, and on large
/// machines one thread is not enough.
const THREADS: std::ops::RangeInclusive<usize> = 2..=8;

/// Descriptors of a pair of them: what each waits with, and what wakes it.
const DESCRIPTORS_EACH: usize = 4;

/// How long a thread may be busy with one thing at the end before it is left: what stands still may do so for ever.
const LEFT_AFTER: Duration = Duration::from_secs(30);
/// Pause between two looks which threads have ended.
const LOOK: Duration = Duration::from_millis(2);

/// The data threads of a session: for monitored streams that are written here, and for relay daemons and streams of
/// snapshots.
pub(crate) type Pair = [WorkerHandle; 2];

/// Why there are no threads apart.
#[derive(Debug, thiserror::Error)]
enum NoThreads {
    #[error(transparent)]
    Descriptors(#[from] NoDescriptors),
    #[error(transparent)]
    System(#[from] io::Error),
}

/// All data threads. What is written here has threads of its own, so that it never waits for a relay
/// daemon or for a snapshot; and what may stand still has threads that others do not have.
#[derive(Debug)]
pub(crate) struct Workers {
    setup: Setup,
    local: Vec<WorkerHandle>,
    remote: Vec<WorkerHandle>,
    apart: Apart<(Pair, Held)>,
    threads: Vec<Thread>,
    /// Notified when a thread ended.
    ended: Arc<Notify>,
}

/// A data thread, and whether it does something.
#[derive(Debug)]
struct Thread {
    thread: JoinHandle<()>,
    pulse: Pulse,
}

/// Notifies when it is dropped, unless the thread that has it was told to end: also when that panics.
struct NotifiesAtEnd {
    ended: Arc<Notify>,
    was_told: bool,
}

impl Drop for NotifiesAtEnd {
    fn drop(&mut self) {
        if !self.was_told {
            self.ended.notify_one();
        }
    }
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread or its descriptors cannot be made.
    pub(crate) fn start(setup: &Setup) -> io::Result<Self> {
        let mut threads = Vec::new();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let count = cpus.clamp(*THREADS.start(), *THREADS.end());
        let ended = Arc::new(Notify::new());
        let mut start_all = |name| {
            let mut start = || start(name, setup.clone(), &ended, &mut threads);
            (0..count).map(|_| start()).collect::<Result<Vec<_>, _>>()
        };
        let (local, remote) = (start_all(LOCAL)?, start_all(REMOTE)?);
        let (setup, apart) = (setup.clone(), Apart::default());
        Ok(Self { setup, local, remote, apart, threads, ended })
    }

    /// Notified when a thread ended that was not told to: something is wrong with it.
    pub(crate) fn ended(&self) -> Arc<Notify> {
        Arc::clone(&self.ended)
    }

    /// A session that is new has threads apart from the others, where they can be started.
    pub(crate) fn set_apart(&mut self, session: SessionId, cause: Cause, budget: &Descriptors) {
        let Self { setup, threads, ended, .. } = self;
        threads.retain(|thread| !thread.thread.is_finished());
        let mut start = |name| start(name, setup.clone(), ended, threads);
        let entered = self.apart.enter(session, cause, || {
            let held = budget.take(Purpose::Channels, DESCRIPTORS_EACH)?;
            let local = start(LOCAL)?;
            let remote = start(REMOTE).inspect_err(|_| {
                // Nobody has it.
                let _ = local.tell(Order::End);
            });
            Ok::<_, NoThreads>(([local, remote?], held))
        });
        if let Err(error) = entered {
            tracing::warn!(%session, %error, "a session has no data thread of its own");
        }
    }

    /// Whether a session has threads apart.
    pub(crate) fn is_apart(&self, session: SessionId) -> bool {
        self.apart.of(session).is_some()
    }

    /// A session is over, and so are the threads that it had alone: these, if there are any.
    pub(crate) fn leave(&mut self, session: SessionId) -> Option<Pair> {
        let (pair, _) = self.apart.leave(session)?;
        for worker in &pair {
            // One that is gone needs no end.
            let _ = worker.tell(Order::End);
        }
        Some(pair)
    }

    /// The threads of a session. Always the same ones; those that all share sessions get in turn.
    pub(crate) fn of(&self, session: SessionId) -> Pair {
        if let Some((pair, _)) = self.apart.of(session) {
            return pair.clone();
        }
        let SessionId(id) = session;
        let turn = usize::try_from(id).unwrap_or_default();
        [&self.local[turn % self.local.len()], &self.remote[turn % self.remote.len()]]
            .map(Clone::clone)
    }

    /// The threads that all sessions share.
    pub(crate) fn shared(&self) -> impl Iterator<Item = &WorkerHandle> {
        self.local.iter().chain(&self.remote)
    }

    /// Writes out what the buffers hold, and ends the threads, but for those that stand still.
    pub(crate) fn end(self) {
        for worker in self.shared().chain(self.apart.all().flat_map(|(pair, _)| pair)) {
            // A thread that is gone has nothing to write.
            let _ = worker.tell(Order::End);
        }
        let mut threads = self.threads;
        while !threads.is_empty() {
            let (finished, running): (Vec<_>, Vec<_>) =
                threads.into_iter().partition(|it| it.thread.is_finished());
            for Thread { thread, .. } in finished {
                if thread.join().is_err() {
                    tracing::error!("a data thread of the consumer panicked");
                }
            }
            threads = running;
            let now = Instant::now();
            if threads.iter().all(|thread| thread.pulse.busy_for(now) > LEFT_AFTER) {
                threads.iter().for_each(|_| {
                    tracing::error!("a data thread stands still in a file system, and is left");
                });
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// What threads are called.
const LOCAL: &str = "consumer-local";
/// See [`LOCAL`].
const REMOTE: &str = "consumer-remote";

fn start(
    name: &str,
    setup: Setup,
    ended: &Arc<Notify>,
    threads: &mut Vec<Thread>,
) -> io::Result<WorkerHandle> {
    let flags = rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK;
    let wakeup_fd = Arc::new(rustix::event::eventfd(0, flags)?);
    let (orders, inbox) = mpsc::channel();
    let pulse = Pulse::default();
    let setup = Setup { pulse: pulse.clone(), ..setup };
    let worker = Worker::new(setup, Arc::clone(&wakeup_fd), inbox)?;
    let ended = NotifiesAtEnd { ended: Arc::clone(ended), was_told: false };
    let body = move || {
        let mut ended = ended;
        ended.was_told = worker.run();
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body)?;
    threads.push(Thread { thread, pulse: pulse.clone() });
    Ok(WorkerHandle { orders, wakeup_fd, pulse })
}
