#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap,
    ffi::OsString,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::{Path, PathBuf},
};

use super::*;

/// An environment.
#[derive(Default)]
struct Around {
    variables: HashMap<&'static str, String>,
    setuid: bool,
}

impl Around {
    fn of(variables: &[(&'static str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Self { variables: variables.collect(), setuid: false }
    }
}

impl Surroundings for Around {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).map(OsString::from)
    }

    fn read_file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn is_root(&self) -> bool {
        false
    }

    fn is_setuid(&self) -> bool {
        self.setuid
    }

    fn home_in_user_database(&self) -> Option<PathBuf> {
        None
    }

    fn working_dir(&self) -> PathBuf {
        "/".into()
    }
}

fn received(socket: &UnixDatagram) -> String {
    let mut text = [0; 4096];
    let len = socket.recv(&mut text).unwrap();
    String::from_utf8(text[..len].to_vec()).unwrap()
}

#[test]
fn it_is_told_at_a_path_or_an_abstract_name() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("notify");
    let abstract_name = format!("lttngd-service-{}", std::process::id());
    let of_path = UnixDatagram::bind(&path).unwrap();
    let name = SocketAddr::from_abstract_name(&abstract_name).unwrap();
    let of_name = UnixDatagram::bind_addr(&name).unwrap();
    for (socket, named) in
        [(of_path, path.to_str().unwrap().to_owned()), (of_name, format!("@{abstract_name}"))]
    {
        let around = Around::of(&[("NOTIFY_SOCKET", &named)]);
        let service = ServiceManager::find(&around).unwrap().unwrap();
        service.ready();
        assert!(received(&socket).starts_with("READY=1\n"));
        service.stopping();
        assert!(received(&socket).starts_with("STOPPING=1\n"));
    }
}

#[test]
fn nobody_is_told_without_a_socket_or_by_rights_of_the_programs_file() {
    assert!(ServiceManager::find(&Around::default()).unwrap().is_none());
    assert!(ServiceManager::find(&Around::of(&[("NOTIFY_SOCKET", "")])).unwrap().is_none());
    let mut around = Around::of(&[("NOTIFY_SOCKET", "/run/notify")]);
    around.setuid = true;
    assert!(ServiceManager::find(&around).unwrap().is_none());
    let other = Around::of(&[("NOTIFY_SOCKET", "vsock:2:1234")]);
    assert!(ServiceManager::find(&other).is_err(), "it says that it cannot tell");
}

#[test]
fn a_word_comes_twice_in_the_time_that_a_watchdog_gives() {
    let own = std::process::id().to_string();
    let limit = |variables: &[(&'static str, &str)]| watchdog(&Around::of(variables));
    assert_eq!(limit(&[]), None);
    assert_eq!(limit(&[("WATCHDOG_USEC", "0")]), None);
    assert_eq!(limit(&[("WATCHDOG_USEC", "soon")]), None);
    assert_eq!(limit(&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "1")]), None);
    let three = Some(Duration::from_secs(3));
    assert_eq!(limit(&[("WATCHDOG_USEC", "3000000")]), three);
    assert_eq!(limit(&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", &own)]), three);
    assert_eq!(period(three), Duration::from_millis(1500));
    assert_eq!(period(None), STATUS_PERIOD);
    assert_eq!(period(Some(Duration::from_secs(3600))), STATUS_PERIOD);
}

#[test]
fn what_is_known_is_not_told_again() {
    assert_eq!(news("none", true, false), None);
    assert_eq!(news("none", true, true).unwrap(), "WATCHDOG=1\n");
    assert_eq!(news("some", false, true).unwrap(), "WATCHDOG=1\nSTATUS=some\n");
}

#[test]
fn sockets_that_are_left_have_numbers_and_names() {
    let named = |variables: &[(&'static str, &str)], process| {
        sockets::named(&Around::of(variables), process)
    };
    let three = [("LISTEN_PID", "7"), ("LISTEN_FDS", "3"), ("LISTEN_FDNAMES", "clients:agents")];
    let expected = [(3, "clients".to_owned()), (4, "agents".to_owned()), (5, String::new())];
    assert_eq!(named(&three, 7), expected);
    assert!(named(&three, 8).is_empty(), "they are another's");
    assert!(named(&[("LISTEN_PID", "7"), ("LISTEN_FDS", "-1")], 7).is_empty());
    assert!(named(&[("LISTEN_PID", "7")], 7).is_empty());
    let many = named(&[("LISTEN_PID", "7"), ("LISTEN_FDS", "2000000000")], 7);
    assert_eq!(many.len(), 256);
}
