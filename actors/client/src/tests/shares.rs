//! What one user leaves to others.

use std::{
    io::{ErrorKind, Read},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use lttngd_model::ErrorCode;
use lttngd_peer::{FakeClient, alone};
use lttngd_wire::client::{Command, PAYLOAD_MAX_LEN};
use rustix::process::Uid;

use super::{
    connections::{ENABLE_LENGTH, enable_event, patched},
    world::{World, bytes},
};
use crate::{CONNECTIONS_MAX, shares::REQUESTS_MAX_LEN};

/// Users whom no database knows.
const GREEDY: u32 = 54_321;
const OTHER: u32 = 54_331;
/// Longer than an answer takes on a busy machine, and far less than a silent client may take.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Does `work` in a thread of a user.
fn as_user<R: Send + 'static>(uid: u32, work: impl FnOnce() -> R + Send + 'static) -> R {
    let thread = thread::spawn(move || {
        let user = Uid::from_raw(uid);
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        work()
    });
    thread.join().unwrap()
}

/// What a user's list of sessions took to be answered.
fn listed(socket: &Path, uid: u32) -> Duration {
    let socket = socket.to_owned();
    as_user(uid, move || {
        let begun = Instant::now();
        let reply = FakeClient::call(&socket, &bytes("", &Command::ListSessions));
        assert_eq!(reply.unwrap().unwrap().failure(), None);
        begun.elapsed()
    })
}

/// The same of a command that is no list: for an unknown session, so that it is refused.
fn asked(socket: &Path, uid: u32) -> Option<ErrorCode> {
    let socket = socket.to_owned();
    as_user(uid, move || {
        let reply = FakeClient::call(&socket, &bytes("none", &Command::StartTrace));
        // One that is closed before it has said anything is reset.
        reply.ok().flatten().and_then(|reply| reply.failure())
    })
}

/// So many connections of a user that say nothing.
fn silent(socket: PathBuf, count: usize) -> Vec<UnixStream> {
    as_user(GREEDY, move || {
        let connect = |_| {
            let stream = UnixStream::connect(&socket).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        };
        (0..count).map(connect).collect()
    })
}

/// Whether the daemon has it still.
fn is_open(mut stream: &UnixStream) -> bool {
    matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Runs `body` for root, in a process that may have the descriptors of both ends.
fn as_root(test: &str, body: impl FnOnce(&World)) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("{test} needs root, and checks nothing without");
        return;
    }
    alone(test, || body(&World::new()));
}

#[test]
fn a_user_with_thousands_of_silent_clients_leaves_room_to_others() {
    let test =
        concat!(module_path!(), "::a_user_with_thousands_of_silent_clients_leaves_room_to_others");
    as_root(test, |world| {
        let socket = world.socket();
        let clients = silent(socket.clone(), CONNECTIONS_MAX + 500);
        for uid in [0, OTHER] {
            let took = listed(&socket, uid);
            assert!(took < AT_ONCE, "{uid}: {took:?}");
            assert_eq!(asked(&socket, uid), Some(ErrorCode::SessNotFound), "{uid}");
        }
        // He has what he may have. More of his are told so if they have said what they want by then.
        let open = clients.iter().filter(|client| is_open(client)).count();
        assert!(open < CONNECTIONS_MAX * 3 / 4 && open > CONNECTIONS_MAX / 2, "{open}");
        let refused = asked(&socket, GREEDY);
        assert!(matches!(refused, None | Some(ErrorCode::Nomem)), "{refused:?}");
        drop(clients);
        let begun = Instant::now();
        while asked(&socket, GREEDY) != Some(ErrorCode::SessNotFound) {
            assert!(begun.elapsed() < lttngd_peer::PATIENCE, "his own end makes room");
        }
    });
}

#[test]
fn a_user_with_many_unfinished_requests_leaves_memory_to_others() {
    let test =
        concat!(module_path!(), "::a_user_with_many_unfinished_requests_leaves_memory_to_others");
    as_root(test, |world| {
        let socket = world.socket();
        // As large as any, and never ended.
        let large = u32::try_from(PAYLOAD_MAX_LEN).unwrap();
        let announced = patched(enable_event(), ENABLE_LENGTH, large);
        let begin = move |socket: &Path| {
            let mut client = FakeClient::connect(socket).unwrap();
            client.send(&announced).unwrap();
            client
        };
        let (of_greedy, of_other) = (begin.clone(), begin);
        let at = socket.clone();
        let count = usize::try_from(REQUESTS_MAX_LEN).unwrap() / PAYLOAD_MAX_LEN;
        let mut clients =
            as_user(GREEDY, move || (0..count).map(|_| of_greedy(&at)).collect::<Vec<_>>());
        let refused = clients.last_mut().unwrap().reply().unwrap().unwrap();
        assert_eq!(refused.failure(), Some(ErrorCode::Nomem));
        // Another one's is waited for.
        let mut begun = as_user(OTHER, move || of_other(&socket));
        begun.finish();
        assert!(begun.reply().unwrap().is_none(), "it is cut, and nothing else is wrong with it");
        assert_eq!(asked(&world.socket(), GREEDY), Some(ErrorCode::SessNotFound), "small ones fit");
        drop(clients);
    });
}
