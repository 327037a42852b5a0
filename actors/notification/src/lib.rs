//! Triggers: conditions, the actions that are done when they become true, and who is notified of them.
//!
//! [`Triggers`] owns which triggers there are, what is known of the sessions that their conditions are about,
//! and who subscribed to which condition. It is told what happens: by applications and by the kernel of events
//! ([`EventsNotified`](lttngd_app::EventsNotified), [`KernelEventsNotified`](lttngd_kernel::KernelEventsNotified)),
//! by sessions of the use of their buffers and of rotations
//! ([`SessionObserved`](lttngd_session::SessionObserved)). Nobody waits for it.
//!
//! ```text
//!  what happens -> conditions (sessions, tokens of event rules) -> actions that are due (rate policies)
//!                                                                     |
//!        subscribers <- notify (at once when it is alone) <-----------+
//!        sessions    <- start, stop, rotate, snapshot  (in lanes: those of a trigger and those of a
//!                       session one after the other, all else beside one another)
//! ```
//!
//! A subscriber at a socket is an actor of its own, which has what waits for it; one that embeds the daemon has a
//! stream. Neither is waited for: what does not fit is dropped, and it is told that.
//!
//! It asks sessions to do what actions say, and [`Apps`](lttngd_app::Apps) and the kernel's
//! [`Notifiers`](lttngd_kernel::Notifiers) to have the event rules in applications and in the kernel; a command that
//! changes them is answered when these have them. The kernel alone refuses some.

mod actor;
mod book;
mod lanes;
mod listener;
mod message;
mod outgoing;
mod perform;
mod rule;
mod sessions;
mod slots;
mod subscriber;
mod subscriptions;
#[cfg(test)]
mod tests;

pub use actor::{KernelNotifiers, Notifiers, Triggers, TriggersConfig, WORKS_MAX};
pub use book::{PLACED_TRIGGERS_MAX, TRIGGERS_EACH_MAX, TRIGGERS_MAX};
pub use listener::listen;
pub use message::{
    ListTriggers, NOTIFICATIONS_MAX, NotificationEvent, Notifications, QueryErrors,
    RegisterTrigger, SubscribeNotifications, UnregisterTrigger,
};
pub use outgoing::WAITING_MAX_LEN;
pub use subscriber::HANDSHAKE_DEADLINE;
pub use subscriptions::{SUBSCRIBERS_EACH_MAX, SUBSCRIBERS_MAX, SUBSCRIPTIONS_EACH_MAX};
