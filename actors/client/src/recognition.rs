//! Which version of LTTng a client speaks.
//!
//! A request does not say it, and the numbers of commands differ from version to version: what lists the domains of a
//! session for one destroys it for another. So whoever asks is looked at: first which `liblttng-ctl` its process has
//! mapped; then what it asked before, and in which form it asks now; then what the administrator says of clients of
//! which nothing is known. What stays open after that is refused.
//!
//! A process is looked at once, as long as it runs the same program. That is done in threads of their own, a few for
//! each user, since it waits for the file system that the client's library is in.

mod known;
mod library;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    os::fd::AsFd,
    rc::Rc,
    thread,
    time::Duration,
};

use lttngd_runtime::{Glance, Peer, PeerProcess, complaint};
use lttngd_wire::client::{Asked, Dialect, Dialects};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout},
};

pub(crate) use known::Proof;
use known::{Evidence, Known};
use library::{Found, LookError};

/// Most clients of one user that are looked at at a time.
const LOOKS_MAX: usize = 8;
/// Longest wait for that: what is not known by then is refused, on a machine that is only slow as well.
const LOOK_DEADLINE: Duration = Duration::from_secs(10);

/// What is known of clients in one place where they are served.
#[derive(Default)]
pub(crate) struct Recognition {
    known: Rc<RefCell<Known>>,
    /// What clients are of which nothing is known.
    unknown: Option<Dialect>,
    /// By user.
    looks: RefCell<HashMap<u32, Rc<Looks>>>,
    /// Who is to know what is learnt here.
    tell: Option<Tell>,
    #[cfg(test)]
    everyone: Option<Dialect>,
}

/// Tells what was learnt.
type Tell = Box<dyn Fn(Proof)>;

/// Clients of a user that are being looked at.
#[derive(Default)]
struct Looks {
    count: Cell<usize>,
    /// One is done.
    room: Notify,
}

/// The right to look at one more.
struct Look(Rc<Looks>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        self.0.room.notify_one();
    }
}

impl Looks {
    async fn one_more(self: Rc<Self>) -> Look {
        while self.count.get() >= LOOKS_MAX {
            self.room.notified().await;
        }
        self.count.set(self.count.get() + 1);
        Look(self)
    }
}

impl Recognition {
    /// Clients of which nothing is known are of this version, if the administrator says so.
    pub(crate) fn new(unknown: Option<Dialect>) -> Self {
        Self { unknown, ..Self::default() }
    }

    /// `tell` is told what is learnt here.
    pub(crate) fn telling(self, tell: impl Fn(Proof) + 'static) -> Self {
        Self { tell: Some(Box::new(tell)), ..self }
    }

    /// Takes everybody for this version.
    #[cfg(test)]
    pub(crate) fn of_everyone(dialect: Dialect) -> Self {
        Self { everyone: Some(dialect), ..Self::default() }
    }

    /// What is meant by a client whose process was looked at before; `None` when it has to be looked at.
    pub(crate) fn at_once(&self, peer: &Peer, asked: &Asked) -> Option<Dialect> {
        #[cfg(test)]
        if self.everyone.is_some() {
            return self.everyone;
        }
        let pid = peer.credentials().ok()?.pid;
        let is_known = |process: &PeerProcess| self.known.borrow().of(*process).is_some();
        if let Some(process) = PeerProcess::of(peer, pid).filter(is_known) {
            return self.meant_by(process, asked);
        }
        // Who does not wait for the answer, as `lttng destroy --no-wait`, is not there any more.
        let last = self.known.borrow().last(pid)?;
        last.has_ended_behind(peer).then(|| self.meant_by(last, asked)).flatten()
    }

    /// A client asks for the list of sessions as those of 2.13 alone do, which is answered without a look. Once for each, that is
    /// remembered of it: it may not be there any more to be looked at when it asks for something else.
    pub(crate) fn lists(&self, socket: &impl AsFd, pid: u32, request: &[u8]) {
        if self.known.borrow().was_there(pid, Instant::now()) {
            return;
        }
        let (process, asked) = (PeerProcess::of(socket, pid), Asked::decode(request));
        if let Some((process, asked)) = process.zip(asked.ok()) {
            let evidence = self.known.borrow().of(process).unwrap_or(Evidence::NONE);
            self.learn((process, evidence.after(&asked)));
        }
    }

    /// The same for a client whose whole request was there when it was accepted: who has its process id is who connected.
    /// (In the place of one who connected and ended another one might come who gets his process id, but not be seen before.)
    pub(crate) fn at_a_glance(&self, peer: &Peer, asked: &Asked) -> Option<Dialect> {
        #[cfg(test)]
        if self.everyone.is_some() {
            return self.everyone;
        }
        let pid = peer.credentials().ok()?.pid;
        let glance = Glance::at(pid)?;
        let seen = self.known.borrow().seen(glance);
        let process = match seen {
            Some(process) => process,
            None => {
                let process = PeerProcess::of(peer, pid)?;
                let is_known = self.known.borrow().of(process).is_some();
                if is_known && glance.is_of(process, peer) {
                    self.known.borrow_mut().see(glance, process);
                }
                process
            }
        };
        self.meant_by(process, asked)
    }

    fn meant_by(&self, process: PeerProcess, asked: &Asked) -> Option<Dialect> {
        let evidence = self.known.borrow().of(process)?;
        let dialect = evidence.decide(asked, self.unknown).ok()?;
        self.learn((process, evidence.after(asked)));
        Some(dialect)
    }

    /// What any client means, after a look at it.
    ///
    /// # Errors
    /// When that stays open, which is told.
    pub(crate) async fn after_a_look(
        &self,
        peer: &Peer,
        asked: &Asked,
    ) -> Result<Dialect, Unrecognized> {
        let credentials = peer.credentials()?;
        let process = PeerProcess::of(peer, credentials.pid);
        let known = process.and_then(|process| self.known.borrow().of(process));
        let known = known.unwrap_or(Evidence::NONE);
        let found = self.look(credentials.pid, credentials.uid).await;
        let found = match process {
            Some(process) if !process.is_still(peer) => Err(LookError::Gone),
            _ => found,
        };
        if let Ok(found) = &found {
            self.known.borrow_mut().learn_libraries(found);
        }
        let evidence =
            known.with_library(found.as_ref().map_or(Dialects::NONE, |found| found.dialects));
        let decided = evidence.decide(asked, self.unknown);
        if let Some(process) = process {
            self.learn((process, evidence.after(asked)));
        }
        decided.map_err(|possible| {
            if let Some(left_out) = complaint("client of an unknown version", credentials.uid) {
                let (pid, uid, command) = (credentials.pid, credentials.uid, asked.command());
                let reason = found.map_or_else(
                    |error| error.to_string(),
                    |found| format!("it has liblttng-ctl of {}", found.dialects),
                );
                tracing::warn!(
                    pid,
                    uid,
                    command,
                    %possible,
                    reason,
                    left_out,
                    "a client is refused: nothing tells for sure which version of LTTng it speaks; let the daemon read \
                     the client's liblttng-ctl, or say by --unknown-client-version what such clients are"
                );
            }
            Unrecognized::Open
        })
    }

    async fn look(&self, pid: u32, uid: u32) -> Result<Found, LookError> {
        if pid == 0 {
            return Err(LookError::Unseen);
        }
        let looks = Rc::clone(self.looks.borrow_mut().entry(uid).or_default());
        let look = timeout(LOOK_DEADLINE, looks.one_more()).await.map_err(|_| LookError::Late)?;
        let libraries = self.known.borrow().libraries();
        let (found, mut finding) = oneshot::channel();
        thread::Builder::new().name("lttngd-look".to_owned()).spawn(move || {
            // Nobody waits for what comes too late.
            let _ = found.send(library::look(pid, &libraries));
        })?;
        let found = match timeout(LOOK_DEADLINE, &mut finding).await {
            Ok(found) => found.unwrap_or_else(|_| Err(io::Error::other("it failed").into())),
            Err(_) => {
                // It has its place as long as it stands still, and the next client what it finds then.
                let known = Rc::clone(&self.known);
                tokio::task::spawn_local(async move {
                    if let Ok(Ok(found)) = finding.await {
                        known.borrow_mut().learn_libraries(&found);
                    }
                    drop(look);
                });
                return Err(LookError::Late);
            }
        };
        drop(look);
        self.looks.borrow_mut().retain(|_, looks| looks.count.get() > 0);
        found
    }

    fn learn(&self, proof: Proof) {
        if !self.known.borrow_mut().learn(proof) {
            return;
        }
        if let Some(tell) = &self.tell {
            tell(proof);
        }
    }

    /// Something was learnt in another place.
    pub(crate) fn hear(&self, proof: Proof) {
        self.known.borrow_mut().learn(proof);
    }
}

/// Why a client is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unrecognized {
    /// What it means is open.
    #[error("nothing tells for sure which version of LTTng it speaks")]
    Open,
    /// It is not even known who it is.
    #[error(transparent)]
    Io(#[from] io::Error),
}
