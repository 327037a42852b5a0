//! The port on which agents register.

use std::{
    cell::Cell,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    rc::Rc,
    time::{Duration, Instant},
};

use actix::Actor;
use lttngd_runtime::{
    Descriptors, Held, NoDescriptors, Outlet, Pace, Purpose, Sparing, TcpUsers, accept_all,
    complaint,
};
use lttngd_users::{Lease, Ledger, ListingRoom, NOBODY, ShareTaken, count_refusal};
use lttngd_wire::{
    DecodeError,
    agent::{REGISTRATION_LEN, Registration},
};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant as Moment,
};

use crate::{
    Agent, AgentId, AgentInfo, AgentRegistered, AgentUnregistered, connection::Connection,
    error::Broken,
};

/// Longest time from a connection to its registration message.
pub const REGISTRATION_DEADLINE: Duration = Duration::from_secs(5);
/// Most agents and connections that may become agents at a time. Every process of the machine can
/// connect.
pub const AGENTS_MAX: usize = 4096;
/// Of those, kept for root's.
const AGENTS_KEPT: u64 = 64;

/// What the daemon does with agents.
#[derive(Clone, Debug)]
pub struct AgentSettings {
    /// How long an agent may go without an answer before those who wait for it give up; `None` for
    /// ever.
    pub deadline: Option<Duration>,
    /// What connections are counted in; those that do not fit are refused.
    pub descriptors: Descriptors,
    /// Is told of new agents.
    pub registered: Outlet<AgentRegistered>,
    /// Is told of their end.
    pub unregistered: Outlet<AgentUnregistered>,
}

/// Why a connection did not become an agent.
#[derive(Debug, Error)]
enum Rejected {
    #[error("no registration message within {} s", REGISTRATION_DEADLINE.as_secs())]
    Silent,
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// Most bytes of listings that are being read from agents, of all together.
const LISTINGS_MAX_LEN: u64 = 64 << 20;

/// The right to be one of [`AGENTS_MAX`], of which its user has a share, with its descriptor. Given back on drop.
#[derive(Debug)]
pub(crate) struct Permit {
    uid: u32,
    listings: Ledger,
    _lease: Lease,
    _held: Held,
}

impl Permit {
    /// Whose the agent is, as far as that is known.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// The room of a listing that begins.
    pub(crate) fn listing(&self) -> ListingRoom {
        ListingRoom::new(&self.listings, LISTINGS_MAX_LEN, self.uid)
    }
}

/// Why there is none.
#[derive(Debug, Error)]
pub(crate) enum NoPermit {
    #[error(transparent)]
    Share(#[from] ShareTaken),
    #[error(transparent)]
    Descriptors(#[from] NoDescriptors),
}

/// What the agents of each user may have.
pub(crate) struct UserShares {
    agents: Ledger,
    /// Bytes of their listings.
    listings: Ledger,
    descriptors: Descriptors,
    /// Where it is asked who they are.
    users: Option<TcpUsers>,
}

impl UserShares {
    pub(crate) fn new(descriptors: Descriptors) -> Self {
        let users = TcpUsers::new().inspect_err(|error| {
            tracing::info!(%error, "whose agents are is not known: all of them share as one user");
        });
        let owner = rustix::process::geteuid().as_raw();
        let agents = Ledger::new("connections of agents", AGENTS_KEPT).owned_by(owner);
        let listings = Ledger::new("bytes of listings of agents", 0).owned_by(owner);
        Self { agents, listings, descriptors, users: users.ok() }
    }

    /// Whose the agent at the other end is.
    fn user(&self, stream: &TcpStream, theirs: SocketAddr) -> u32 {
        let ours = stream.local_addr().ok();
        let user = self.users.as_ref().zip(ours).and_then(|(users, ours)| users.user(theirs, ours));
        user.unwrap_or(NOBODY)
    }

    /// The right of a user to one more.
    pub(crate) fn take(&self, uid: u32) -> Result<Permit, NoPermit> {
        let places = (AGENTS_MAX as u64).saturating_sub(self.agents.taken());
        let held = self.descriptors.take(Purpose::Registrations, 1)?;
        // What this one has is taken already.
        let descriptors = (self.descriptors.left(Purpose::Registrations) as u64).saturating_add(1);
        let lease = self.agents.take(uid, 1, places.min(descriptors))?;
        Ok(Permit { uid, listings: self.listings.clone(), _lease: lease, _held: held })
    }
}

/// Accepts agents on `listener` for ever.
///
/// # Errors
/// When the socket cannot be used at all.
pub async fn listen(listener: StdListener, settings: AgentSettings) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let socket = TcpListener::from_std(listener)?;
    let settings = Rc::new(settings);
    let next_id = Rc::new(Cell::new(1));
    let shares = UserShares::new(settings.descriptors.clone());
    let mut refusals = Sparing::for_refusals();
    let pace = Rc::<Pace>::default();
    let admit = |(stream, address)| {
        let uid = shares.user(&stream, address);
        let permit = match shares.take(uid) {
            Ok(permit) => permit,
            Err(error) => {
                pace.in_vain(Moment::now());
                let news = match &error {
                    NoPermit::Share(refused) => refused.is_news,
                    NoPermit::Descriptors(_) => {
                        count_refusal(uid, "descriptors of agents");
                        refusals.line(Instant::now())
                    }
                };
                if let Some(count) = news {
                    tracing::warn!(%address, %error, count, "an agent is refused");
                }
                return Ok(());
            }
        };
        let (settings, next_id) = (Rc::clone(&settings), Rc::clone(&next_id));
        let pace = Rc::clone(&pace);
        tokio::task::spawn_local(async move {
            match register(stream, permit, &settings, &next_id).await {
                Ok(true) => {}
                Ok(false) => pace.in_vain(Moment::now()),
                Err(reason) => {
                    pace.in_vain(Moment::now());
                    if let Some(left_out) = complaint("agent", uid) {
                        tracing::warn!(%reason, left_out, "an agent is not registered");
                    }
                }
            }
        });
        Ok(())
    };
    match accept_all("agent", socket, &pace, admit).await {}
}

/// Reads what a connection is, and makes its actor; false when it said nothing and left.
async fn register(
    stream: TcpStream,
    permit: Permit,
    settings: &AgentSettings,
    next_id: &Cell<u64>,
) -> Result<bool, Rejected> {
    let connection = Connection::new(stream).map_err(Broken::from)?;
    let mut bytes = [0; REGISTRATION_LEN];
    let read = connection.read_exact_or_end(&mut bytes);
    let read = tokio::time::timeout(REGISTRATION_DEADLINE, read);
    if !read.await.map_err(|_| Rejected::Silent)?? {
        // It only looked.
        return Ok(false);
    }
    let Registration { domain, pid } = Registration::decode(&bytes)?;
    let id = AgentId(next_id.replace(next_id.get() + 1));
    Agent::new(AgentInfo { id, domain, pid }, connection, settings, permit).start();
    Ok(true)
}
