//! Connections of sessions.

use std::rc::Rc;

use lttngd_model::SessionId;
use lttngd_runtime::Peer;
use tokio::net::{UnixListener, UnixStream};

use crate::{link::Link, links::Links};

const FIRST: SessionId = SessionId(1);
const SECOND: SessionId = SessionId(2);

fn link() -> Link {
    let (ours, _) = UnixStream::pair().unwrap();
    Link::new(Peer::accepted(ours)).unwrap()
}

#[actix::test]
async fn each_session_has_one_connection_until_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("command");
    let listener = UnixListener::bind(&path).unwrap();
    let links = Links::new(link(), Some(path));
    let (first, again) = tokio::join!(links.of(FIRST), links.of(FIRST));
    let second = links.of(SECOND).await;
    assert!(Rc::ptr_eq(&first, &again));
    assert!(!Rc::ptr_eq(&first, &second));
    let accepted = listener.accept().await.unwrap().0;
    links.end(FIRST);
    drop((first, again));
    accepted.readable().await.unwrap();
    assert_eq!(accepted.try_read(&mut [0]).unwrap(), 0, "the session's connection is closed");
    let anew = links.of(FIRST).await;
    assert!(!Rc::ptr_eq(&anew, &second));
}

#[actix::test]
async fn sessions_share_where_they_have_to() {
    let alone = Links::new(link(), None);
    assert!(Rc::ptr_eq(&alone.of(FIRST).await, &alone.of(SECOND).await));
    let directory = tempfile::tempdir().unwrap();
    let unreachable = Links::new(link(), Some(directory.path().join("command")));
    assert!(Rc::ptr_eq(&unreachable.of(FIRST).await, &unreachable.of(SECOND).await));
}
