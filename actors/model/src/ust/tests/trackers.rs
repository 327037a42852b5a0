//! What trackers take and whom they let through.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{
    ProcessAttribute as A, TrackerValue as V, TrackingPolicy as P,
    ust::{TRACKED_MAX, TrackedProcess},
};

const VIRTUAL: [A; 3] = [A::VirtualProcessId, A::VirtualUserId, A::VirtualGroupId];
const ALICE: TrackedProcess = TrackedProcess { pid: 10, uid: 1000, gid: 100 };

fn with_set(attribute: A) -> UstDomain {
    let mut domain = domain();
    domain.set_tracking_policy(attribute, P::IncludeSet).unwrap();
    domain
}

#[test]
fn at_first_every_process_is_tracked() {
    let domain = domain();
    assert!(domain.tracks(ALICE));
    for attribute in VIRTUAL {
        assert_eq!(domain.tracking_policy(attribute), Ok(P::IncludeAll));
    }
}

#[test]
fn only_virtual_attributes_have_trackers() {
    for attribute in [A::ProcessId, A::UserId, A::GroupId] {
        let mut domain = domain();
        assert_eq!(domain.tracking_policy(attribute), Err(ErrorCode::Invalid));
        assert_eq!(domain.inclusion_set(attribute), Err(ErrorCode::Invalid));
        let set = domain.set_tracking_policy(attribute, P::ExcludeAll);
        assert_eq!(set, Err(ErrorCode::Invalid));
        assert_eq!(domain.track(attribute, V::Pid(1), 1), Err(ErrorCode::Invalid));
        assert_eq!(domain.untrack(attribute, &V::Pid(1)), Err(ErrorCode::Invalid));
    }
}

#[test]
fn values_need_the_policy_of_a_set() {
    for policy in [P::IncludeAll, P::ExcludeAll] {
        let mut domain = domain();
        domain.set_tracking_policy(A::VirtualUserId, policy).unwrap();
        let wrong = ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy;
        assert_eq!(domain.track(A::VirtualUserId, V::Uid(1), 1), Err(wrong));
        assert_eq!(domain.untrack(A::VirtualUserId, &V::Uid(1)), Err(wrong));
        assert_eq!(domain.inclusion_set(A::VirtualUserId), Err(wrong));
    }
}

#[test]
fn a_value_and_its_id_stand_in_a_set_once() {
    let user = |name: &str| V::UserName(name.to_owned());
    let mut domain = with_set(A::VirtualUserId);
    assert_eq!(domain.inclusion_set(A::VirtualUserId), Ok(Vec::new()));
    domain.track(A::VirtualUserId, user("root"), 0).unwrap();
    let exists = Err(ErrorCode::ProcessAttrExists);
    assert_eq!(domain.track(A::VirtualUserId, user("root"), 0), exists);
    assert_eq!(domain.track(A::VirtualUserId, V::Uid(0), 0), exists);
    let missing = Err(ErrorCode::ProcessAttrMissing);
    assert_eq!(domain.untrack(A::VirtualUserId, &V::Uid(0)), missing);
    assert_eq!(domain.inclusion_set(A::VirtualUserId), Ok(vec![user("root")]));
    domain.untrack(A::VirtualUserId, &user("root")).unwrap();
    assert_eq!(domain.untrack(A::VirtualUserId, &user("root")), missing);
}

#[test]
fn what_is_no_value_of_the_attribute_is_refused() {
    let invalid = Err(ErrorCode::Invalid);
    let mut domain = with_set(A::VirtualProcessId);
    assert_eq!(domain.track(A::VirtualProcessId, V::Uid(1), 1), invalid);
    // The number of -1, which is no process's.
    assert_eq!(domain.track(A::VirtualProcessId, V::Pid(-1), u32::MAX), invalid);
    assert_eq!(domain.inclusion_set(A::VirtualProcessId), Ok(Vec::new()));
}

#[test]
fn a_set_has_a_limit() {
    let mut domain = with_set(A::VirtualGroupId);
    for gid in 0..u32::try_from(TRACKED_MAX).unwrap() {
        domain.track(A::VirtualGroupId, V::Gid(gid), gid).unwrap();
    }
    let last = u32::MAX >> 1;
    assert_eq!(domain.track(A::VirtualGroupId, V::Gid(last), last), Err(ErrorCode::Nomem));
}

#[test]
fn a_process_must_pass_every_tracker() {
    let attributes = [
        (A::VirtualProcessId, V::Pid(10), 10),
        (A::VirtualUserId, V::Uid(1000), 1000),
        (A::VirtualGroupId, V::GroupName("users".to_owned()), 100),
    ];
    for (attribute, value, id) in attributes.clone() {
        let mut domain = domain();
        domain.set_tracking_policy(attribute, P::ExcludeAll).unwrap();
        assert!(!domain.tracks(ALICE));
        domain.set_tracking_policy(attribute, P::IncludeSet).unwrap();
        assert!(!domain.tracks(ALICE));
        domain.track(attribute, value, id).unwrap();
        assert!(domain.tracks(ALICE));
        let others = [
            TrackedProcess { pid: 11, ..ALICE },
            TrackedProcess { uid: 1001, ..ALICE },
            TrackedProcess { gid: 101, ..ALICE },
        ];
        let shut_out = others.iter().filter(|other| !domain.tracks(**other)).count();
        assert_eq!(shut_out, 1, "{attribute:?} looks at one number only");
        domain.set_tracking_policy(attribute, P::IncludeAll).unwrap();
        assert!(others.iter().all(|other| domain.tracks(*other)));
    }
    let mut domain = domain();
    for (attribute, value, id) in attributes {
        domain.set_tracking_policy(attribute, P::IncludeSet).unwrap();
        assert!(!domain.tracks(ALICE));
        domain.track(attribute, value, id).unwrap();
    }
    assert!(domain.tracks(ALICE));
}

#[derive(Clone, Debug)]
enum Command {
    Policy(A, P),
    Track(A, V, u32),
    Untrack(A, V),
}

fn any_value() -> impl Strategy<Value = (A, V, u32)> {
    (select(VIRTUAL.to_vec()), 0..4u32, any::<bool>()).prop_map(|(attribute, id, named)| {
        let value = match attribute {
            A::VirtualProcessId => V::Pid(i32::try_from(id).unwrap()),
            A::VirtualUserId if named => V::UserName(id.to_string()),
            A::VirtualUserId => V::Uid(id),
            _ if named => V::GroupName(id.to_string()),
            _ => V::Gid(id),
        };
        (attribute, value, id)
    })
}

fn any_command() -> impl Strategy<Value = Command> {
    let policy = select(vec![P::IncludeAll, P::ExcludeAll, P::IncludeSet, P::IncludeSet]);
    prop_oneof![
        1 => (select(VIRTUAL.to_vec()), policy).prop_map(|(of, policy)| Command::Policy(of, policy)),
        4 => any_value().prop_map(|(of, value, id)| Command::Track(of, value, id)),
        2 => any_value().prop_map(|(of, value, _)| Command::Untrack(of, value)),
    ]
}

fn means(value: &V, id: u32) -> bool {
    match value {
        V::Pid(pid) => u32::try_from(*pid) == Ok(id),
        V::Uid(of) | V::Gid(of) => *of == id,
        V::UserName(name) | V::GroupName(name) => *name == id.to_string(),
    }
}

proptest! {
    #[test]
    fn commands_do_all_or_nothing(commands in vec(any_command(), 0..60)) {
        let mut domain = domain();
        for command in commands {
            let before = domain.clone();
            let outcome = match command.clone() {
                Command::Policy(of, policy) => domain.set_tracking_policy(of, policy),
                Command::Track(of, value, id) => domain.track(of, value, id),
                Command::Untrack(of, value) => domain.untrack(of, &value),
            };
            if outcome.is_err() {
                prop_assert_eq!(&domain, &before, "{:?}", command);
            }
            for id in 0..5 {
                let process = TrackedProcess { pid: id, uid: id, gid: id };
                let mut expected = true;
                for attribute in VIRTUAL {
                    let set = domain.inclusion_set(attribute);
                    let policy = domain.tracking_policy(attribute).unwrap();
                    prop_assert_eq!(set.is_ok(), policy == P::IncludeSet);
                    let listed = set.iter().flatten().filter(|value| means(value, id)).count();
                    prop_assert!(listed <= 1);
                    expected &= match policy {
                        P::IncludeAll => true,
                        P::ExcludeAll => false,
                        P::IncludeSet => listed == 1,
                    };
                }
                prop_assert_eq!(domain.tracks(process), expected);
            }
        }
    }
}
