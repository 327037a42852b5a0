//! The two places where clients are served: apart from the actors, and near them.
//!
//! Clients that come at the same time are served in a thread of their own, where they take no time of the actors.
//! But a command of a client costs two threads that wake one another, and who is alone waits for that more than
//! for anything else. So clients of which each comes when the one before has its answer are served in the
//! actors' thread, until that is not so any more; where processors are few, also those that come at the same time and
//! need actors. Both places may accept clients at the same time: when they take
//! turns nobody is left waiting.

use std::{
    collections::VecDeque, io, num::NonZero, os::unix::net::UnixListener, sync::Arc,
    thread::available_parallelism,
};

use lttngd_handle::Handle;
use lttngd_runtime::{Accepting, Descriptors, Listen};
use lttngd_wire::client::Dialect;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    answering::{Answering, ToAnswering},
    listener::{Clients, Place},
    listers::{Listers, ListersChange, Listing},
    recognition::{Proof, Recognition},
    turns::{self, ApartTurn, IDLE_MAX, NEAR_IDLE, NearTurn},
};

/// An offer to serve clients near the actors, which is taken when they have nothing else to do.
struct Offer {
    at: Instant,
    /// Who began to list a session.
    listers: VecDeque<Listing>,
    /// What was learnt of clients since the offer before.
    proofs: Vec<Proof>,
}

/// What the place near the actors tells.
enum Told {
    /// It took an offer.
    Taken,
    /// It accepts nobody any more.
    Left,
    /// Of a client that it served.
    Listers(ListersChange),
    /// The same, of what it speaks.
    Proof(Proof),
}

/// Where clients are served apart from the actors.
pub struct Apart {
    listener: UnixListener,
    handle: Handle,
    descriptors: Descriptors,
    near: Option<Line>,
    answering: Option<ToAnswering>,
    who_is_near: turns::Near,
    recognition: NewRecognition,
}

/// Makes what is known of clients in a place: nothing.
type NewRecognition = Arc<dyn Fn() -> Recognition + Send + Sync>;

/// The line to the place near the actors.
struct Line {
    offers: mpsc::UnboundedSender<Offer>,
    told: mpsc::UnboundedReceiver<Told>,
}

/// Where clients are served near the actors.
pub struct Near {
    listener: UnixListener,
    handle: Handle,
    descriptors: Descriptors,
    offers: mpsc::UnboundedReceiver<Offer>,
    told: mpsc::UnboundedSender<Told>,
    who_is_near: turns::Near,
    recognition: NewRecognition,
}

impl Line {
    /// What is told; never anything when there is no such place.
    async fn heard(line: &mut Option<Self>) -> Told {
        match line {
            Some(Self { told, .. }) => match told.recv().await {
                Some(told) => told,
                // It is gone, and so are its clients.
                None => {
                    *line = None;
                    Told::Left
                }
            },
            None => std::future::pending().await,
        }
    }
}

impl Apart {
    /// Clients of `listener` are served through `handle`. They are counted in `descriptors`; those that do not
    /// fit wait to be accepted.
    #[must_use]
    pub fn new(listener: UnixListener, handle: Handle, descriptors: Descriptors) -> Self {
        // Of this machine's processors those that this process may use.
        let processors = available_parallelism().map_or(1, NonZero::get);
        let who_is_near = turns::Near::on(processors);
        let recognition = Arc::new(Recognition::default);
        let (near, answering) = (None, None);
        Self { listener, handle, descriptors, near, answering, who_is_near, recognition }
    }

    /// Clients of which nothing tells the version are taken for this one.
    #[must_use]
    pub fn taking_unknown_for(self, unknown: Option<Dialect>) -> Self {
        Self { recognition: Arc::new(move || Recognition::new(unknown)), ..self }
    }

    /// Everybody is taken for a client of this version.
    #[cfg(test)]
    pub(crate) fn serving(self, dialect: Dialect) -> Self {
        Self { recognition: Arc::new(move || Recognition::of_everyone(dialect)), ..self }
    }

    /// What answers in the actors' thread most of what is heard apart, to listen there.
    pub fn answering(&mut self) -> Answering {
        let (answering, answers) = Answering::new();
        self.answering = Some(answering);
        answers
    }

    /// The place near the actors, to listen in their thread.
    ///
    /// # Errors
    /// When the socket cannot be duplicated.
    pub fn near(&mut self) -> io::Result<Near> {
        let (offer, offers) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::unbounded_channel();
        let near = Near {
            listener: self.listener.try_clone()?,
            handle: self.handle.clone(),
            descriptors: self.descriptors.clone(),
            offers,
            told: tell,
            who_is_near: self.who_is_near,
            recognition: self.recognition.clone(),
        };
        self.near = Some(Line { offers: offer, told });
        Ok(near)
    }

    /// Accepts clients for ever, but while they are served near the actors.
    ///
    /// # Errors
    /// When the socket cannot be used at all.
    pub async fn listen(self) -> io::Result<()> {
        let Self { mut listener, handle, descriptors, near: mut line, .. } = self;
        let Self { answering, who_is_near, recognition, .. } = self;
        let mut place = Place::new(handle, descriptors, recognition(), answering);
        loop {
            let clients = place.clients(listener)?;
            listener = accept_until_taken((&mut place, who_is_near), clients, &mut line).await;
            loop {
                match Line::heard(&mut line).await {
                    Told::Left => break,
                    Told::Listers(change) => place.listers().learn(change),
                    Told::Proof(proof) => place.recognition().hear(proof),
                    Told::Taken => {}
                }
            }
        }
    }
}

/// Serves clients until those that come next are served near the actors.
async fn accept_until_taken(
    (place, who_is_near): (&mut Place, turns::Near),
    clients: Clients,
    line: &mut Option<Line>,
) -> UnixListener {
    let mut turn = ApartTurn::new(who_is_near);
    let mut accepting = Accepting::new("client", clients);
    loop {
        let client = tokio::select! {
            // What is told of a client comes before what it asks next.
            biased;
            told = Line::heard(line) => match told {
                Told::Taken => return accepting.into_listener().into_listener(),
                Told::Left => continue,
                Told::Listers(change) => {
                    place.listers().learn(change);
                    continue;
                }
                Told::Proof(proof) => {
                    place.recognition().hear(proof);
                    continue;
                }
            },
            client = accepting.next() => client,
        };
        let admitted = place.admit(client);
        accepting.admitted(Ok(()));
        let now = Instant::now();
        if turn.goes_on(now, admitted)
            && let Some(Line { offers, told: _ }) = line
        {
            // It is gone when the daemon ends.
            let _ = offers.send(Offer {
                at: now,
                listers: place.listers().known(),
                proofs: place.recognition().news(),
            });
        }
    }
}

impl Near {
    /// Serves clients in its turns, for ever.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub async fn listen(self) -> io::Result<()> {
        let Self { mut listener, handle, descriptors, mut offers, told, who_is_near, recognition } =
            self;
        let mut place = Place::new(handle, descriptors, recognition(), None);
        let tell = told.clone();
        // It is gone when the daemon ends.
        place.recognition().tell(move |proof| drop(tell.send(Told::Proof(proof))));
        while let Some(Offer { at, listers, proofs }) = offers.recv().await {
            proofs.into_iter().for_each(|proof| place.recognition().hear(proof));
            // Those that it began to serve may still be there.
            if place.open() > 0 || !is_idle(at) {
                continue;
            }
            let clients = place.clients(listener)?;
            let tell = told.clone();
            place.set_listers(Listers::elsewhere(listers, move |change| {
                // It is gone when the daemon ends.
                let _ = tell.send(Told::Listers(change));
            }));
            // It is gone when the daemon ends.
            let _ = told.send(Told::Taken);
            listener = serve_turn((&mut place, who_is_near), clients).await;
            let _ = told.send(Told::Left);
        }
        Ok(())
    }
}

/// Serves clients as long as those come that are better served here.
async fn serve_turn(
    (place, who_is_near): (&mut Place, turns::Near),
    mut clients: Clients,
) -> UnixListener {
    let mut turn = NearTurn::new(who_is_near);
    // What goes wrong is told where they are served otherwise.
    while let Ok(Ok(client)) = timeout(NEAR_IDLE, clients.accept()).await {
        let admitted = place.admit(client);
        let at = Instant::now();
        tokio::task::yield_now().await;
        if !turn.goes_on(admitted, is_idle(at)) {
            break;
        }
    }
    clients.into_listener()
}

/// Whether actors have had nothing else to do since.
fn is_idle(since: Instant) -> bool {
    since.elapsed() < IDLE_MAX
}

#[cfg(test)]
mod tests;
