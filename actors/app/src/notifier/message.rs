//! What [`Apps`](crate::Apps) is asked about event notifiers, and what is told of events.

use std::sync::Arc;

use actix::Message;
use lttngd_model::{trigger::EventNotified, ust::NotifierSet};
use lttngd_runtime::{Hold, Outlet};

use crate::AppInfo;

/// Has every application, now and later, the notifiers of this set and no others. The reply comes when all that
/// are registered have them; one that does not answer is not waited for beyond its deadline, one that is set
/// aside not at all: both catch up. An application that registers has them before its `main` begins.
///
/// From this moment nothing is told of a token that is not in the set, though applications may still write it.
/// What is told of a new one may come before the reply.
///
/// What an application refuses is logged; no error is told, since each may be of another version.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct SetNotifiers {
    /// All notifiers.
    pub set: Arc<NotifierSet>,
    /// Is told of their events.
    pub notified: Outlet<EventsNotified>,
}

/// Asks how many events that matched a notifier could not be told by applications of all users, since their
/// pipes were full, or what was captured did not fit.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "u64")]
pub struct CountNotifierErrors {
    /// The notifier's counter.
    pub index: u64,
}

/// Sets a notifier's counter to 0, for another to use it. Applications that are set aside may still have the
/// notifier that used it, and count on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct ClearNotifierErrors {
    /// The counter.
    pub index: u64,
}

/// Events of an application matched notifiers, in the order in which they were written.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EventsNotified {
    /// Whose; it may have gone since.
    pub app: Arc<AppInfo>,
    /// Never empty. All tokens were in the newest set when they were read.
    pub events: Vec<EventNotified>,
    /// No more of this application is read while this is held: to be dropped when room is there for as many
    /// again. Meanwhile its pipe fills, and it counts what does not fit.
    pub taken: Hold,
}
