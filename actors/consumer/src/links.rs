//! The connections to the command socket: one that all share, and of our own consumer daemon one for
//! each session, so that what one session waits for does not hold up the others.

use std::{cell::RefCell, collections::HashMap, path::PathBuf, rc::Rc};

use lttngd_model::SessionId;
use lttngd_runtime::Peer;
use tokio::sync::OnceCell;

use crate::link::Link;

/// That of a session, once it is made: the shared one, if it cannot be.
type Own = Rc<OnceCell<Rc<Link>>>;

/// The connections.
pub(crate) struct Links {
    shared: Rc<Link>,
    /// Where more are made, if the consumer daemon takes more.
    socket: Option<PathBuf>,
    own: RefCell<HashMap<SessionId, Own>>,
}

impl Links {
    /// With `shared` alone, or with more at `socket`.
    pub(crate) fn new(shared: Link, socket: Option<PathBuf>) -> Self {
        Self { shared: Rc::new(shared), socket, own: RefCell::default() }
    }

    /// That of a session.
    pub(crate) async fn of(&self, session: SessionId) -> Rc<Link> {
        let Some(socket) = &self.socket else { return Rc::clone(&self.shared) };
        let own = Rc::clone(self.own.borrow_mut().entry(session).or_default());
        let connect = || async {
            match Peer::connect(socket).await.and_then(Link::new) {
                Ok(link) => Rc::new(link),
                Err(error) => {
                    tracing::warn!(%session, %error,
                        "a session shares its connection to the consumer daemon with others");
                    Rc::clone(&self.shared)
                }
            }
        };
        Rc::clone(own.get_or_init(connect).await)
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
