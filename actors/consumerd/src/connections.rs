//! Further connections for commands, of our own session daemon.

use std::{fs::File, os::fd::OwnedFd, rc::Rc, time::Duration};

use lttngd_runtime::{Peer, Sockets, check_is_own, fail_point};
use lttngd_wire::consumer::encode_status;
use tokio::task::JoinSet;

use crate::{
    command::{self, End},
    control::Control,
};

/// Descriptors of a connection's session besides those of its channels: the connection, and the directory
/// of its trace chunk.
const DESCRIPTORS_EACH: usize = 2;
/// Pause after a connection could not be accepted, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A descriptor that is given up for a moment to refuse a connection for which there is none: whoever
/// connected would else wait for somebody to listen.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Refuses the connection that waits, if a descriptor can be had for that.
    fn refuse(&mut self, listener: &Sockets) {
        self.0 = None;
        // It is closed, or waits on.
        drop(listener.accept_now());
        *self = Self::new();
    }
}

/// Serves further connections, each by itself, until this is dropped. Who may reach the socket may be
/// more than may give commands: the session daemon's user alone.
pub(crate) async fn accept_more(listener: Sockets, control: Rc<Control>) {
    let mut connections = JoinSet::new();
    let mut spare = Spare::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.next() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        fail_point::reached("Connections accepted");
        match accepted {
            Ok(socket) => {
                connections.spawn_local(serve(socket, Rc::clone(&control)));
            }
            Err(error) => {
                tracing::warn!(%error, "a further connection of the session daemon is refused");
                spare.refuse(&listener);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(socket: OwnedFd, control: Rc<Control>) {
    if let Err(error) = check_is_own(&socket) {
        tracing::error!(%error, "somebody else wants to give commands");
        return;
    }
    let peer = match Peer::accepted(socket) {
        Ok(peer) => peer.with_place(control.descriptors().control(DESCRIPTORS_EACH)),
        Err(error) => {
            tracing::warn!(%error, "a further connection of the session daemon is refused");
            return;
        }
    };
    // One that is not served is not greeted.
    let end = match peer.write_all(&encode_status(0)).await {
        Ok(()) => command::serve(&peer, &control).await,
        Err(error) => End::Broken(error),
    };
    if let End::Broken(error) = end {
        tracing::error!(%error, "commands of the session daemon");
    }
}
