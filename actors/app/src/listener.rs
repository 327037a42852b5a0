//! The socket on which applications register: each connection says what it is, two of one process
//! make an application.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt, io,
    num::NonZero,
    ops::RangeInclusive,
    os::fd::OwnedFd,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actix::Actor;
use lttngd_clock::now;
use lttngd_model::Bitness;
use lttngd_runtime::{
    Descriptors, Held, NoDescriptors, Outlet, Peer, PeerCredentials, PeerError, Purpose,
    REQUEST_COST, Sparing, complaint, peer_credentials, turn,
};
use lttngd_users::{Lease, NOBODY, count_refusal};
use lttngd_wire::ust::{
    Abi,
    registration::{Alignments, REGISTRATION_LEN, Registration, RegistrationError, SocketKind},
};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{
    App, AppAttended, AppId, AppInfo, AppRegistered, AppUnregistered, Owing,
    actor::Outlets,
    error::Broken,
    link::Link,
    permits::{Permit, Permits, REGISTRATIONS_EACH_MAX, UserShares},
    socket::CommandSocket,
};

/// Longest time from a connection to its registration message, and from an application's first
/// connection to its second.
pub const REGISTRATION_DEADLINE: Duration = Duration::from_secs(5);

/// What is counted as refused where there are no descriptors left.
const REFUSED_DESCRIPTORS: &str = "descriptors of applications";

/// What the daemon does with applications.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// How long an application may go without an answer before those who wait for it give up;
    /// `None` for ever.
    pub deadline: Option<Duration>,
    /// Word sizes for which there is a consumer daemon.
    pub bitnesses: Vec<Bitness>,
    /// What connections are counted in; those that do not fit are refused.
    pub descriptors: Descriptors,
    /// Is told of new applications.
    pub registered: Outlet<AppRegistered>,
    /// Is told of their end.
    pub unregistered: Outlet<AppUnregistered>,
    /// Is told of those that are set aside, and that they answer again.
    pub attended: Outlet<AppAttended>,
}

/// Why a connection did not become an application.
#[derive(Debug, Error)]
enum Rejected {
    #[error("no registration message within {} s", REGISTRATION_DEADLINE.as_secs())]
    Silent,
    #[error("it connected once and not a second time")]
    Alone,
    #[error(transparent)]
    Descriptors(#[from] NoDescriptors),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error(transparent)]
    Malformed(#[from] RegistrationError),
    #[error("ABI version {0} is not supported at this socket")]
    Abi(u32),
    #[error(
        "alignments {0:?} are not those of this machine's applications: nobody could read its trace"
    )]
    Alignments(Alignments),
    #[error("its process id cannot be seen from here (another pid namespace)")]
    NoPid,
    #[error(
        "{0}-bit applications need a consumer daemon of their size; name it with --consumerd{0}-path"
    )]
    WordSize(u32),
    #[error(
        "process {0} has {REGISTRATIONS_EACH_MAX} registrations already; more of it are refused, and not told"
    )]
    TooMany(u32),
    #[error("both its connections are of the same kind")]
    SameKind,
    #[error("its version is not known: {0}")]
    Version(Broken),
    #[error("it refused to tell its version: {0}")]
    VersionRefused(lttngd_wire::ust::command::UstError),
}

/// One connection of an application.
struct Half {
    peer: Peer,
    registration: Registration,
    abi: Abi,
    uid: u32,
    gid: u32,
    permit: Permit,
}

/// A first connection, and who waits for the second.
struct First {
    half: Rc<Half>,
    /// What the second takes when it comes: else, where few are left, all that come at once would have one half each.
    kept: Option<Held>,
    second: oneshot::Sender<Half>,
}

/// What a first connection waits for: the second one, unless it is replaced.
type Second = oneshot::Receiver<Half>;

/// The places of a connection: in the budget of descriptors, and in the shares of its user and of its process, as long
/// as it is there; and `begun` until it is an application.
struct Places {
    held: Held,
    permit: Permit,
    begun: Lease,
}

/// A connection that is admitted.
enum Begun {
    /// It has not said yet who it is.
    Silent(Peer, PeerCredentials, Permit),
    /// It is one of this process.
    Registered(u32, Half),
}

/// A connection that becomes no application.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Vain {
    /// Nothing was made for it.
    TurnedAway,
    /// It was watched for what it says.
    Watched,
}

/// What a listener has in common with others, each of which has the applications of some processes.
pub(crate) struct Part {
    /// The number of the next application of any.
    pub(crate) ids: Arc<AtomicU64>,
    /// How many listeners there are. What users may have is parted among them.
    pub(crate) of: NonZero<u64>,
    /// Is told of connections that become no application.
    pub(crate) vain: Box<dyn Fn(Vain)>,
}

/// Makes applications of connections.
pub(crate) struct Listener {
    settings: AppSettings,
    outlets: Rc<Outlets>,
    permits: Rc<Permits>,
    shares: UserShares,
    part: Part,
    /// First connections that wait for the second of their process.
    halves: RefCell<HashMap<u32, First>>,
    refusals: RefCell<Sparing>,
}

impl Listener {
    /// Each process may have so many connections here.
    pub(crate) fn new(settings: AppSettings, connections_each_max: usize, part: Part) -> Rc<Self> {
        let outlets = Outlets {
            registered: settings.registered.clone(),
            unregistered: settings.unregistered.clone(),
            attended: settings.attended.clone(),
        };
        Rc::new(Self {
            shares: UserShares::new(settings.descriptors.clone(), part.of),
            settings,
            outlets: Rc::new(outlets),
            permits: Rc::new(Permits::new(connections_each_max)),
            part,
            halves: RefCell::default(),
            refusals: RefCell::new(Sparing::for_refusals()),
        })
    }

    /// Gives a connection its places, or says with what it is turned away: what is news of it is logged.
    fn place(&self, credentials: PeerCredentials, taken: Option<Held>) -> Option<Places> {
        let PeerCredentials { pid, uid, .. } = credentials;
        let refuse = |news: Option<(u64, &dyn fmt::Display)>| {
            if let Some((count, error)) = news {
                tracing::warn!(pid, uid, %error, count, "an application is refused");
            }
            // One of which one connection is here already does not get far with it.
            self.halves.borrow_mut().remove(&pid);
        };
        let held = match self.held(pid, taken) {
            Ok(held) => held,
            Err(error) => {
                count_refusal(uid, REFUSED_DESCRIPTORS);
                let left_out = self.refusals.borrow_mut().line(Instant::now());
                refuse(left_out.map(|left_out| (left_out, &error as &dyn fmt::Display)));
                return None;
            }
        };
        let share = self.shares.connection(uid);
        let (connection, begun) = share
            .and_then(|connection| Ok((connection, self.shares.begun(uid)?)))
            .map_err(|error| refuse(error.is_news.map(|times| (times, &error as _))))
            .ok()?;
        match self.permits.take(credentials, connection) {
            Ok(permit) => Some(Places { held, permit, begun }),
            Err(full) => {
                if full.is_news {
                    self.complain(uid, &Rejected::TooMany(pid));
                }
                None
            }
        }
    }

    /// The descriptor of one more connection of a process: that which is kept for its second one, where that is what it
    /// is, else the one that was `taken` for it.
    fn held(&self, pid: u32, taken: Option<Held>) -> Result<Held, NoDescriptors> {
        let mut halves = self.halves.borrow_mut();
        let kept = halves.get_mut(&pid).and_then(|first| first.kept.take());
        match kept.or(taken) {
            Some(held) => Ok(held),
            None => self.settings.descriptors.take(Purpose::Registrations, 1),
        }
    }

    /// Serves a connection beside the others, or at once what has come already: most have said who they are by
    /// then, and the second one of a process is nothing but that. Whoever is refused goes on untraced, and tries again
    /// after some seconds; that costs little, before the socket is watched.
    ///
    /// Its descriptor may have been `taken` already.
    ///
    /// # Errors
    /// When it cannot be watched.
    pub(crate) fn admit(
        self: &Rc<Self>,
        socket: OwnedFd,
        abis: &RangeInclusive<Abi>,
        taken: Option<Held>,
    ) -> io::Result<()> {
        let credentials = match peer_credentials(&socket) {
            Ok(credentials) => credentials,
            Err(error) => {
                self.reject(NOBODY, &PeerError::from(error).into());
                return Ok(());
            }
        };
        let Some(Places { held, permit, begun: open }) = self.place(credentials, taken) else {
            (self.part.vain)(Vain::TurnedAway);
            Peer::brief(socket).turn_away();
            return Ok(());
        };
        // Neither of its sockets brings descriptors.
        let peer = Peer::accepted(socket)?.reading_ahead().with_place(held);
        let (listener, uid) = (Rc::clone(self), credentials.uid);
        match self.begin(peer, credentials, permit, abis) {
            Ok(Begun::Silent(peer, credentials, permit)) => {
                let abis = abis.clone();
                let registered = async move {
                    let registration = listener.registration(peer, credentials, permit, &abis);
                    let Some((pid, half)) = registration.await? else { return Ok(()) };
                    match listener.pair(pid, half)? {
                        Some((half, waiting)) => listener.paired(pid, half, waiting).await,
                        None => Ok(()),
                    }
                };
                self.serve(registered, uid, open);
            }
            Ok(Begun::Registered(pid, half)) => match self.pair(pid, half) {
                Ok(Some((half, waiting))) => {
                    let paired = async move { listener.paired(pid, half, waiting).await };
                    self.serve(paired, uid, open);
                }
                Ok(None) => {}
                Err(reason) => self.reject(uid, &reason),
            },
            Err(reason) => self.reject(uid, &reason),
        }
        Ok(())
    }

    fn serve(
        self: &Rc<Self>,
        work: impl Future<Output = Result<(), Rejected>> + 'static,
        uid: u32,
        open: Lease,
    ) {
        let listener = Rc::clone(self);
        tokio::task::spawn_local(async move {
            if let Err(reason) = work.await {
                listener.reject(uid, &reason);
            }
            drop(open);
        });
    }

    fn reject(&self, uid: u32, reason: &Rejected) {
        (self.part.vain)(Vain::Watched);
        self.complain(uid, reason);
    }

    fn complain(&self, uid: u32, reason: &Rejected) {
        if let Some(left_out) = complaint("application", uid) {
            tracing::warn!(%reason, uid, left_out, "an application is not registered");
        }
    }

    /// Who a connection is, if it has said so already.
    fn begin(
        &self,
        peer: Peer,
        credentials: PeerCredentials,
        permit: Permit,
        abis: &RangeInclusive<Abi>,
    ) -> Result<Begun, Rejected> {
        let mut bytes = [0; REGISTRATION_LEN];
        if !peer.read_if_there(&mut bytes) {
            return Ok(Begun::Silent(peer, credentials, permit));
        }
        let (pid, half) = self.half((peer, abis), credentials, permit, &bytes)?;
        Ok(Begun::Registered(pid, half))
    }

    /// Waits for the second connection of a process.
    async fn paired(&self, pid: u32, half: Rc<Half>, waiting: Second) -> Result<(), Rejected> {
        let other = tokio::select! {
            biased;
            other = waiting => {
                // It was replaced, or turned away.
                let other = other.map_err(|_| Rejected::Alone)?;
                let half = Rc::into_inner(half).ok_or(Rejected::Alone)?;
                return self.application(pid, half, other).await;
            }
            closed = half.peer.closed() => closed.err().map_or(Rejected::Alone, Into::into),
            () = tokio::time::sleep(REGISTRATION_DEADLINE) => Rejected::Alone,
        };
        self.halves.borrow_mut().remove(&pid);
        Err(other)
    }

    /// Reads and checks the registration message; `None` when the peer only looked.
    async fn registration(
        &self,
        peer: Peer,
        credentials: PeerCredentials,
        permit: Permit,
        abis: &RangeInclusive<Abi>,
    ) -> Result<Option<(u32, Half)>, Rejected> {
        let mut bytes = [0; REGISTRATION_LEN];
        let read = tokio::time::timeout(REGISTRATION_DEADLINE, peer.read_exact_or_end(&mut bytes));
        let Ok(read) = read.await else {
            // Thousands that came together are closed together.
            turn(credentials.uid, REQUEST_COST).await;
            return Err(Rejected::Silent);
        };
        if !read? {
            (self.part.vain)(Vain::Watched);
            return Ok(None);
        }
        self.half((peer, abis), credentials, permit, &bytes).map(Some)
    }

    /// Checks the registration message.
    fn half(
        &self,
        (peer, abis): (Peer, &RangeInclusive<Abi>),
        credentials: PeerCredentials,
        permit: Permit,
        bytes: &[u8],
    ) -> Result<(u32, Half), Rejected> {
        let registration = Registration::decode(bytes)?;
        let abi = Abi::from_major(registration.major)
            .filter(|abi| abis.contains(abi))
            .ok_or(Rejected::Abi(registration.major))?;
        let bitness = Bitness::from_bits_per_long(registration.bits_per_long)
            .filter(|bitness| self.settings.bitnesses.contains(bitness));
        if bitness.is_none() {
            return Err(Rejected::WordSize(registration.bits_per_long));
        }
        let Registration { alignments, .. } = registration;
        if !alignments.are_of_this_machine() {
            return Err(Rejected::Alignments(alignments));
        }
        let PeerCredentials { pid, uid, gid } = credentials;
        if pid == 0 {
            return Err(Rejected::NoPid);
        }
        Ok((pid, Half { peer, registration, abi, uid, gid, permit }))
    }

    /// Hands a second connection to the first one's task, or makes this the first one.
    fn pair(&self, pid: u32, half: Half) -> Result<Option<(Rc<Half>, Second)>, Rejected> {
        let mut halves = self.halves.borrow_mut();
        let mut half = half;
        if let Some(First { half: first, second, .. }) = halves.remove(&pid)
            && !first.peer.has_closed()
        {
            drop(first);
            match second.send(half) {
                Ok(()) => return Ok(None),
                // The first one gave up meanwhile.
                Err(back) => half = back,
            }
        }
        // Where its second one is here, it has its descriptor.
        let kept = if half.permit.is_without_another() {
            let kept = self.settings.descriptors.take(Purpose::Registrations, 1);
            Some(kept.inspect_err(|_| count_refusal(half.uid, REFUSED_DESCRIPTORS))?)
        } else {
            None
        };
        let half = Rc::new(half);
        let (second, waiting) = oneshot::channel();
        halves.insert(pid, First { half: Rc::clone(&half), kept, second });
        Ok(Some((half, waiting)))
    }

    /// Asks the version, then makes the actor.
    async fn application(&self, pid: u32, one: Half, other: Half) -> Result<(), Rejected> {
        let (command, notify) = match (one.registration.socket, other.registration.socket) {
            (SocketKind::Command, SocketKind::Notify) => (one, other),
            (SocketKind::Notify, SocketKind::Command) => (other, one),
            _ => return Err(Rejected::SameKind),
        };
        let id = AppId(self.part.ids.fetch_add(1, Ordering::Relaxed));
        if command.abi != notify.abi {
            return Err(Rejected::Abi(notify.registration.major));
        }
        let socket = CommandSocket::new(command.peer, (id, command.uid, command.abi));
        let link = Link(&socket);
        let version = socket.serve_while(link.tracer_version());
        let version = tokio::time::timeout(REGISTRATION_DEADLINE, version);
        let tracer_version = version
            .await
            .map_err(|_| Rejected::Silent)?
            .map_err(Rejected::Version)?
            .map_err(Rejected::VersionRefused)?;
        // What comes of it costs about as much as some requests.
        turn(command.uid, 4 * REQUEST_COST).await;
        let registration = command.registration;
        let info = Arc::new(AppInfo {
            id,
            pid,
            uid: command.uid,
            gid: command.gid,
            name: registration.name,
            bitness: Bitness::from_bits_per_long(registration.bits_per_long)
                .ok_or(Rejected::WordSize(registration.bits_per_long))?,
            alignments: registration.alignments,
            abi: command.abi,
            tracer_version,
            registered_at: now(),
            owing: Owing::default(),
        });
        App::new(
            info,
            (socket, notify.peer),
            (command.permit, notify.permit),
            self.settings.deadline,
            Rc::clone(&self.outlets),
        )
        .start();
        Ok(())
    }
}
