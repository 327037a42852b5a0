//! Whose request is the next, and what becomes of the others.

use super::*;
use crate::{
    operation::Done,
    queue::{IN_FLIGHT_EACH_MAX, IN_FLIGHT_MAX, Queue, Refused, WAITING_MAX},
};

struct Desk {
    queue: Queue,
    begin: Instant,
}

impl Desk {
    fn new() -> Self {
        Self { queue: Queue::default(), begin: Instant::now() }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.begin + Duration::from_secs(seconds)
    }

    /// A request of a user whose deadline is `seconds` from the beginning.
    fn admit(&mut self, uid: u32, seconds: u64) -> oneshot::Receiver<Outcome> {
        let (request, outcome) = request(uid, Path::new("/"), self.at(seconds));
        self.queue.admit(request).unwrap();
        outcome
    }

    /// Sends what may be sent: whose it is, with the numbers.
    fn send(&mut self) -> Vec<(u32, u64)> {
        let now = self.begin;
        let mut sent = Vec::new();
        while let Some((id, request)) = self.queue.next(now) {
            sent.push((request.identity.credentials.uid, id));
            self.queue.sent(id, request);
        }
        sent
    }
}

fn users(sent: &[(u32, u64)]) -> Vec<u32> {
    sent.iter().map(|(uid, _)| *uid).collect()
}

fn errno(mut outcome: oneshot::Receiver<Outcome>) -> Option<i32> {
    outcome.try_recv().unwrap().unwrap_err().raw_os_error()
}

const TIMED_OUT: Option<i32> = Some(rustix::io::Errno::TIMEDOUT.raw_os_error());

#[test]
fn users_take_turns() {
    let mut desk = Desk::new();
    let outcomes = [1, 1, 1, 2, 3, 2].map(|uid| desk.admit(uid, 10));
    assert_eq!(users(&desk.send()), [1, 2, 3, 1, 2, 1]);
    drop(outcomes);
}

#[test]
fn a_user_has_no_more_than_its_share() {
    let mut desk = Desk::new();
    let mut outcomes: Vec<_> = (0..IN_FLIGHT_EACH_MAX + 2).map(|_| desk.admit(1, 10)).collect();
    let sent = desk.send();
    assert_eq!(users(&sent), vec![1; IN_FLIGHT_EACH_MAX]);
    outcomes.push(desk.admit(2, 10));
    assert_eq!(users(&desk.send()), [2]);
    // A reply makes room for one; one that nobody waits for any more does not.
    assert!(desk.queue.replied(sent[0].1, Ok(Done::Nothing)));
    assert_eq!(users(&desk.send()), [1]);
    desk.queue.expire(desk.at(10));
    assert_eq!(desk.send(), []);
    assert!(desk.queue.replied(sent[1].1, Ok(Done::Nothing)));
    outcomes.push(desk.admit(1, 20));
    assert_eq!(users(&desk.send()), [1]);
    assert!(!desk.queue.replied(sent[1].1, Ok(Done::Nothing)), "it was answered");
    assert!(!desk.queue.replied(1 << 40, Ok(Done::Nothing)), "it was not asked");
}

#[test]
fn all_users_together_have_no_more_than_there_are_threads() {
    let mut desk = Desk::new();
    let users = u32::try_from(IN_FLIGHT_MAX).unwrap() + 3;
    let outcomes: Vec<_> = (0..users).map(|uid| desk.admit(uid, 10)).collect();
    let sent = desk.send();
    assert_eq!(sent.len(), IN_FLIGHT_MAX);
    assert!(desk.queue.replied(sent[9].1, Ok(Done::Nothing)));
    assert_eq!(desk.send().len(), 1);
    drop(outcomes);
}

#[test]
fn requests_over_the_limit_are_refused() {
    let mut desk = Desk::new();
    let outcomes: Vec<_> = (0..WAITING_MAX).map(|_| desk.admit(1, 10)).collect();
    let (one_more, _outcome) = request(2, Path::new("/"), desk.at(10));
    assert!(matches!(desk.queue.admit(one_more), Err(Refused::Full)));
    assert_eq!(desk.send().len(), IN_FLIGHT_EACH_MAX);
    let (another, _outcome) = request(2, Path::new("/"), desk.at(10));
    desk.queue.admit(another).unwrap();
    drop(outcomes);
}

#[test]
fn what_is_late_or_not_wanted_is_not_sent() {
    let mut desk = Desk::new();
    let late = desk.admit(1, 0);
    drop(desk.admit(1, 10));
    let wanted = desk.admit(1, 10);
    assert_eq!(desk.send().len(), 1);
    assert_eq!(errno(late), TIMED_OUT);
    drop(wanted);
}

#[test]
fn everybody_is_told_in_time() {
    let mut desk = Desk::new();
    let linger = Duration::from_secs(1);
    let sent: Vec<_> = (0..IN_FLIGHT_EACH_MAX).map(|_| desk.admit(1, 5)).collect();
    desk.send();
    let (waiting, other) = (desk.admit(1, 7), desk.admit(2, 6));
    let now = desk.begin;
    assert_eq!(desk.queue.rest(now, linger, true), Some(Duration::from_secs(5)));
    desk.queue.expire(desk.at(5));
    sent.into_iter().for_each(|outcome| assert_eq!(errno(outcome), TIMED_OUT));
    assert_eq!(desk.queue.rest(now, linger, true), Some(Duration::from_secs(6)));
    desk.queue.expire(desk.at(7));
    assert_eq!((errno(waiting), errno(other)), (TIMED_OUT, TIMED_OUT));
    assert_eq!(desk.send(), []);
    // What the worker has is nobody's concern; the next request tells that there is something.
    assert_eq!(desk.queue.rest(now, linger, false), Some(linger));
    let (quiet, _outcome) = request(2, Path::new("/"), desk.at(9));
    assert!(!desk.queue.admit(quiet).unwrap());
    desk.queue.expire(desk.at(9));
    assert_eq!(desk.queue.rest(now, linger, true), None);
    let (first, _outcome) = request(2, Path::new("/"), desk.at(10));
    assert!(desk.queue.admit(first).unwrap());
    let (second, _outcome) = request(2, Path::new("/"), desk.at(10));
    assert!(!desk.queue.admit(second).unwrap());
}

#[test]
fn a_request_that_does_not_go_out_keeps_its_turn() {
    let mut desk = Desk::new();
    let (first, second) = (desk.admit(1, 10), desk.admit(1, 10));
    let other = desk.admit(2, 10);
    let (id, request) = desk.queue.next(desk.begin).unwrap();
    desk.queue.sent(id, request);
    let (_, request) = desk.queue.next(desk.begin).unwrap();
    assert_eq!(request.identity.credentials.uid, 2);
    desk.queue.put_back(request);
    assert_eq!(users(&desk.send()), [2, 1]);
    drop((first, second, other));
    // Without a request on its way no reply would send it.
    let mut desk = Desk::new();
    let only = desk.admit(1, 10);
    let (_, request) = desk.queue.next(desk.begin).unwrap();
    desk.queue.put_back(request);
    assert!(errno(only).is_some());
}

#[test]
fn the_end_of_a_worker_is_told_to_everybody() {
    let mut desk = Desk::new();
    let mut outcomes: Vec<_> = (0..IN_FLIGHT_EACH_MAX + 1).map(|_| desk.admit(1, 10)).collect();
    desk.send();
    desk.queue.close(std::io::ErrorKind::BrokenPipe, "it is gone");
    for outcome in &mut outcomes {
        assert_eq!(outcome.try_recv().unwrap().unwrap_err().to_string(), "it is gone");
    }
    let (next, _outcome) = request(1, Path::new("/"), desk.at(10));
    let Err(Refused::Closed(back, why)) = desk.queue.admit(next) else { panic!("it is closed") };
    assert_eq!((back.identity.credentials.uid, why.to_string()), (1, "it is gone".to_owned()));
}
