//! Starting a consumer daemon and shaking hands with it.

use std::{
    ffi::OsString,
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use lttngd_model::ConsumerKind;
use lttngd_runtime::{
    Descriptors, Peer, PeerError, check_is_own,
    outside::{ChildProcess, start},
    private_listener,
};
use lttngd_wire::consumer::{
    CONNECTIONS_OFFER, Message, PACKETS_OFFER, TAKES_CONNECTIONS, TELLS_PACKETS,
};
use thiserror::Error;
use tokio::{
    net::{UnixListener, UnixStream},
    process::Command,
};

use crate::{ConsumerError, link::Link};

/// What consumer daemons call their sockets for health checks, beside the one for commands.
const HEALTH: &str = "health";
/// First word of a healthy consumer on its error socket (`LTTCOMM_CONSUMERD_COMMAND_SOCK_READY`).
const COMMAND_SOCK_READY: i32 = 100;

/// How one consumer daemon is started.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// Which one it is.
    pub kind: ConsumerKind,
    /// Its binary; `None` refuses to start it.
    pub binary: Option<PathBuf>,
    /// Directory put first in its `LD_LIBRARY_PATH`.
    pub libdir: Option<PathBuf>,
    /// Its command socket, which it makes.
    pub command_socket: PathBuf,
    /// Its error socket, which we make.
    pub error_socket: PathBuf,
    /// Its `LTTNG_HOME`, below which a consumer that is not root's puts its health socket.
    pub home: Option<PathBuf>,
    /// Tracing group.
    pub group: String,
    /// Whether it logs its doings.
    pub verbose: bool,
    /// Whether it logs nothing.
    pub quiet: bool,
    /// The clock plugin of LTTng-UST (`LTTNG_UST_CLOCK_PLUGIN`), with which it stamps packets;
    /// `None` leaves it to the environment.
    pub clock_plugin: Option<PathBuf>,
    /// Who we are, told to it at the start.
    pub sessiond_uuid: [u8; 16],
    /// How long it may answer nothing of what it is asked before nobody waits for it any more.
    pub deadline: Duration,
    /// What connections and channels are counted in; channels that do not fit are refused.
    pub descriptors: Descriptors,
}

/// A consumer daemon after the handshake.
pub(crate) struct Process {
    pub(crate) child: ChildProcess,
    pub(crate) command: Link,
    /// Whether it takes more connections to its command socket.
    pub(crate) takes_more: bool,
    pub(crate) error: Peer,
    pub(crate) metadata: Peer,
    /// Read end of its monitor pipe. The consumer drops samples that do not fit.
    pub(crate) monitor: OwnedFd,
    /// Whether its samples tell packets.
    pub(crate) tells_packets: bool,
}

#[derive(Debug, Error)]
enum StartError {
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
    #[error("{0}: {1}")]
    Peer(&'static str, #[source] PeerError),
    #[error("it announced error {0} instead of being ready")]
    Announced(i32),
    #[error("{0}: {1}")]
    Command(&'static str, #[source] ConsumerError),
    #[error("it exited with {0}")]
    Exited(std::process::ExitStatus),
}

impl ConsumerConfig {
    /// The option that tells it what it is.
    fn kind_option(&self) -> &'static str {
        match self.kind {
            ConsumerKind::Ust(_) => "-u",
            ConsumerKind::Kernel => "-k",
        }
    }

    fn command(&self, binary: &PathBuf) -> Command {
        let mode = match (self.verbose, self.quiet) {
            (true, _) => "--verbose",
            (false, true) => "--quiet",
            (false, false) => "",
        };
        let mut command = Command::new(binary);
        command
            .arg0("lttng-consumerd")
            .args([mode, self.kind_option()])
            .arg("--consumerd-cmd-sock")
            .arg(&self.command_socket)
            .arg("--consumerd-err-sock")
            .arg(&self.error_socket)
            .args(["--group", &self.group])
            .env(CONNECTIONS_OFFER, "1")
            .env(PACKETS_OFFER, "1")
            .stdin(Stdio::null())
            // A signal for our terminal's foreground group must not end it before we have
            // taken our leave.
            .process_group(0);
        if let Some(plugin) = &self.clock_plugin {
            command.env("LTTNG_UST_CLOCK_PLUGIN", plugin);
        }
        if let Some(home) = &self.home {
            command.env("LTTNG_HOME", home);
        }
        if let Some(libdir) = &self.libdir {
            let mut path = OsString::from(libdir);
            if let Some(old) = std::env::var_os("LD_LIBRARY_PATH").filter(|old| !old.is_empty()) {
                path.push(":");
                path.push(old);
            }
            command.env("LD_LIBRARY_PATH", path);
        }
        command
    }

    /// Starts the process and shakes hands. The caller sets the deadline; an abandoned start kills
    /// the process.
    pub(crate) async fn start(&self) -> Result<Process, ConsumerError> {
        let Some(binary) = &self.binary else {
            return Err(ConsumerError::NotConfigured(self.kind));
        };
        self.handshake(binary).await.map_err(|error| ConsumerError::NotStarted {
            kind: self.kind,
            reason: format!("{}: {error}", binary.display()),
        })
    }

    async fn handshake(&self, binary: &PathBuf) -> Result<Process, StartError> {
        let listener = self.listen().map_err(|e| StartError::Io("its error socket", e))?;
        let mut child =
            start(self.command(binary)).map_err(|e| StartError::Io("it did not run", e))?;
        let accepted = tokio::select! {
            accepted = accept_own(&listener) => accepted,
            exited = child.wait() => {
                return Err(exited.map_or_else(|e| StartError::Io("its exit", e), StartError::Exited));
            }
        };
        let error = accepted
            .and_then(UnixStream::into_std)
            .and_then(|stream| Peer::new(stream.into()))
            .map_err(|e| StartError::Io("its error socket", e))?;
        let mut word = [0; 4];
        error.read_exact(&mut word).await.map_err(|e| StartError::Peer("its announcement", e))?;
        match i32::from_ne_bytes(word) {
            COMMAND_SOCK_READY => {}
            other => return Err(StartError::Announced(other)),
        }
        // The order of the two is what tells the consumer which is which.
        let connect = || async {
            connect_own(&self.command_socket)
                .await
                .map_err(|e| StartError::Io("its command socket", e))
        };
        let command = Link::new(connect().await?);
        let metadata = connect().await?;
        let init = Message::Init { sessiond_uuid: self.sessiond_uuid };
        let takes_more = match command.status(&init).await {
            Ok(()) => false,
            Err(ConsumerError::Refused(TAKES_CONNECTIONS)) => true,
            Err(error) => return Err(StartError::Command("INIT", error)),
        };
        let (monitor, samples) = rustix::pipe::pipe_with(
            rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK,
        )
        .map_err(|e| StartError::Io("a pipe", e.into()))?;
        let told = command.descriptor(&Message::SetChannelMonitorPipe, samples.as_fd()).await;
        let tells_packets = match told {
            Ok(()) => false,
            Err(ConsumerError::Refused(TELLS_PACKETS)) => true,
            Err(error) => return Err(StartError::Command("SET_CHANNEL_MONITOR_PIPE", error)),
        };
        Ok(Process { child, command, takes_more, error, metadata, monitor, tells_packets })
    }

    fn listen(&self) -> io::Result<UnixListener> {
        remove_stale(&self.error_socket)?;
        UnixListener::from_std(private_listener(&self.error_socket)?)
    }

    /// Removes the sockets of a consumer that is gone, and its own one for health checks, which it leaves when it is
    /// killed.
    pub(crate) fn remove_sockets(&self) {
        let health = self.command_socket.with_file_name(HEALTH);
        for path in [&self.error_socket, &self.command_socket, &health] {
            if let Err(error) = remove_stale(path) {
                tracing::warn!(path = ?path, %error, "a consumer's socket stays");
            }
        }
    }
}

/// Connects to a consumer daemon, which is one when it listens as our own user.
pub(crate) async fn connect_own(path: &Path) -> io::Result<Peer> {
    let peer = Peer::connect(path).await?;
    check_is_own(&peer)?;
    Ok(peer)
}

/// The next connection of our own user's. Others are closed.
async fn accept_own(listener: &UnixListener) -> io::Result<UnixStream> {
    loop {
        let (stream, _) = listener.accept().await?;
        match check_is_own(&stream) {
            Ok(()) => return Ok(stream),
            Err(error) => tracing::error!(%error, "somebody else wants to be the consumer daemon"),
        }
    }
}

fn remove_stale(path: &PathBuf) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
