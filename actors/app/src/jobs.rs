//! Which jobs run and which wait. No input or output.

use std::collections::{HashSet, VecDeque};

use lttngd_model::SessionId;

/// Most jobs that run at a time. While the application does what one asks, the next request of
/// another is already in its socket; more than a few would only wait there.
pub(crate) const RUNNING_MAX: usize = 4;

/// What a job needs for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// No other job of this session runs meanwhile.
    Session(SessionId),
    /// No other job runs meanwhile, and those that came before are done.
    Everything,
}

/// The jobs of an application, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Jobs<J> {
    waiting: VecDeque<(Claim, J)>,
    busy: HashSet<SessionId>,
    /// A job that claims everything runs.
    is_taken: bool,
}

impl<J> Default for Jobs<J> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), busy: HashSet::new(), is_taken: false }
    }
}

impl<J> Jobs<J> {
    /// A job that came.
    pub(crate) fn push(&mut self, claim: Claim, job: J) {
        self.waiting.push_back((claim, job));
    }

    /// A job that waits.
    pub(crate) fn waiting(&mut self, is_meant: impl Fn(&J) -> bool) -> Option<&mut J> {
        self.waiting.iter_mut().map(|(_, job)| job).find(|job| is_meant(job))
    }

    /// Takes a job back that waits: it is not to be done any more.
    pub(crate) fn take_back(&mut self, is_meant: impl Fn(&J) -> bool) -> Option<J> {
        let place = self.waiting.iter().position(|(_, job)| is_meant(job))?;
        self.waiting.remove(place).map(|(_, job)| job)
    }

    /// The first job that may start now.
    pub(crate) fn start(&mut self) -> Option<(Claim, J)> {
        if self.is_taken || self.busy.len() == RUNNING_MAX {
            return None;
        }
        let blocks = |claim: &Claim| match claim {
            Claim::Session(session) => self.busy.contains(session),
            Claim::Everything => false,
        };
        let next = self.waiting.iter().position(|(claim, _)| !blocks(claim))?;
        match self.waiting[next].0 {
            Claim::Session(session) => _ = self.busy.insert(session),
            Claim::Everything if next == 0 && self.busy.is_empty() => self.is_taken = true,
            Claim::Everything => return None,
        }
        self.waiting.remove(next)
    }

    /// A job that had this claim is done.
    pub(crate) fn done(&mut self, claim: Claim) {
        match claim {
            Claim::Session(session) => _ = self.busy.remove(&session),
            Claim::Everything => self.is_taken = false,
        }
    }

    /// Whether no job runs.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_taken && self.busy.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Claim = Claim::Session(SessionId(1));
    const B: Claim = Claim::Session(SessionId(2));

    fn jobs(claims: impl IntoIterator<Item = Claim>) -> Jobs<usize> {
        let mut jobs = Jobs::default();
        claims.into_iter().enumerate().for_each(|(number, claim)| jobs.push(claim, number));
        jobs
    }

    #[test]
    fn a_session_has_one_job_at_a_time() {
        let mut jobs = jobs([A, A, B]);
        assert_eq!(jobs.start(), Some((A, 0)));
        assert_eq!(jobs.start(), Some((B, 2)));
        assert_eq!(jobs.start(), None);
        jobs.done(A);
        assert_eq!(jobs.start(), Some((A, 1)));
        jobs.done(B);
        assert!(!jobs.is_idle());
        jobs.done(A);
        assert!(jobs.is_idle());
    }

    #[test]
    fn a_job_that_claims_everything_is_passed_by_none() {
        let mut jobs = jobs([A, Claim::Everything, B]);
        assert_eq!(jobs.start(), Some((A, 0)));
        assert_eq!(jobs.start(), None);
        jobs.done(A);
        assert_eq!(jobs.start(), Some((Claim::Everything, 1)));
        assert_eq!(jobs.start(), None);
        assert!(!jobs.is_idle());
        jobs.done(Claim::Everything);
        assert_eq!(jobs.start(), Some((B, 2)));
    }

    #[test]
    fn what_waits_may_be_taken_back_and_what_runs_not() {
        let mut jobs = jobs([A, A, B]);
        assert_eq!(jobs.start(), Some((A, 0)));
        assert_eq!(jobs.take_back(|&job| job == 0), None);
        assert_eq!(jobs.waiting(|&job| job == 1), Some(&mut 1));
        assert_eq!(jobs.take_back(|&job| job == 1), Some(1));
        assert_eq!(jobs.waiting(|&job| job == 1), None);
        assert_eq!(jobs.start(), Some((B, 2)));
        jobs.done(A);
        assert_eq!(jobs.start(), None);
    }

    #[test]
    fn so_many_run_and_no_more() {
        let mut sessions = (0..=RUNNING_MAX as u64).map(|id| Claim::Session(SessionId(id)));
        let mut jobs = jobs(sessions.clone());
        let running: Vec<_> = std::iter::from_fn(|| jobs.start()).collect();
        assert_eq!(running.len(), RUNNING_MAX);
        jobs.done(running[0].0);
        assert_eq!(jobs.start().map(|(claim, _)| claim), sessions.next_back());
    }
}
