//! Requests to workers that are threads of the test: good, silent and broken ones.

use std::{
    io::ErrorKind,
    os::fd::AsFd,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use lttngd_elf::Sought;
use lttngd_peer::alone;
use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair},
    process::{Resource, Rlimit, setrlimit},
};

use super::*;
use crate::{
    Below,
    link::Link,
    operation::Done,
    packet,
    protocol::{Failed, REPLY_MAX_LEN, REQUEST_MAX_LEN, Reply, Request},
    queue::Refused,
    worker,
};

fn sockets() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

/// A link to a worker that is `serve`.
fn linked(serve: impl FnOnce(OwnedFd) + Send + 'static) -> (Arc<Link>, JoinHandle<()>) {
    let (ours, theirs) = sockets();
    let link = Link::with(move || Ok(((), ours))).unwrap();
    (link, thread::spawn(move || serve(theirs)))
}

fn ask(link: &Link, path: &Path, time: Duration) -> oneshot::Receiver<Outcome> {
    let (request, outcome) = request(own().uid, path, Instant::now() + time);
    link.submit(request).unwrap();
    outcome
}

fn receive(socket: &OwnedFd) -> (Request<()>, Vec<OwnedFd>) {
    let mut buffer = vec![0; REQUEST_MAX_LEN];
    let (len, descriptors) = packet::receive(socket, &mut buffer, RecvFlags::empty()).unwrap();
    (Request::decode(&buffer[..len]).unwrap(), descriptors.unwrap())
}

/// The reply that something was done.
fn done(id: u64) -> Vec<u8> {
    Reply { id, outcome: Ok(Vec::new()) }.encode()
}

/// The reply that something is not there.
fn missing(id: u64) -> Vec<u8> {
    let errno = Errno::NOENT.raw_os_error().unsigned_abs();
    Reply { id, outcome: Err(Failed { errno, reason: String::new() }) }.encode()
}

fn send(socket: &OwnedFd, bytes: &[u8]) {
    packet::send(socket, bytes, &[], SendFlags::empty()).unwrap();
}

#[test]
fn requests_are_served_side_by_side() {
    let place = tempfile::tempdir().unwrap();
    let (link, worker) = linked(worker::serve);
    let outcomes: Vec<_> = (0..100)
        .map(|number| {
            let path = if number % 2 == 0 { place.path() } else { Path::new("/nowhere") };
            ask(&link, path, PATIENCE)
        })
        .collect();
    for (number, outcome) in outcomes.into_iter().enumerate() {
        match outcome.blocking_recv().unwrap() {
            Ok(Done::Opened(opened)) if number % 2 == 0 => {
                let flags = rustix::io::fcntl_getfd(&opened).unwrap();
                assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            }
            Err(error) if number % 2 == 1 => assert_eq!(error.kind(), ErrorKind::NotFound),
            outcome => panic!("{number}: {outcome:?}"),
        }
    }
    link.end(PATIENCE);
    worker.join().unwrap();
}

#[test]
fn a_place_in_a_program_is_told_and_why_there_is_none() {
    let (link, worker) = linked(worker::serve);
    let program = Arc::new(OwnedFd::from(std::fs::File::open("/proc/self/exe").unwrap()));
    let find = |sought: Sought| {
        let (request, outcome) = request(own().uid, Path::new("/"), Instant::now() + PATIENCE);
        let operation = Operation::FindPlaces(Arc::clone(&program), sought);
        link.submit(Waiting { operation, ..request }).unwrap();
        outcome.blocking_recv().unwrap().and_then(Done::places)
    };
    let main = Sought::Function("main".to_owned());
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    assert_eq!(find(main.clone()).unwrap(), lttngd_elf::places(&file, &main).unwrap());
    let nothing = find(Sought::Function("no_such_function".to_owned())).unwrap_err();
    assert_eq!(nothing.to_string(), "the program has no such function");
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
    let tracepoint = Sought::Tracepoint { provider: "p".to_owned(), name: "n".to_owned() };
    assert_eq!(find(tracepoint).unwrap_err().kind(), ErrorKind::NotFound);
    link.end(PATIENCE);
    worker.join().unwrap();
}

#[test]
fn a_worker_ends_at_what_is_no_request() {
    let place = tempfile::tempdir().unwrap();
    let (request, _outcome) = request(own().uid, place.path(), Instant::now() + PATIENCE);
    let whole = Request {
        id: 1,
        deadline_ns: u64::MAX,
        identity: request.identity,
        operation: request.operation,
    };
    let whole = whole.encode().unwrap();
    let root = directory(place.path());
    let cases: [(&[u8], usize); 4] =
        [(&whole[..9], 0), (&whole, 1), (&[7; 2000], 0), (&[0; REQUEST_MAX_LEN + 1], 0)];
    for (bytes, descriptors) in cases {
        let (ours, theirs) = sockets();
        let worker = thread::spawn(move || worker::serve(theirs));
        let descriptors = vec![root.as_fd(); descriptors];
        packet::send(&ours, bytes, &descriptors, SendFlags::empty()).unwrap();
        worker.join().unwrap();
    }
}

#[test]
fn a_request_is_not_begun_after_its_deadline() {
    let place = tempfile::tempdir().unwrap();
    let (ours, theirs) = sockets();
    let worker = thread::spawn(move || worker::serve(theirs));
    let (request, _outcome) = request(own().uid, &place.path().join("x"), Instant::now());
    let Operation::OpenDirectory(path) = request.operation else { panic!() };
    let late = Request {
        id: 5,
        deadline_ns: worker::now_ns(),
        identity: request.identity,
        operation: Operation::<()>::MakeRoot(path.clone()),
    };
    send(&ours, &late.encode().unwrap());
    let mut buffer = [0; REPLY_MAX_LEN];
    let (len, _) = packet::receive(&ours, &mut buffer, RecvFlags::empty()).unwrap();
    let errno = Errno::TIMEDOUT.raw_os_error().unsigned_abs();
    let outcome = Err(Failed { errno, reason: String::new() });
    assert_eq!(Reply::decode(&buffer[..len]), Ok(Reply { id: 5, outcome }));
    assert!(!path.exists());
    drop(ours);
    worker.join().unwrap();
}

#[test]
fn a_silent_worker_keeps_nobody_longer_than_the_deadline() {
    let (told, heard) = mpsc::channel();
    let (link, worker) = linked(move |socket| {
        let (request, _) = receive(&socket);
        told.send(()).unwrap();
        // It answers when nobody waits any more.
        let (second, _) = receive(&socket);
        send(&socket, &done(request.id));
        send(&socket, &missing(second.id));
        assert_eq!(packet::receive(&socket, &mut [0], RecvFlags::empty()).unwrap().0, 0);
    });
    let outcome = ask(&link, Path::new("/"), Duration::from_millis(20));
    heard.recv().unwrap();
    let error = outcome.blocking_recv().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let next = ask(&link, Path::new("/"), PATIENCE).blocking_recv().unwrap().unwrap_err();
    assert_eq!(next.kind(), ErrorKind::NotFound);
    link.end(PATIENCE);
    worker.join().unwrap();
}

#[test]
fn a_worker_that_dies_or_talks_nonsense_fails_its_requests() {
    type Last = fn(&OwnedFd, u64);
    let lasts: [Last; 6] = [
        |_, _| {},
        |socket, id| send(socket, &done(id + 9)),
        |socket, _| send(socket, b"nonsense"),
        |socket, id| send(socket, &[&done(id)[..], &[0; 9]].concat()),
        |socket, id| {
            let reply = Reply { id, outcome: Ok(vec![7]) }.encode();
            packet::send(socket, &reply, &[socket.as_fd()], SendFlags::empty()).unwrap();
        },
        |socket, id| {
            let reply = missing(id);
            packet::send(socket, &reply, &[socket.as_fd()], SendFlags::empty()).unwrap();
        },
    ];
    for last in lasts {
        let (link, worker) = linked(move |socket| {
            let (request, _) = receive(&socket);
            last(&socket, request.id);
            // Until the daemon has seen it.
            if packet::receive(&socket, &mut [0; REQUEST_MAX_LEN], RecvFlags::DONTWAIT).is_ok() {
                drop(socket);
            }
        });
        let outcome = ask(&link, Path::new("/"), PATIENCE).blocking_recv().unwrap();
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::BrokenPipe);
        worker.join().unwrap();
        let (next, _outcome) = request(own().uid, Path::new("/"), Instant::now() + PATIENCE);
        assert!(link.submit(next).is_err());
    }
}

#[test]
fn a_worker_that_does_not_start_says_why_to_everybody() {
    let (go, wait) = mpsc::channel::<()>();
    let link = Link::with::<()>(move || {
        wait.recv().unwrap();
        Err(std::io::Error::other("there is none"))
    });
    let link = link.unwrap();
    let outcomes = [(); 3].map(|()| ask(&link, Path::new("/"), PATIENCE));
    go.send(()).unwrap();
    for outcome in outcomes {
        let error = outcome.blocking_recv().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "there is none");
    }
    link.end(PATIENCE);
}

#[test]
fn many_large_requests_go_out_as_the_worker_takes_them() {
    let long = PathBuf::from(format!("/{}", "x/".repeat(2040)));
    let (link, worker) = linked(|socket| {
        // More than the socket holds is sent before the first is taken.
        let first = receive(&socket).0;
        send(&socket, &missing(first.id));
        worker::serve(socket);
    });
    let outcomes: Vec<_> = (0..400_u32)
        .map(|number| {
            // Users, so that their shares do not keep them back.
            let uid = if number % 2 == 0 { own().uid } else { 70_000 + number };
            let (request, outcome) = request(uid, &long, Instant::now() + PATIENCE);
            link.submit(request).unwrap();
            outcome
        })
        .collect();
    for outcome in outcomes {
        let error = outcome.blocking_recv().unwrap().unwrap_err();
        assert_ne!(error.kind(), ErrorKind::BrokenPipe, "{error}");
    }
    link.end(PATIENCE);
    worker.join().unwrap();
}

/// Lets this process have no descriptor besides those that it has, in which there are no holes then.
fn fill_up() -> Vec<OwnedFd> {
    let limits = Rlimit { current: Some(64), maximum: Some(64) };
    setrlimit(Resource::Nofile, limits).unwrap();
    std::iter::from_fn(|| rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 0).ok()).collect()
}

fn no_room(outcome: Outcome) {
    let error = outcome.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::MFILE.raw_os_error()), "{error}");
}

#[test]
fn one_request_fails_where_there_is_no_room_for_what_was_opened() {
    let name = "::one_request_fails_where_there_is_no_room_for_what_was_opened";
    alone(&[module_path!(), name].concat(), || {
        let root = directory(Path::new("/"));
        let (link, worker) = linked(move |socket| {
            // It has opened it before there was no room any more.
            for _ in 0..3 {
                let (request, _) = receive(&socket);
                let reply = done(request.id);
                packet::send(&socket, &reply, &[root.as_fd()], SendFlags::empty()).unwrap();
            }
            worker::serve(socket);
        });
        let open = || ask(&link, Path::new("/"), PATIENCE).blocking_recv().unwrap();
        let all = fill_up();
        for _ in 0..3 {
            no_room(open());
        }
        // The next worker, which is a thread of this process as well, has no room to open it.
        no_room(open());
        drop(all);
        assert!(open().unwrap().opened().is_ok(), "the link lives");
        link.end(PATIENCE);
        worker.join().unwrap();
    });
}

#[test]
fn one_request_fails_where_the_worker_has_no_room_for_its_directories() {
    let name = "::one_request_fails_where_the_worker_has_no_room_for_its_directories";
    alone(&[module_path!(), name].concat(), || {
        let place = tempfile::tempdir().unwrap();
        let root = directory(place.path());
        let (link, worker) = linked(worker::serve);
        let make = || {
            let (request, outcome) = request(own().uid, Path::new("/"), Instant::now() + PATIENCE);
            let operation = Operation::MakeDirectory(Below::new(&root, "made"));
            link.submit(Waiting { operation, ..request }).unwrap();
            outcome.blocking_recv().unwrap()
        };
        let all = fill_up();
        no_room(make());
        assert!(!place.path().join("made").exists());
        drop(all);
        assert!(make().unwrap().opened().is_ok(), "the worker lives");
        link.end(PATIENCE);
        worker.join().unwrap();
    });
}

#[test]
fn a_worker_that_does_not_run_is_given_up_long_before_the_deadline() {
    let (done, is_done) = mpsc::channel();
    let (link, worker) = linked(move |socket| {
        is_done.recv().unwrap();
        drop(socket);
    });
    let begun = Instant::now();
    let outcome = ask(&link, Path::new("/"), PATIENCE);
    assert_eq!(outcome.blocking_recv().unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    let (next, _outcome) = request(own().uid, Path::new("/"), Instant::now() + PATIENCE);
    assert!(matches!(link.submit(next), Err(Refused::Closed(..))), "another one is started");
    done.send(()).unwrap();
    worker.join().unwrap();
}
