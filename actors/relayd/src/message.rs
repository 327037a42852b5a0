//! What the actors for relay daemons are asked and what they tell.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use actix::{Addr, Message, MessageResponse};
use lttngd_consumer::Consumer;
use lttngd_model::{ConsumerKind, HostUrl, NetIndex, NetworkUri, SessionId, Timestamp};
use lttngd_runtime::Outlet;
use lttngd_wire::relay::Version;

use crate::{ConnectError, RelayConnection, RelaydError, RelaydTarget};

/// Opens a connection: gives it an index and an actor, which connects when it is asked to, see [`Connect`].
///
/// A session streams by one connection at a time: if there is one that did not end, it is that.
#[derive(Message)]
#[rtype(result = "Opened")]
pub struct Open {
    /// The relay daemon.
    pub target: RelaydTarget,
    /// The session.
    pub session: Announcement,
    /// Who is given connections, each of them its own.
    pub consumers: Vec<(ConsumerKind, Addr<Consumer>)>,
    /// Longest wait for one reply of a consumer daemon.
    pub consumer_deadline: Duration,
    /// Told when the connection's actor failed.
    pub failed: Outlet<ConnectionFailed>,
}

/// A session, as relay daemons are told of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Announcement {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: String,
    /// Name of this machine.
    pub hostname: String,
    /// Directory below the relay daemon's own for this machine; empty for one that it names itself.
    pub base_path: String,
    /// Period of its live timer; 0 for one that is not live.
    pub live_timer_us: u32,
    /// Whether the connection is for one snapshot alone.
    pub snapshot: bool,
    /// Whether its name has the time of its creation in it.
    pub name_contains_creation_time: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A connection that was opened.
#[derive(Clone, Debug, MessageResponse)]
pub struct Opened {
    /// What consumer daemons call it.
    pub net_index: NetIndex,
    /// Its actor.
    pub connection: Addr<RelayConnection>,
}

/// Holds a connection: it is given up when nobody holds it any more.
#[derive(Debug)]
pub struct Held(Opened);

impl Held {
    /// Holds what was opened.
    #[must_use]
    pub fn new(opened: Opened) -> Self {
        Self(opened)
    }

    /// Its actor.
    #[must_use]
    pub fn connection(&self) -> &Addr<RelayConnection> {
        &self.0.connection
    }

    /// What consumer daemons call it.
    #[must_use]
    pub fn net_index(&self) -> NetIndex {
        self.0.net_index
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // To one that was given up already it says nothing.
        Outlet::to(self.0.connection.clone().recipient()).tell(GiveUp);
    }
}

/// Connects the relay daemon for every consumer daemon, unless that was done, and waits until they have
/// their connections. After a failure the connection has been given up.
///
/// Errors: [`ConnectError`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<HandedOver, ConnectError>")]
pub struct Connect;

/// A connection that consumer daemons have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HandedOver {
    /// What they call it.
    pub net_index: NetIndex,
    /// The version that is spoken.
    pub version: Version,
    /// Whether the relay daemon allows clearing.
    pub clear_allowed: bool,
}

impl HandedOver {
    /// Whether the relay daemon is told of trace chunks, and names their directories itself.
    #[must_use]
    pub fn has_trace_chunks(self) -> bool {
        self.version.has_trace_chunks()
    }

    /// Whether the session may be cleared.
    #[must_use]
    pub fn can_be_cleared(self) -> bool {
        self.version.has_clear() && self.clear_allowed
    }
}

/// Lets go of the connection, whatever it waits for, and waits until consumer daemons have let go too:
/// it closes with the last stream that uses it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct GiveUp;

/// A consumer daemon has ended, and what was handed to it is closed.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ConnectionLost {
    /// Its actor.
    pub consumer: Addr<Consumer>,
}

/// The actor of a connection failed: the relay daemon is gone for the session, and consumer daemons let go
/// of it.
#[derive(Clone, Copy, Debug, Eq, Message, PartialEq)]
#[rtype(result = "()")]
pub struct ConnectionFailed {
    /// What consumer daemons call the connection.
    pub net_index: NetIndex,
}

/// Asks how all connections to relay daemons stand. It is answered at once: no relay daemon is asked.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<RelayReport>")]
pub struct ReportRelays;

/// How a connection to a relay daemon stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelayReport {
    /// What consumer daemons call it.
    pub net_index: NetIndex,
    /// The relay daemon's place for control connections.
    pub relayd: SocketAddr,
    /// Whose traces it takes.
    pub session: SessionId,
    /// How it stands.
    pub stands: Stands,
    /// Whether the relay daemon did not answer in time: nobody waits for it until it does.
    pub is_silent: bool,
    /// Commands that wait for it.
    pub waiting: usize,
    /// Since when the oldest of those does.
    pub waiting_since: Option<Instant>,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stands {
    /// It is being made, or is to be.
    Connecting,
    /// Consumer daemons have it.
    Connected,
    /// They are letting go of it.
    GivenUp,
}

/// Finds the places for control and data connections that URLs tell, see [`Names`](crate::Names).
///
/// Errors: [`RelaydError::Address`], [`RelaydError::TwoMachines`], [`RelaydError::Names`].
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(NetworkUri, NetworkUri), RelaydError>")]
pub struct LookUp {
    /// For whom.
    pub uid: u32,
    /// For control connections.
    pub control: HostUrl,
    /// For data connections.
    pub data: HostUrl,
}
