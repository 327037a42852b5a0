//! Which sockets are served, and in which rooms.

use std::{net::TcpListener, os::unix::net::UnixListener};

use actix::{Addr, ArbiterHandle};
use lttngd_agent::{AgentSettings, Agents};
use lttngd_app::{AppSettings, AppSocket, Apps};
use lttngd_handle::Handle;
use lttngd_model::Credentials;
use lttngd_notification::Triggers;
use lttngd_runtime::{Descriptors, Outlet};
use lttngd_session::Consumers;
use lttngd_status::MetricsListener;
use tokio::{sync::mpsc as events, task::JoinHandle as TaskHandle};

use crate::{ClientVersion, config::Config, error::DaemonFailed, listening::serve, room::Room};

/// What is served to those who look at the daemon and to those who declare sessions.
pub(super) struct LookedAt {
    /// The socket of a status.
    pub(super) status: Option<UnixListener>,
    /// Where metrics are scraped.
    pub(super) metrics: Option<MetricsListener>,
    /// The socket at which sessions are declared.
    pub(super) declare: Option<UnixListener>,
}

impl LookedAt {
    /// Whether there is any of it.
    pub(super) fn is_some(&self) -> bool {
        self.status.is_some() || self.metrics.is_some() || self.declare.is_some()
    }
}

/// Serves those who subscribe to notifications, and those who look at the daemon, in rooms of their own.
pub(super) fn listen_in_rooms(
    (triggers_room, status_room): (&mut Room, Option<&mut Room>),
    notifications: Option<(UnixListener, Addr<Triggers>)>,
    (looked_at, handle): (LookedAt, &Handle),
    descriptors: &Descriptors,
    failures: &events::UnboundedSender<DaemonFailed>,
) {
    if let Some((socket, triggers)) = notifications {
        let descriptors = descriptors.clone();
        let listening = || lttngd_notification::listen(socket, triggers, descriptors);
        triggers_room.listen("socket for notifications", listening, failures.clone());
    }
    let Some(room) = status_room else { return };
    let LookedAt { status, metrics, declare } = looked_at;
    if let Some(socket) = declare {
        let (handle, descriptors) = (handle.clone(), descriptors.clone());
        let listening = || lttngd_declared::listen(socket, handle, descriptors);
        room.listen("socket for declared sessions", listening, failures.clone());
    }
    if let Some(socket) = status {
        let (handle, descriptors) = (handle.clone(), descriptors.clone());
        let listening = || lttngd_status::listen(socket, handle, descriptors);
        room.listen("status socket", listening, failures.clone());
    }
    if let Some(socket) = metrics {
        // Who may connect there may read all of it.
        let handle = handle.acting_for(Credentials { uid: 0, gid: 0 });
        let descriptors = descriptors.clone();
        let listening = || lttngd_status::listen_for_scrapes(socket, handle, descriptors);
        room.listen("socket for metrics", listening, failures.clone());
    }
}

/// Serves clients in a room of their own, and near the actors who is alone: by what is returned first, if anything is.
/// By the other they are answered in the actors' thread.
pub(super) fn listen_for_clients(
    room: &mut Room,
    (socket, handle, descriptors): (UnixListener, Handle, Descriptors),
    unknown: Option<ClientVersion>,
    failures: &events::UnboundedSender<DaemonFailed>,
) -> (Option<TaskHandle<()>>, TaskHandle<()>) {
    let mut apart =
        lttngd_client::Apart::new(socket, handle, descriptors).taking_unknown_for(unknown);
    let answering = apart.answering();
    let near = apart.near().inspect_err(|error| {
        tracing::warn!(%error, "no client is served near the actors: each is answered a little later");
    });
    let socket = "socket for clients";
    room.listen(socket, || apart.listen(), failures.clone());
    let answering = serve(socket, answering.listen(), failures.clone());
    let near = near.ok().map(|near| serve(socket, near.listen(), failures.clone()));
    (near.map(tokio::task::spawn_local), tokio::task::spawn_local(answering))
}

/// Sockets by which applications and agents register, with who knows them, and the arbiters of applications if they have
/// any of their own.
pub(super) type PeerSockets =
    ((Vec<AppSocket>, Addr<Apps>, Vec<ArbiterHandle>), (Option<TcpListener>, Addr<Agents>));

/// Serves the sockets by which applications and agents register.
pub(super) fn listen_for_peers(
    config: &Config,
    descriptors: &Descriptors,
    ((apps, known_apps, places), (agents, known_agents)): PeerSockets,
    consumers: &Consumers,
    failures: &events::UnboundedSender<DaemonFailed>,
) -> Vec<TaskHandle<()>> {
    let settings = AppSettings {
        deadline: config.app_socket_timeout,
        descriptors: descriptors.clone(),
        bitnesses: consumers.bitnesses().collect(),
        registered: Outlet::to(known_apps.clone().recipient()),
        unregistered: Outlet::to(known_apps.clone().recipient()),
        attended: Outlet::to(known_apps.recipient()),
    };
    let listening = lttngd_app::listen(apps, settings, places);
    let listening = serve("sockets for applications", listening, failures.clone());
    let mut listeners = vec![tokio::task::spawn_local(listening)];
    if let Some(agents) = agents {
        let settings = AgentSettings {
            deadline: config.app_socket_timeout,
            descriptors: descriptors.clone(),
            registered: Outlet::to(known_agents.clone().recipient()),
            unregistered: Outlet::to(known_agents.recipient()),
        };
        let listening = lttngd_agent::listen(agents, settings);
        let listening = serve("socket for agents", listening, failures.clone());
        listeners.push(tokio::task::spawn_local(listening));
    }
    listeners
}
