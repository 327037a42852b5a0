//! Connections that do not do what `liblttng-ctl` does.

use std::{
    io::{Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    rc::Rc,
};

use lttngd_handle::Handle;
use lttngd_model::{
    Credentials, DescriptorOutput, ErrorCode, EventDescription, FunctionLookup, ProbeLocation,
    SessionDescriptor, SessionKind, UserspaceProbe,
};
use lttngd_peer::{
    BaseLine, ConsumerScript, FakeClient, FakeConsumer, alone, channel_listing, event_description,
    eventually, open_descriptors,
};
use lttngd_runtime::{Descriptors, Peer};
use lttngd_wire::client::{Command, Dialect, REQUEST_LEN, decode_sessions};

use super::world::{World, bytes, daemon};
use crate::{
    connection::serve,
    listers::Listers,
    lists::{List, Lists},
    overdue::Overdue,
    recognition::Recognition,
    replies::Replies,
    send::ConnectionError,
    shares::Shares,
};

/// Offset of the payload's size in the request of ENABLE_EVENT.
pub(super) const ENABLE_LENGTH: usize = 4688 + 256;
/// Offset of the number that the reply repeats.
const PID: usize = 4400;
/// Offset of the count of descriptors in a request.
const FD_COUNT: usize = 13152;

pub(super) fn patched(mut bytes: Vec<u8>, offset: usize, value: u32) -> Vec<u8> {
    bytes[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    bytes
}

pub(super) fn enable_event() -> Vec<u8> {
    let event = event_description("p:e");
    bytes("s", &Command::EnableEvent { channel: "c".to_owned(), event })
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let world = World::new();
    world.session("s");
    let mut client = world.connect();
    for byte in enable_event() {
        client.send(&[byte]).unwrap();
    }
    assert_eq!(client.reply().unwrap().unwrap().failure(), None);
}

#[test]
fn a_request_that_is_cut_has_no_reply() {
    let world = World::new();
    world.session("s");
    let whole = enable_event();
    for len in [0, 1, 4, 255, REQUEST_LEN - 1, REQUEST_LEN, whole.len() - 1] {
        let mut client = world.connect();
        client.send(&whole[..len]).unwrap();
        client.finish();
        assert_eq!(client.reply().unwrap(), None, "{len}");
        let mut client = world.connect();
        client.send(&whole[..len]).unwrap();
        drop(client);
    }
    world.check();
}

#[test]
fn a_client_that_says_nothing_or_leaves_early_is_nobody_elses_trouble() {
    let world = World::new();
    let silent: Vec<_> = (0..100).map(|_| world.connect()).collect();
    let mut half = world.connect();
    half.send(&[0; 100]).unwrap();
    for _ in 0..20 {
        let mut client = world.connect();
        client.send(&bytes("", &Command::ListSessions)).unwrap();
        drop(client);
    }
    world.check();
    drop((silent, half));
}

#[test]
fn the_list_of_sessions_is_as_the_sessions_are_and_answers_each_request() {
    let world = World::new();
    let names = |pid: i32| {
        let request = bytes("", &Command::ListSessions);
        let reply = FakeClient::call(&world.socket(), &patched(request, PID, pid.cast_unsigned()));
        let reply = reply.unwrap().unwrap();
        assert_eq!(reply.pid, pid);
        let sessions = decode_sessions(&reply.data, Dialect::V2_13).unwrap();
        sessions.into_iter().map(|session| (session.name, session.active)).collect::<Vec<_>>()
    };
    let shown = |name: &str, active| (name.to_owned(), active);
    assert_eq!(names(7), []);
    world.session("a");
    assert_eq!(names(8), [shown("a", false)]);
    world.session("b");
    assert_eq!(names(-1), [shown("b", false), shown("a", false)]);
    assert_eq!(world.call("a", &Command::EnableChannel(channel_listing("c"))).failure(), None);
    assert_eq!(world.call("a", &Command::StartTrace).failure(), None);
    assert_eq!(names(9), [shown("b", false), shown("a", true)]);
    assert_eq!(world.call("a", &Command::DestroySession).failure(), None);
    assert_eq!(names(9), [shown("b", false)]);
}

#[test]
fn a_list_is_sent_to_the_end_to_a_client_that_reads_late() {
    let world = World::new();
    // More than the buffers of a socket take at once.
    let count = 200;
    for session in 0..count {
        world.session(&format!("s{session}"));
    }
    let mut late = world.connect();
    late.send(&bytes("", &Command::ListSessions)).unwrap();
    world.check();
    let reply = late.reply().unwrap().unwrap();
    assert_eq!(decode_sessions(&reply.data, Dialect::V2_13).unwrap().len(), count);
}

#[test]
fn lengths_that_are_wrong() {
    let world = World::new();
    world.session("s");
    let call = |bytes: &[u8]| FakeClient::call(&world.socket(), bytes).unwrap();
    let huge = call(&patched(enable_event(), ENABLE_LENGTH, u32::MAX)).unwrap();
    assert_eq!(huge.failure(), Some(ErrorCode::InvalidProtocol));
    let short = call(&patched(enable_event(), ENABLE_LENGTH, 3)).unwrap();
    assert_eq!(short.failure(), Some(ErrorCode::InvalidProtocol));
    let none = call(&patched(enable_event(), ENABLE_LENGTH, 0)).unwrap();
    assert_eq!(none.failure(), Some(ErrorCode::InvalidProtocol));
    let mut behind = bytes("", &Command::ListSessions);
    behind.extend_from_slice(&[0; 1000]);
    assert_eq!(call(&behind).unwrap().failure(), None);
    let nameless = {
        let mut bytes = bytes("s", &Command::StartTrace);
        bytes[4..4 + 255].fill(b'n');
        bytes
    };
    assert_eq!(call(&nameless), None, "a name without its end is no request");
    assert_eq!(call(&patched(bytes("s", &Command::StartTrace), FD_COUNT, 254)), None);
    world.check();
}

/// Sends `request` with `count` descriptors, before its bytes or behind them: whether a reply comes.
/// Afterwards none of the descriptors is open any more.
fn with_descriptors(world: &World, request: &[u8], count: usize, before: bool) -> bool {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut client = world.connect();
    let descriptors = vec![writer.as_fd(); count];
    if before {
        client.send_descriptors(&descriptors).unwrap();
        client.send(&request[1..]).unwrap();
    } else {
        client.send(request).unwrap();
        client.send_descriptors(&descriptors).unwrap();
    }
    drop(writer);
    let answered = client.reply().unwrap().is_some();
    let mut rest = Vec::new();
    assert_eq!(reader.read_to_end(&mut rest).unwrap(), 0, "the daemon keeps none");
    answered
}

#[test]
fn descriptors_are_closed_wherever_they_come() {
    let world = World::new();
    world.session("s");
    let announced = |count| patched(bytes("s", &Command::DataPending), FD_COUNT, count);
    assert!(with_descriptors(&world, &announced(3), 3, false));
    assert!(with_descriptors(&world, &announced(253), 253, false));
    assert!(!with_descriptors(&world, &announced(3), 2, false), "too few");
    assert!(!with_descriptors(&world, &announced(1), 2, false), "too many");
    // The first byte of this request is 0, as is the one that carries descriptors.
    let mut add_context = bytes("s", &Command::Undefined(0));
    assert_eq!(add_context[0], 0);
    assert!(with_descriptors(&world, &add_context, 2, true), "where none is due");
    add_context = patched(add_context, FD_COUNT, 1);
    let mut client = world.connect();
    client.send(&add_context).unwrap();
    client.send(&[0]).unwrap();
    assert_eq!(client.reply().unwrap(), None, "none where one is due");
    world.check();
}

#[test]
fn a_probe_in_a_program_comes_with_the_program() {
    let world = World::new();
    world.session("s");
    let location = ProbeLocation::Function {
        name: "main".to_owned(),
        binary_path: "/proc/self/exe".to_owned(),
        lookup: FunctionLookup::Elf,
    };
    let probe = UserspaceProbe::from(location.to_bytes());
    let event = EventDescription::userspace_probe("n", probe);
    let enable = bytes("s", &Command::EnableEvent { channel: String::new(), event });
    let answered = |count: u32| {
        let mut client = world.connect();
        client.send(&patched(enable.clone(), FD_COUNT, count)).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        if count > 0 {
            client.send_descriptors(&vec![writer.as_fd(); count as usize]).unwrap();
        }
        drop(writer);
        let code = client.reply().unwrap().unwrap().failure();
        let mut rest = Vec::new();
        assert_eq!(reader.read_to_end(&mut rest).unwrap(), 0, "the daemon keeps none");
        code
    };
    assert_eq!(answered(0), Some(ErrorCode::InvalidProtocol));
    assert_eq!(answered(2), Some(ErrorCode::InvalidProtocol));
    assert_eq!(answered(1), Some(ErrorCode::Invalid), "user space has no such rules");
}

#[test]
fn bad_connections_leave_no_descriptor() {
    alone(concat!(module_path!(), "::bad_connections_leave_no_descriptor"), || {
        let world = World::new();
        world.session("s");
        // Starts the consumer, whose sockets stay.
        assert_eq!(
            FakeClient::call(&world.socket(), &enable_event()).unwrap().unwrap().failure(),
            None
        );
        let mut line = BaseLine::begin(open_descriptors());
        let before = loop {
            world.check();
            if let Some(before) = line.look(open_descriptors()) {
                break before;
            }
        };
        let announced = patched(bytes("s", &Command::DataPending), FD_COUNT, 2);
        for count in 1..20 {
            with_descriptors(&world, &announced, count, false);
            let mut client = world.connect();
            client.send(&announced[..count * 100]).unwrap();
        }
        let begun = std::time::Instant::now();
        while open_descriptors() > before {
            assert!(begun.elapsed() < lttngd_peer::PATIENCE, "{} open", open_descriptors());
            world.check();
        }
    });
}

#[actix::test]
async fn a_request_that_does_not_come_is_given_up() {
    let fake = FakeConsumer::new(ConsumerScript::default());
    let (handle, ..) = daemon(&fake);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let peer = Peer::new(ours.into()).unwrap();
    // The clock jumps when nothing else is left to do.
    tokio::time::pause();
    let shares = Shares::new(Descriptors::unlimited());
    let lists = Lists::new(handle.clone(), Replies::default());
    let recognition = Recognition::of_everyone(Dialect::V2_13);
    let with = (&handle, &Listers::new(drop), &shares, &lists, &Overdue::default());
    let outcome = serve(peer, &recognition, with).await;
    assert!(matches!(outcome, Err(ConnectionError::Silent)), "{outcome:?}");
    drop(theirs);
}

/// Makes a session of root's.
async fn create(handle: &Handle, name: &str) {
    let descriptor = SessionDescriptor {
        kind: SessionKind::Regular,
        name: Some(name.to_owned()),
        output: DescriptorOutput::None,
    };
    let owner = handle.acting_for(Credentials { uid: 0, gid: 0 });
    owner.create_session(None, descriptor).await.unwrap();
}

#[actix::test]
async fn clients_that_ask_late_and_do_not_read_share_one_list() {
    const CLIENTS: usize = 50;
    let fake = FakeConsumer::new(ConsumerScript::default());
    let (handle, ..) = daemon(&fake);
    // A list that no socket takes at once.
    for number in 0..200 {
        create(&handle, &format!("s{number}")).await;
    }
    let user = rustix::process::geteuid().as_raw();
    let requester = Credentials { uid: user, gid: rustix::process::getegid().as_raw() };
    let lists = Rc::new(Lists::new(handle.clone(), Replies::default()));
    let with = Rc::new((handle, Listers::new(drop), Shares::new(Descriptors::unlimited())));
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let peer = Peer::new(ours.into()).unwrap();
        let (with, lists) = (Rc::clone(&with), Rc::clone(&lists));
        let served = tokio::task::spawn_local(async move {
            let (handle, listers, shares) = &*with;
            serve(
                peer,
                &Recognition::of_everyone(Dialect::V2_13),
                (handle, listers, shares, &lists, &Overdue::default()),
            )
            .await
        });
        // It is being heard by now, and asks in another way than most do.
        tokio::task::yield_now().await;
        let named = if number % 2 == 0 { "" } else { "none" };
        theirs.write_all(&bytes(named, &Command::ListSessions)).unwrap();
        clients.push((theirs, served));
    }
    let list = lists.newest(requester, Dialect::V2_13).unwrap();
    let held = || Rc::strong_count(&list) - 2;
    eventually("all are sent the same list", || held() == CLIENTS).await;
    for (mut theirs, served) in clients {
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        let taken = tokio::task::spawn_blocking(move || {
            let mut reply = Vec::new();
            theirs.read_to_end(&mut reply).unwrap();
            reply
        });
        served.await.unwrap().unwrap();
        assert!(taken.await.unwrap().ends_with(&list.data().to_vec()));
    }
    assert_eq!(held(), 0);
}

#[actix::test]
async fn a_list_is_made_once_for_all_and_another_waits_while_too_many_are_not_taken() {
    const ROOM: u64 = 1;
    let fake = FakeConsumer::new(ConsumerScript::default());
    let (handle, ..) = daemon(&fake);
    let root = Credentials { uid: 0, gid: 0 };
    let lists = Lists::new(handle.clone(), Replies::holding(ROOM, 0));
    let create = async |name: &str| create(&handle, name).await;
    let names =
        |list: &Rc<List>| decode_sessions(&list.data().to_vec(), Dialect::V2_13).unwrap().len();
    create("a").await;
    let first = lists.newest(root, Dialect::V2_13).unwrap();
    assert!(
        Rc::ptr_eq(&first, &lists.newest(root, Dialect::V2_13).unwrap()),
        "it is the same for all"
    );
    create("b").await;
    // The first one is still sent to somebody: there is no room for another.
    assert_eq!(names(&first), 1);
    assert!(lists.newest(root, Dialect::V2_13).is_none());
    let mut waiting = std::pin::pin!(lists.when_there_is_room(root, Dialect::V2_13));
    let early = tokio::time::timeout(std::time::Duration::ZERO, waiting.as_mut()).await;
    assert!(early.is_err(), "it waits");
    drop(first);
    assert_eq!(names(&waiting.await), 2);
    create("c").await;
    assert_eq!(
        names(&lists.newest(root, Dialect::V2_13).unwrap()),
        3,
        "nobody is sent the one before"
    );
}
