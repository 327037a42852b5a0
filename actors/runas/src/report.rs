//! How the worker does, and what waits for it.

use std::time::Duration;

/// How the worker does, and what waits for it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RunasReport {
    /// Where it stands.
    pub state: RunasState,
    /// Requests that it was not sent yet.
    pub waiting: usize,
    /// Requests that it has, those that nobody waits for any more among them.
    pub in_flight: usize,
    /// How long the oldest request has waited that somebody waits for.
    pub oldest_waits: Option<Duration>,
}

/// Where the worker stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RunasState {
    /// There is none: nothing needed it yet.
    #[default]
    Idle,
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It has been silent with something to do, and was asked whether it runs.
    Silent,
    /// It is gone: the next request has another one started.
    Gone,
}
