//! Packets: round trips, every cut, wrong and arbitrary bytes.

use std::{ffi::OsString, os::unix::ffi::OsStringExt};

use lttngd_elf::{PLACES_MAX, Sought};
use lttngd_model::PATH_MAX;
use proptest::prelude::*;

use super::*;
use crate::{
    Below, GROUPS_MAX, Opening,
    protocol::{Failed, REPLY_LEN, REPLY_MAX_LEN, REQUEST_MAX_LEN, Reply, Request},
};

fn path() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(1..=u8::MAX, 1..40).prop_map(|bytes| OsString::from_vec(bytes).into())
}

fn place() -> impl Strategy<Value = Below<()>> {
    path().prop_map(|path| Below { directory: (), path })
}

fn name() -> impl Strategy<Value = String> {
    "[^\\x00]{1,40}"
}

fn operation() -> impl Strategy<Value = Operation<()>> {
    let opening = prop::sample::select(vec![Opening::New, Opening::Emptied, Opening::Followed]);
    let written = (place(), opening.clone(), any::<u32>());
    prop_oneof![
        path().prop_map(Operation::MakeRoot),
        path().prop_map(Operation::OpenDirectory),
        place().prop_map(Operation::MakeDirectory),
        (place(), opening, any::<u32>()).prop_map(|(p, o, mode)| Operation::OpenFile(p, o, mode)),
        written.prop_map(|(p, o, mode)| Operation::WriteFile(p, o, mode, ())),
        place().prop_map(Operation::RemoveFile),
        place().prop_map(Operation::RemoveDirectory),
        place().prop_map(Operation::RemoveTree),
        (place(), place()).prop_map(|(from, to)| Operation::Rename(from, to)),
        name().prop_map(|name| Operation::FindPlaces((), Sought::Function(name))),
        (name(), name()).prop_map(|(provider, name)| {
            Operation::FindPlaces((), Sought::Tracepoint { provider, name })
        }),
    ]
}

prop_compose! {
    fn any_request()(
        id: u64,
        deadline_ns: u64,
        uid: u32,
        gid: u32,
        groups in prop::collection::vec(any::<u32>(), 0..9),
        operation in operation(),
    ) -> Request<()> {
        let identity = Arc::new(Identity { credentials: Credentials { uid, gid }, groups });
        Request { id, deadline_ns, identity, operation }
    }
}

proptest! {
    #[test]
    fn requests_are_read_as_they_were_written(request in any_request()) {
        let packet = request.encode().unwrap();
        prop_assert_eq!(Request::decode(&packet), Ok(request));
        for end in 0..packet.len() {
            prop_assert!(Request::decode(&packet[..end]).is_err(), "cut at {}", end);
        }
        prop_assert!(Request::decode(&[&packet[..], &[0]].concat()).is_err());
    }

    #[test]
    fn no_bytes_confuse_the_worker(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = Request::decode(&bytes) {
            prop_assert_eq!(request.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn a_wrong_byte_is_another_request_or_none(
        request in any_request(),
        at: prop::sample::Index,
        byte: u8,
    ) {
        let mut packet = request.encode().unwrap();
        let at = at.index(packet.len());
        packet[at] = byte;
        if let Ok(read) = Request::decode(&packet) {
            prop_assert_eq!(read.encode().unwrap(), packet);
        }
    }

    #[test]
    fn no_bytes_confuse_the_daemon(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        if let Ok(reply) = Reply::decode(&bytes) {
            prop_assert_eq!(&reply.encode()[..], &bytes);
        }
    }
}

#[test]
fn replies_are_read_as_they_were_written() {
    let failed = |errno, reason: &str| Err(Failed { errno, reason: reason.to_owned() });
    for (outcome, len) in [
        (Ok(Vec::new()), 0),
        (Ok(vec![0, u64::MAX]), 16),
        (Ok(vec![1; PLACES_MAX]), 8 * PLACES_MAX),
        (failed(1, ""), 0),
        (failed(4095, "it is not there"), 15),
    ] {
        let reply = Reply { id: 7, outcome };
        let packet = reply.encode();
        assert_eq!(packet.len(), REPLY_LEN + len);
        assert_eq!(Reply::decode(&packet), Ok(reply));
        for end in 0..REPLY_LEN {
            assert!(Reply::decode(&packet[..end]).is_err());
        }
    }
    let wrong = [failed(4096, ""), Ok(vec![1; PLACES_MAX + 1])];
    for outcome in wrong {
        assert!(Reply::decode(&Reply { id: 7, outcome }.encode()).is_err());
    }
    assert!(Reply::decode(&[0; REPLY_LEN + 1]).is_err());
    assert!(Reply::decode(&[1; REPLY_MAX_LEN + 1]).is_err());
}

#[test]
fn why_something_was_not_done_is_cut_where_a_character_ends() {
    let reason = format!("x{}", "ä".repeat(200));
    let packet = Reply { id: 7, outcome: Err(Failed { errno: 22, reason }) }.encode();
    assert!(packet.len() <= REPLY_MAX_LEN);
    let Err(Failed { reason, .. }) = Reply::decode(&packet).unwrap().outcome else { panic!() };
    assert_eq!(reason, format!("x{}", "ä".repeat(127)));
}

fn with(path: PathBuf, groups: usize) -> Request<()> {
    let identity = Arc::new(Identity { credentials: own(), groups: vec![1; groups] });
    let place = || Below { directory: (), path: path.clone() };
    let operation = Operation::Rename(place(), place());
    Request { id: 1, deadline_ns: 2, identity, operation }
}

#[test]
fn the_largest_request_fits_and_larger_ones_are_refused() {
    let longest = PathBuf::from("x".repeat(PATH_MAX - 1));
    let packet = with(longest, GROUPS_MAX).encode().unwrap();
    assert!(packet.len() <= REQUEST_MAX_LEN);
    Request::decode(&packet).unwrap();
    let refused = |request: Request<()>| request.encode().unwrap_err().raw_os_error();
    use rustix::io::Errno;
    for (path, groups, errno) in [
        ("x".repeat(PATH_MAX), 0, Errno::NAMETOOLONG),
        ("x".to_owned(), GROUPS_MAX + 1, Errno::TOOBIG),
        (String::new(), 0, Errno::NOENT),
        ("a\0b".to_owned(), 0, Errno::INVAL),
    ] {
        let errno = Some(errno.raw_os_error());
        assert_eq!(refused(with(path.clone().into(), groups)), errno, "{path:?}");
    }
}

#[test]
fn descriptors_are_those_of_the_operation() {
    let count = |operation: Operation<()>, given: usize| {
        let mut given = 0..given;
        operation.try_map(|()| given.next()).map(|operation| operation.descriptors().len())
    };
    let place = || Below { directory: (), path: "x".into() };
    assert_eq!(count(Operation::MakeRoot("/x".into()), 0), Some(0));
    assert_eq!(count(Operation::RemoveTree(place()), 0), None);
    assert_eq!(count(Operation::RemoveTree(place()), 1), Some(1));
    assert_eq!(count(Operation::Rename(place(), place()), 1), None);
    assert_eq!(count(Operation::Rename(place(), place()), 2), Some(2));
    let find = || Operation::FindPlaces((), Sought::Function("x".to_owned()));
    assert_eq!(count(find(), 0), None);
    assert_eq!(count(find(), 1), Some(1));
}
