//! Event notifiers in applications: events that match a rule are told when they happen, through a pipe that
//! each application gets for that when there is something to tell of.
//!
//! ```text
//!   SetNotifiers -> Apps -> each App: a group with its pipe and counters of errors, when it has none yet;
//!                                     its notifiers made and ended, as jobs towards the newest set
//!   its pipe -> NotifierPipe -> EventsNotified -> who set the notifiers
//! ```

mod apps;
mod driver;
mod errors;
mod link;
mod message;
mod pipe;
mod plan;

pub use apps::NotifierSettings;
pub(crate) use apps::{AllNotifiers, Newest, NotifierWish};
pub(crate) use driver::NotifierGroup;
pub use message::{ClearNotifierErrors, CountNotifierErrors, EventsNotified, SetNotifiers};
