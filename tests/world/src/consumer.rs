//! The consumer daemon that a session daemon is told to start: ours or the stock one.

use std::env;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::daemon::stock_consumer;
use super::{Arena, Which, built};

/// Chooses the consumer daemon of tests that do not name one, by its name in lower case.
const CHOICE: &str = "LTTNGD_TEST_CONSUMER";

/// What a consumer daemon is called.
const PROGRAM: &str = "lttng-consumerd";

/// Which consumer daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// The `lttngd` of this package, called by the name of a consumer daemon.
    Own,
    /// `lttng-consumerd` of the distribution.
    Stock,
}

impl Consumer {
    /// The one that our session daemon is to start in tests that do not name one, where
    /// `LTTNGD_TEST_CONSUMER` in the environment says `own` or `stock`; else each starts its own.
    pub fn chosen(which: Which) -> Option<Consumer> {
        if which.is_stock_program() {
            return None;
        }
        match env::var(CHOICE).as_deref() {
            Err(_) => None,
            Ok("own") => Some(Consumer::Own),
            Ok("stock") => Some(Consumer::Stock),
            Ok(other) => panic!("{CHOICE} is `{other}`, neither `own` nor `stock`"),
        }
    }

    /// The program, which session daemons execute by the name of a consumer daemon.
    pub fn program(self, arena: &Arena) -> PathBuf {
        match self {
            Consumer::Own => {
                let link = arena.file(PROGRAM);
                if !link.is_symlink() {
                    symlink(built::lttngd(), &link).unwrap();
                }
                link
            }
            Consumer::Stock => stock_consumer(),
        }
    }

    /// The option by which a session daemon is told.
    pub fn option(self, arena: &Arena) -> String {
        format!("--consumerd64-path={}", self.program(arena).display())
    }
}

impl Arena {
    /// The process id of the arena's only consumer daemon, once there is one.
    pub fn consumer(&self) -> i32 {
        super::eventually("there is one consumer daemon", || {
            match self.processes_named(PROGRAM).as_slice() {
                [pid] => Some(*pid),
                _ => None,
            }
        })
    }

    /// Waits until the arena has no consumer daemon.
    pub fn consumers_end(&self) {
        super::eventually("the consumer daemons end", || {
            self.processes_named(PROGRAM).is_empty().then_some(())
        });
    }
}
