//! Relay daemons of every version, and those that fail at every step.
#![allow(clippy::unwrap_used)]

mod connections;

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use actix::{Actor, Addr};
use lttngd_model::{
    AddressFamily, HostUrl, NetIndex, NetworkUri, RelaySessionId, SessionId, StreamKind, Timestamp,
};
use lttngd_peer::answer_as_relayd;
use lttngd_wire::relay::{Command, HEADER_LEN, RelayRefusal, SessionHead, Version};

use crate::{
    Announcement, Names, RelaydConfig, RelaydError, RelaydTarget, Relayds,
    connection::Terms,
    handshake,
    progress::{AnnouncedBy, Progress},
    receivers::{Pair, Receivers},
    relayds::Known,
};

/// Long enough for every step that succeeds.
const DEADLINE: Duration = Duration::from_secs(5);

/// A session's own id.
const ID: SessionId = SessionId(7);

fn config(socket_timeout: Duration) -> RelaydConfig {
    RelaydConfig { sessiond_uuid: [1; 16], socket_timeout: Some(socket_timeout) }
}

fn session() -> Announcement {
    Announcement {
        id: ID,
        name: "s".to_owned(),
        hostname: "h".to_owned(),
        base_path: String::new(),
        live_timer_us: 0,
        snapshot: false,
        name_contains_creation_time: false,
        created_at: Timestamp { epoch_s: 1 },
    }
}

/// The first connection of a session.
fn first(session: &Announcement) -> Progress {
    Progress::new(session.id, session.snapshot, 1)
}

/// A later one of a session that was announced by `id`.
fn later(id: SessionId) -> Progress {
    let mut progress = Progress::new(ID, false, 2);
    progress.connected();
    let (given, version) = (RelaySessionId(0), Version { major: 2, minor: 1 });
    progress.replied(AnnouncedBy::Id(id), id, given, version, false);
    progress.taken();
    progress
}

/// What a consumer daemon would be given, and what was learned.
struct Made {
    pair: Pair,
    progress: Progress,
}

async fn connect(
    relayds: &Addr<Relayds>,
    socket_timeout: Duration,
    target: RelaydTarget,
    session: Announcement,
    progress: Progress,
) -> Result<Made, RelaydError> {
    let receivers = Receivers {
        net_index: NetIndex(2),
        session: session.id,
        span: tracing::Span::none(),
        consumers: Vec::new(),
        deadline: DEADLINE,
    };
    let terms = Terms {
        config: config(socket_timeout),
        target,
        session,
        known: Known::of(relayds.clone()),
        receivers,
    };
    let progress = RefCell::new(progress);
    let pair = handshake::connect_in_time(&terms, &progress).await?;
    Ok(Made { pair, progress: progress.into_inner() })
}

/// The same for a session that announces itself by the id it has.
async fn connect_by_id(
    socket_timeout: Duration,
    target: RelaydTarget,
) -> Result<Made, RelaydError> {
    let relayds = Relayds::new(config(socket_timeout)).start();
    connect(&relayds, socket_timeout, target, session(), later(ID)).await
}

/// Answers a command; sessions get the id 6.
fn answer(stream: &mut TcpStream, minor: u32) -> Option<Command> {
    answer_as_relayd(stream, minor, 6)
}

/// A relay daemon whose control connection does `act`; the target, and what `act` gives.
fn relay<T: Send + 'static>(
    address: SocketAddr,
    act: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (RelaydTarget, TcpListener, JoinHandle<T>) {
    listening(address, |control| act(control.accept().unwrap().0))
}

/// The same for all its control connections.
fn listening<T: Send + 'static>(
    address: SocketAddr,
    act: impl FnOnce(TcpListener) -> T + Send + 'static,
) -> (RelaydTarget, TcpListener, JoinHandle<T>) {
    let control = TcpListener::bind(address).unwrap();
    let data = TcpListener::bind(address).unwrap();
    let target =
        RelaydTarget { control: control.local_addr().unwrap(), data: data.local_addr().unwrap() };
    (target, data, std::thread::spawn(move || act(control)))
}

fn v4() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

async fn fails(act: impl FnOnce(TcpStream) + Send + 'static) -> RelaydError {
    let (target, _data, thread) = relay(v4(), act);
    let error = connect_by_id(DEADLINE, target).await.err().unwrap();
    thread.join().unwrap();
    error
}

#[actix::test]
async fn every_version() {
    for (address, minor, spoken) in [
        (v4(), 1, 1),
        (v4(), 4, 4),
        (v4(), 10, 10),
        (v4(), 11, 11),
        (v4(), 12, 12),
        ("[::1]:0".parse().unwrap(), 14, 14),
        (v4(), 15, 15),
        (v4(), 16, 15),
    ] {
        let (target, data, thread) = relay(address, move |mut stream| {
            let commands = std::iter::from_fn(|| answer(&mut stream, minor).map(Some));
            commands.flatten().map(|command| command.number()).collect::<Vec<_>>()
        });
        let Made { pair: relayd, mut progress } = connect_by_id(DEADLINE, target).await.unwrap();
        data.accept().unwrap();
        assert_eq!(relayd.version, Version { major: 2, minor: spoken });
        progress.taken();
        let handed_over = progress.handed_over(NetIndex(2)).unwrap();
        assert_eq!(handed_over.version, relayd.version);
        assert_eq!(relayd.session_id, RelaySessionId(6));
        assert_eq!(handed_over.clear_allowed, minor >= 12);
        assert_eq!(relayd.output_path, if minor >= 11 { "h/s" } else { "" });
        for socket in [&relayd.control, &relayd.data] {
            assert!(rustix::net::sockopt::tcp_nodelay(socket).unwrap());
            let flags = rustix::fs::fcntl_getfl(socket).unwrap();
            assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "a consumer waits in its reads");
        }
        drop(relayd);
        let commands = thread.join().unwrap();
        let expected: &[u32] = match minor {
            // A session without payload does not decode to a command, and ends the reading.
            0..4 => &[5],
            4..12 => &[5, 2],
            12.. => &[5, 22, 2],
        };
        assert_eq!(commands, expected, "{minor}");
    }
}

/// A relay daemon that gives `ids` to the sessions announced to it; by which ids they were.
fn numbering(
    minor: u32,
    ids: impl IntoIterator<Item = u64> + Send + 'static,
) -> (RelaydTarget, TcpListener, JoinHandle<Vec<u64>>) {
    listening(v4(), move |control| {
        let announced = ids.into_iter().map(|id| {
            let (mut stream, _) = control.accept().unwrap();
            loop {
                match answer_as_relayd(&mut stream, minor, id) {
                    Some(Command::CreateSession(session)) => break session.session_id.0,
                    Some(_) => {}
                    None => panic!("no session is announced"),
                }
            }
        });
        announced.collect()
    })
}

#[actix::test]
async fn sessions_are_announced_by_the_ids_that_relay_daemons_give() {
    let relayds = Relayds::new(config(DEADLINE)).start();
    let connect = async |target, session: Announcement, progress| {
        let made = connect(&relayds, DEADLINE, target, session, progress).await.unwrap();
        let announced = made.progress.announced_by(made.pair.version);
        let AnnouncedBy::Id(id) = announced else { panic!("{announced:?}") };
        (made.pair.session_id.0, id.0)
    };
    // Another session daemon was there before.
    let (target, _data, thread) = numbering(13, 40..45);
    assert_eq!(connect(target, session(), first(&session())).await, (41, 41));
    assert_eq!(connect(target, session(), first(&session())).await, (42, 42));
    // The second connection of the same session.
    assert_eq!(connect(target, session(), later(SessionId(42))).await, (43, 42));
    let snapshot = Announcement { snapshot: true, ..session() };
    let progress = first(&snapshot);
    assert_eq!(connect(target, snapshot, progress).await, (44, 7));
    assert_eq!(thread.join().unwrap(), [1, 41, 42, 42, 7]);
    // Those without trace chunks are not told any id.
    let (target, _data, thread) = numbering(10, [40]);
    assert_eq!(connect(target, session(), first(&session())).await, (40, 7));
    assert_eq!(thread.join().unwrap(), [0]);
}

#[actix::test]
async fn numbers_that_cannot_be_foreseen_are_not_guessed_for_ever() {
    let (target, _data, thread) = numbering(13, [1 << 40; 5]);
    let relayds = Relayds::new(config(DEADLINE)).start();
    let made = connect(&relayds, DEADLINE, target, session(), first(&session())).await.unwrap();
    assert_eq!(made.progress.announced_by(made.pair.version), AnnouncedBy::Id(ID));
    let wrong = (1 << 40) + 1;
    assert_eq!(thread.join().unwrap(), [1, wrong, wrong, wrong, 7]);
}

#[actix::test]
async fn relays_that_refuse() {
    let other_major = fails(|mut stream| {
        stream.read_exact(&mut [0; HEADER_LEN + 8]).unwrap();
        stream.write_all(b"HTTP/1.1").unwrap();
    })
    .await;
    assert!(matches!(other_major, RelaydError::Version(_)), "{other_major}");
    let no_configuration = fails(|mut stream| {
        answer(&mut stream, 13);
        stream.read_exact(&mut [0; HEADER_LEN + 8]).unwrap();
        stream.write_all(&[0; 12]).unwrap();
    })
    .await;
    assert_eq!(no_configuration.refusal(), Some(RelayRefusal(0)), "{no_configuration}");
    let no_session = fails(|mut stream| {
        answer(&mut stream, 10);
        let refusal = SessionHead::encode_refusal(RelayRefusal(25), 10);
        stream.write_all(&refusal).unwrap();
        stream.read_exact(&mut [0; HEADER_LEN + 327]).unwrap();
    })
    .await;
    assert!(matches!(no_session, RelaydError::Session(_)), "{no_session}");
    assert_eq!(no_session.refusal(), Some(RelayRefusal(25)));
    let cut = fails(|mut stream| {
        answer(&mut stream, 13);
    })
    .await;
    assert!(matches!(cut, RelaydError::Broken { .. }), "{cut}");
}

#[actix::test]
async fn relays_that_are_silent_are_not_waited_for() {
    for steps in 0..3 {
        let (target, _data, thread) = relay(v4(), move |mut stream| {
            for _ in 0..steps {
                answer(&mut stream, 13);
            }
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        let begun = Instant::now();
        let short = Duration::from_millis(100);
        let error = connect_by_id(short, target).await.err().unwrap();
        assert!(matches!(error, RelaydError::TimedOut { .. }), "{error}");
        assert!(begun.elapsed() < DEADLINE);
        thread.join().unwrap();
    }
}

#[actix::test]
async fn ports_where_nobody_listens() {
    let free = TcpListener::bind(v4()).unwrap().local_addr().unwrap();
    let nobody = RelaydTarget { control: free, data: free };
    let error = connect_by_id(DEADLINE, nobody).await.err().unwrap();
    assert!(matches!(error, RelaydError::Unreachable { .. }), "{error}");
    let (target, data, thread) =
        relay(v4(), |mut stream| while answer(&mut stream, 13).is_some() {});
    drop(data);
    let error = connect_by_id(DEADLINE, target).await.err().unwrap();
    assert!(matches!(error, RelaydError::Unreachable { .. }), "{error}");
    thread.join().unwrap();
}

#[test]
fn addresses_are_numbers_of_their_family() {
    let uri = |family, address: &str| NetworkUri {
        family,
        address: address.to_owned(),
        port: 5,
        stream: StreamKind::Control,
        subdir: String::new(),
    };
    let (v4, v6) = (uri(AddressFamily::V4, "127.0.0.1"), uri(AddressFamily::V6, "::1"));
    let target = RelaydTarget::new(&v4, &v6).unwrap();
    assert_eq!(
        (target.control.to_string(), target.data.to_string()),
        ("127.0.0.1:5".to_owned(), "[::1]:5".to_owned())
    );
    for wrong in [
        uri(AddressFamily::V6, "127.0.0.1"),
        uri(AddressFamily::V4, "::1"),
        uri(AddressFamily::V4, "localhost"),
    ] {
        assert!(matches!(RelaydTarget::new(&v4, &wrong), Err(RelaydError::Address(_))));
    }
}

#[actix::test]
async fn names_are_looked_up_in_their_family() {
    use AddressFamily::{V4, V6};
    let names = Names::default();
    let look_up = async |control, data| names.look_up(0, (control, data), DEADLINE).await;
    let url = |family, host: &str, port| HostUrl {
        family,
        host: host.to_owned(),
        port,
        subdir: "a".to_owned(),
    };
    for (family, host, address) in [
        (V4, "localhost", "127.0.0.1"),
        (V6, "localhost", "::1"),
        (V4, "10.0.0.1", "10.0.0.1"),
        (V6, "::2", "::2"),
    ] {
        let found = look_up(url(family, host, 5), url(family, host, 6)).await.unwrap();
        for (uri, stream, port) in
            [(found.0, StreamKind::Control, 5), (found.1, StreamKind::Data, 6)]
        {
            assert_eq!((uri.family, uri.address.as_str()), (family, address));
            assert_eq!((uri.port, uri.stream, uri.subdir.as_str()), (port, stream, "a"));
        }
    }
    let named = look_up(url(V4, "localhost", 5), url(V4, "127.0.0.1", 6)).await.unwrap();
    assert_eq!(named.0.address, named.1.address);
    for (family, host) in [(V6, "10.0.0.1"), (V4, "::2"), (V4, "two words"), (V4, "")] {
        let wrong = url(family, host, 5);
        let error = look_up(wrong.clone(), wrong).await.unwrap_err();
        assert!(matches!(error, RelaydError::Address(_)), "{error}");
    }
    let apart = look_up(url(V4, "10.0.0.1", 5), url(V4, "10.0.0.2", 6)).await;
    assert!(matches!(apart, Err(RelaydError::TwoMachines { .. })), "{apart:?}");
}
