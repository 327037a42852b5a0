use super::super::{Directory, Hold, Known};

type Peers = Directory<u32, &'static str, char, char>;

fn everything(directory: &mut Peers, key: char) -> Vec<u32> {
    ids(directory.follow(key, key, Box::new(|_| true)))
}

fn ids(given: Vec<(u32, &'static str)>) -> Vec<u32> {
    given.into_iter().map(|(id, _)| id).collect()
}

fn told(gone: Option<(&'static str, Vec<char>)>) -> Vec<char> {
    gone.unwrap().1
}

#[test]
fn nobody_is_told_of_peers_that_does_not_follow_them() {
    let mut directory = Peers::default();
    assert!(directory.come(1, "first").is_empty());
    assert_eq!(everything(&mut directory, 'a'), [1]);
    assert_eq!(directory.come(2, "second"), ['a']);
    assert_eq!(told(directory.go(1)), ['a']);
    assert_eq!(directory.go(1), None, "it is gone already");
    assert_eq!(directory.peers().collect::<Vec<_>>(), [&"second"]);
}

#[test]
fn a_follower_is_given_and_told_of_those_that_fit() {
    let mut directory = Peers::default();
    directory.come(1, "fits");
    directory.come(2, "other");
    let given = directory.follow('a', 'a', Box::new(|peer| *peer == "fits"));
    assert_eq!(ids(given), [1]);
    assert!(directory.come(3, "other").is_empty());
    assert_eq!(directory.come(4, "fits"), ['a']);
    assert!(told(directory.go(2)).is_empty());
    // Others fit by now; of those that it has it is told all the same.
    let given = directory.follow('a', 'a', Box::new(|peer| *peer == "other"));
    assert_eq!(ids(given), [3]);
    for id in [1, 3, 4] {
        assert_eq!(told(directory.go(id)), ['a'], "peer {id}");
    }
}

#[test]
fn one_that_rests_is_told_who_goes_and_not_who_comes() {
    let mut directory = Peers::default();
    directory.come(1, "before");
    assert_eq!(everything(&mut directory, 'a'), [1]);
    directory.rest('a');
    directory.rest('b');
    assert!(directory.come(2, "while it rests").is_empty());
    assert!(told(directory.go(2)).is_empty(), "it never had that one");
    directory.come(3, "while it rests");
    assert_eq!(everything(&mut directory, 'a'), [1, 3]);
    assert_eq!(told(directory.go(1)), ['a']);
}

#[test]
fn one_that_left_is_told_of_nothing() {
    let mut directory = Peers::default();
    directory.come(1, "first");
    everything(&mut directory, 'a');
    everything(&mut directory, 'b');
    directory.leave('a');
    assert_eq!(directory.come(2, "second"), ['b']);
    assert_eq!(told(directory.go(1)), ['b']);
    directory.leave('a');
}

#[test]
fn what_went_before_the_answer_is_not_learnt_from_it() {
    let mut known = Known::default();
    known.ask();
    known.come(3, "came meanwhile");
    known.go(1);
    known.learn(vec![(1, "gone by now"), (2, "there")]);
    assert_eq!(known.all().collect::<Vec<_>>(), [&"there", &"came meanwhile"]);
    // Ids are not used again, but what was remembered is not kept either.
    known.ask();
    known.learn(vec![(1, "another")]);
    assert_eq!(known.go(1), Some("another"));
    assert_eq!(known.get(2), Some(&"there"));
}

#[test]
fn an_answer_that_another_one_overtook_brings_nobody_back() {
    let mut known = Known::default();
    known.ask();
    known.ask();
    known.learn(vec![(1, "there")]);
    assert_eq!(known.go(1), Some("there"));
    known.learn(vec![(1, "gone by now")]);
    assert!(known.all().next().is_none());
}

#[tokio::test]
async fn who_waits_is_released_by_the_last_hold() {
    let (first, released) = Hold::new();
    let second = first.clone();
    let mut released = std::pin::pin!(released);
    drop(first);
    assert!(futures::poll!(&mut released).is_pending());
    drop(second);
    released.await;
}
