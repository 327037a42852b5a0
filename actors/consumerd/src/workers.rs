//! The data threads, as the control thread sees them.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use lttngd_model::SessionId;
use tokio::sync::Notify;

use crate::{
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

/// All data threads. What is written here has threads of its own, so that it never waits for a relay
/// daemon or for a snapshot.
#[derive(Debug)]
pub(crate) struct Workers {
    local: Vec<WorkerHandle>,
    remote: Vec<WorkerHandle>,
    threads: Vec<JoinHandle<()>>,
    /// Notified when a thread ended.
    ended: Arc<Notify>,
}

/// Notifies when it is dropped: also when the thread that has it panics.
struct NotifiesAtEnd(Arc<Notify>);

impl Drop for NotifiesAtEnd {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread or its descriptors cannot be made.
    pub(crate) fn start(setup: &Setup) -> std::io::Result<Self> {
        let mut threads = Vec::new();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let count = cpus.clamp(*THREADS.start(), *THREADS.end());
        let ended = Arc::new(Notify::new());
        let mut start_all = |name| {
            let mut start = || start(name, setup.clone(), &ended, &mut threads);
            (0..count).map(|_| start()).collect::<Result<_, _>>()
        };
        let (local, remote) = (start_all("consumer-local")?, start_all("consumer-remote")?);
        Ok(Self { local, remote, threads, ended })
    }

    /// Notified when a thread ended. None does before [`Self::end`], unless something is wrong with it.
    pub(crate) fn ended(&self) -> Arc<Notify> {
        Arc::clone(&self.ended)
    }

    /// The threads of a session: for monitored streams that are written here, and for relay daemons
    /// and streams of snapshots. Always the same ones, which sessions get in turn.
    pub(crate) fn of(&self, SessionId(id): SessionId) -> [&WorkerHandle; 2] {
        let turn = usize::try_from(id).unwrap_or_default();
        [&self.local[turn % self.local.len()], &self.remote[turn % self.remote.len()]]
    }

    /// Every thread.
    pub(crate) fn all(&self) -> impl Iterator<Item = &WorkerHandle> {
        self.local.iter().chain(&self.remote)
    }

    /// Writes out what the buffers hold, and ends the threads.
    pub(crate) fn end(self) {
        for worker in self.all() {
            // A thread that is gone has nothing to write.
            let _ = worker.tell(Order::End);
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a data thread of the consumer panicked");
            }
        }
    }
}

fn start(
    name: &str,
    setup: Setup,
    ended: &Arc<Notify>,
    threads: &mut Vec<JoinHandle<()>>,
) -> std::io::Result<WorkerHandle> {
    let flags = rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK;
    let wakeup_fd = Arc::new(rustix::event::eventfd(0, flags)?);
    let (orders, inbox) = mpsc::channel();
    let pulse = Pulse::default();
    let setup = Setup { pulse: pulse.clone(), ..setup };
    let worker = Worker::new(setup, Arc::clone(&wakeup_fd), inbox)?;
    let ended = NotifiesAtEnd(Arc::clone(ended));
    let body = move || {
        let _ended = ended;
        if let Err(error) = lttngd_runtime::come_first() {
            tracing::info!(%error, "a data thread waits for its turn behind busy applications");
        }
        worker.run();
    };
    threads.push(std::thread::Builder::new().name(name.to_owned()).spawn(body)?);
    Ok(WorkerHandle { orders, wakeup_fd, pulse })
}
