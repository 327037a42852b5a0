//! Setting a connection up.

use std::{
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

use crate::{ExpectedSessionIds, NetIndexes, RelaydError};

/// How long each step may take unless something else is configured.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// How often a session is announced by the id that the relay daemon is expected to give it. More than
/// one is wrong only where others announce sessions to the same relay daemon at the same moment.
const EXPECTATIONS_MAX: usize = 4;

/// What every connection is made with.
#[derive(Clone, Debug)]
pub struct RelaydConfig {
    /// This session daemon, never all zeros.
    pub sessiond_uuid: [u8; 16],
    /// How long each step, and later each read and write of the consumer daemon, may take; `None` for
    /// [`DEFAULT_DEADLINE`], and no limit for a consumer daemon that streams.
    pub socket_timeout: Option<Duration>,
    /// Numbers of connections.
    pub indexes: NetIndexes,
    /// Numbers that relay daemons give to sessions.
    pub session_ids: ExpectedSessionIds,
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

/// A relay daemon that was told of a session, ready for a consumer daemon.
#[derive(Debug)]
pub struct Relayd {
    /// The version that is spoken.
    pub version: Version,
    /// Whether it allows clearing.
    pub clear_allowed: bool,
    /// The session in the relay daemon.
    pub session_id: u64,
    /// The session's id by which it was announced.
    pub announced_id: SessionId,
    /// Where it writes the session, below its own output directory; empty before 2.11.
    pub output_path: String,
    /// The control connection.
    pub control: OwnedFd,
    /// The data connection.
    pub data: OwnedFd,
}

impl Relayd {
    /// Connects and announces a session. All connections of one session announce it by the same id:
    /// `id` is what an earlier one announced.
    ///
    /// # Errors
    /// [`RelaydError`].
    pub async fn connect(
        config: &RelaydConfig,
        target: RelaydTarget,
        session: CreateSession,
        id: Option<SessionId>,
    ) -> Result<Self, RelaydError> {
        let deadline = config.deadline();
        // A consumer daemon records a snapshot in one piece, for which all its other work waits.
        let socket_timeout = if session.snapshot { Some(deadline) } else { config.socket_timeout };
        // Nobody asks for the chunk of a snapshot, and there are as many sessions as snapshots.
        let mut expectations = if id.is_some() || session.snapshot { 0 } else { EXPECTATIONS_MAX };
        let mut announced = session;
        announced.session_id = id.unwrap_or(announced.session_id);
        let fallback = announced.session_id;
        let (control, version, configuration, head, output_path) = loop {
            let mut control = Connection::open(target.control, deadline).await?;
            let version = control.agree_on_version().await?;
            let configuration = control.configuration(version).await?;
            let expects = expectations > 0 && version.has_trace_chunks();
            announced.session_id =
                if expects { config.session_ids.next(target.control) } else { fallback };
            let (head, output_path) = control.create_session(version, announced.clone()).await?;
            if !expects || head.session_id == announced.session_id.0 {
                break (control, version, configuration, head, output_path);
            }
            config.session_ids.correct(target.control, head.session_id);
            expectations -= 1;
        };
        let data = Connection::open(target.data, deadline).await?;
        Ok(Self {
            version,
            clear_allowed: configuration.clear_allowed,
            session_id: head.session_id,
            announced_id: announced.session_id,
            output_path,
            control: control.hand_over(socket_timeout)?,
            data: data.hand_over(socket_timeout)?,
        })
    }
}

struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    deadline: Duration,
}

impl Connection {
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
