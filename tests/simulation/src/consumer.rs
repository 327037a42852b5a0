//! A consumer daemon: its lives one after the other, and its connections.

mod exchange;
mod holding;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use lttngd_model::SessionId;
use lttngd_runtime::{
    Peer, PeerError,
    outside::{Played, Player, play},
};
use lttngd_wire::consumer::{ConsumerError, MESSAGE_LEN, Message, encode_status};
use tokio::{
    net::UnixListener,
    task::{JoinSet, spawn_local},
};

use crate::world::{Ended, Part};
pub(crate) use holding::Holding;

/// How long one stands still that does, at most: more than the daemon waits.
const STILL_MAX: Duration = Duration::from_secs(150);
/// How long it is between two questions for metadata, at most.
const ASK_MAX: Duration = Duration::from_secs(2);

/// The consumer daemon, whenever it is started.
pub(crate) struct PlayedConsumer {
    command: PathBuf,
    error: PathBuf,
    part: Part,
    lives: Cell<u32>,
    /// What the one that lives has.
    holding: RefCell<Rc<Holding>>,
    /// Of all lives.
    known: Rc<RefCell<Known>>,
}

/// What is known of all lives together.
pub(crate) struct Known {
    /// Keys that channels had.
    pub(crate) keys: BTreeSet<u64>,
    /// Sessions and the ids of their trace chunks.
    pub(crate) chunks: BTreeSet<(SessionId, u64)>,
    /// Sessions that have ended.
    pub(crate) ended: Ended,
    /// Sessions of which something was refused or failed: they need not be as they were wished to be.
    pub(crate) harmed: BTreeSet<SessionId>,
}

impl PlayedConsumer {
    pub(crate) fn new(directory: &Path, part: Part, ended: Ended) -> Rc<Self> {
        let known = Known {
            keys: BTreeSet::new(),
            chunks: BTreeSet::new(),
            ended,
            harmed: BTreeSet::new(),
        };
        let known = Rc::new(RefCell::new(known));
        Rc::new(Self {
            command: directory.join("command"),
            error: directory.join("error"),
            holding: RefCell::new(Holding::new(part.story.clone(), Rc::clone(&known))),
            part,
            lives: Cell::default(),
            known,
        })
    }

    /// What the one that lives, or lived last, has.
    pub(crate) fn holding(&self) -> Rc<Holding> {
        Rc::clone(&self.holding.borrow())
    }

    /// Whether something of a session was refused or failed.
    pub(crate) fn has_harmed(&self, session: SessionId) -> bool {
        self.known.borrow().harmed.contains(&session)
    }

    pub(crate) fn start(self: &Rc<Self>, _: &Path) -> io::Result<Played> {
        if self.part.fails(15) {
            self.part.story.tell("consumer", "cannot be executed");
            return Err(io::ErrorKind::NotFound.into());
        }
        self.lives.set(self.lives.get() + 1);
        let (played, player) = play(1000 + self.lives.get());
        let consumer = Rc::clone(self);
        spawn_local(async move { consumer.live(player).await });
        Ok(played)
    }

    async fn live(self: Rc<Self>, mut player: Player) {
        let holding = Holding::new(self.part.story.clone(), Rc::clone(&self.known));
        *self.holding.borrow_mut() = Rc::clone(&holding);
        self.part.story.tell("consumer", format_args!("is started, life {}", self.lives.get()));
        let killed = tokio::select! {
            biased;
            () = player.killed() => true,
            served = self.serve(&holding) => {
                drop(served);
                false
            }
        };
        holding.dies();
        self.part.story.tell("consumer", if killed { "is killed" } else { "ends" });
        self.part.pause().await;
        player.exit(u8::from(!killed));
    }

    /// Until it dies, of its own accord or since the first connection was closed.
    async fn serve(&self, holding: &Rc<Holding>) -> Result<(), PeerError> {
        self.part.pause().await;
        if self.part.fails(15) {
            self.part.story.tell("consumer", "does not start");
            return Ok(());
        }
        // What one that is gone left is replaced.
        let _ = std::fs::remove_file(&self.command);
        let listener = UnixListener::bind(&self.command)?;
        let error = Peer::connect(&self.error).await?;
        let word = match self.part.fails(15) {
            true => ConsumerError::FATAL,
            false => ConsumerError::COMMAND_SOCK_READY,
        };
        error.write_all(&word.0.to_ne_bytes()).await?;
        let accept = async || -> Result<Peer, PeerError> {
            let (stream, _) = listener.accept().await?;
            Ok(Peer::new(stream.into_std()?.into())?)
        };
        let (command, metadata) = (accept().await?, accept().await?);
        let mut parts = JoinSet::new();
        let (mut first, asks) = (
            Box::pin(connection(self.part.clone(), Rc::clone(holding), command)),
            asks(self.part.clone(), Rc::clone(holding), metadata),
        );
        parts.spawn_local(asks);
        loop {
            tokio::select! {
                biased;
                served = &mut first => return served,
                Some(ended) = parts.join_next() => {
                    // One of them says that all of it dies.
                    if let Ok(Err(PeerError::Unsolicited)) = ended {
                        return Ok(());
                    }
                }
                accepted = accept() => {
                    let peer = accepted?;
                    self.part.pause().await;
                    if self.part.fails(40) {
                        self.part.story.tell("consumer", "takes no more connections");
                        continue;
                    }
                    peer.write_all(&encode_status(0)).await?;
                    parts.spawn_local(connection(self.part.clone(), Rc::clone(holding), peer));
                }
            }
        }
    }
}

/// One connection for commands, to its end. [`PeerError::Unsolicited`] when the consumer daemon dies at one.
async fn connection(part: Part, holding: Rc<Holding>, peer: Peer) -> Result<(), PeerError> {
    let mut bytes = vec![0; MESSAGE_LEN];
    while peer.read_exact_or_end(&mut bytes).await? {
        let message = Message::decode(&bytes).unwrap();
        part.story.tell("consumer", format_args!("is told {}", exchange::shown(&message)));
        part.pause().await;
        if part.fails(400) {
            part.story.tell("consumer", "stands still");
            tokio::time::sleep(part.chance.time(Duration::ZERO..STILL_MAX)).await;
        }
        if part.fails(500) {
            part.story.tell("consumer", "dies");
            return Err(PeerError::Unsolicited);
        }
        if part.fails(600) {
            part.story.tell("consumer", "answers something wrong");
            peer.write_all(&[0x7f; 64]).await?;
            continue;
        }
        let may_refuse = !matches!(message, Message::Init { .. } | Message::SetChannelMonitorPipe);
        if may_refuse && part.fails(60) {
            part.story.tell("consumer", "refuses");
            holding.refused(&message);
            exchange::refuse(&peer, &message).await?;
            // It lets go all the same: what it kept would be its own fault.
            holding.let_go_of(&message);
            continue;
        }
        exchange::answer(&part, &holding, &peer, &message).await?;
    }
    Ok(())
}

/// Asks for metadata now and then, as the consumer daemon's own threads do.
async fn asks(part: Part, holding: Rc<Holding>, peer: Peer) -> Result<(), PeerError> {
    loop {
        tokio::time::sleep(part.chance.time(Duration::ZERO..ASK_MAX)).await;
        if peer.has_closed() {
            return Ok(());
        }
        if let Some(request) = holding.metadata_to_ask_for(&part.chance) {
            exchange::ask(&part, &holding, &peer, request).await?;
        }
    }
}
