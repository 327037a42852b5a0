//! The two places where clients are served: apart from the actors, and near them.
//!
//! Clients that come at the same time are served in a thread of their own, where they take no time of the actors.
//! But a command of a client costs two threads that wake one another, and who is alone waits for that more than
//! for anything else. So clients of which each comes when the one before has its answer are served in the
//! actors' thread, until that is not so any more; where processors are few, also those that come at the same time and
//! need actors. Both places may accept clients at the same time: when they take
//! turns nobody is left waiting.

use std::{
    io, num::NonZero, os::unix::net::UnixListener, sync::Arc, thread::available_parallelism,
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
    listener::{Clients, News, Place},
    recognition::Recognition,
    turns::{self, ApartTurn, IDLE_MAX, NEAR_IDLE, NearTurn},
};

/// What the place near the actors is told.
enum ToNear {
    /// An offer to serve clients, made at this time, which is taken when actors have nothing else to do.
    Offer(Instant),
    /// Of a client that was served apart.
    News(News),
}

/// What the place near the actors tells.
enum Told {
    /// It took an offer.
    Taken,
    /// It accepts nobody any more.
    Left,
    /// Of a client that it served.
    News(News),
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
    to_near: mpsc::UnboundedSender<ToNear>,
    told: mpsc::UnboundedReceiver<Told>,
}

/// Where clients are served near the actors.
pub struct Near {
    listener: UnixListener,
    handle: Handle,
    descriptors: Descriptors,
    from_apart: mpsc::UnboundedReceiver<ToNear>,
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
        let (to_near, from_apart) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::unbounded_channel();
        let near = Near {
            listener: self.listener.try_clone()?,
            handle: self.handle.clone(),
            descriptors: self.descriptors.clone(),
            from_apart,
            told: tell,
            who_is_near: self.who_is_near,
            recognition: self.recognition.clone(),
        };
        self.near = Some(Line { to_near, told });
        Ok(near)
    }

    /// Accepts clients for ever, but while they are served near the actors.
    ///
    /// # Errors
    /// When the socket cannot be used at all.
    pub async fn listen(self) -> io::Result<()> {
        let Self { mut listener, handle, descriptors, near: mut line, .. } = self;
        let Self { answering, who_is_near, recognition, .. } = self;
        let tell = line.as_ref().map(|line| line.to_near.clone());
        let tell = move |news| {
            if let Some(near) = &tell {
                // It is gone when the daemon ends.
                let _ = near.send(ToNear::News(news));
            }
        };
        let mut place = Place::new((handle, descriptors), recognition(), tell, answering);
        loop {
            let clients = place.clients(listener)?;
            listener = accept_until_taken((&mut place, who_is_near), clients, &mut line).await;
            loop {
                match Line::heard(&mut line).await {
                    Told::Left => break,
                    Told::News(news) => place.hear(news),
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
            biased;
            told = Line::heard(line) => match told {
                Told::Taken => return accepting.into_listener().into_listener(),
                Told::Left => continue,
                Told::News(news) => {
                    place.hear(news);
                    continue;
                }
            },
            client = accepting.next() => client,
        };
        // What was told of it while it came.
        let mut is_taken = false;
        while let Some(Ok(told)) = line.as_mut().map(|line| line.told.try_recv()) {
            match told {
                Told::Taken => is_taken = true,
                Told::Left => is_taken = false,
                Told::News(news) => place.hear(news),
            }
        }
        let admitted = place.admit(client);
        accepting.admitted(Ok(()));
        if is_taken {
            return accepting.into_listener().into_listener();
        }
        let now = Instant::now();
        if turn.goes_on(now, admitted)
            && let Some(Line { to_near, told: _ }) = line
        {
            // It is gone when the daemon ends.
            let _ = to_near.send(ToNear::Offer(now));
        }
    }
}

impl Near {
    /// Serves clients in its turns, for ever.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub async fn listen(self) -> io::Result<()> {
        let Self { mut listener, handle, descriptors, mut from_apart, told, .. } = self;
        let Self { who_is_near, recognition, .. } = self;
        let tell = told.clone();
        // It is gone when the daemon ends.
        let tell = move |news| drop(tell.send(Told::News(news)));
        let mut place = Place::new((handle, descriptors), recognition(), tell, None);
        while let Some(told_here) = from_apart.recv().await {
            let at = match told_here {
                ToNear::Offer(at) => at,
                ToNear::News(news) => {
                    place.hear(news);
                    continue;
                }
            };
            // Those that it began to serve may still be there.
            if place.open() > 0 || !is_idle(at) {
                continue;
            }
            let clients = place.clients(listener)?;
            // It is gone when the daemon ends.
            let _ = told.send(Told::Taken);
            listener = serve_turn((&mut place, who_is_near), clients, &mut from_apart).await;
            let _ = told.send(Told::Left);
        }
        Ok(())
    }
}

/// Serves clients as long as those come that are better served here.
async fn serve_turn(
    (place, who_is_near): (&mut Place, turns::Near),
    mut clients: Clients,
    from_apart: &mut mpsc::UnboundedReceiver<ToNear>,
) -> UnixListener {
    let mut turn = NearTurn::new(who_is_near);
    // What goes wrong is told where they are served otherwise.
    while let Ok(Ok(client)) = timeout(NEAR_IDLE, clients.accept()).await {
        // What was told of it before it came. An offer is of no use in a turn.
        while let Ok(told) = from_apart.try_recv() {
            if let ToNear::News(news) = told {
                place.hear(news);
            }
        }
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
