//! The actor of one traced application.
//!
//! An application connects twice. On the *command* socket we ask, for some sessions at a time; on the
//! *notify* socket it asks, at any moment, also while it makes us wait on the other. The notify
//! socket is therefore served on its own, and from before the first command.
//!
//! A session does not send an application commands: it tells it what the session wants
//! ([`SessionWish`]), and the actor works out the difference to what the application has. A newer
//! wish replaces an older one that waits. An application that does not answer (stopped, in a
//! debugger) delays only those who wait for it, and all of them together give up when it has owed an
//! answer for the deadline. It is set aside then: nobody waits for it any more, it is asked no questions,
//! and nothing of a session that comes and goes meanwhile stays with it. When it answers the work goes
//! on, towards the newest wish, and it is waited for again.
//!
//! ```text
//!   connected twice -> asked its version -> AppRegistered told -> (sessions synchronise it)
//!      -> RegisterDone -> ... -> socket closed -> AppUnregistered told
//! ```
//!
//! It asks buffer sets for ids; it is asked by sessions and by the registry.
//!
//! [`Apps`] knows which applications are registered. Sessions that record follow those that their trackers let
//! through; nobody else is told of any. The `main` of an application waits for those that follow it.
//!
//! Applications live where their sockets are accepted, or in arbiters of their own ([`listen`]).

mod actor;
mod apps;
mod driver;
mod error;
mod job;
mod large;
mod link;
mod listener;
mod listing_turns;
mod message;
mod notifier;
mod notify;
mod owing;
mod permits;
mod plan;
mod purpose;
mod socket;
#[cfg(test)]
mod tests;
mod threads;
mod way;

pub use actor::App;
pub use apps::{
    AppArrived, AppExited, AppReport, Apps, AppsChanged, AwaitNoApps, FollowApps, LeaveApps,
    ListApps, RegisteredApp, ReportApps,
};
pub use error::AppError;
pub use listener::{AppSettings, REGISTRATION_DEADLINE};
pub use lttngd_wire::ust::Abi;
pub use message::{
    AppAttended, AppId, AppInfo, AppRegistered, AppUnregistered, Forget, ListTracepointFields,
    ListTracepoints, RegenerateStatedump, RegisterDone, SessionWish, Synchronise,
    SynchroniseArrived, TracepointField,
};
pub use notifier::{
    ClearNotifierErrors, CountNotifierErrors, EventsNotified, NotifierSettings, SetNotifiers,
};
pub use owing::Owing;
pub use permits::REGISTRATIONS_EACH_MAX;
pub use threads::{AppSocket, listen};
