//! Packets: round trips, every cut, wrong and arbitrary bytes.

use std::{ffi::OsString, os::unix::ffi::OsStringExt};

use lttngd_model::PATH_MAX;
use proptest::prelude::*;

use super::*;
use crate::{
    Below, GROUPS_MAX, Opening,
    protocol::{REPLY_LEN, REQUEST_MAX_LEN, Reply, Request},
};

fn path() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(1..=u8::MAX, 1..40).prop_map(|bytes| OsString::from_vec(bytes).into())
}

fn place() -> impl Strategy<Value = Below<()>> {
    path().prop_map(|path| Below { directory: (), path })
}

fn operation() -> impl Strategy<Value = Operation<()>> {
    let opening = prop::sample::select(vec![Opening::New, Opening::Emptied, Opening::Followed]);
    prop_oneof![
        path().prop_map(Operation::MakeRoot),
        path().prop_map(Operation::OpenDirectory),
        place().prop_map(Operation::MakeDirectory),
        (place(), opening, any::<u32>()).prop_map(|(p, o, mode)| Operation::OpenFile(p, o, mode)),
        place().prop_map(Operation::RemoveFile),
        place().prop_map(Operation::RemoveDirectory),
        place().prop_map(Operation::RemoveTree),
        (place(), place()).prop_map(|(from, to)| Operation::Rename(from, to)),
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
    for errno in [0, 1, 4095] {
        let reply = Reply { id: 7, errno };
        let packet = reply.encode();
        assert_eq!(Reply::decode(&packet), Ok(reply));
        for end in 0..REPLY_LEN {
            assert!(Reply::decode(&packet[..end]).is_err());
        }
    }
    assert!(Reply::decode(&Reply { id: 7, errno: 4096 }.encode()).is_err());
    assert!(Reply::decode(&[0; REPLY_LEN + 1]).is_err());
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
        operation.try_map(|()| given.next()).map(|operation| operation.directories().len())
    };
    let place = || Below { directory: (), path: "x".into() };
    assert_eq!(count(Operation::MakeRoot("/x".into()), 0), Some(0));
    assert_eq!(count(Operation::RemoveTree(place()), 0), None);
    assert_eq!(count(Operation::RemoveTree(place()), 1), Some(1));
    assert_eq!(count(Operation::Rename(place(), place()), 1), None);
    assert_eq!(count(Operation::Rename(place(), place()), 2), Some(2));
}
