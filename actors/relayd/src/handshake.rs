//! Setting the sockets of a connection up.

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    time::Duration,
};

use lttngd_model::{AddressFamily, NetworkUri, SessionId};
use lttngd_wire::relay::{
    CONFIGURATION_LEN, Command, Configuration, CreateSession, OWN_VERSION, SESSION_HEAD_LEN_MAX,
    SessionHead, VERSION_LEN, Version,
};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    Announcement, RelaydError,
    connection::Terms,
    progress::{AnnouncedBy, Progress, Reply},
    receivers::Pair,
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

/// Connects and announces a session: what one consumer daemon is given.
pub(crate) async fn connect(
    terms: &Terms,
    progress: &RefCell<Progress>,
) -> Result<Pair, RelaydError> {
    let Terms { config, target, session, .. } = terms;
    let deadline = config.deadline();
    // A consumer daemon records a snapshot in one piece, for which all its other work waits.
    let socket_timeout = if session.snapshot { Some(deadline) } else { config.socket_timeout };
    let (control, version, head, output_path) = loop {
        let mut control = Socket::open(target.control, deadline).await?;
        progress.borrow_mut().connected();
        let version = control.agree_on_version().await?;
        let Configuration { clear_allowed } = control.configuration(version).await?;
        let by = progress.borrow().announced_by(version);
        let id = match by {
            AnnouncedBy::Id(id) => id,
            AnnouncedBy::Expected => terms.ids.next(target.control).await.unwrap_or(session.id),
        };
        let announced = create_session(config, session, id);
        let (head, output_path) = control.create_session(version, announced).await?;
        let reply = progress.borrow_mut().replied(by, id, head.session_id, version, clear_allowed);
        match reply {
            Reply::Announced => break (control, version, head, output_path),
            Reply::Unexpected => terms.ids.correct(target.control, head.session_id),
        }
    };
    let data = Socket::open(target.data, deadline).await?;
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

struct Socket {
    stream: TcpStream,
    address: SocketAddr,
    deadline: Duration,
}

impl Socket {
    async fn open(address: SocketAddr, deadline: Duration) -> Result<Self, RelaydError> {
        let stream = tokio::time::timeout(deadline, TcpStream::connect(address))
            .await
            .map_err(|_| RelaydError::TimedOut { address, deadline })?
            .map_err(|source| RelaydError::Unreachable { address, source })?;
        let connection = Self { stream, address, deadline };
        // The consumer writes heads and bodies apart: without this each body would wait for the
        // acknowledgement of its head, which comes late.
        connection.stream.set_nodelay(true).map_err(|source| connection.broken(source))?;
        Ok(connection)
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
            .map_err(|_| RelaydError::TimedOut { address, deadline })?
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
