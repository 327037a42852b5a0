//! The making of channels, which takes long: memory is allocated, and files are made with their owners' rights in
//! file systems that may stand still. It is done in other threads, few at a time.

use std::collections::{HashMap, VecDeque};

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use lttngd_runtime::{FailureNotice, answer, fail_point, tell};
use tokio::sync::oneshot;

/// Channels in memory that are made at a time: it takes a processor, and no more of them than there may be for it.
const IN_MEMORY_MAX: usize = 4;
/// Channels in files that are made at a time.
const IN_FILES_MAX: usize = 8;
/// Those of one user: his file system may stand still, and others are not to wait for it.
const IN_FILES_EACH_MAX: usize = 2;

/// Where a channel's buffers are to be.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Kind {
    /// In memory, which never stands still.
    Memory,
    /// In files of the user of this id.
    Files(u32),
}

/// What is being made, and what waits for that.
#[derive(Debug)]
struct Line<J> {
    /// In memory, and in files of each user.
    running: HashMap<Kind, usize>,
    waiting: VecDeque<(Kind, J)>,
}

impl<J> Default for Line<J> {
    fn default() -> Self {
        Self { running: HashMap::new(), waiting: VecDeque::new() }
    }
}

impl<J> Line<J> {
    fn push(&mut self, kind: Kind, job: J) {
        self.waiting.push_back((kind, job));
    }

    /// The first that may begin now; it has begun.
    fn begin(&mut self) -> Option<(Kind, J)> {
        let may = |(kind, _): &(Kind, J)| self.may_begin(*kind);
        let position = self.waiting.iter().position(may)?;
        let (kind, job) = self.waiting.remove(position)?;
        *self.running.entry(kind).or_default() += 1;
        Some((kind, job))
    }

    fn may_begin(&self, kind: Kind) -> bool {
        let running = self.running.get(&kind).copied().unwrap_or_default();
        if kind == Kind::Memory {
            return running < IN_MEMORY_MAX;
        }
        let in_files = self.running.iter().filter(|(kind, _)| **kind != Kind::Memory);
        running < IN_FILES_EACH_MAX
            && in_files.map(|(_, count)| count).sum::<usize>() < IN_FILES_MAX
    }

    /// One is made, or could not be.
    fn end(&mut self, kind: Kind) {
        if let Some(running) = self.running.get_mut(&kind) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&kind);
            }
        }
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// The actor that has them made.
#[derive(Default)]
pub(crate) struct Makers {
    line: Line<Job>,
    _failure: Option<FailureNotice>,
}

/// Does something when it may be done.
#[derive(Message)]
#[rtype(result = "()")]
struct Make {
    kind: Kind,
    job: Job,
}

impl Makers {
    /// The same, whose owner is told when it fails: no channel is made then.
    pub(crate) fn with_failure_notice(self, notice: FailureNotice) -> Self {
        Self { _failure: Some(notice), ..self }
    }

    fn begin(&mut self, context: &mut Context<Self>) {
        while let Some((kind, job)) = self.line.begin() {
            let made = tokio::task::spawn_blocking(job).into_actor(self);
            context.spawn(made.map(move |made, makers: &mut Self, context| {
                // Who waits for it hears that by nothing's coming.
                if made.is_err() {
                    tracing::error!("the making of a channel panicked");
                }
                makers.line.end(kind);
                makers.begin(context);
            }));
        }
    }
}

impl Actor for Makers {
    type Context = Context<Self>;
}

impl Handler<Make> for Makers {
    type Result = ();

    fn handle(&mut self, Make { kind, job }: Make, context: &mut Self::Context) {
        fail_point::reached("Makers make");
        self.line.push(kind, job);
        self.begin(context);
    }
}

/// Has `make` done in another thread when it is its turn.
///
/// # Errors
/// Its own; a text of its own when it panicked, or nothing is made any more.
pub(crate) async fn make<T: Send + 'static>(
    makers: &Addr<Makers>,
    kind: Kind,
    make: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (made, outcome) = oneshot::channel();
    let job = Box::new(move || {
        answer(made, make());
    });
    tell(makers, Make { kind, job });
    outcome.await.unwrap_or_else(|_| Err("its making panicked".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MINE: Kind = Kind::Files(1);
    const YOURS: Kind = Kind::Files(2);

    /// Begins what may, and tells what.
    fn begin(line: &mut Line<u32>) -> Vec<u32> {
        std::iter::from_fn(|| line.begin()).map(|(_, job)| job).collect()
    }

    fn with(kind: Kind, jobs: impl Iterator<Item = u32>) -> Line<u32> {
        let mut line = Line::default();
        jobs.for_each(|job| line.push(kind, job));
        line
    }

    #[test]
    fn so_many_are_made_in_memory_at_a_time_in_their_order() {
        let mut line = with(Kind::Memory, 0..6);
        assert_eq!(begin(&mut line), [0, 1, 2, 3]);
        line.end(Kind::Memory);
        assert_eq!(begin(&mut line), [4]);
        line.end(Kind::Memory);
        line.end(Kind::Memory);
        assert_eq!(begin(&mut line), [5]);
    }

    #[test]
    fn nobody_waits_for_a_user_whose_file_system_stands_still() {
        let mut line = with(MINE, 0..3);
        assert_eq!(begin(&mut line), [0, 1], "two of one user");
        line.push(YOURS, 10);
        line.push(Kind::Memory, 20);
        assert_eq!(begin(&mut line), [10, 20]);
        line.end(MINE);
        assert_eq!(begin(&mut line), [2]);
    }

    #[test]
    fn memory_does_not_wait_for_files_of_many_users() {
        let mut line = Line::default();
        (0..10).for_each(|user| line.push(Kind::Files(user), user));
        line.push(Kind::Memory, 20);
        assert_eq!(begin(&mut line), [0, 1, 2, 3, 4, 5, 6, 7, 20]);
        line.end(Kind::Files(3));
        assert_eq!(begin(&mut line), [8]);
    }

    #[test]
    fn what_panics_leaves_its_place_and_an_error() {
        actix::System::new().block_on(async {
            let makers = Makers::default().start();
            for _ in 0..=IN_MEMORY_MAX {
                let made = make::<()>(&makers, Kind::Memory, || panic!("asked to")).await;
                assert_eq!(made, Err("its making panicked".to_owned()));
            }
            assert_eq!(make(&makers, Kind::Memory, || Ok(5)).await, Ok(5));
        });
    }

    #[test]
    fn an_error_is_the_makers_own() {
        actix::System::new().block_on(async {
            let makers = Makers::default().start();
            let made = make::<()>(&makers, MINE, || Err("no room".to_owned())).await;
            assert_eq!(made, Err("no room".to_owned()));
        });
    }
}
