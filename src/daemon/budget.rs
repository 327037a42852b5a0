//! How many descriptors a daemon needs besides those that are counted as they are opened.

use lttngd_runtime::Descriptors;

use crate::{config::Config, error::StartError};

/// Descriptors of each thread of applications.
const APPS_DESCRIPTORS: usize = 4;
/// Descriptors of a daemon with one consumer daemon, besides those that are counted as they are opened.
const OWN_DESCRIPTORS: usize = 34;
/// Those of the room of who looks at it.
const STATUS_DESCRIPTORS: usize = 5;
/// Those that metrics need besides.
const METRICS_DESCRIPTORS: usize = 2;
/// Those that declared sessions need besides.
const DECLARE_DESCRIPTORS: usize = 1;
/// How many times as many are to be left for that room to be made: it takes no more than an eighth of them from
/// applications and clients.
const STATUS_NEEDS: usize = 8;
/// Those of a second consumer daemon.
const CONSUMER_DESCRIPTORS: usize = 8;

/// What threads of applications take. Where there are too few descriptors applications have none of their own.
fn descriptors_of_apps(config: &mut Config, own: usize) -> usize {
    let wanted = config.app_threads() * APPS_DESCRIPTORS;
    match Descriptors::of_process(own + wanted) {
        Err(error) if wanted > 0 => {
            tracing::warn!(%error, "applications have no threads of their own");
            config.actor_threads = 1;
            0
        }
        _ => wanted,
    }
}

/// The budget of descriptors. Where there are too few for a status nobody is told one.
pub(super) fn descriptors_for(config: &mut Config) -> Result<Descriptors, StartError> {
    let second = config.consumerd32.binary.is_some();
    let own = OWN_DESCRIPTORS + if second { CONSUMER_DESCRIPTORS } else { 0 };
    let own = own + descriptors_of_apps(config, own);
    if config.status_socket.is_some() || config.metrics.is_some() || config.declare_socket.is_some()
    {
        let of_metrics = if config.metrics.is_some() { METRICS_DESCRIPTORS } else { 0 };
        let of_declare = if config.declare_socket.is_some() { DECLARE_DESCRIPTORS } else { 0 };
        let wanted = STATUS_DESCRIPTORS + of_metrics + of_declare;
        match Descriptors::of_process(own + STATUS_NEEDS * wanted) {
            Ok(_) => return Ok(Descriptors::of_process(own + wanted)?),
            Err(error) => {
                tracing::warn!(%error, "nobody is told what goes on inside, and no session is declared")
            }
        }
        (config.status_socket, config.metrics) = (None, None);
        config.declare_socket = None;
    }
    Ok(Descriptors::of_process(own)?)
}
