//! The actor that opens connections, and owns what is counted for all of them.

use std::{net::SocketAddr, os::fd::OwnedFd};

use actix::{
    Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResponse,
    MessageResult, ResponseActFuture, WeakAddr, WrapFuture,
};
use lttngd_model::{NetIndex, NetworkUri, RelaySessionId, SessionId};
use lttngd_runtime::{FailureNotice, Outlet, fail_point, tell};

use crate::{
    ConnectionFailed, LookUp, Open, Opened, RelayConnection, RelayReport, RelaydConfig,
    RelaydError, ReportRelays, Stands,
    connection::Terms,
    host::Names,
    ledger::Ledger,
    receivers::Receivers,
    session_id::ExpectedSessionIds,
    silent::{Silent, something_comes},
    waits::Waits,
};

/// The actor of all connections to relay daemons.
pub struct Relayds {
    config: RelaydConfig,
    connections: Ledger<Entry>,
    session_ids: ExpectedSessionIds,
    names: Names,
    silent: Silent,
    _failure: Option<FailureNotice>,
}

/// A connection that did not end.
struct Entry {
    connection: WeakAddr<RelayConnection>,
    receivers: Receivers,
    failed: Outlet<ConnectionFailed>,
    relayd: SocketAddr,
    stands: Stands,
    waits: Waits,
}

impl Relayds {
    /// One that makes connections as `config` says.
    #[must_use]
    pub fn new(config: RelaydConfig) -> Self {
        Self {
            config,
            connections: Ledger::default(),
            session_ids: ExpectedSessionIds::default(),
            names: Names::default(),
            silent: Silent::default(),
            _failure: None,
        }
    }

    /// The same, whose owner is told when it fails: nobody else knows which index is free.
    #[must_use]
    pub fn with_failure_notice(self, notice: FailureNotice) -> Self {
        Self { _failure: Some(notice), ..self }
    }

    /// The connection by which a session streams, if it did not end.
    fn streaming(&self, session: SessionId) -> Option<Opened> {
        let (net_index, entry) = self.connections.streaming(session)?;
        let connection = entry.connection.upgrade().filter(Addr::connected)?;
        Some(Opened { net_index, connection })
    }
}

impl Actor for Relayds {
    type Context = Context<Self>;
}

impl Handler<Open> for Relayds {
    type Result = Opened;

    fn handle(&mut self, open: Open, context: &mut Self::Context) -> Self::Result {
        let Open { target, session, consumers, consumer_deadline, failed } = open;
        let streams = (!session.snapshot).then_some(session.id);
        if let Some(opened) = streams.and_then(|session| self.streaming(session)) {
            return opened;
        }
        fail_point::reached("Relayds open");
        let net_index = self.connections.next_index();
        let receivers = Receivers {
            net_index,
            session: session.id,
            span: tracing::error_span!(parent: None, "relayd", session = session.name, %net_index),
            consumers,
            deadline: consumer_deadline,
        };
        let terms = Terms {
            config: self.config.clone(),
            target,
            session,
            known: Known { relayds: context.address() },
            receivers: receivers.clone(),
        };
        let connection = RelayConnection::new(terms, &context.address());
        let (waits, connection) = (connection.waits(), connection.start());
        let (weak, stands) = (connection.downgrade(), Stands::Connecting);
        let relayd = target.control;
        let entry = Entry { connection: weak, receivers, failed, relayd, stands, waits };
        self.connections.opened(net_index, streams, entry);
        Opened { net_index, connection }
    }
}

impl Handler<LookUp> for Relayds {
    type Result = ResponseActFuture<Self, Result<(NetworkUri, NetworkUri), RelaydError>>;

    fn handle(&mut self, names: LookUp, _: &mut Self::Context) -> Self::Result {
        let LookUp { uid, control, data } = names;
        let (names, deadline) = (self.names.clone(), self.config.deadline());
        let found = async move { names.look_up(uid, (control, data), deadline).await };
        Box::pin(found.into_actor(self))
    }
}

/// A connection stands otherwise than before.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct ConnectionStands {
    net_index: NetIndex,
    stands: Stands,
}

impl Handler<ConnectionStands> for Relayds {
    type Result = ();

    fn handle(&mut self, it: ConnectionStands, _: &mut Self::Context) {
        if let Some(entry) = self.connections.get_mut(it.net_index) {
            entry.stands = it.stands;
        }
    }
}

impl Handler<ReportRelays> for Relayds {
    type Result = MessageResult<ReportRelays>;

    fn handle(&mut self, _: ReportRelays, _: &mut Self::Context) -> Self::Result {
        let report = |(net_index, entry): (NetIndex, &Entry)| {
            let (waiting, waiting_since) = entry.waits.get();
            RelayReport {
                net_index,
                relayd: entry.relayd,
                session: entry.receivers.session,
                stands: entry.stands,
                is_silent: self.silent.contains(entry.relayd),
                waiting,
                waiting_since,
            }
        };
        MessageResult(self.connections.all().map(report).collect())
    }
}

/// A connection ended, as was meant or not.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ConnectionEnded {
    pub(crate) net_index: NetIndex,
    pub(crate) failed: bool,
}

impl Handler<ConnectionEnded> for Relayds {
    type Result = ();

    fn handle(&mut self, ended: ConnectionEnded, context: &mut Self::Context) {
        let ConnectionEnded { net_index, failed } = ended;
        let Some(entry) = self.connections.ended(net_index) else { return };
        if !failed {
            return;
        }
        let Entry { receivers, failed, .. } = entry;
        receivers.span.in_scope(|| {
            tracing::error!(
                "the actor of a relay daemon's connection failed: the session has lost the relay daemon"
            );
        });
        failed.tell(ConnectionFailed { net_index });
        // What they have they keep for the streams that use it.
        let let_go = async move { receivers.let_go(0..receivers.consumers.len()).await };
        context.spawn(let_go.into_actor(self));
    }
}

/// Asks for the id of the session that is announced next at a relay daemon.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "ExpectedId")]
struct ExpectId {
    relayd: SocketAddr,
}

#[derive(MessageResponse)]
struct ExpectedId(SessionId);

impl Handler<ExpectId> for Relayds {
    type Result = ExpectedId;

    fn handle(&mut self, expect: ExpectId, _: &mut Self::Context) -> Self::Result {
        ExpectedId(self.session_ids.next(expect.relayd))
    }
}

/// A relay daemon gave another id than was expected.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
struct CorrectId {
    relayd: SocketAddr,
    given: RelaySessionId,
}

impl Handler<CorrectId> for Relayds {
    type Result = ();

    fn handle(&mut self, correct: CorrectId, _: &mut Self::Context) {
        self.session_ids.correct(correct.relayd, correct.given);
    }
}

/// A relay daemon did not answer in time.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct FellSilent {
    relayd: SocketAddr,
    /// On which it owes an answer.
    connection: Option<OwnedFd>,
}

impl Handler<FellSilent> for Relayds {
    type Result = ();

    fn handle(&mut self, silent: FellSilent, context: &mut Self::Context) {
        let FellSilent { relayd, connection } = silent;
        if !self.silent.set_aside(relayd) {
            return;
        }
        tracing::warn!(%relayd, "a relay daemon is silent: nobody waits for it until it answers");
        let regained = something_comes(relayd, connection).into_actor(self);
        context.spawn(regained.map(move |(), relayds: &mut Self, _| {
            tracing::info!(%relayd, "a relay daemon that was silent is asked again");
            relayds.silent.regained(relayd);
        }));
    }
}

/// Asks whether a relay daemon is set aside.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "bool")]
struct IsSilent(SocketAddr);

impl Handler<IsSilent> for Relayds {
    type Result = bool;

    fn handle(&mut self, IsSilent(relayd): IsSilent, _: &mut Self::Context) -> bool {
        self.silent.contains(relayd)
    }
}

/// Where connections ask what is known of relay daemons, and say what they learn.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    relayds: Addr<Relayds>,
}

impl Known {
    #[cfg(test)]
    pub(crate) fn of(relayds: Addr<Relayds>) -> Self {
        Self { relayds }
    }

    /// Whether `relayd` is set aside.
    pub(crate) async fn is_silent(&self, relayd: SocketAddr) -> bool {
        // It fails only when that actor is gone, and what it knew with it.
        self.relayds.send(IsSilent(relayd)).await.unwrap_or(false)
    }

    /// A connection stands otherwise than before.
    pub(crate) fn stands(&self, net_index: NetIndex, stands: Stands) {
        tell(&self.relayds, ConnectionStands { net_index, stands });
    }

    /// `relayd` did not answer in time, by this connection if there is one.
    pub(crate) fn fell_silent(&self, relayd: SocketAddr, connection: Option<OwnedFd>) {
        tell(&self.relayds, FellSilent { relayd, connection });
    }

    /// The id of the session that is announced next at `relayd`; `None` when nobody knows.
    pub(crate) async fn next(&self, relayd: SocketAddr) -> Option<SessionId> {
        // It fails only when that actor is gone, and what it knew with it.
        self.relayds.send(ExpectId { relayd }).await.ok().map(|ExpectedId(id)| id)
    }

    /// `relayd` gave another one than was expected. What is asked for next takes it into account.
    pub(crate) fn correct(&self, relayd: SocketAddr, given: RelaySessionId) {
        tell(&self.relayds, CorrectId { relayd, given });
    }
}
