//! What happens in a life, line by line, and what was wrong.

use std::{cell::RefCell, fmt::Display};

use tokio::time::Instant;

/// What happened so far.
#[derive(Debug)]
pub(crate) struct Story {
    begun: Instant,
    lines: RefCell<Vec<String>>,
    wrong: RefCell<Vec<String>>,
}

impl Story {
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), lines: RefCell::default(), wrong: RefCell::default() }
    }

    /// Somebody did something, or something happened to him.
    pub(crate) fn tell(&self, who: impl Display, what: impl Display) {
        let at = self.begun.elapsed();
        let line = format!("{:>5}.{:06} {who}: {what}", at.as_secs(), at.subsec_micros());
        self.lines.borrow_mut().push(line);
    }

    /// Something happened that must not.
    pub(crate) fn wrong(&self, who: impl Display, what: impl Display) {
        self.tell(&who, format_args!("WRONG: {what}"));
        self.wrong.borrow_mut().push(format!("{who}: {what}"));
    }

    /// Whether something went wrong.
    pub(crate) fn is_wrong(&self) -> bool {
        !self.wrong.borrow().is_empty()
    }

    /// All lines, and what was wrong.
    pub(crate) fn end(&self) -> (Vec<String>, Vec<String>) {
        (self.lines.borrow().clone(), self.wrong.borrow().clone())
    }
}
