//! In which threads applications live: where their sockets are accepted, or each process in one of some arbiters.
//!
//! One thread accepts. Both connections of a process go to the same arbiter, where its registrations have their places and its
//! applications their actors, by messages alone; what they ask and tell goes between threads as between actors.

use std::{
    cell::Cell,
    convert::Infallible,
    io,
    num::NonZero,
    ops::RangeInclusive,
    os::{fd::OwnedFd, unix::net::UnixListener},
    rc::Rc,
    sync::{Arc, atomic::AtomicU64},
};

use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message};
use futures::future::join_all;
use lttngd_runtime::{
    Accepting, Descriptors, FailureNotice, Held, Pace, Purpose, Sockets, accept_all,
    peer_credentials, tell,
};
use lttngd_wire::ust::Abi;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    AppSettings,
    listener::{Listener, Part, Vain},
    permits::CONNECTIONS_EACH_MAX,
};

/// Most connections that an arbiter has been handed and has not looked at.
const AHEAD_MAX: u32 = 32;

/// A socket, and the ABIs of the applications that register there.
pub type AppSocket = (UnixListener, RangeInclusive<Abi>);

/// Accepts applications on all of these sockets for ever, and has them live in these `arbiters`, or where it is accepted
/// when there are none. Those of one process are [`REGISTRATIONS_EACH_MAX`](crate::REGISTRATIONS_EACH_MAX) at most.
///
/// # Errors
/// When a socket cannot be used at all, and when an arbiter takes no more.
pub async fn listen(
    sockets: Vec<AppSocket>,
    settings: AppSettings,
    arbiters: Vec<ArbiterHandle>,
) -> io::Result<()> {
    match NonZero::new(arbiters.len()) {
        None => listen_allowing(sockets, settings, CONNECTIONS_EACH_MAX).await,
        Some(count) => listen_across(sockets, settings, (&arbiters, count)).await,
    }
}

/// The same where it is accepted, with that many connections of each process.
pub(crate) async fn listen_allowing(
    sockets: Vec<AppSocket>,
    settings: AppSettings,
    connections_each_max: usize,
) -> io::Result<()> {
    let pace = Rc::<Pace>::default();
    let told = Rc::clone(&pace);
    let part = Part {
        ids: first_ids(),
        of: NonZero::<u64>::MIN,
        vain: Box::new(move |vain| count(&told, vain)),
    };
    let listener = Listener::new(settings, connections_each_max, part);
    let accepted = used(sockets)?.into_iter().map(async |(sockets, abis)| {
        let admit = |socket| listener.admit(socket, &abis, None);
        accept_all("application", sockets, &pace, admit).await
    });
    // None ends.
    join_all(accepted).await;
    Ok(())
}

/// Accepts here for some arbiters.
async fn listen_across(
    sockets: Vec<AppSocket>,
    settings: AppSettings,
    (arbiters, count): (&[ArbiterHandle], NonZero<usize>),
) -> io::Result<()> {
    let sockets = used(sockets)?;
    let (in_vain, mut came_in_vain) = mpsc::unbounded_channel();
    let (failed, mut failures) = mpsc::unbounded_channel();
    let ids = first_ids();
    let descriptors = settings.descriptors.clone();
    let places = arbiters.iter().map(|arbiter| {
        let (ids, of) = (Arc::clone(&ids), NonZero::<u64>::try_from(count));
        let (settings, in_vain, failed) = (settings.clone(), in_vain.clone(), failed.clone());
        let registrar = Registrar::start_in_arbiter(arbiter, move |_| {
            // Nobody listens at the end.
            let vain = Box::new(move |vain| in_vain.send(vain).unwrap_or_default());
            let part = Part { ids, of: of.unwrap_or(NonZero::<u64>::MIN), vain };
            Registrar {
                listener: Listener::new(settings, CONNECTIONS_EACH_MAX, part),
                _failure: FailureNotice::of(move || failed.send(()).unwrap_or_default()),
            }
        });
        Place { registrar, handed: Cell::new(0) }
    });
    let places = Places { places: places.collect(), count, descriptors };
    let pace = Pace::default();
    let paced = async {
        while let Some(vain) = came_in_vain.recv().await {
            self::count(&pace, vain);
        }
    };
    let accepted = sockets.into_iter().map(|(sockets, abis)| places.accept(sockets, abis, &pace));
    tokio::select! {
        _ = join_all(accepted) => Ok(()),
        _ = failures.recv() => Err(io::Error::other("a thread of applications takes no more")),
        () = paced => Err(io::Error::other("no thread of applications is left")),
    }
}

fn first_ids() -> Arc<AtomicU64> {
    Arc::new(AtomicU64::new(1))
}

fn used(sockets: Vec<AppSocket>) -> io::Result<Vec<(Sockets, RangeInclusive<Abi>)>> {
    let used = sockets.into_iter().map(|(socket, abis)| Ok((Sockets::new(socket)?, abis)));
    used.collect()
}

fn count(pace: &Pace, vain: Vain) {
    match vain {
        Vain::TurnedAway => pace.turned_away(Instant::now()),
        Vain::Watched => pace.in_vain(Instant::now()),
    }
}

/// Where applications live.
struct Places {
    places: Vec<Place>,
    count: NonZero<usize>,
    descriptors: Descriptors,
}

/// One of them.
struct Place {
    registrar: Addr<Registrar>,
    /// How many connections it was handed.
    handed: Cell<u32>,
}

impl Places {
    /// Accepts connections for ever, and hands each to the place of its process.
    async fn accept(&self, sockets: Sockets, abis: RangeInclusive<Abi>, pace: &Pace) -> Infallible {
        let mut accepting = Accepting::new("application", sockets);
        loop {
            let socket = accepting.next().await;
            self.hand_over(socket, abis.clone()).await;
            accepting.admitted(Ok(()));
            if let Some(pause) = pace.pause(Instant::now()) {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Its descriptor is counted before it is handed over; where there is none left, nobody else is accepted before it
    /// was looked at, nor is when many are on their way.
    async fn hand_over(&self, socket: OwnedFd, abis: RangeInclusive<Abi>) {
        // One of whom it is not known is refused wherever.
        let pid = peer_credentials(&socket).map_or(0, |credentials| credentials.pid);
        let Some(place) = self.places.get(pid as usize % self.count) else { return };
        let held = self.descriptors.take(Purpose::Registrations, 1).ok();
        let handed = place.handed.replace(place.handed.get().wrapping_add(1));
        let is_waited_for = held.is_none() || handed.is_multiple_of(AHEAD_MAX);
        let admit = Admit { socket, abis, held };
        if is_waited_for {
            // It fails when the registrar has, which is told.
            let _ = place.registrar.send(admit).await;
        } else {
            tell(&place.registrar, admit);
        }
    }
}

/// Takes the connections of some processes, whose applications live where it does.
struct Registrar {
    listener: Rc<Listener>,
    _failure: FailureNotice,
}

/// A connection, and the place of its descriptor if there was one.
#[derive(Message)]
#[rtype(result = "()")]
struct Admit {
    socket: OwnedFd,
    abis: RangeInclusive<Abi>,
    held: Option<Held>,
}

impl Actor for Registrar {
    type Context = Context<Self>;
}

impl Handler<Admit> for Registrar {
    type Result = ();

    fn handle(&mut self, Admit { socket, abis, held }: Admit, _: &mut Self::Context) {
        if let Err(error) = self.listener.admit(socket, &abis, held) {
            tracing::error!(%error, "a connection of an application cannot be watched");
        }
    }
}
