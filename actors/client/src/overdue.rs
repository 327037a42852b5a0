//! Commands that take so long that it is looked whether who asked is still there.
//!
//! A timer for each would mostly be the one that ends first of all in its thread, and to set such a timer costs the
//! thread a write to itself and one more round: as much as a command. So all of a thread share one, which runs
//! as long as there are commands.

use std::{cell::RefCell, mem::take, rc::Rc, time::Duration};

use lttngd_runtime::Count;
use tokio::sync::oneshot;

/// How long a command takes at least until it is overdue; at most twice as long.
pub(crate) const WATCHED_AFTER: Duration = Duration::from_millis(50);

/// The commands of a thread that are being done. Copies are the same ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overdue {
    commands: Rc<RefCell<Commands>>,
    /// The clock, while it runs.
    clocks: Count,
}

/// By when they began. One is overdue when it is dropped here.
#[derive(Debug, Default)]
struct Commands {
    newer: Vec<oneshot::Sender<()>>,
    /// Before the last tick.
    older: Vec<oneshot::Sender<()>>,
}

impl Commands {
    /// Time has passed. Whether there are any.
    fn tick(&mut self) -> bool {
        self.older = take(&mut self.newer);
        self.older.retain(|command| !command.is_closed());
        !self.older.is_empty()
    }
}

impl Overdue {
    /// Over when whatever begins now is overdue.
    pub(crate) async fn come(&self) {
        let (command, overdue) = oneshot::channel();
        self.commands.borrow_mut().newer.push(command);
        self.have_clock();
        // It says nothing: it is dropped.
        let _ = overdue.await;
    }

    fn have_clock(&self) {
        let Some(clock) = self.clocks.one_of(1) else { return };
        let commands = Rc::clone(&self.commands);
        tokio::task::spawn_local(async move {
            let _clock = clock;
            loop {
                tokio::time::sleep(WATCHED_AFTER).await;
                if !commands.borrow_mut().tick() {
                    return;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance, pause};

    use super::*;

    #[actix::test]
    async fn what_takes_long_is_overdue_and_what_does_not_leaves_nothing() {
        pause();
        let overdue = Overdue::default();
        for _ in 0..3 {
            let begun = Instant::now();
            overdue.come().await;
            let took = begun.elapsed();
            assert!(took >= WATCHED_AFTER && took <= WATCHED_AFTER * 2 + Duration::from_millis(2));
            advance(WATCHED_AFTER / 3).await;
        }
        tokio::time::sleep(WATCHED_AFTER * 2).await;
        assert_eq!(overdue.clocks.get(), 0, "nobody waits for one");
    }

    #[actix::test]
    async fn commands_that_are_done_soon_share_a_clock() {
        pause();
        let overdue = Overdue::default();
        for _ in 0..20 {
            tokio::select! {
                biased;
                () = overdue.come() => unreachable!("it is done soon"),
                () = tokio::task::yield_now() => {}
            }
            assert_eq!(overdue.clocks.get(), 1);
        }
    }
}
