//! The log on standard error.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// Starts the log: warnings and errors, with `verbose` 1 to 3 also what the daemon does in growing
/// detail, with `quiet` nothing.
pub fn start(verbose: u8, quiet: bool) {
    let Some(level) = level(verbose, quiet) else { return };
    let format = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(level >= LevelFilter::DEBUG)
        // A report about a lost terminal would go to the same terminal, and end the daemon.
        .log_internal_errors(false);
    registry().with(format.with_filter(targets(level))).init();
}

fn level(verbose: u8, quiet: bool) -> Option<LevelFilter> {
    match (quiet, verbose) {
        (true, _) => None,
        (false, 0) => Some(LevelFilter::WARN),
        (false, 1) => Some(LevelFilter::INFO),
        (false, 2) => Some(LevelFilter::DEBUG),
        (false, _) => Some(LevelFilter::TRACE),
    }
}

/// The daemon's own crates at `level`; of the others only what should not have happened.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(LevelFilter::WARN).with_target("lttngd", level)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels() {
        assert_eq!(level(3, true), None);
        let levels = [LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::TRACE];
        for (verbose, expected) in (0..).zip(levels) {
            assert_eq!(level(verbose, false), Some(expected));
        }
        assert_eq!(level(u8::MAX, false), Some(LevelFilter::TRACE));
    }

    #[test]
    fn verbosity_is_for_the_daemons_crates() {
        let targets = targets(LevelFilter::TRACE);
        assert!(targets.would_enable("lttngd_app::actor", &Level::TRACE));
        assert!(targets.would_enable("lttngd", &Level::TRACE));
        assert!(!targets.would_enable("mio::poll", &Level::INFO));
        assert!(targets.would_enable("mio::poll", &Level::WARN));
    }
}
