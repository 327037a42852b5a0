//! The port on which agents register.

use std::{cell::Cell, io, net::TcpListener as StdListener, rc::Rc, time::Duration};

use actix::Actor;
use lttngd_runtime::{Backoff, Outlet};
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

/// One of the [`AGENTS_MAX`] places, given back on drop.
#[derive(Debug)]
pub(crate) struct Place(Rc<Cell<usize>>);

impl Place {
    /// A place, if one is left.
    pub(crate) fn take(taken: &Rc<Cell<usize>>) -> Option<Self> {
        if taken.get() >= AGENTS_MAX {
            return None;
        }
        taken.set(taken.get() + 1);
        Some(Self(Rc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
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
    let taken = Rc::new(Cell::new(0));
    let pause = || Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
    let mut backoff = pause();
    loop {
        let accepted = match socket.accept().await {
            Ok((stream, _)) => Place::take(&taken)
                .map(|place| (stream, place))
                .ok_or_else(|| io::Error::other("too many agents are connected")),
            Err(error) => Err(error),
        };
        match accepted {
            Ok((stream, place)) => {
                backoff = pause();
                let (settings, next_id) = (Rc::clone(&settings), Rc::clone(&next_id));
                tokio::task::spawn_local(async move {
                    if let Err(reason) = register(stream, place, &settings, &next_id).await {
                        tracing::warn!(%reason, "an agent is not registered");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no agent is accepted for a moment");
                tokio::time::sleep(backoff.step()).await;
            }
        }
    }
}

/// Reads what a connection is, and makes its actor.
async fn register(
    stream: TcpStream,
    place: Place,
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
    Agent::new(AgentInfo { id, domain, pid }, connection, settings, place).start();
    Ok(())
}
