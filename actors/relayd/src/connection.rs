//! The actor of one connection: the shell around [`Progress`].

use std::{cell::RefCell, rc::Rc, time::Instant};

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, ResponseFuture,
    SpawnHandle, WrapFuture,
};
use lttngd_runtime::{FailureNotice, Outlet, answer, fail_point::in_the_middle};
use tokio::sync::oneshot;

use crate::{
    Announcement, Connect, ConnectError, ConnectionLost, GiveUp, HandedOver, RelaydConfig,
    RelaydTarget, Relayds, Stands,
    handshake::connect_in_time,
    progress::{Progress, State},
    receivers::Receivers,
    relayds::{ConnectionEnded, Known},
    waits::Waits,
};

/// Most commands that wait for one connection, until it is there or until it is given up.
pub const WAITING_MAX: usize = 1 << 12;

/// What a connection is made with.
pub(crate) struct Terms {
    pub(crate) config: RelaydConfig,
    pub(crate) target: RelaydTarget,
    pub(crate) session: Announcement,
    pub(crate) known: Known,
    pub(crate) receivers: Receivers,
}

/// The actor of one connection to a relay daemon.
pub struct RelayConnection {
    terms: Rc<Terms>,
    progress: Rc<RefCell<Progress>>,
    /// The work of connecting, while it is under way.
    connecting: Option<SpawnHandle>,
    /// Whoever waits until consumer daemons have it.
    wanted_by: Vec<oneshot::Sender<Result<HandedOver, ConnectError>>>,
    /// How many they are, for whoever looks.
    waits: Waits,
    /// Whoever waits until they have let go of it.
    unwanted_by: Vec<oneshot::Sender<()>>,
    ended: Outlet<ConnectionEnded>,
    failure: FailureNotice,
}

impl RelayConnection {
    /// One that is connected when it is wanted.
    pub(crate) fn new(terms: Terms, relayds: &Addr<Relayds>) -> Self {
        let Announcement { id, snapshot, .. } = terms.session;
        let progress = Progress::new(id, snapshot, terms.receivers.consumers.len());
        let ended = Outlet::to(relayds.clone().recipient());
        let net_index = terms.receivers.net_index;
        let failure =
            FailureNotice::new(ended.clone(), ConnectionEnded { net_index, failed: true });
        Self {
            terms: Rc::new(terms),
            progress: Rc::new(RefCell::new(progress)),
            connecting: None,
            wanted_by: Vec::new(),
            waits: Waits::default(),
            unwanted_by: Vec::new(),
            ended,
            failure,
        }
    }

    /// Where it shows how many wait for it.
    pub(crate) fn waits(&self) -> Waits {
        self.waits.clone()
    }

    fn handed_over(&self) -> Option<HandedOver> {
        self.progress.borrow().handed_over(self.terms.receivers.net_index)
    }

    fn connect(&mut self, context: &mut Context<Self>) {
        if self.connecting.is_some() {
            return;
        }
        let (terms, progress) = (Rc::clone(&self.terms), Rc::clone(&self.progress));
        let work = async move {
            let point = || "RelayConnection hand_over".to_owned();
            in_the_middle(point, hand_over(&terms, &progress)).await
        };
        let work = work.into_actor(self);
        let work = work.map(|outcome, this, context| {
            this.connecting = None;
            match (outcome, this.handed_over()) {
                (Ok(()), Some(handed_over)) => {
                    this.terms.known.stands(handed_over.net_index, Stands::Connected);
                    this.waits.over();
                    for waiter in this.wanted_by.drain(..) {
                        answer(waiter, Ok(handed_over));
                    }
                }
                (outcome, _) => this.give_up(outcome.err(), context),
            }
        });
        self.connecting = Some(context.spawn(work));
    }

    /// Ends what is under way, has consumer daemons let go of the connection, and then says so to all who
    /// wait. The first one who wanted it is told why.
    fn give_up(&mut self, why: Option<ConnectError>, context: &mut Context<Self>) {
        if !self.progress.borrow_mut().give_up() {
            return;
        }
        if let Some(work) = self.connecting.take() {
            context.cancel_future(work);
        }
        self.terms.known.stands(self.terms.receivers.net_index, Stands::GivenUp);
        let terms = Rc::clone(&self.terms);
        let holders: Vec<_> = self.progress.borrow().holders().collect();
        let let_go = async move { terms.receivers.let_go(holders).await }.into_actor(self);
        context.spawn(let_go.map(|(), this, context| this.close(why, context)));
    }

    fn close(&mut self, mut why: Option<ConnectError>, context: &mut Context<Self>) {
        self.progress.borrow_mut().closed();
        let net_index = self.terms.receivers.net_index;
        // Before whoever waits: what is opened after this is another connection.
        self.ended.tell(ConnectionEnded { net_index, failed: false });
        self.failure.dismiss();
        self.waits.over();
        for waiter in self.wanted_by.drain(..) {
            answer(waiter, Err(why.take().unwrap_or(ConnectError::GivenUp)));
        }
        for waiter in self.unwanted_by.drain(..) {
            answer(waiter, ());
        }
        context.stop();
    }
}

/// Gives every consumer daemon connections of its own, each with a session of its own in the relay daemon.
async fn hand_over(terms: &Terms, progress: &RefCell<Progress>) -> Result<(), ConnectError> {
    for (kind, consumer) in &terms.receivers.consumers {
        let pair = connect_in_time(terms, progress).await?;
        let taken = terms.receivers.hand_over(consumer, pair).await;
        taken.map_err(|source| ConnectError::Consumer { kind: *kind, source })?;
        progress.borrow_mut().taken();
    }
    Ok(())
}

impl Actor for RelayConnection {
    type Context = Context<Self>;
}

impl Handler<Connect> for RelayConnection {
    type Result = ResponseFuture<Result<HandedOver, ConnectError>>;

    fn handle(&mut self, _: Connect, context: &mut Self::Context) -> Self::Result {
        let known = match (self.progress.borrow().state(), self.handed_over()) {
            (_, Some(handed_over)) => Some(Ok(handed_over)),
            (State::Closed, _) => Some(Err(ConnectError::GivenUp)),
            _ if self.wanted_by.len() >= WAITING_MAX => Some(Err(ConnectError::Busy)),
            _ => None,
        };
        if let Some(known) = known {
            return Box::pin(async { known });
        }
        let (waiter, outcome) = oneshot::channel();
        self.wanted_by.push(waiter);
        self.waits.one_more(Instant::now());
        if self.progress.borrow().state() != State::GivenUp {
            self.connect(context);
        }
        Box::pin(async { outcome.await.unwrap_or(Err(ConnectError::Failed)) })
    }
}

impl Handler<GiveUp> for RelayConnection {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: GiveUp, context: &mut Self::Context) -> Self::Result {
        let (waiter, done) = oneshot::channel();
        self.unwanted_by.push(waiter);
        if self.progress.borrow().state() == State::Closed {
            self.close(None, context);
        } else {
            self.give_up(None, context);
        }
        Box::pin(async {
            // It fails only when the actor failed, whose owner gives the connection up.
            let _ = done.await;
        })
    }
}

impl Handler<ConnectionLost> for RelayConnection {
    type Result = ();

    fn handle(&mut self, lost: ConnectionLost, context: &mut Self::Context) {
        let consumers = &self.terms.receivers.consumers;
        let index = consumers.iter().position(|(_, consumer)| *consumer == lost.consumer);
        if index.is_some_and(|index| self.progress.borrow_mut().lost_by(index)) {
            self.close(None, context);
        }
    }
}
