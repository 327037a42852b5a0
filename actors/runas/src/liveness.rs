//! Whether a worker that has something to do still runs: no socket, no clock.
//!
//! A file system that hangs holds threads of the worker, and the worker answers all the same when it is asked. One
//! that is stopped, or for which there is no processor, does not, and whoever waits for it would wait for his whole
//! deadline, everybody after him as well.

use std::time::{Duration, Instant};

/// How long a worker may be silent that has something to do, before it is asked.
const SILENCE: Duration = Duration::from_secs(2);
/// How long it may take to answer then.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// What is known of a worker.
#[derive(Debug)]
pub(crate) struct Liveness {
    /// When it was heard of last, or got something to do after it had nothing.
    heard: Instant,
    /// The number of the question that it has not answered, and when that was asked.
    asked: Option<(u64, Instant)>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Look {
    /// To look again then.
    At(Instant),
    /// To ask the worker.
    Ask,
    /// The worker does not run.
    Gone,
}

impl Liveness {
    /// A worker that just said that it is ready.
    pub(crate) fn new(now: Instant) -> Self {
        Self { heard: now, asked: None }
    }

    /// It has nothing to do now but what was sent this moment.
    pub(crate) fn begins(&mut self, now: Instant) {
        if self.asked.is_none() {
            self.heard = now;
        }
    }

    /// It was asked.
    pub(crate) fn asked(&mut self, id: u64, now: Instant) {
        self.asked = Some((id, now));
    }

    /// It answered whatever it was asked. Whether that was the question whether it runs.
    pub(crate) fn heard(&mut self, id: u64, now: Instant) -> bool {
        self.heard = now;
        // A question that is on its way is answered after this.
        let is_answer = self.asked.is_some_and(|(asked, _)| asked == id);
        match &mut self.asked {
            Some(_) if is_answer => self.asked = None,
            Some((_, since)) => *since = now,
            None => {}
        }
        is_answer
    }

    /// Whether it was asked whether it runs, and has not said so.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// What is to be done about a worker for which somebody waits.
    pub(crate) fn look(&self, now: Instant) -> Look {
        let due = match self.asked {
            Some((_, since)) => since + ANSWER_DEADLINE,
            None => self.heard + SILENCE,
        };
        match self.asked {
            _ if now < due => Look::At(due),
            Some(_) => Look::Gone,
            None => Look::Ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_answers_is_asked_again_and_again() {
        let start = Instant::now();
        let mut worker = Liveness::new(start);
        let mut now = start;
        for id in 1..100 {
            assert_eq!(worker.look(now), Look::At(now + SILENCE));
            now += SILENCE;
            assert_eq!(worker.look(now), Look::Ask);
            worker.asked(id, now);
            assert_eq!(worker.look(now), Look::At(now + ANSWER_DEADLINE), "once");
            now += ANSWER_DEADLINE / 2;
            assert!(worker.heard(id, now), "a file system may hang for long");
        }
    }

    #[test]
    fn a_worker_that_does_not_answer_is_gone() {
        let start = Instant::now();
        let mut worker = Liveness::new(start);
        let asked = start + SILENCE;
        assert_eq!(worker.look(asked), Look::Ask);
        worker.asked(7, asked);
        assert_eq!(worker.look(asked + ANSWER_DEADLINE), Look::Gone);
    }

    #[test]
    fn whatever_it_says_it_runs() {
        let start = Instant::now();
        let mut worker = Liveness::new(start);
        worker.asked(7, start + SILENCE);
        let later = start + SILENCE + ANSWER_DEADLINE / 2;
        assert!(!worker.heard(3, later), "that is of another request");
        assert_eq!(
            worker.look(start + SILENCE + ANSWER_DEADLINE),
            Look::At(later + ANSWER_DEADLINE)
        );
        assert!(worker.heard(7, later));
        assert_eq!(worker.look(later), Look::At(later + SILENCE));
    }

    #[test]
    fn a_worker_that_had_nothing_to_do_was_not_silent() {
        let start = Instant::now();
        let mut worker = Liveness::new(start);
        let later = start + 100 * SILENCE;
        worker.begins(later);
        assert_eq!(worker.look(later), Look::At(later + SILENCE));
    }
}
