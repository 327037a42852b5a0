//! The session's connection to its relay daemon.

use actix::Addr;
use lttngd_consumer::{Consumer, ConsumerError};
use lttngd_model::{ErrorCode, NetIndex, Tracer};
use lttngd_relayd::{
    Announcement, Connect, ConnectError, ConnectionFailed, ConnectionLost, GiveUp, HandedOver,
    Held, Open, Opened, RelayConnection, RelaydError,
};
use lttngd_runtime::Outlet;

use crate::{
    NetworkOutput, Output, SessionConfig,
    actor::Inner,
    complain::complain,
    error::{consumer_code, relayd_code},
    state::relayd::SessionRelayd,
};

impl Inner {
    /// Connects every consumer to the relay daemon of a session that streams, unless they are.
    /// Commands that need no connection go on meanwhile. Of those that do each tries it anew when the one
    /// before it failed.
    pub(crate) async fn connect_relayd(&self) -> Result<(), ErrorCode> {
        while self.needs_relayd() {
            let Output::Network(network) = self.state().output.clone() else { return Ok(()) };
            let opened = self.open_relayd(&network, false).await?;
            if let Err(code) = self.still_streams_to(&network) {
                drop(Held::new(opened));
                return Err(code);
            }
            let Opened { net_index, connection } = opened.clone();
            // It is the same for all commands that want it.
            if self.state().relayd_index() != Some(net_index) {
                let held = Held::new(opened);
                self.state_mut().relayd = Some(SessionRelayd { held, handed_over: None });
            }
            let connected = self.connect(&connection).await;
            // The session may have ended, or gone somewhere else, while the relay daemon took its time.
            let kept = match connected {
                Ok(handed_over) => self.still_streams_to(&network).map(|()| Some(handed_over)),
                // It failed for another command, or nobody wants it any more.
                Err(ConnectError::GivenUp) => self.still_streams_to(&network).map(|()| None),
                Err(error) => Err(self.no_connection(&error)),
            };
            let is_ours = self.state().relayd_index() == Some(net_index);
            match &kept {
                _ if !is_ours => {}
                Ok(Some(handed_over)) => {
                    if let Some(relayd) = &mut self.state_mut().relayd {
                        relayd.handed_over = Some(*handed_over);
                    }
                }
                Ok(None) | Err(_) => self.disconnect_relayd().await,
            }
            kept?;
        }
        Ok(())
    }

    /// Opens a connection to a relay daemon, to stream there or to record one snapshot.
    pub(crate) async fn open_relayd(
        &self,
        network: &NetworkOutput,
        snapshot: bool,
    ) -> Result<Opened, ErrorCode> {
        let target = match network.target() {
            Some(target) => target.map_err(|error| self.no_relayd(&error))?,
            None => return Err(ErrorCode::Invalid),
        };
        let config = &self.config;
        let session = Announcement {
            id: config.id,
            name: config.name.clone(),
            hostname: config.hostname.clone(),
            base_path: network.base_path().to_owned(),
            live_timer_us: config.live_timer_interval_us(),
            snapshot,
            name_contains_creation_time: config.auto_named,
            created_at: config.created_at,
        };
        let open = Open {
            target,
            session,
            consumers: self.consumers(),
            consumer_deadline: config.consumer_deadline,
            failed: self.outlet(),
        };
        // It fails only when that actor failed, without which no relay daemon is connected any more.
        config.relayds.send(open).await.map_err(|_| ErrorCode::RelaydConnectFail)
    }

    /// Waits until every consumer is connected.
    pub(crate) async fn connect(
        &self,
        connection: &Addr<RelayConnection>,
    ) -> Result<HandedOver, ConnectError> {
        // It is gone when it was given up before it was asked.
        connection.send(Connect).await.unwrap_or(Err(ConnectError::GivenUp))
    }

    fn needs_relayd(&self) -> bool {
        let state = self.state();
        matches!(state.output, Output::Network(_)) && state.relayd().is_none()
    }

    fn still_streams_to(&self, network: &NetworkOutput) -> Result<(), ErrorCode> {
        let state = self.state();
        state.life.admit_with_consumer()?;
        let same = matches!(&state.output, Output::Network(now) if **now == *network);
        if same { Ok(()) } else { Err(ErrorCode::RelaydConnectFail) }
    }

    pub(crate) fn no_connection(&self, error: &ConnectError) -> ErrorCode {
        if let ConnectError::Consumer { source: ConsumerError::Ended, .. } = error {
            return ErrorCode::SessNotFound;
        }
        complain!(self, "there is no connection to the relay daemon", %error);
        match error {
            ConnectError::Relayd(error) => relayd_code(error),
            ConnectError::Consumer { kind, source } => {
                consumer_code(kind.tracer(), source, ErrorCode::EnableConsumerFail)
            }
            ConnectError::Busy => ErrorCode::Fatal,
            ConnectError::GivenUp | ConnectError::Failed => ErrorCode::RelaydConnectFail,
        }
    }

    pub(crate) fn no_relayd(&self, error: &RelaydError) -> ErrorCode {
        complain!(self, "there is no connection to the relay daemon", %error);
        relayd_code(error)
    }

    /// Lets go of the connection, which closes with the last stream that uses it.
    pub(crate) async fn disconnect_relayd(&self) {
        let relayd = self.state_mut().relayd.take();
        if let Some(relayd) = relayd {
            self.give_up(relayd.held.connection()).await;
        }
    }

    /// The same for one connection.
    pub(crate) async fn give_up(&self, connection: &Addr<RelayConnection>) {
        // It fails only when the connection was given up already.
        let _ = connection.send(GiveUp).await;
    }

    /// A consumer has ended, and its connection with it.
    pub(crate) fn relayd_lost_by(&self, consumer: Addr<Consumer>) {
        if let Some(relayd) = &self.state().relayd {
            Outlet::to(relayd.held.connection().clone().recipient())
                .tell(ConnectionLost { consumer });
        }
    }

    /// The next command that needs the relay daemon connects it again.
    pub(crate) fn connection_failed(&self, failed: ConnectionFailed) {
        let state = &mut *self.state_mut();
        let failed = state.relayd.take_if(|relayd| relayd.held.net_index() == failed.net_index);
        drop(failed);
    }

    /// Where a relay daemon writes what a tracer records in a chunk; nothing for one that knows of chunks
    /// and is told of this one.
    pub(crate) fn directory_at(
        &self,
        relayd: HandedOver,
        network: &NetworkOutput,
        chunk: &str,
        tracer: Tracer,
    ) -> String {
        if relayd.has_trace_chunks() {
            return String::new();
        }
        let SessionConfig { hostname, name, auto_named, created_at, .. } = &self.config;
        let session = network.directory(hostname, name, *auto_named, *created_at);
        match chunk {
            "" => format!("{session}{}/", tracer.directory()),
            _ => format!("{session}{chunk}/{}/", tracer.directory()),
        }
    }

    /// The connection, as requests to consumers name it.
    pub(crate) fn net_index(&self) -> Option<NetIndex> {
        self.state().relayd().map(|relayd| relayd.net_index)
    }
}
