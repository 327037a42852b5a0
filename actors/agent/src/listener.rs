//! The port on which agents register.

use std::{
    cell::Cell,
    io,
    net::TcpListener as StdListener,
    rc::Rc,
    time::{Duration, Instant},
};

use actix::Actor;
use lttngd_runtime::{Count, Counted, Descriptors, Held, Outlet, Purpose, Sparing, accept_all};
use lttngd_wire::{
    DecodeError,
    agent::{REGISTRATION_LEN, Registration},
};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    Agent, AgentId, AgentInfo, AgentRegistered, AgentUnregistered, connection::Connection,
    error::Broken,
};

/// Longest time from a connection to its registration message.
pub const REGISTRATION_DEADLINE: Duration = Duration::from_secs(5);
/// Most agents and connections that may become agents at a time. Every process of the machine can
/// connect.
pub const AGENTS_MAX: usize = 4096;

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

/// The right to be one of [`AGENTS_MAX`], with its descriptor, given back on drop.
#[derive(Debug)]
pub(crate) struct Permit {
    _counted: Counted,
    _held: Held,
}

impl Permit {
    /// One, if one is left.
    pub(crate) fn take(taken: &Count, held: Held) -> Option<Self> {
        Some(Self { _counted: taken.one_of(AGENTS_MAX)?, _held: held })
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
    let taken = Count::default();
    let mut refusals = Sparing::for_refusals();
    let admit = |(stream, address)| {
        let held = match settings.descriptors.take(Purpose::Registrations, 1) {
            Ok(held) => held,
            Err(error) => {
                if let Some(left_out) = refusals.line(Instant::now()) {
                    tracing::warn!(%address, %error, left_out, "an agent is refused");
                }
                return Ok(());
            }
        };
        let too_many = || io::Error::other("too many agents are connected");
        let permit = Permit::take(&taken, held).ok_or_else(too_many)?;
        let (settings, next_id) = (Rc::clone(&settings), Rc::clone(&next_id));
        tokio::task::spawn_local(async move {
            if let Err(reason) = register(stream, permit, &settings, &next_id).await {
                tracing::warn!(%reason, "an agent is not registered");
            }
        });
        Ok(())
    };
    match accept_all("agent", socket, admit).await {}
}

/// Reads what a connection is, and makes its actor.
async fn register(
    stream: TcpStream,
    permit: Permit,
    settings: &AgentSettings,
    next_id: &Cell<u64>,
) -> Result<(), Rejected> {
    let connection = Connection::new(stream).map_err(Broken::from)?;
    let mut bytes = [0; REGISTRATION_LEN];
    let read = connection.read_exact_or_end(&mut bytes);
    let read = tokio::time::timeout(REGISTRATION_DEADLINE, read);
    if !read.await.map_err(|_| Rejected::Silent)?? {
        // It only looked.
        return Ok(());
    }
    let Registration { domain, pid } = Registration::decode(&bytes)?;
    let id = AgentId(next_id.replace(next_id.get() + 1));
    Agent::new(AgentInfo { id, domain, pid }, connection, settings, permit).start();
    Ok(())
}
