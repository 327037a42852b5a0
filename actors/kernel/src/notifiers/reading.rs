//! Reading what the tracer tells of events.

use std::{io, os::fd::OwnedFd, sync::Arc};

use lttngd_model::trigger::EventNotified;
use lttngd_runtime::{FailureNotice, Hold, Outlet, Pause, fail_point};
use lttngd_wire::ust::{Abi, notification::EventNotification};
use rustix::buffer::spare_capacity;
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::JoinHandle,
};

use crate::KernelEventsNotified;

/// Most bytes that are read before others have their turn.
const READ_LEN: usize = 16 << 10;

/// Reads until it is ended, or cannot.
#[derive(Debug)]
pub(super) struct Reading(JoinHandle<()>);

impl Reading {
    /// Tells of what comes, when there is no pause, and by `unread` when it does so no more.
    pub(super) fn begin(
        notifications: Arc<OwnedFd>,
        (notified, pause): (Outlet<KernelEventsNotified>, Pause),
        unread: FailureNotice,
    ) -> Self {
        Self(tokio::task::spawn_local(async move {
            let _unread = unread;
            if let Err(error) = read(notifications, &notified, &pause).await {
                tracing::error!(%error, "what the kernel tells of events cannot be read");
            }
        }))
    }

    /// Whether nothing is read any more.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_finished()
    }

    /// Lets go of the descriptor. Over when nobody here has it.
    pub(super) async fn end(mut self) {
        self.0.abort();
        // It has been ended.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(
    notifications: Arc<OwnedFd>,
    notified: &Outlet<KernelEventsNotified>,
    pause: &Pause,
) -> io::Result<()> {
    // A buffer without room for more says that it is that, and not that there is something to read.
    let interest = Interest::READABLE | Interest::PRIORITY;
    // SAFETY: the descriptor is the same and open as long as it is held, which it is by what is made.
    let notifications = unsafe { AsyncFd::register_with_interest(notifications, interest) }?;
    let mut received = Vec::new();
    loop {
        let mut ready = notifications.ready(interest).await?;
        pause.over().await;
        received.reserve(READ_LEN);
        let read = ready.try_io(|from| Ok(rustix::io::read(from, spare_capacity(&mut received))?));
        match read {
            Err(_would_block) => continue,
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read?,
        };
        fail_point::reached("Notifiers read");
        let mut rest = received.as_slice();
        let events = events(&mut rest)?;
        let left = rest.len();
        if !events.is_empty() {
            let (taken, room) = Hold::new();
            notified.tell(KernelEventsNotified { events, taken });
            room.await;
        }
        received.drain(..received.len() - left);
        if received.is_empty() {
            // At rest there is no memory for it.
            received = Vec::new();
        }
        // A flood does not keep others from being heard.
        tokio::task::yield_now().await;
    }
}

/// The events that came whole. `rest` is what is left behind them.
fn events(rest: &mut &[u8]) -> io::Result<Vec<EventNotified>> {
    let mut events = Vec::new();
    while let Some((notification, behind)) =
        // The kernel's have the form of those of ABI 9.
        EventNotification::split_off(rest, Abi::V9).map_err(io::Error::other)?
    {
        *rest = behind;
        let EventNotification { token, captures } = notification;
        events.push(EventNotified { token, captures: captures.into() });
    }
    Ok(events)
}
