//! Relay daemons that did not answer in time: nobody waits for one again before something comes from it.

use std::{
    collections::HashSet,
    net::{SocketAddr, TcpStream as StdStream},
    os::fd::OwnedFd,
    time::Duration,
};

use lttngd_runtime::outside;
use rustix::net::sockopt;
use tokio::net::TcpStream;

/// Most relay daemons that are set aside at a time, each with a descriptor.
pub(crate) const SILENT_MAX: usize = 64;

/// What the system looks for behind a connection of one that is silent: whether its machine is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How often, before it is not.
const KEEPALIVE_COUNT: u32 = 3;

/// Those that are set aside, by their control addresses.
#[derive(Debug, Default)]
pub(crate) struct Silent(HashSet<SocketAddr>);

impl Silent {
    /// One did not answer. Whether it is to be watched until something comes from it: not one that is watched
    /// already, nor more of them than [`SILENT_MAX`], of which each command waits.
    pub(crate) fn set_aside(&mut self, relayd: SocketAddr) -> bool {
        self.0.len() < SILENT_MAX && self.0.insert(relayd)
    }

    /// Something came from it, or its connection ended.
    pub(crate) fn regained(&mut self, relayd: SocketAddr) {
        self.0.remove(&relayd);
    }

    pub(crate) fn contains(&self, relayd: SocketAddr) -> bool {
        self.0.contains(&relayd)
    }
}

/// Waits until something comes by a connection on which an answer is due, or the connection ends; without one,
/// until it can be connected to, or not.
pub(crate) async fn something_comes(relayd: SocketAddr, connection: Option<OwnedFd>) {
    let owing = connection.map(StdStream::from).and_then(|stream| {
        // One that cannot be watched is asked anew.
        keep_alive(&stream).ok()?;
        TcpStream::from_std(stream).ok()
    });
    match owing {
        Some(stream) => drop(stream.readable().await),
        None => drop(outside::connect(relayd).await),
    }
}

fn keep_alive(stream: &StdStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relayd(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn each_is_watched_once_until_something_comes() {
        let mut silent = Silent::default();
        assert!(silent.set_aside(relayd(1)));
        assert!(!silent.set_aside(relayd(1)), "it is watched");
        assert!(silent.contains(relayd(1)) && !silent.contains(relayd(2)));
        silent.regained(relayd(1));
        assert!(!silent.contains(relayd(1)));
        assert!(silent.set_aside(relayd(1)));
    }

    #[test]
    fn no_more_are_set_aside_than_there_are_descriptors_for() {
        let mut silent = Silent::default();
        let watched = (1..=100).filter(|port| silent.set_aside(relayd(*port))).count();
        assert_eq!(watched, SILENT_MAX);
        silent.regained(relayd(1));
        assert!(silent.set_aside(relayd(100)));
    }
}
