//! Who gets how much.
#![allow(clippy::unwrap_used)]

use super::*;

const LIMIT: u64 = 1000;
const KEPT: u64 = 40;

/// Takes as much as there is for a user, piece by piece.
fn take_all(ledger: &Ledger, uid: u32, count: u64) -> Vec<Lease> {
    let next = || ledger.take(uid, count, LIMIT - ledger.taken()).ok();
    std::iter::from_fn(next).collect()
}

fn ledger() -> Ledger {
    Ledger::new("places", KEPT)
}

#[test]
fn a_user_alone_has_three_quarters_and_leaves_the_rest_to_others() {
    let ledger = ledger();
    let greedy = take_all(&ledger, 1000, 1);
    assert_eq!(greedy.len() as u64, (LIMIT - KEPT) * 3 / 4);
    let other = take_all(&ledger, 1001, 1);
    assert_eq!(other.len() as u64, (LIMIT - KEPT) / 4 * 3 / 4);
    assert!(ledger.take(1002, 1, LIMIT - ledger.taken()).is_ok(), "whoever comes next");
}

#[test]
fn a_user_alone_has_no_more_than_each_may_have_but_root_does() {
    let ledger = ledger().at_most(10).owned_by(1002);
    let greedy = take_all(&ledger, 1000, 3);
    assert_eq!(greedy.len(), 3);
    assert!(ledger.take(1000, 1, LIMIT - ledger.taken()).is_ok(), "the tenth");
    for free_of_it in [ROOT, 1002] {
        assert!(ledger.take(free_of_it, 11, LIMIT - ledger.taken()).is_ok());
    }
}

#[test]
fn a_user_leaves_no_more_than_is_enough_for_others() {
    let ledger = ledger().enough(100);
    let greedy = take_all(&ledger, 1000, 1);
    assert_eq!(greedy.len() as u64, LIMIT - KEPT - 100);
    let other = take_all(&ledger, 1001, 1);
    assert_eq!(other.len() as u64, 100 * 3 / 4, "and what is less than that is shared");
    assert!(ledger.take(1002, 1, LIMIT - ledger.taken()).is_ok(), "whoever comes next");
    // Where less than that is left by who takes three quarters, he gets no less than those.
    let few = Ledger::new("places", KEPT).enough(LIMIT);
    assert_eq!(take_all(&few, 1000, 1).len() as u64, (LIMIT - KEPT) * 3 / 4);
}

#[test]
fn many_greedy_users_end_with_the_same() {
    let ledger = ledger();
    let mut held: Vec<Vec<Lease>> = (0..8).map(|_| Vec::new()).collect();
    // Each gives back some of his and takes what he gets, in turn.
    for _ in 0..200 {
        for (uid, leases) in (1000..).zip(&mut held) {
            leases.truncate(leases.len() * 9 / 10);
            leases.extend(take_all(&ledger, uid, 1));
        }
    }
    let counts: Vec<_> = held.iter().map(Vec::len).collect();
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*most <= least + least / 4, "{counts:?}");
    assert!(ledger.taken() + KEPT < LIMIT);
}

#[test]
fn root_gets_what_there_is() {
    let ledger = ledger();
    let others: Vec<_> = (1000..1100).flat_map(|uid| take_all(&ledger, uid, 1)).collect();
    let left = LIMIT - ledger.taken();
    assert!(left >= KEPT);
    let root = take_all(&ledger, ROOT, 1);
    assert_eq!(root.len() as u64, left);
    assert!(ledger.take(ROOT, 1, 0).is_err(), "there is nothing");
    drop(others);
    assert!(ledger.take(ROOT, 1, LIMIT - ledger.taken()).is_ok());
}

#[test]
fn the_daemons_own_user_shares_with_nobody() {
    let ledger = ledger().owned_by(1000);
    assert_eq!(take_all(&ledger, 1000, 1).len() as u64, LIMIT);
    assert!(take_all(&ledger, 1001, 1).len() as u64 <= (LIMIT - KEPT) * 3 / 4);
}

#[test]
fn of_some_things_one_alone_may_have_nearly_all() {
    let ledger = ledger().leaving(15);
    let greedy = take_all(&ledger, 1000, 1);
    assert_eq!(greedy.len() as u64, (LIMIT - KEPT) * 15 / 16);
    assert_eq!(take_all(&ledger, NOBODY, 1).len() as u64, (LIMIT - KEPT) / 16 * 15 / 16);
}

#[test]
fn what_has_grown_is_given_back_together() {
    let ledger = ledger();
    let free = || LIMIT - ledger.taken();
    let mut lease = ledger.take(1000, 1, free()).unwrap();
    lease.grow(2, free()).unwrap();
    assert_eq!((ledger.taken(), ledger.held_by(1000)), (3, 3));
    assert!(lease.grow(LIMIT, free()).is_err());
    assert_eq!(ledger.taken(), 3, "what was refused is not taken");
    drop(lease);
    assert_eq!((ledger.taken(), ledger.held_by(1000)), (0, 0));
}

#[test]
fn what_is_dropped_is_given_back() {
    let ledger = ledger();
    let one = ledger.take(1000, 300, LIMIT).unwrap();
    let other = ledger.take(1000, 100, LIMIT - 300).unwrap();
    assert_eq!((ledger.held_by(1000), ledger.taken()), (400, 400));
    drop(one);
    assert_eq!(ledger.held_by(1000), 100);
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = other;
        panic!("asked to");
    }));
    assert!(failed.is_err());
    assert_eq!((ledger.held_by(1000), ledger.taken()), (0, 0));
    assert!(ledger.state.borrow().users.is_empty(), "nothing is kept of who has nothing");
}

#[test]
fn a_large_piece_is_refused_where_small_ones_fit() {
    let ledger = ledger();
    let _held = ledger.take(1000, 600, LIMIT).unwrap();
    assert!(ledger.take(1000, 200, LIMIT - 600).is_err());
    assert!(ledger.take(1000, 50, LIMIT - 600).is_ok());
    assert!(ledger.take(1001, u64::MAX, LIMIT - 600).is_err());
}

#[test]
fn of_a_flood_of_refusals_few_are_news() {
    let ledger = ledger();
    let greedy = take_all(&ledger, 1000, 1);
    // The first one ended the taking.
    let refuse = || ledger.take(1000, 1, LIMIT - ledger.taken()).unwrap_err();
    let told: Vec<_> = (0..2000).filter_map(|_| refuse().is_news).collect();
    assert_eq!(told, [10, 100, 1000]);
    assert_eq!(ledger.refused(), 2001);
    drop(greedy);
    let mut again = take_all(&ledger, 1000, 1);
    again.truncate(again.len() - 1);
    assert_eq!(ledger.take(1000, LIMIT, LIMIT).unwrap_err().is_news, None, "it was told at first");
}

#[test]
fn a_refusal_says_who_has_what() {
    let ledger = Ledger::new("connections of clients", 4);
    let _held = ledger.take(1000, 12, 20).unwrap();
    let refused = ledger.take(1000, 4, 8).unwrap_err();
    let ShareTaken { held, taken, is_news, .. } = refused;
    assert_eq!((held, taken, is_news), (12, 12, Some(1)));
    let text = refused.to_string();
    assert!(text.contains("user 1000 has 12 of the 12 connections of clients"), "{text}");
    assert!(text.ends_with("those that are left are for others"), "{text}");
}

#[test]
fn refusals_are_counted_by_user_and_thing() {
    const WHAT: &str = "things of which there are two";

    let ledger = Ledger::new(WHAT, 0);
    let _held = ledger.take(2_000_001, 1, 2).unwrap();
    for _ in 0..3 {
        ledger.take(2_000_001, 1, 1).unwrap_err();
    }
    ledger.take(2_000_002, 3, 1).unwrap_err();
    let mut counted = refusals();
    counted.retain(|(_, what, _)| *what == WHAT);
    assert_eq!(counted, [(2_000_001, WHAT, 3), (2_000_002, WHAT, 1)]);
}

#[test]
fn a_lease_is_given_back_in_part() {
    let ledger = Ledger::new("bytes", 0);
    let mut lease = ledger.take(7, 10, 100).unwrap();
    lease.shrink(4);
    assert_eq!((ledger.taken(), ledger.held_by(7)), (6, 6));
    lease.grow(2, 94).unwrap();
    lease.shrink(100);
    assert_eq!((ledger.taken(), ledger.held_by(7)), (0, 0));
    drop(lease);
    assert_eq!(ledger.taken(), 0);
}
