//! Which jobs run and which wait. No input or output.

use std::collections::VecDeque;

/// What a job needs for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim<K> {
    /// No other job for this purpose runs meanwhile.
    Purpose(K),
    /// No other job runs meanwhile but one that runs beside all, and those that came before are done.
    Everything,
    /// Nothing but that one of its kind runs at a time: it takes long, and nobody else is to wait for it.
    Beside,
}

/// The jobs of a peer, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Jobs<K, J> {
    running_max: usize,
    waiting: VecDeque<(Claim<K>, J)>,
    /// Those of the jobs that run: few.
    busy: Vec<K>,
    /// A job that claims everything runs.
    is_taken: bool,
    /// A job runs beside all others.
    is_beside: bool,
}

impl<K: Copy + Eq, J> Jobs<K, J> {
    /// No jobs, of which at most `running_max` are to run at a time.
    pub(crate) fn new(running_max: usize) -> Self {
        Self {
            running_max,
            waiting: VecDeque::new(),
            busy: Vec::new(),
            is_taken: false,
            is_beside: false,
        }
    }

    /// A job that came.
    pub(crate) fn push(&mut self, claim: Claim<K>, job: J) {
        self.waiting.push_back((claim, job));
    }

    /// Those that wait.
    pub(crate) fn waiting(&mut self) -> impl Iterator<Item = &mut J> {
        self.waiting.iter_mut().map(|(_, job)| job)
    }

    /// Takes jobs back that wait: they are not to be done any more. How many these were.
    pub(crate) fn take_back(&mut self, is_meant: impl Fn(&Claim<K>, &J) -> bool) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|(claim, job)| !is_meant(claim, job));
        before - self.waiting.len()
    }

    /// The first job that may start now.
    pub(crate) fn start(&mut self) -> Option<(Claim<K>, J)> {
        if self.is_taken || self.busy.len() + usize::from(self.is_beside) == self.running_max {
            return None;
        }
        let mut is_first = self.busy.is_empty();
        let mut next = None;
        for (at, (claim, _)) in self.waiting.iter().enumerate() {
            let may_start = match claim {
                Claim::Purpose(purpose) => !self.busy.contains(purpose),
                Claim::Beside => !self.is_beside,
                // It is passed by none.
                Claim::Everything if !is_first => return None,
                Claim::Everything => true,
            };
            if may_start {
                next = Some(at);
                break;
            }
            is_first &= *claim == Claim::Beside;
        }
        let (claim, job) = self.waiting.remove(next?)?;
        match claim {
            Claim::Purpose(purpose) => self.busy.push(purpose),
            Claim::Everything => self.is_taken = true,
            Claim::Beside => self.is_beside = true,
        }
        Some((claim, job))
    }

    /// A job that had this claim is done.
    pub(crate) fn done(&mut self, claim: Claim<K>) {
        match claim {
            Claim::Purpose(purpose) => self.busy.retain(|busy| *busy != purpose),
            Claim::Everything => self.is_taken = false,
            Claim::Beside => self.is_beside = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING_MAX: usize = 3;
    const A: Claim<char> = Claim::Purpose('a');
    const B: Claim<char> = Claim::Purpose('b');

    fn jobs(claims: impl IntoIterator<Item = Claim<char>>) -> Jobs<char, usize> {
        let mut jobs = Jobs::new(RUNNING_MAX);
        claims.into_iter().enumerate().for_each(|(number, claim)| jobs.push(claim, number));
        jobs
    }

    #[test]
    fn a_purpose_has_one_job_at_a_time() {
        let mut jobs = jobs([A, A, B]);
        assert_eq!(jobs.start(), Some((A, 0)));
        assert_eq!(jobs.start(), Some((B, 2)));
        assert_eq!(jobs.start(), None);
        jobs.done(A);
        assert_eq!(jobs.start(), Some((A, 1)));
        jobs.done(B);
        jobs.done(A);
        assert_eq!(jobs.start(), None);
    }

    #[test]
    fn a_job_that_claims_everything_is_passed_by_none() {
        let mut jobs = jobs([A, Claim::Everything, B]);
        assert_eq!(jobs.start(), Some((A, 0)));
        assert_eq!(jobs.start(), None);
        jobs.done(A);
        assert_eq!(jobs.start(), Some((Claim::Everything, 1)));
        assert_eq!(jobs.start(), None);
        jobs.done(Claim::Everything);
        assert_eq!(jobs.start(), Some((B, 2)));
    }

    #[test]
    fn nobody_waits_for_what_runs_beside() {
        let mut jobs = jobs([Claim::Beside, Claim::Beside, A, Claim::Everything, Claim::Beside, B]);
        assert_eq!(jobs.start(), Some((Claim::Beside, 0)));
        assert_eq!(jobs.start(), Some((A, 2)), "one of them at a time");
        assert_eq!(jobs.start(), None);
        jobs.done(A);
        assert_eq!(jobs.start(), Some((Claim::Everything, 3)));
        jobs.done(Claim::Everything);
        assert_eq!(jobs.start(), Some((B, 5)));
        jobs.done(Claim::Beside);
        assert_eq!(jobs.start(), Some((Claim::Beside, 1)));
    }

    #[test]
    fn what_waits_may_be_taken_back_and_what_runs_not() {
        let mut jobs = jobs([A, A, B]);
        assert_eq!(jobs.start(), Some((A, 0)));
        assert_eq!(jobs.take_back(|_, &job| job == 0), 0);
        assert!(jobs.waiting().any(|job| *job == 1));
        assert_eq!(jobs.take_back(|claim, _| *claim == A), 1);
        assert!(!jobs.waiting().any(|job| *job == 1));
        assert_eq!(jobs.start(), Some((B, 2)));
        jobs.done(A);
        assert_eq!(jobs.start(), None);
    }

    #[test]
    fn so_many_run_and_no_more() {
        let mut purposes = ('a'..='d').map(Claim::Purpose);
        let mut jobs = jobs(purposes.clone());
        let running: Vec<_> = std::iter::from_fn(|| jobs.start()).collect();
        assert_eq!(running.len(), RUNNING_MAX);
        jobs.done(running[0].0);
        assert_eq!(jobs.start().map(|(claim, _)| claim), purposes.next_back());
    }
}
