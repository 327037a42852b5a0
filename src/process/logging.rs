//! The log on standard error.

use std::fmt::Debug;
use std::io::IsTerminal;

use lttngd_model::Escaped;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{FormatFields, format};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// Starts the log: warnings and errors, with `verbose` 1 to 3 also what the daemon does in growing
/// detail, with `quiet` nothing.
pub fn start(verbose: u8, quiet: bool) {
    let Some(level) = level(verbose, quiet) else { return };
    let format = layer()
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

/// Events as lines: each is one, whatever peers have sent that stands in it.
fn layer<S>() -> fmt::Layer<S, impl for<'a> FormatFields<'a> + 'static> {
    fmt::layer().fmt_fields(format::debug_fn(show).delimited(" "))
}

/// Shows the message or a field of an event.
fn show(out: &mut format::Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let value = Escaped(format_args!("{value:?}"));
    match field.name() {
        "message" => write!(out, "{value}"),
        name if out.has_ansi_escapes() => {
            write!(out, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}")
        }
        name => write!(out, "{name}={value}"),
    }
}

/// The daemon's own crates at `level`; of the others only what should not have happened.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(LevelFilter::WARN).with_target("lttngd", level)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    /// Where the lines of a test go.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nothing panics with it").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_event_is_one_line_whatever_is_in_it() {
        for ansi in [false, true] {
            let lines = Lines::default();
            let writer = lines.clone();
            let layer = layer().with_writer(move || writer.clone()).with_ansi(ansi);
            tracing::subscriber::with_default(registry().with(layer), || {
                let evil = "a\nERROR lttngd: forged \u{1b}[2J\r\u{2028}\u{202e}";
                let error = io::Error::other(evil);
                tracing::error!(evil, shown = %evil, debug = ?evil, %error, "message {evil}");
                tracing::error!(error = &error as &dyn std::error::Error, "{evil}");
            });
            let bytes = lines.0.lock().expect("nothing panics with it").clone();
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(text.lines().count(), 2, "{text}");
            let is_forged = |text: &str| {
                let controls = text.chars().filter(|it| it.is_control() && *it != '\n').count();
                controls > 0 || text.contains(['\u{2028}', '\u{202e}'])
            };
            let plain = text.replace("\u{1b}[0m", "").replace("\u{1b}[2m", "");
            let plain = plain.replace("\u{1b}[3m", "").replace("\u{1b}[31m", "");
            assert!(!is_forged(&plain), "{plain:?}");
            assert!(text.contains("message a\\nERROR"), "{text}");
        }
    }

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
