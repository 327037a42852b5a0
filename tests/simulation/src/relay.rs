//! Relay daemons, as far as session daemons talk to them.

use std::{
    cell::Cell,
    io::{self, ErrorKind},
    net::SocketAddr,
    os::{fd::OwnedFd, unix::net::UnixStream},
    rc::Rc,
    time::Duration,
};

use lttngd_model::RelaySessionId;
use lttngd_runtime::{Peer, PeerError, outside::Connecting};
use lttngd_wire::relay::{Command, Configuration, HEADER_LEN, Header, SessionHead, Version};

use crate::world::Part;

/// Where their control connections end; the port after it is that of data.
pub(crate) const CONTROL_PORT: u16 = 5342;
/// Their version.
const VERSION: Version = Version { major: 2, minor: 13 };
/// How long one stands still that does, at most.
const STILL_MAX: Duration = Duration::from_secs(120);

/// All relay daemons there are, at as many addresses as there can be.
pub(crate) struct PlayedRelays {
    part: Part,
    sessions: Rc<Cell<u64>>,
    /// Connections that are not closed.
    open: Rc<Cell<usize>>,
}

impl PlayedRelays {
    pub(crate) fn new(part: Part) -> Self {
        Self { part, sessions: Rc::default(), open: Rc::default() }
    }

    /// How many connections are not closed by the other side.
    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    pub(crate) fn connect(&self, address: SocketAddr) -> Connecting {
        let (part, sessions) = (self.part.clone(), Rc::clone(&self.sessions));
        let open = Rc::clone(&self.open);
        Box::pin(async move {
            part.pause().await;
            if part.fails(20) {
                part.story.tell("relay", format_args!("{address} refuses a connection"));
                return Err(ErrorKind::ConnectionRefused.into());
            }
            if part.fails(40) {
                part.story.tell("relay", format_args!("{address} cannot be reached for a while"));
                tokio::time::sleep(part.chance.time(Duration::ZERO..STILL_MAX)).await;
                return Err(ErrorKind::HostUnreachable.into());
            }
            part.story.tell("relay", format_args!("{address} is connected"));
            let (ours, theirs) = UnixStream::pair()?;
            let relay = Relay { part, sessions, peer: Peer::new(ours.into())? };
            open.set(open.get() + 1);
            tokio::task::spawn_local(async move {
                // Whatever fails, the connection is at its end.
                let _ = relay.serve(address.port() == CONTROL_PORT).await;
                open.set(open.get() - 1);
            });
            Ok(OwnedFd::from(theirs)) as io::Result<OwnedFd>
        })
    }
}

/// One connection.
struct Relay {
    part: Part,
    sessions: Rc<Cell<u64>>,
    peer: Peer,
}

impl Relay {
    async fn serve(self, is_control: bool) -> Result<(), PeerError> {
        if !is_control {
            return self.peer.closed().await;
        }
        loop {
            let mut head = [0; HEADER_LEN];
            if !self.peer.read_exact_or_end(&mut head).await? {
                return Ok(());
            }
            let header = Header::decode(&head).unwrap();
            let mut payload = vec![0; usize::try_from(header.data_size).unwrap()];
            self.peer.read_exact(&mut payload).await?;
            let command =
                Command::decode(header.command, &payload, VERSION.minor).unwrap().unwrap();
            self.part.pause().await;
            if self.part.fails(30) {
                self.part.story.tell("relay", "stands still");
                let still = self.part.chance.time(Duration::ZERO..STILL_MAX);
                tokio::time::sleep(still).await;
            }
            if self.part.fails(30) {
                self.part.story.tell("relay", "closes in the middle of an exchange");
                return Ok(());
            }
            if self.part.fails(30) {
                self.part.story.tell("relay", "answers something wrong");
                return self.peer.write_all(&[0xa5; 4096]).await;
            }
            self.peer.write_all(&self.answer(&command)).await?;
        }
    }

    fn answer(&self, command: &Command) -> Vec<u8> {
        match command {
            Command::Version(_) => VERSION.encode(),
            Command::GetConfiguration => Configuration { clear_allowed: true }.encode(),
            Command::CreateSession(_) => {
                self.sessions.set(self.sessions.get() + 1);
                SessionHead::encode(RelaySessionId(self.sessions.get()), "h/s", VERSION.minor)
            }
        }
    }
}
