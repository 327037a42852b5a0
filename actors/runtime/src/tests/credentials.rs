//! Who is at the other end.

use std::{os::unix::net::UnixStream, process::Command};

use crate::Peer;

/// Tells the child process that it is one.
const MARK: &str = "LTTNGD_TEST_PID_NAMESPACE";

#[tokio::test]
async fn this_process_is_seen_as_itself() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let credentials = Peer::new(ours.into()).unwrap().credentials().unwrap();
    assert_eq!(credentials.pid, std::process::id());
    assert_eq!(credentials.uid, rustix::process::geteuid().as_raw());
    assert_eq!(credentials.gid, rustix::process::getegid().as_raw());
}

#[tokio::test]
async fn a_process_of_another_pid_namespace_has_the_id_0() {
    if std::env::var_os(MARK).is_some() {
        let ours = rustix::io::dup(rustix::stdio::stdin()).unwrap();
        let credentials = Peer::new(ours).unwrap().credentials().unwrap();
        assert_eq!(credentials.pid, 0);
        return;
    }
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let name = concat!(module_path!(), "::a_process_of_another_pid_namespace_has_the_id_0");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--pid", "--fork"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name.split_once("::").unwrap().1])
        .env(MARK, "1")
        .stdin(std::os::fd::OwnedFd::from(ours))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
