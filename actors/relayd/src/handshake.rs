//! Setting the sockets of a connection up.

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use lttngd_model::{AddressFamily, NetworkUri, SessionId};
use lttngd_runtime::outside;
use lttngd_wire::relay::{
    CONFIGURATION_LEN, Command, Configuration, CreateSession, OWN_VERSION, SESSION_HEAD_LEN_MAX,
    SessionHead, VERSION_LEN, Version,
};
use rustix::net::{
    Shutdown, shutdown,
    sockopt::{Timeout, set_socket_timeout},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    Announcement, RelaydError,
    connection::Terms,
    progress::{AnnouncedBy, Progress, Reply},
    receivers::Pair,
    relayds::Known,
};

/// How long each step may take unless something else is configured.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// What every connection is made with.
#[derive(Clone, Debug)]
pub struct RelaydConfig {
    /// This session daemon, never all zeros.
    pub sessiond_uuid: [u8; 16],
    /// How long each step, and later each read and write of the consumer daemon, may take; `None` for
    /// [`DEFAULT_DEADLINE`], and no limit for a consumer daemon that streams.
    pub socket_timeout: Option<Duration>,
}

impl RelaydConfig {
    /// How long each step may take.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.socket_timeout.unwrap_or(DEFAULT_DEADLINE)
    }
}

/// Where a relay daemon listens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelaydTarget {
    /// For control connections.
    pub control: SocketAddr,
    /// For data connections.
    pub data: SocketAddr,
}

impl RelaydTarget {
    /// The target of two places.
    ///
    /// # Errors
    /// [`RelaydError::Address`].
    pub fn new(control: &NetworkUri, data: &NetworkUri) -> Result<Self, RelaydError> {
        Ok(Self { control: socket_address(control)?, data: socket_address(data)? })
    }
}

fn socket_address(uri: &NetworkUri) -> Result<SocketAddr, RelaydError> {
    let address: Option<IpAddr> = uri.address.parse().ok();
    match (uri.family, address) {
        (AddressFamily::V4, Some(ip @ IpAddr::V4(_)))
        | (AddressFamily::V6, Some(ip @ IpAddr::V6(_))) => Ok(SocketAddr::new(ip, uri.port)),
        _ => Err(RelaydError::Address(uri.address.clone())),
    }
}

/// Connects and announces a session: what one consumer daemon is given. All of it takes no longer than two steps
/// may. A relay daemon that is late with one is set aside.
///
/// # Errors
/// [`RelaydError::Silent`] at once with one that is set aside, else what failed.
pub(crate) async fn connect_in_time(
    terms: &Terms,
    progress: &RefCell<Progress>,
) -> Result<Pair, RelaydError> {
    let (address, deadline) = (terms.target.control, terms.config.deadline());
    if terms.known.is_silent(address).await {
        return Err(RelaydError::Silent { address });
    }
    let deadline = deadline.saturating_mul(2);
    tokio::time::timeout(deadline, connect(terms, progress))
        .await
        .unwrap_or(Err(RelaydError::TimedOut { address, deadline }))
}

async fn connect(terms: &Terms, progress: &RefCell<Progress>) -> Result<Pair, RelaydError> {
    let Terms { config, target, session, known, .. } = terms;
    let deadline = config.deadline();
    let open = |address| Socket::open(address, deadline, (target.control, known));
    // A consumer daemon records a snapshot in one piece, for which all its other work waits.
    let socket_timeout = if session.snapshot { Some(deadline) } else { config.socket_timeout };
    let (control, version, head, output_path) = loop {
        let mut control = open(target.control).await?;
        progress.borrow_mut().connected();
        let version = control.agree_on_version().await?;
        let Configuration { clear_allowed } = control.configuration(version).await?;
        let by = progress.borrow().announced_by(version);
        let id = match by {
            AnnouncedBy::Id(id) => id,
            AnnouncedBy::Expected => known.next(target.control).await.unwrap_or(session.id),
        };
        let announced = create_session(config, session, id);
        let (head, output_path) = control.create_session(version, announced).await?;
        let reply = progress.borrow_mut().replied(by, id, head.session_id, version, clear_allowed);
        match reply {
            Reply::Announced => break (control, version, head, output_path),
            Reply::Unexpected => known.correct(target.control, head.session_id),
        }
    };
    let data = open(target.data).await?;
    Ok(Pair {
        version,
        session_id: head.session_id,
        output_path,
        control: control.hand_over(socket_timeout)?,
        data: data.hand_over(socket_timeout)?,
    })
}

fn create_session(
    config: &RelaydConfig,
    session: &Announcement,
    session_id: SessionId,
) -> CreateSession {
    let Announcement { name, hostname, base_path, live_timer_us, snapshot, .. } = session.clone();
    CreateSession {
        name,
        hostname,
        base_path,
        live_timer_us,
        snapshot,
        name_contains_creation_time: session.name_contains_creation_time,
        sessiond_uuid: config.sessiond_uuid,
        session_id,
        created_at: session.created_at,
        current_chunk_id: None,
    }
}

struct Socket<'a> {
    stream: TcpStream,
    address: SocketAddr,
    deadline: Duration,
    /// Who is told when it is late: that the relay daemon of this control address is.
    late: (SocketAddr, &'a Known),
}

impl<'a> Socket<'a> {
    async fn open(
        address: SocketAddr,
        deadline: Duration,
        late: (SocketAddr, &'a Known),
    ) -> Result<Self, RelaydError> {
        let stream = tokio::time::timeout(deadline, outside::connect(address))
            .await
            .map_err(|_| {
                late.1.fell_silent(late.0, None);
                RelaydError::TimedOut { address, deadline }
            })?
            .map_err(|source| RelaydError::Unreachable { address, source })?;
        Ok(Self { stream, address, deadline, late })
    }

    fn broken(&self, source: io::Error) -> RelaydError {
        RelaydError::Broken { address: self.address, source }
    }

    async fn in_time<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut TcpStream) -> io::Result<T>,
    ) -> Result<T, RelaydError> {
        let (address, deadline) = (self.address, self.deadline);
        tokio::time::timeout(deadline, work(&mut self.stream))
            .await
            .map_err(|_| {
                let (relayd, known) = self.late;
                // It may answer, and close; nothing more is asked there. It fails when that is gone.
                let _ = shutdown(&self.stream, Shutdown::Write);
                known.fell_silent(relayd, self.stream.as_fd().try_clone_to_owned().ok());
                RelaydError::TimedOut { address, deadline }
            })?
            .map_err(|source| RelaydError::Broken { address, source })
    }

    /// Sends a command and reads `reply`.
    async fn exchange(
        &mut self,
        command: &Command,
        minor: u32,
        reply: &mut [u8],
    ) -> Result<(), RelaydError> {
        let bytes = command.encode(minor);
        self.in_time(async |stream| {
            stream.write_all(&bytes).await?;
            stream.read_exact(reply).await.map(drop)
        })
        .await
    }

    async fn agree_on_version(&mut self) -> Result<Version, RelaydError> {
        let mut reply = [0; VERSION_LEN];
        self.exchange(&Command::Version(OWN_VERSION), OWN_VERSION.minor, &mut reply).await?;
        let theirs = Version::decode(&reply).map_err(|error| {
            self.broken(io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
        })?;
        OWN_VERSION.common(theirs).ok_or(RelaydError::Version(theirs))
    }

    async fn configuration(&mut self, version: Version) -> Result<Configuration, RelaydError> {
        if !version.has_clear() {
            return Ok(Configuration { clear_allowed: false });
        }
        let mut reply = [0; CONFIGURATION_LEN];
        self.exchange(&Command::GetConfiguration, version.minor, &mut reply).await?;
        Configuration::decode(&reply).map_err(RelaydError::Configuration)
    }

    async fn create_session(
        &mut self,
        version: Version,
        session: CreateSession,
    ) -> Result<(SessionHead, String), RelaydError> {
        let command = Command::CreateSession(Box::new(session));
        let mut reply = [0; SESSION_HEAD_LEN_MAX];
        let reply = &mut reply[..SessionHead::len(version.minor)];
        self.exchange(&command, version.minor, reply).await?;
        let head = SessionHead::decode(reply, version.minor).map_err(RelaydError::Session)?;
        let mut path = vec![0; head.path_len];
        self.in_time(async |stream| stream.read_exact(&mut path).await.map(drop)).await?;
        let path = head.decode_path(&path).map_err(RelaydError::malformed_session)?;
        Ok((head, path))
    }

    /// The socket as a consumer daemon expects it: one that blocks.
    fn hand_over(self, timeout: Option<Duration>) -> Result<OwnedFd, RelaydError> {
        let address = self.address;
        let broken = |source| RelaydError::Broken { address, source };
        let stream = self.stream.into_std().map_err(broken)?;
        stream.set_nonblocking(false).map_err(broken)?;
        for direction in [Timeout::Recv, Timeout::Send] {
            set_socket_timeout(&stream, direction, timeout)
                .map_err(|error| broken(error.into()))?;
        }
        Ok(stream.into())
    }
}
