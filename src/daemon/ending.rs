//! The end of all that traces.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use actix::Addr;
use futures::future::join_all;
use lttngd_app::{Apps, SetNotifiers};
use lttngd_kernel::{CloseNotifiers, Notifiers as KernelNotifiers, Release, Tracer};
use lttngd_registry::{Ended, Registry, Shutdown};
use lttngd_runas::Runas;
use lttngd_runtime::{Outlet, ask};
use lttngd_session::{Consumers, KeptSession};

/// Longest wait for all sessions to end when the daemon does. What consumer daemons have by then they write while
/// they end.
const SHUTDOWN_DEADLINE: Duration = Duration::from_millis(5500);
/// The same for event notifiers.
const NOTIFIERS_DEADLINE: Duration = Duration::from_millis(750);

/// Ends all sessions and event notifiers, then the consumer daemons, then the kernel's tracer. Answers what is to be kept
/// of sessions.
pub(super) async fn end_tracing(
    (registry, keep): (&Addr<Registry>, bool),
    apps: &Addr<Apps>,
    (consumers, runas): (&Consumers, &Runas),
    (tracer, kernel_notifiers, lives): (
        Option<Addr<Tracer>>,
        Option<Addr<KernelNotifiers>>,
        mpsc::Sender<()>,
    ),
) -> Vec<KeptSession> {
    let ended = ask(registry, Shutdown { keep }, SHUTDOWN_DEADLINE).await.inspect_err(|error| {
        tracing::error!(%error, "not every session ended cleanly");
    });
    // Some may be others than at the start.
    let (consumers, kept) = match ended {
        Ok(Ended { consumers, kept }) => (consumers, kept),
        Err(_) => (consumers.clone(), Vec::new()),
    };
    // Whoever tells of an event when nobody reads that any more is killed.
    let none = SetNotifiers { set: Arc::default(), notified: Outlet::closed() };
    if let Err(error) = ask(apps, none, NOTIFIERS_DEADLINE).await {
        tracing::error!(%error, "not every application has ended its event notifiers");
    }
    let acting = runas.clone();
    let acts_no_more = tokio::task::spawn_blocking(move || acting.end());
    // It fails only when that actor is gone, and its consumer with it.
    let stops = consumers.all().map(|(_, consumer)| consumer.send(lttngd_consumer::Stop));
    tokio::join!(acts_no_more, join_all(stops)).0.unwrap_or_default();
    if let Some(notifiers) = kernel_notifiers {
        // It fails only when that actor is gone.
        let _ = notifiers.send(CloseNotifiers).await;
    }
    if let Some(tracer) = tracer {
        // Who waits for the end waits anew.
        let _ = lives.send(());
        // Its modules are in use as long as there are sessions and a consumer daemon. It fails only when that
        // actor is gone.
        let _ = tracer.send(Release).await;
    }
    kept
}
