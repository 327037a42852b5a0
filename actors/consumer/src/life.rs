//! The life of a consumer daemon, and who waits for its beginning or its end. No input or output.

use lttngd_runtime::answer;
use tokio::sync::oneshot;

use crate::{ConsumerError, ConsumerPhase};

/// Most requests that wait for the start of the consumer daemon.
pub(crate) const STARTS_MAX: usize = 1 << 14;

/// What a start replies.
pub(crate) type Started = oneshot::Sender<Result<(), ConsumerError>>;

/// The life of a consumer daemon, of which `R` is there while it runs.
#[derive(Debug)]
pub(crate) struct Life<R> {
    phase: Phase<R>,
    /// Those who wait until it runs.
    starts: Vec<Started>,
    /// Those who wait until it is gone.
    stops: Vec<oneshot::Sender<()>>,
}

#[derive(Debug)]
enum Phase<R> {
    Idle,
    Starting,
    Running(R),
    /// Its process is not gone yet, and its sockets have the names of the next one's. Why it ends, unless
    /// it was told to.
    Ending(Option<String>),
}

/// What is done when a consumer daemon is gone.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Gone {
    /// Why, unless it was told to end.
    pub(crate) reason: Option<String>,
    /// Whether the next one is to be started.
    pub(crate) starts_again: bool,
}

impl<R> Default for Life<R> {
    fn default() -> Self {
        Self { phase: Phase::Idle, starts: Vec::new(), stops: Vec::new() }
    }
}

impl<R> Life<R> {
    /// What is there while it runs.
    pub(crate) fn running(&self) -> Option<&R> {
        match &self.phase {
            Phase::Running(running) => Some(running),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn running_mut(&mut self) -> Option<&mut R> {
        match &mut self.phase {
            Phase::Running(running) => Some(running),
            _ => None,
        }
    }

    /// Where it is.
    pub(crate) fn phase(&self) -> ConsumerPhase {
        match self.phase {
            Phase::Idle => ConsumerPhase::Idle,
            Phase::Starting => ConsumerPhase::Starting,
            Phase::Running(_) => ConsumerPhase::Running,
            Phase::Ending(_) => ConsumerPhase::Ending,
        }
    }

    /// It is to run. Whether it must be started now: one that is being started is waited for, and one that
    /// ends, before the next is started.
    pub(crate) fn start(&mut self, reply: Started) -> bool {
        if let Phase::Running(_) = self.phase {
            answer(reply, Ok(()));
            return false;
        }
        if self.starts.len() >= STARTS_MAX {
            answer(reply, Err(ConsumerError::Busy));
            return false;
        }
        self.starts.push(reply);
        let is_idle = matches!(self.phase, Phase::Idle);
        if is_idle {
            self.phase = Phase::Starting;
        }
        is_idle
    }

    /// The start is at its end. What is to be let go again, when it was told to end meanwhile.
    pub(crate) fn started(&mut self, outcome: Result<R, ConsumerError>) -> Option<R> {
        let (outcome, running) = match outcome {
            Ok(running) => (Ok(()), Some(running)),
            Err(error) => (Err(error), None),
        };
        for reply in self.starts.drain(..) {
            answer(reply, outcome.clone());
        }
        match running {
            Some(running) if self.stops.is_empty() => {
                self.phase = Phase::Running(running);
                None
            }
            Some(running) => {
                self.phase = Phase::Ending(None);
                Some(running)
            }
            None => {
                self.rest();
                None
            }
        }
    }

    /// It ends without being told to. What is to be let go, if it ran.
    pub(crate) fn fail(&mut self, reason: String) -> Option<R> {
        self.end(Some(reason))
    }

    /// It is to end. What is to be let go, if it ran.
    pub(crate) fn stop(&mut self, reply: oneshot::Sender<()>) -> Option<R> {
        self.stops.push(reply);
        if let Phase::Idle = self.phase {
            self.rest();
        }
        self.end(None)
    }

    fn end(&mut self, reason: Option<String>) -> Option<R> {
        let Phase::Running(_) = self.phase else { return None };
        match std::mem::replace(&mut self.phase, Phase::Ending(reason)) {
            Phase::Running(running) => Some(running),
            _ => None,
        }
    }

    /// Its process is gone.
    pub(crate) fn gone(&mut self) -> Gone {
        let reason = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Ending(reason) => reason,
            Phase::Idle | Phase::Starting | Phase::Running(_) => None,
        };
        if !self.stops.is_empty() {
            // Who tells it to end wants none.
            for reply in self.starts.drain(..) {
                answer(reply, Err(ConsumerError::Lost));
            }
        }
        let starts_again = !self.starts.is_empty();
        match starts_again {
            true => self.phase = Phase::Starting,
            false => self.rest(),
        }
        Gone { reason, starts_again }
    }

    fn rest(&mut self) {
        self.phase = Phase::Idle;
        for reply in self.stops.drain(..) {
            answer(reply, ());
        }
    }
}

#[cfg(test)]
mod tests {
    use lttngd_model::{Bitness, ConsumerKind};

    use super::*;

    fn start(life: &mut Life<u32>) -> (bool, oneshot::Receiver<Result<(), ConsumerError>>) {
        let (reply, outcome) = oneshot::channel();
        (life.start(reply), outcome)
    }

    fn stop(life: &mut Life<u32>) -> (Option<u32>, oneshot::Receiver<()>) {
        let (reply, stopped) = oneshot::channel();
        (life.stop(reply), stopped)
    }

    fn failure() -> ConsumerError {
        ConsumerError::NotStarted {
            kind: ConsumerKind::Ust(Bitness::Bits64),
            reason: "none".to_owned(),
        }
    }

    fn running() -> Life<u32> {
        let mut life = Life::default();
        assert!(start(&mut life).0);
        assert_eq!(life.started(Ok(1)), None);
        life
    }

    fn told(reason: &str) -> Gone {
        Gone { reason: Some(reason.to_owned()), starts_again: false }
    }

    const ASKED: Gone = Gone { reason: None, starts_again: false };

    #[test]
    fn those_who_want_it_at_once_wait_for_one_start() {
        let mut life = Life::default();
        let (begins, mut first) = start(&mut life);
        let (again, mut second) = start(&mut life);
        assert!(begins && !again);
        assert!(life.running().is_none());
        assert!(first.try_recv().is_err() && second.try_recv().is_err());
        assert_eq!(life.started(Ok(7)), None);
        assert_eq!(life.running(), Some(&7));
        assert!(matches!(first.try_recv(), Ok(Ok(()))));
        assert!(matches!(second.try_recv(), Ok(Ok(()))));
        let (begins, mut late) = start(&mut life);
        assert!(!begins && matches!(late.try_recv(), Ok(Ok(()))));
    }

    #[test]
    fn a_start_that_fails_is_told_to_all_who_wait_and_the_next_one_is_begun() {
        let mut life = Life::default();
        let (mut first, mut second) = (start(&mut life).1, start(&mut life).1);
        assert_eq!(life.started(Err(failure())), None);
        for outcome in [&mut first, &mut second] {
            assert!(matches!(outcome.try_recv(), Ok(Err(ConsumerError::NotStarted { .. }))));
        }
        assert!(start(&mut life).0);
    }

    #[test]
    fn as_many_as_there_is_room_for_wait_for_a_start() {
        let mut life = Life::default();
        let waiting: Vec<_> = (0..STARTS_MAX).map(|_| start(&mut life)).collect();
        let mut refused = start(&mut life).1;
        assert!(matches!(refused.try_recv(), Ok(Err(ConsumerError::Busy))));
        assert_eq!(life.started(Ok(1)), None);
        for (_, mut outcome) in waiting {
            assert!(matches!(outcome.try_recv(), Ok(Ok(()))));
        }
    }

    #[test]
    fn the_next_one_is_started_when_the_one_before_is_gone() {
        let mut life = running();
        assert_eq!(life.fail("it broke".to_owned()), Some(1));
        assert_eq!(life.fail("it broke again".to_owned()), None);
        let (begins, mut outcome) = start(&mut life);
        assert!(!begins && outcome.try_recv().is_err());
        assert_eq!(life.gone(), Gone { starts_again: true, ..told("it broke") });
        assert_eq!(life.started(Ok(2)), None);
        assert!(matches!(outcome.try_recv(), Ok(Ok(()))));
    }

    #[test]
    fn who_stops_it_waits_until_it_is_gone() {
        let mut life = running();
        let (ends, mut stopped) = stop(&mut life);
        let (again, mut stopped_too) = stop(&mut life);
        assert_eq!((ends, again), (Some(1), None));
        assert_eq!(life.fail("its socket was closed".to_owned()), None);
        let (begins, mut refused) = start(&mut life);
        assert!(!begins && stopped.try_recv().is_err());
        assert_eq!(life.gone(), ASKED);
        assert!(stopped.try_recv().is_ok() && stopped_too.try_recv().is_ok());
        assert!(matches!(refused.try_recv(), Ok(Err(ConsumerError::Lost))));
        assert!(stop(&mut life).1.try_recv().is_ok(), "there is nothing to wait for");
        assert!(start(&mut life).0);
    }

    #[test]
    fn a_stop_waits_for_the_start_that_is_under_way() {
        for outcome in [Ok(3), Err(failure())] {
            let mut life = Life::default();
            let mut started = start(&mut life).1;
            let (ends, mut stopped) = stop(&mut life);
            assert!(ends.is_none() && stopped.try_recv().is_err());
            let good = outcome.is_ok();
            assert_eq!(life.started(outcome), good.then_some(3));
            assert_eq!(started.try_recv().is_ok_and(|outcome| outcome.is_ok()), good);
            if good {
                assert!(stopped.try_recv().is_err());
                assert_eq!(life.gone(), ASKED);
            }
            assert!(stopped.try_recv().is_ok());
        }
    }

    #[test]
    fn a_stop_in_the_middle_of_a_failure_does_not_hide_it() {
        let mut life = running();
        assert_eq!(life.fail("it broke".to_owned()), Some(1));
        let (ends, mut stopped) = stop(&mut life);
        assert_eq!(ends, None);
        assert_eq!(life.gone(), told("it broke"));
        assert!(stopped.try_recv().is_ok());
    }
}
