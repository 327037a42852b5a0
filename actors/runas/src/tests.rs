#![allow(clippy::unwrap_used)]

mod link;
mod operations;
mod protocol;
mod queue;

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lttngd_model::Credentials;
use tokio::sync::oneshot;

use crate::{
    operation::Operation,
    protocol::Identity,
    queue::{Outcome, Waiting},
};

/// Long enough for whatever must not happen late.
const PATIENCE: Duration = Duration::from_secs(60);

/// The user of this process, in its own group.
fn own() -> Credentials {
    Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

/// A request of a user that opens a directory, and where its outcome comes.
fn request(uid: u32, path: &Path, deadline: Instant) -> (Waiting, oneshot::Receiver<Outcome>) {
    let credentials = Credentials { uid, ..own() };
    let identity = Arc::new(Identity { credentials, groups: vec![credentials.gid] });
    let operation = Operation::OpenDirectory(PathBuf::from(path));
    let (reply, outcome) = oneshot::channel();
    (Waiting { identity, operation, deadline, reply }, outcome)
}

fn directory(path: &Path) -> Arc<OwnedFd> {
    Arc::new(std::fs::File::open(path).unwrap().into())
}
