use proptest::{collection::vec, prelude::*};

use crate::lanes::Lanes;

#[test]
fn works_with_a_lane_in_common_are_done_as_they_came() {
    let mut lanes = Lanes::new(10);
    let first = lanes.push(vec!["a", "b"], 1).unwrap();
    let second = lanes.push(vec!["b", "c"], 2).unwrap();
    let third = lanes.push(vec!["c"], 3).unwrap();
    let beside = lanes.push(vec!["d"], 4).unwrap();
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
    let mut lanes = Lanes::new(2);
    let first = lanes.push(vec![1], 'a').unwrap();
    lanes.push(vec![2], 'b').unwrap();
    assert_eq!(lanes.push(vec![3], 'c'), Err('c'));
    assert!(lanes.is_free(&3));
    lanes.begin(first).unwrap();
    assert_eq!(lanes.push(vec![3], 'c'), Err('c'), "one that is being done counts");
    lanes.finish(first);
    assert!(lanes.push(vec![3], 'c').is_ok());
}

proptest! {
    /// Whatever order works end in, all are done, in each lane as they came, and none waits for one with which
    /// it has no lane in common.
    #[test]
    fn all_are_done_in_order(
        works in vec(prop::collection::btree_set(0_u8..4, 1..4), 1..20),
        choices in vec(any::<prop::sample::Index>(), 20),
    ) {
        let mut lanes = Lanes::new(100);
        let mut running = Vec::new();
        let mut done: Vec<usize> = Vec::new();
        for (number, keys) in works.iter().enumerate() {
            let id = lanes.push(keys.iter().copied().collect(), number).unwrap();
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
