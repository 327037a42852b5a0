//! The time of a thread that all share, by user: whoever has many peers is not served more often than who has one.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
};

use tokio::sync::oneshot;

/// What the peers of one user may have done for them in a round: bytes to be read and decoded, and
/// [`REQUEST_COST`] for each request. Half a millisecond of a thread or less.
const QUANTUM: i64 = 16 << 10;
/// What it costs to look at one request or reply, beside its bytes.
pub const REQUEST_COST: usize = 512;
/// Of how many users it is known what they had, while nobody waits.
const KNOWN_MAX: usize = 1024;

/// Who has had how much in this round, and who waits for the next. Deficit round robin: what somebody has beyond his
/// part is taken from that of the rounds that follow. No input or output.
#[derive(Debug)]
struct Rounds<T> {
    users: HashMap<u32, Account<T>>,
    waiting: usize,
}

#[derive(Debug)]
struct Account<T> {
    /// What he may have yet.
    credit: i64,
    /// Those who wait, each with what it costs.
    line: VecDeque<(i64, T)>,
}

impl<T> Default for Account<T> {
    fn default() -> Self {
        Self { credit: QUANTUM, line: VecDeque::new() }
    }
}

impl<T> Default for Rounds<T> {
    fn default() -> Self {
        Self { users: HashMap::new(), waiting: 0 }
    }
}

impl<T> Rounds<T> {
    /// Whether a peer of this user may have that at once.
    fn take(&mut self, uid: u32, cost: i64) -> bool {
        if self.waiting == 0 && self.users.len() >= KNOWN_MAX {
            self.users.clear();
        }
        let account = self.users.entry(uid).or_default();
        let may = account.credit > 0 && account.line.is_empty();
        if may {
            account.credit -= cost;
        }
        may
    }

    /// Has it wait for that behind the others of its user.
    fn wait(&mut self, uid: u32, cost: i64, waiter: T) {
        self.users.entry(uid).or_default().line.push_back((cost, waiter));
        self.waiting += 1;
    }

    /// The next round begins: those who go on in it. When nobody waits any more what was had is forgotten.
    fn next_round(&mut self) -> Vec<T> {
        let mut served = Vec::new();
        for account in self.users.values_mut() {
            account.credit = QUANTUM.min(account.credit + QUANTUM);
            while account.credit > 0
                && let Some((cost, waiter)) = account.line.pop_front()
            {
                account.credit -= cost;
                served.push(waiter);
            }
        }
        self.waiting -= served.len();
        self.users.retain(|_, account| account.credit < QUANTUM || !account.line.is_empty());
        served
    }
}

thread_local! {
    static ROUNDS: RefCell<Rounds<oneshot::Sender<()>>> = RefCell::default();
    /// Whether a task begins the next rounds.
    static GOES_ON: Cell<bool> = const { Cell::new(false) };
}

/// The turn of a peer of this user, of whom so many bytes are to be read and decoded, or a request answered
/// ([`REQUEST_COST`]). Returns at once unless his peers have had much since the others of this thread were served last;
/// then it is the turn of the others first. Needs the context of an actor. Safe to abandon.
pub async fn turn(uid: u32, cost: usize) {
    let cost = i64::try_from(cost).unwrap_or(i64::MAX);
    let waits = ROUNDS.with_borrow_mut(|rounds| {
        if rounds.take(uid, cost) {
            return None;
        }
        let (served, waits) = oneshot::channel();
        rounds.wait(uid, cost, served);
        Some(waits)
    });
    let Some(waits) = waits else { return };
    if !GOES_ON.replace(true) {
        tokio::task::spawn_local(go_on());
    }
    // It is dropped only with the thread.
    let _ = waits.await;
}

/// Begins a round whenever all tasks of the thread that can go on have done so, as long as somebody waits.
async fn go_on() {
    /// Also when the task is dropped.
    struct Ends;

    impl Drop for Ends {
        fn drop(&mut self) {
            GOES_ON.set(false);
        }
    }

    let _ends = Ends;
    loop {
        tokio::task::yield_now().await;
        let (served, waiting) =
            ROUNDS.with_borrow_mut(|rounds| (rounds.next_round(), rounds.waiting));
        for waiter in served {
            // It may have been abandoned.
            let _ = waiter.send(());
        }
        if waiting == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: u32 = 1000;
    const OTHER: u32 = 1001;

    /// Many peers of each user want as much, again and again: what each user had after so many rounds.
    fn had(rounds: usize, wants: &[(u32, usize, i64)]) -> HashMap<u32, i64> {
        let mut all = Rounds::default();
        let mut had: HashMap<u32, i64> = HashMap::new();
        let ask = |all: &mut Rounds<(u32, i64)>, uid, cost| {
            if all.take(uid, cost) {
                return Some((uid, cost));
            }
            all.wait(uid, cost, (uid, cost));
            None
        };
        let mut idle: Vec<(u32, i64)> = wants
            .iter()
            .flat_map(|(uid, peers, cost)| std::iter::repeat_n((*uid, *cost), *peers))
            .collect();
        for _ in 0..rounds {
            let mut next = Vec::new();
            for (uid, cost) in idle {
                if let Some(served) = ask(&mut all, uid, cost) {
                    next.push(served);
                }
            }
            next.extend(all.next_round());
            for (uid, cost) in &next {
                *had.entry(*uid).or_default() += cost;
            }
            idle = next;
        }
        had
    }

    #[test]
    fn who_has_many_peers_has_as_much_as_who_has_one() {
        const ROUNDS: usize = 1000;

        let had = had(ROUNDS, &[(ONE, 300, 4096), (OTHER, 1, 16 << 10)]);
        let part = QUANTUM * ROUNDS as i64;
        assert!((had[&ONE] - part).abs() <= 2 * QUANTUM, "{had:?}");
        assert!((had[&OTHER] - part).abs() <= 2 * QUANTUM, "{had:?}");
    }

    #[test]
    fn what_is_large_is_paid_in_the_rounds_that_follow() {
        const ROUNDS: usize = 1000;

        let had = had(ROUNDS, &[(ONE, 3, 5 * QUANTUM), (OTHER, 3, 512)]);
        let part = QUANTUM * ROUNDS as i64;
        assert!((had[&ONE] - part).abs() <= 10 * QUANTUM, "{had:?}");
        // Each asks once in a round, and is served in it.
        assert_eq!(had[&OTHER], 3 * 512 * ROUNDS as i64);
    }

    #[test]
    fn nothing_is_kept_when_nobody_waits() {
        let mut rounds = Rounds::<()>::default();
        for uid in 0..10_000 {
            assert!(rounds.take(uid, QUANTUM));
            assert!(rounds.users.len() <= KNOWN_MAX);
        }
        assert!(!rounds.take(9_999, 1));
        rounds.next_round();
        assert!(rounds.users.is_empty());
    }

    #[actix::test]
    async fn a_users_peers_go_on_when_all_others_had_their_turn() {
        let order = std::rc::Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..40)
            .map(|number| {
                let order = std::rc::Rc::clone(&order);
                let uid = if number == 39 { OTHER } else { ONE };
                tokio::task::spawn_local(async move {
                    for _ in 0..20 {
                        turn(uid, usize::try_from(QUANTUM).unwrap_or_default()).await;
                        order.borrow_mut().push(uid);
                    }
                })
            })
            .collect();
        for task in tasks {
            assert!(task.await.is_ok());
        }
        let order = order.take();
        let last_of_other = order.iter().rposition(|uid| *uid == OTHER);
        assert!(last_of_other.is_some_and(|at| at <= 2 * 20 + 4), "{last_of_other:?}");
        assert_eq!(order.len(), 40 * 20);
        assert!(!GOES_ON.get(), "nobody waits any more");
    }
}
