//! Who holds how much of what, of all ledgers of this thread.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::{Rc, Weak},
};

use crate::State;

/// What is held by a ledger, and what it is.
type Known = (&'static str, Weak<RefCell<State>>);

thread_local! {
    /// The ledgers of this thread that there are.
    static LEDGERS: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// What one user holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holding {
    /// Who.
    pub uid: u32,
    /// What it is (a plural).
    pub what: &'static str,
    /// How much of it he has.
    pub held: u64,
}

/// There is another ledger.
pub(crate) fn look_at(what: &'static str, state: &Rc<RefCell<State>>) {
    LEDGERS.with_borrow_mut(|ledgers| {
        ledgers.retain(|(_, known)| known.strong_count() > 0);
        ledgers.push((what, Rc::downgrade(state)));
    });
}

/// What users hold by the ledgers of this thread, those of the same thing together, in the order of the users. Of
/// all daemons whose actors live here.
#[must_use]
pub fn held_here() -> Vec<Holding> {
    let mut sums: BTreeMap<(u32, &'static str), u64> = BTreeMap::new();
    LEDGERS.with_borrow(|ledgers| {
        for (what, state) in ledgers {
            let Some(state) = state.upgrade() else { continue };
            for (uid, account) in &state.borrow().users {
                let sum = sums.entry((*uid, what)).or_default();
                *sum = sum.saturating_add(account.held);
            }
        }
    });
    let holding = |((uid, what), held)| Holding { uid, what, held };
    sums.into_iter().map(holding).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Ledger;

    #[test]
    fn what_users_hold_is_what_they_took_and_did_not_give_back() {
        let (apples, pears) = (Ledger::new("apples", 0), Ledger::new("pears", 0));
        let more_pears = Ledger::new("pears", 0);
        let held = |uid, what, held| Holding { uid, what, held };
        assert_eq!(held_here(), []);
        let taken = apples.take(7, 3, 100).unwrap();
        let (_few, _many) = (pears.take(7, 1, 100).unwrap(), more_pears.take(7, 10, 100).unwrap());
        let _others = pears.take(5, 2, 100).unwrap();
        let expected = [held(5, "pears", 2), held(7, "apples", 3), held(7, "pears", 11)];
        assert_eq!(held_here(), expected);
        drop(taken);
        assert_eq!(held_here(), [held(5, "pears", 2), held(7, "pears", 11)]);
        assert_eq!(
            std::thread::spawn(held_here).join().unwrap(),
            [],
            "another thread's are its own"
        );
    }

    #[test]
    fn ledgers_that_are_gone_take_no_room() {
        for _ in 0..100 {
            drop(Ledger::new("apples", 0));
        }
        let _one = Ledger::new("apples", 0);
        assert_eq!(LEDGERS.with_borrow(Vec::len), 1);
    }
}
