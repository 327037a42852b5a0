use std::hash::Hash;

use proptest::{collection::vec, prelude::*};

use lttngd_users::Ledger;

use crate::lanes::Lanes;

const ROOT: u32 = 0;

fn with_room_for<K: Clone + Eq + Hash, W>(count: usize) -> Lanes<K, W> {
    Lanes::new(count, Ledger::new("works", 2))
}

#[test]
fn works_with_a_lane_in_common_are_done_as_they_came() {
    let mut lanes = with_room_for(10);
    let first = lanes.push(ROOT, vec!["a", "b"], 1).unwrap();
    let second = lanes.push(ROOT, vec!["b", "c"], 2).unwrap();
    let third = lanes.push(ROOT, vec!["c"], 3).unwrap();
    let beside = lanes.push(ROOT, vec!["d"], 4).unwrap();
    assert!(!lanes.is_free(&"c") && lanes.is_free(&"e"));
    assert_eq!(lanes.begin(first), Some(1));
    assert_eq!(lanes.begin(first), None, "it is being done");
    assert_eq!((lanes.begin(second), lanes.begin(third)), (None, None));
    assert_eq!(lanes.begin(beside), Some(4));
    assert_eq!(lanes.finish(first), [second]);
    assert!(lanes.is_free(&"a"));
    assert_eq!(lanes.begin(second), Some(2));
    assert_eq!(lanes.finish(second), [third]);
    assert_eq!(lanes.begin(third), Some(3));
    assert!(lanes.finish(third).is_empty() && lanes.finish(beside).is_empty());
    assert!(lanes.finish(beside).is_empty());
    assert!(["a", "b", "c", "d"].iter().all(|lane| lanes.is_free(lane)));
}

#[test]
fn there_are_no_more_works_than_there_may_be() {
    let mut lanes = with_room_for(2);
    let first = lanes.push(ROOT, vec![1], 'a').unwrap();
    lanes.push(ROOT, vec![2], 'b').unwrap();
    assert_eq!(lanes.push(ROOT, vec![3], 'c'), Err('c'));
    assert!(lanes.is_free(&3));
    lanes.begin(first).unwrap();
    assert_eq!(lanes.push(ROOT, vec![3], 'c'), Err('c'), "one that is being done counts");
    lanes.finish(first);
    assert!(lanes.push(ROOT, vec![3], 'c').is_ok());
}

#[test]
fn a_lane_that_stands_still_leaves_room_to_the_others() {
    let mut lanes = with_room_for(12);
    let count = |lanes: &mut Lanes<_, _>, lane| {
        (0..20).take_while(|_| lanes.push(ROOT, vec![lane], ()).is_ok()).count()
    };
    assert_eq!(count(&mut lanes, "stuck"), 6);
    assert_eq!(
        lanes.push(ROOT, vec!["fine", "stuck"], ()),
        Err(()),
        "it would wait for what is stuck"
    );
    assert!(lanes.is_free(&"fine"));
    assert_eq!(count(&mut lanes, "another"), 3);
    let beside = lanes.push(ROOT, vec!["fine"], ()).unwrap();
    assert_eq!(lanes.begin(beside), Some(()));
}

#[test]
fn a_user_with_many_lanes_leaves_room_to_the_others() {
    let mut lanes = with_room_for(12);
    let taken = (0..20).take_while(|lane| lanes.push(1000, vec![*lane], ()).is_ok()).count();
    assert_eq!(taken, 7, "three times what is left, with what is root's");
    assert!(lanes.push(1001, vec![100], ()).is_ok());
    let first = lanes.push(ROOT, vec![101], ()).unwrap();
    lanes.begin(first).unwrap();
    lanes.finish(first);
    let taken = (200..220).take_while(|lane| lanes.push(ROOT, vec![*lane], ()).is_ok()).count();
    assert_eq!(taken, 4, "of root's one that is over");
}

proptest! {
    /// Whatever order works end in, all are done, in each lane as they came, and none waits for one with which
    /// it has no lane in common.
    #[test]
    fn all_are_done_in_order(
        works in vec(prop::collection::btree_set(0_u8..4, 1..4), 1..20),
        choices in vec(any::<prop::sample::Index>(), 20),
    ) {
        let mut lanes = with_room_for(100);
        let mut running = Vec::new();
        let mut done: Vec<usize> = Vec::new();
        for (number, keys) in works.iter().enumerate() {
            let id = lanes.push(ROOT, keys.iter().copied().collect(), number).unwrap();
            running.extend(lanes.begin(id).map(|number| (id, number)));
        }
        for choice in choices {
            if running.is_empty() {
                break;
            }
            for (at, (_, number)) in running.iter().enumerate() {
                let apart = |(other, (_, it)): (usize, &(_, usize))| {
                    other == at || works[*it].is_disjoint(&works[*number])
                };
                prop_assert!(running.iter().enumerate().all(apart));
            }
            let (id, number) = running.swap_remove(choice.index(running.len()));
            done.push(number);
            for next in lanes.finish(id) {
                running.extend(lanes.begin(next).map(|number| (next, number)));
            }
        }
        prop_assert_eq!(done.len(), works.len());
        for lane in 0..4 {
            let in_lane: Vec<_> = done.iter().filter(|it| works[**it].contains(&lane)).collect();
            prop_assert!(in_lane.is_sorted());
        }
    }
}
