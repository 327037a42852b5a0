//! Files of sessions that are being written.
//!
//! The file system of whoever saves may not answer, and nothing ends that: each file has a thread of its own, and each user
//! a share of them. Those for what may block are needed by others.

use std::{io, thread, time::Duration};

use lttngd_users::Ledger;
use tokio::{sync::oneshot, time::timeout};

/// Most files that are being written.
const WRITES_MAX: u64 = 64;
/// Of those, kept for root's.
const WRITES_KEPT: u64 = 16;

thread_local! {
    /// Of all sessions that live in this thread.
    static WRITES: Ledger = ledger();
}

fn ledger() -> Ledger {
    let owner = rustix::process::geteuid().as_raw();
    Ledger::new("files of sessions that are written", WRITES_KEPT).owned_by(owner)
}

/// Writes a file for a user, for `deadline` at most. It has its place among those of the user as long as it is written,
/// whether anybody waits for it or not.
///
/// # Errors
/// What `work` has, [`io::ErrorKind::QuotaExceeded`] when the user has his share, [`io::ErrorKind::TimedOut`].
pub(super) async fn write(
    uid: u32,
    deadline: Duration,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    write_in(&WRITES.with(Ledger::clone), uid, deadline, work).await
}

async fn write_in(
    writes: &Ledger,
    uid: u32,
    deadline: Duration,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let lease = writes.take_of(WRITES_MAX, (uid, 1), "a session is not saved");
    let lease = lease.map_err(|_| io::ErrorKind::QuotaExceeded)?;
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name("lttngd-save".to_owned());
    // Nobody is told where it panics.
    thread.spawn(move || drop(tell.send(work())))?;
    let (passes, passed) = oneshot::channel();
    tokio::task::spawn_local(async move {
        let written = told.await;
        drop(lease);
        // Who asked may have given up.
        let _ = passes.send(written);
    });
    match timeout(deadline, passed).await {
        Ok(Ok(Ok(written))) => written,
        Ok(_) => Err(io::ErrorKind::Other.into()),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::{Arc, mpsc};

    use futures::future::join_all;

    use super::*;

    const ONE: u32 = 54_321;
    const OTHER: u32 = 54_322;

    #[actix::test]
    async fn files_that_are_never_written_leave_room_to_those_of_others() {
        let writes = ledger();
        // Each waits until the gate is dropped.
        let (gate, waits) = mpsc::channel::<()>();
        let waits = Arc::new(std::sync::Mutex::new(waits));
        let stands = || {
            let waits = Arc::clone(&waits);
            move || {
                let _ = waits.lock().map(|waits| waits.recv());
                Ok(())
            }
        };
        let soon = Duration::from_millis(1);
        let all = join_all((0..WRITES_MAX).map(|_| write_in(&writes, ONE, soon, stands()))).await;
        let count =
            |kind| all.iter().filter(move |it| it.as_ref().is_err_and(|it| it.kind() == kind));
        let late = count(io::ErrorKind::TimedOut).count() as u64;
        assert_eq!(late, (WRITES_MAX - WRITES_KEPT) * 3 / 4, "they stand for no longer than that");
        assert_eq!(count(io::ErrorKind::QuotaExceeded).count() as u64, WRITES_MAX - late);
        assert_eq!(writes.held_by(ONE), late, "each as long as it is written");
        for uid in [OTHER, 0] {
            let written = write_in(&writes, uid, lttngd_peer::PATIENCE, || Ok(()));
            written.await.unwrap();
        }
        drop(gate);
        lttngd_peer::eventually("all are written", || writes.taken() == 0).await;
        let fails = || Err(io::ErrorKind::StorageFull.into());
        let failed = write_in(&writes, ONE, lttngd_peer::PATIENCE, fails).await;
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
