//! What is wanted of a peer, and who waits for it.

use std::time::Duration;

use futures::FutureExt;
use tokio::sync::oneshot;

use crate::{Agenda, AskError, Claim, Job, Task, Waiting, reply_to_all};

type Reply = oneshot::Sender<Result<(), AskError>>;

enum Errand {
    Dump(char, Vec<Reply>),
    Question(Reply),
}

impl Job<char> for Errand {
    fn claim(&self) -> Claim<char> {
        match self {
            Self::Dump(purpose, _) => Claim::Purpose(*purpose),
            Self::Question(_) => Claim::Everything,
        }
    }

    fn is_question(&self) -> bool {
        matches!(self, Self::Question(_))
    }

    fn merge(&mut self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Dump(purpose, waiting), Self::Dump(of, more)) if *purpose == of => {
                waiting.extend(more);
                None
            }
            (_, other) => Some(other),
        }
    }
}

type Errands = Agenda<char, u32, Errand, AskError>;

fn agenda() -> Errands {
    Errands::new(2, Some(Duration::from_secs(5)), |_| {})
}

/// Does the next job, which must be the one for this wish.
fn fulfil(agenda: &Errands, purpose: char) {
    let Some((claim, Task::Synchronise(begun))) = agenda.begin() else { panic!("it is no wish") };
    assert_eq!(begun, purpose);
    reply_to_all(agenda.begin_wish(purpose), || Ok(()));
    agenda.done(claim);
}

fn is_over(waiting: &mut Waiting<(), AskError>) -> Option<Result<(), AskError>> {
    waiting.now_or_never()
}

#[tokio::test(start_paused = true)]
async fn one_job_serves_all_who_wish_for_a_purpose() {
    let agenda = agenda();
    let mut waiting = [agenda.wish('a', Some(1)), agenda.wish('a', Some(2))];
    assert!(waiting.iter_mut().all(|waiting| is_over(waiting).is_none()));
    assert_eq!((agenda.owed(), agenda.newest('a')), (1, Some(2)));
    fulfil(&agenda, 'a');
    assert!(waiting.iter_mut().all(|waiting| is_over(waiting) == Some(Ok(()))));
    assert!(agenda.begin().is_none());
    assert_eq!(agenda.owed(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_purpose_goes_with_its_wish() {
    let agenda = agenda();
    let mut wished = agenda.wish('a', Some(1));
    let mut dumped = [(); 2].map(|()| agenda.require(|reply| Errand::Dump('a', vec![reply])));
    let mut other = agenda.require(|reply| Errand::Dump('b', vec![reply]));
    assert_eq!(agenda.owed(), 3, "both dumps are one job");
    // Nothing was begun: all is taken back, and nobody waits.
    assert_eq!(is_over(&mut agenda.wish('a', None)), Some(Ok(())));
    assert_eq!(is_over(&mut wished), Some(Ok(())));
    assert!(dumped.iter_mut().all(|dumped| is_over(dumped) == Some(Err(AskError::Gone))));
    assert!(is_over(&mut other).is_none());
    assert_eq!(agenda.owed(), 1);
    // What was begun is to be ended, without what waits beside.
    let _wished = agenda.wish('a', Some(1));
    let (_, Task::Job(Errand::Dump('b', _))) = agenda.begin().unwrap() else {
        panic!("it is no dump")
    };
    fulfil(&agenda, 'a');
    let mut dumped = agenda.require(|reply| Errand::Dump('a', vec![reply]));
    let mut ended = agenda.wish('a', None);
    assert_eq!(is_over(&mut dumped), Some(Err(AskError::Gone)));
    assert!(is_over(&mut ended).is_none());
    assert!(agenda.is_known('a'));
    fulfil(&agenda, 'a');
    assert!(agenda.ended('a') && !agenda.is_known('a'));
    assert_eq!(is_over(&mut ended), Some(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_questions_wait_and_none_for_a_peer_that_is_set_aside() {
    let agenda = agenda();
    let mut waiting: Vec<_> = (0..1 << 12).map(|_| agenda.ask(Errand::Question)).collect();
    assert_eq!(is_over(&mut agenda.ask(Errand::Question)), Some(Err(AskError::TimedOut)));
    let (claim, Task::Job(Errand::Question(reply))) = agenda.begin().unwrap() else {
        panic!("no question")
    };
    reply.send(Ok(())).unwrap();
    agenda.done(claim);
    waiting.push(agenda.ask(Errand::Question));
    assert_eq!(is_over(&mut waiting[0]), Some(Ok(())));
    assert!(is_over(waiting.last_mut().unwrap()).is_none());
    // All give up together, and nobody asks any more; what is wished stays.
    assert_eq!(waiting.pop().unwrap().await, Err(AskError::TimedOut));
    assert_eq!(is_over(&mut agenda.ask(Errand::Question)), Some(Err(AskError::TimedOut)));
    assert_eq!(is_over(&mut agenda.wish('a', Some(1))), Some(Err(AskError::TimedOut)));
    assert_eq!(agenda.newest('a'), Some(1));
    agenda.answered();
    assert!(is_over(&mut agenda.wish('a', Some(2))).is_none());
}
