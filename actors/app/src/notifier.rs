//! Event notifiers in applications: events that match a rule are told when they happen.

mod message;

pub use message::{
    ClearNotifierErrors, CountNotifierErrors, EventNotified, EventsNotified, SetNotifiers,
};
