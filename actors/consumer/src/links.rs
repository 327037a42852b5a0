//! The connections to the command socket: one that all share, and of our own consumer daemon one for
//! each session, so that what one session waits for does not hold up the others.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use lttngd_model::SessionId;
use lttngd_runtime::Descriptors;
use lttngd_wire::consumer::STATUS_LEN;
use tokio::sync::OnceCell;

use crate::{link::Link, process::connect_own};

/// How long the consumer daemon may take to greet a connection.
const GREETING_DEADLINE: Duration = Duration::from_secs(5);

/// Descriptors that a session needs: its connection and what ends it, and its trace chunk's directory.
const DESCRIPTORS_EACH: usize = 3;

/// That of a session, once it is made: the shared one, if it cannot be.
type Own = Rc<OnceCell<Rc<Link>>>;

/// The connections.
pub(crate) struct Links {
    shared: Rc<Link>,
    /// Where more are made, if the consumer daemon takes more.
    socket: Option<PathBuf>,
    own: RefCell<HashMap<SessionId, Own>>,
    /// What they are counted in.
    descriptors: Descriptors,
}

impl Links {
    /// With `shared` alone, or with more at `socket`.
    pub(crate) fn new(shared: Link, socket: Option<PathBuf>, descriptors: Descriptors) -> Self {
        Self { shared: Rc::new(shared), socket, own: RefCell::default(), descriptors }
    }

    /// Whether they are to our own consumer daemon.
    pub(crate) fn are_of_our_consumer(&self) -> bool {
        self.socket.is_some()
    }

    /// That of a session.
    pub(crate) async fn of(&self, session: SessionId) -> Rc<Link> {
        let Some(socket) = &self.socket else { return Rc::clone(&self.shared) };
        let own = Rc::clone(self.own.borrow_mut().entry(session).or_default());
        let make = || async {
            match connect(socket).await {
                Ok(link) => Rc::new(link.with_place(self.descriptors.control(DESCRIPTORS_EACH))),
                Err(error) => {
                    tracing::warn!(%session, %error,
                        "a session shares its connection to the consumer daemon with others");
                    Rc::clone(&self.shared)
                }
            }
        };
        Rc::clone(own.get_or_init(make).await)
    }

    /// The one that all share.
    pub(crate) fn shared(&self) -> Rc<Link> {
        Rc::clone(&self.shared)
    }

    /// Lets go of the one of a session that has ended. An exchange that is under way comes to its end.
    pub(crate) fn end(&self, session: SessionId) {
        self.own.borrow_mut().remove(&session);
    }

    /// Ends all. Exchanges under way fail.
    pub(crate) fn close(&self) {
        self.shared.close();
        for own in self.own.take().into_values() {
            if let Some(link) = own.get() {
                link.close();
            }
        }
    }
}

/// Makes a connection. It is one when it is greeted: a consumer daemon without descriptors closes it.
async fn connect(socket: &Path) -> io::Result<Link> {
    let peer = connect_own(socket).await?;
    let mut status = [0; STATUS_LEN];
    match tokio::time::timeout(GREETING_DEADLINE, peer.read_exact(&mut status)).await {
        Ok(Ok(())) if status == [0; STATUS_LEN] => Link::new(peer),
        Ok(Ok(())) => Err(io::ErrorKind::InvalidData.into()),
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
