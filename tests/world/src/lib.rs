//! A private LTTng world per test: its own run directory, shared memory, network and home, with a
//! session daemon (stock or ours), the stock `lttng`, traced programs and babeltrace2 in it.
//!
//! Every test target that needs one uses it, and `benches/load`.
#![allow(clippy::unwrap_used)]

pub mod arena;
pub mod built;
pub mod compiler;
pub mod consumer;
pub mod daemon;
pub mod gate;
pub mod hostile;
pub mod inside;
pub mod listing;
pub mod lives;
pub mod loggers;
pub mod lttng;
pub mod program;
pub mod raw;
pub mod relay;
pub mod script;
pub mod service;
pub mod still;
pub mod subscriber;
pub mod trace;

pub use arena::Arena;
pub use compiler::StockCompiler;
pub use consumer::Consumer;
pub use daemon::{Daemon, Which};
pub use gate::{Connection, Fault, Gate};
pub use hostile::Attackers;
pub use lttng::Answer;
pub use program::Program;
pub use relay::Relay;
pub use script::{Stage, alone, both};
pub use service::Service;
pub use still::Still;
pub use subscriber::Subscriber;
pub use trace::Event;

use std::time::{Duration, Instant};

/// How long a step that normally takes milliseconds may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `ready` gives a value, looking every few milliseconds.
///
/// Panics with `what` when [`PATIENCE`] is over.
pub fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
