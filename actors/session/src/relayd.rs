//! The session's connection to its relay daemon.

use lttngd_consumer::{AddRelayd, Consumer, ConsumerError, DestroyRelayd};
use lttngd_model::{ErrorCode, NetIndex, SessionKind};
use lttngd_relayd::{CreateSession, Relayd, RelaydTarget, Version};

use actix::Addr;

use crate::{
    NetworkOutput, Output, SessionConfig,
    actor::Inner,
    error::{consumer_code, relayd_code},
};

/// A relay daemon that the consumers are connected to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionRelayd {
    pub(crate) net_index: NetIndex,
    pub(crate) version: Version,
    pub(crate) clear_allowed: bool,
}

impl Inner {
    /// Connects every consumer to the relay daemon of a session that streams, unless they are.
    /// Commands that need no connection go on meanwhile.
    pub(crate) async fn connect_relayd(&self) -> Result<(), ErrorCode> {
        if !self.needs_relayd() {
            return Ok(());
        }
        let _turn = self.connecting.take().await.map_err(|_| ErrorCode::Fatal)?;
        let Output::Network(network) = self.state().output.clone() else { return Ok(()) };
        if !self.needs_relayd() {
            return Ok(());
        }
        let relayd = self.connect_to(&network, false).await?;
        // The session may have ended, or gone somewhere else, while the relay daemon took its time.
        let wanted = self.life().admit_with_consumer().and_then(|()| {
            let same = self.state().output == Output::Network(network);
            if same { Ok(()) } else { Err(ErrorCode::RelaydConnectFail) }
        });
        match wanted {
            Ok(()) => self.state_mut().relayd = Some(relayd),
            Err(_) => self.give_up(relayd.net_index).await,
        }
        wanted
    }

    /// Connects every consumer to a relay daemon, or none, to stream there or to record one snapshot.
    pub(crate) async fn connect_to(
        &self,
        network: &NetworkOutput,
        snapshot: bool,
    ) -> Result<SessionRelayd, ErrorCode> {
        let target = match network.target() {
            Some(target) => target.map_err(|error| self.no_relayd(&error))?,
            None => return Err(ErrorCode::Invalid),
        };
        let net_index = self.config.relayd.indexes.next();
        let connected = self.connect_consumers(net_index, target, network, snapshot).await;
        if connected.is_err() {
            self.give_up(net_index).await;
        }
        connected
    }

    fn needs_relayd(&self) -> bool {
        matches!(self.state().output, Output::Network(_)) && self.state().relayd.is_none()
    }

    /// Each consumer has connections of its own, and a session of its own in the relay daemon.
    async fn connect_consumers(
        &self,
        net_index: NetIndex,
        target: RelaydTarget,
        network: &NetworkOutput,
        snapshot: bool,
    ) -> Result<SessionRelayd, ErrorCode> {
        let config = &self.config;
        let announced = CreateSession {
            name: config.name.clone(),
            hostname: config.hostname.clone(),
            base_path: network.base_path().to_owned(),
            live_timer_us: config.live_timer_interval_us(),
            snapshot,
            name_contains_creation_time: config.auto_named,
            sessiond_uuid: config.relayd.sessiond_uuid,
            session_id: config.id,
            created_at: config.created_at,
            current_chunk_id: None,
        };
        let mut connected = None;
        let mut id = None;
        for (_, consumer) in config.consumers.all() {
            let relayd = Relayd::connect(&config.relayd, target, announced.clone(), id)
                .await
                .map_err(|error| self.no_relayd(&error))?;
            id = Some(relayd.announced_id);
            let (version, clear_allowed) = (relayd.version, relayd.clear_allowed);
            self.hand_over(relayd, net_index, consumer).await?;
            connected = Some(SessionRelayd { net_index, version, clear_allowed });
        }
        connected.ok_or(ErrorCode::NoUstconsumerd)
    }

    async fn hand_over(
        &self,
        relayd: Relayd,
        net_index: NetIndex,
        consumer: &Addr<Consumer>,
    ) -> Result<(), ErrorCode> {
        let Relayd { version, session_id, output_path, control, data, .. } = relayd;
        let session = self.config.id;
        tracing::info!(session = self.config.name, %net_index, ?output_path, "connected to a relay daemon");
        let add = AddRelayd {
            net_index,
            version: (version.major, version.minor),
            session,
            relayd_session_id: session_id,
            control,
            data,
        };
        self.ask_consumer(consumer, add).await.map_err(|error| {
            if matches!(error, ConsumerError::Ended) {
                return ErrorCode::SessNotFound;
            }
            tracing::error!(session = self.config.name, %error, "the consumer daemon does not take the relay daemon");
            consumer_code(&error, ErrorCode::EnableConsumerFail)
        })
    }

    pub(crate) fn no_relayd(&self, error: &lttngd_relayd::RelaydError) -> ErrorCode {
        tracing::error!(session = self.config.name, %error);
        relayd_code(error)
    }

    /// Lets go of the connection, which closes with the last stream that uses it.
    pub(crate) async fn disconnect_relayd(&self) {
        let relayd = self.state_mut().relayd.take();
        if let Some(relayd) = relayd {
            self.give_up(relayd.net_index).await;
        }
    }

    /// The same for one connection.
    pub(crate) async fn give_up(&self, net_index: NetIndex) {
        let session = self.config.id;
        for (_, consumer) in self.config.consumers.all() {
            // It refuses one that it never got, and one whose relay daemon is gone.
            if let Err(error) =
                self.ask_consumer(consumer, DestroyRelayd { session, net_index }).await
            {
                tracing::debug!(session = self.config.name, %net_index, %error);
            }
        }
    }

    /// Where a relay daemon writes the user-space domain of a chunk; nothing for one that knows of
    /// chunks and is told of this one.
    pub(crate) fn directory_at(
        &self,
        relayd: SessionRelayd,
        network: &NetworkOutput,
        chunk: &str,
    ) -> String {
        if relayd.version.has_trace_chunks() {
            return String::new();
        }
        let SessionConfig { hostname, name, auto_named, created_at, .. } = &self.config;
        let session = network.directory(hostname, name, *auto_named, *created_at);
        match chunk {
            "" => format!("{session}ust/"),
            _ => format!("{session}{chunk}/ust/"),
        }
    }

    /// The connection, as requests to consumers name it.
    pub(crate) fn net_index(&self) -> Option<NetIndex> {
        self.state().relayd.map(|relayd| relayd.net_index)
    }

    /// Whether a session that was started can be rotated by a client.
    pub(crate) fn rotation_available(&self) -> Result<(), ErrorCode> {
        let live = matches!(self.config.kind, SessionKind::Live { .. });
        if live || self.state().output == Output::None {
            return Err(ErrorCode::RotationNotAvailable);
        }
        match self.state().relayd {
            Some(relayd) if !relayd.version.has_trace_chunks() => {
                Err(ErrorCode::RotationNotAvailableRelay)
            }
            _ => Ok(()),
        }
    }

    /// Whether the relay daemon, if there is one, lets the session be cleared.
    pub(crate) fn clear_available(&self) -> Result<(), ErrorCode> {
        match self.state().relayd {
            Some(relayd) if !(relayd.version.has_clear() && relayd.clear_allowed) => {
                Err(ErrorCode::ClearNotAvailableRelay)
            }
            _ => Ok(()),
        }
    }
}
