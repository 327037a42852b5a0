//! Connections of sessions.

use std::rc::Rc;

use lttngd_model::SessionId;
use lttngd_runtime::{Descriptors, Peer};
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    sync::mpsc,
};

use crate::{link::Link, links::Links};

const FIRST: SessionId = SessionId(1);
const SECOND: SessionId = SessionId(2);

fn link() -> Link {
    let (ours, _) = UnixStream::pair().unwrap();
    Link::new(Peer::accepted(ours)).unwrap()
}

/// The other end of connections that are made here: it greets them and gives them out, or closes them.
fn greets(listener: UnixListener) -> mpsc::UnboundedReceiver<UnixStream> {
    let (accepted, all) = mpsc::unbounded_channel();
    tokio::task::spawn_local(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(&[0; 4]).await.unwrap();
            accepted.send(socket).unwrap();
        }
    });
    all
}

#[actix::test]
async fn each_session_has_one_connection_until_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("command");
    let listener = UnixListener::bind(&path).unwrap();
    let mut accepted = greets(listener);
    let links = Links::new(link(), Some(path), Descriptors::unlimited());
    let (first, again) = tokio::join!(links.of(FIRST), links.of(FIRST));
    let second = links.of(SECOND).await;
    assert!(Rc::ptr_eq(&first, &again));
    assert!(!Rc::ptr_eq(&first, &second));
    let accepted = accepted.recv().await.unwrap();
    links.end(FIRST);
    drop((first, again));
    accepted.readable().await.unwrap();
    assert_eq!(accepted.try_read(&mut [0]).unwrap(), 0, "the session's connection is closed");
    let anew = links.of(FIRST).await;
    assert!(!Rc::ptr_eq(&anew, &second));
}

#[actix::test]
async fn sessions_share_where_they_have_to() {
    let alone = Links::new(link(), None, Descriptors::unlimited());
    assert!(Rc::ptr_eq(&alone.of(FIRST).await, &alone.of(SECOND).await));
    let directory = tempfile::tempdir().unwrap();
    let unreachable =
        Links::new(link(), Some(directory.path().join("command")), Descriptors::unlimited());
    assert!(Rc::ptr_eq(&unreachable.of(FIRST).await, &unreachable.of(SECOND).await));
}

#[actix::test]
async fn a_connection_that_is_not_greeted_is_none() {
    tokio::time::pause();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("command");
    let listener = UnixListener::bind(&path).unwrap();
    let links = Links::new(link(), Some(path), Descriptors::unlimited());
    // Nobody accepts it.
    let first = links.of(FIRST).await;
    // Somebody closes it.
    let refused = tokio::task::spawn_local(async move {
        let _waits = listener.accept().await.unwrap();
        drop(listener.accept().await.unwrap());
    });
    let second = links.of(SECOND).await;
    refused.await.unwrap();
    assert!(Rc::ptr_eq(&first, &second));
}
