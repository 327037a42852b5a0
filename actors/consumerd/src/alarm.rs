//! A moment for which the thread is woken once.

use std::{
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};
use tokio::io::{Interest, unix::AsyncFd};

/// Waits for moments, one at a time. The kernel keeps the time: a timer of the runtime wakes the thread twice,
/// since it looks first near the moment and then at it.
#[derive(Debug)]
pub(crate) struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    /// In the runtime of the thread that is to be woken.
    ///
    /// # Errors
    /// There is no descriptor for it.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: the timer is open as long as what has it, which does not give it away.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) };
        Ok(Self(timer?))
    }

    /// Waits for a moment, and no longer for the one that was waited for before.
    pub(crate) async fn at(&self, moment: Instant) -> io::Result<()> {
        self.set(moment.saturating_duration_since(Instant::now()))?;
        loop {
            let mut guard = self.0.readable().await?;
            // How often it rang, which is more than once for nobody: it is set anew each time.
            let mut count = [0; 8];
            let rang = guard.try_io(|timer| match rustix::io::read(timer, &mut count) {
                Ok(_) => Ok(()),
                Err(Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
                Err(errno) => Err(errno.into()),
            });
            // What it rang for before it was set anew is not there any more.
            if let Ok(rang) = rang {
                return rang;
            }
        }
    }

    fn set(&self, left: Duration) -> io::Result<()> {
        // No time at all would switch it off.
        let left = left.max(Duration::from_nanos(1));
        let value = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    /// How often the thread is woken while `work` is done.
    fn wakeups<F: Future<Output = ()>>(work: impl FnOnce() -> F) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_unpark(move || {
                counted.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .unwrap();
        runtime.block_on(async { work().await });
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn a_moment_costs_one_wakeup() {
        let moment = Instant::now() + Duration::from_millis(300);
        let woken = wakeups(async || {
            Alarm::new().unwrap().at(moment).await.unwrap();
            assert!(Instant::now() >= moment);
        });
        assert_eq!(woken, 1);
    }

    #[test]
    fn a_moment_that_is_over_is_not_waited_for() {
        let woken = wakeups(async || {
            let alarm = Alarm::new().unwrap();
            let now = Instant::now();
            alarm.at(now).await.unwrap();
            alarm.at(now - Duration::from_millis(1)).await.unwrap();
        });
        assert!(woken <= 2, "{woken}");
    }

    #[test]
    fn of_moments_the_last_one_counts() {
        wakeups(async || {
            let alarm = Alarm::new().unwrap();
            let (soon, later) = (Duration::from_millis(10), Duration::from_millis(100));
            let far = Instant::now() + Duration::from_secs(3600);
            // One that is far is put forward, and one that rang unheard is put off.
            tokio::time::timeout(Duration::ZERO, alarm.at(far)).await.unwrap_err();
            let near = Instant::now() + soon;
            tokio::time::timeout(Duration::ZERO, alarm.at(near)).await.unwrap_err();
            std::thread::sleep(2 * soon);
            let moment = Instant::now() + later;
            alarm.at(moment).await.unwrap();
            assert!(Instant::now() >= moment);
        });
    }
}
