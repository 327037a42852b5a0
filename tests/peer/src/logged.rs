//! What a test's thread logs.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing::{Level, subscriber::DefaultGuard};

/// Where the lines go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what this thread logs, as long as it is there.
pub struct Logged {
    lines: Lines,
    _default: DefaultGuard,
}

impl Logged {
    /// From now on.
    #[must_use]
    pub fn start() -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Self { lines, _default: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines of a crate, by its name.
    #[must_use]
    pub fn of(&self, name: &str) -> Vec<String> {
        let bytes = self.lines.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let target = format!(" {name}::");
        text.lines().filter(|line| line.contains(&target)).map(str::to_owned).collect()
    }
}
