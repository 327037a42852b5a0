//! The way into a daemon, for clients and embedding programs alike.
//!
//! [`Handle`] is what a client connection and an embedding program hold: each of its methods is one request of
//! the client protocol, with that protocol's checks in their order, and [`Handle::ask`] takes the requests
//! themselves. It asks the registry for a session, and that session. [`AnyRequest`] is any of them, and
//! [`Versioned`] what is written down of them. [`Handle::subscribe_to`] takes what asks to be told of what happens.

mod agent_requests;
mod any;
mod commands;
mod handle;
mod kernel_requests;
mod refusals;
mod request;
mod requests;
mod status;
mod subscriptions;
#[cfg(test)]
mod tests;
mod triggers;
mod version;

pub use any::{AnyReply, AnyRequest};
pub use commands::{CommandCounters, CommandFigures, LATENCIES_US, UNDEFINED};
pub use handle::{Handle, Settings};
pub use refusals::{ListRefusals, Refusal};
pub use request::Request;
pub use status::{
    AgentStatus, AnswerStatus, AppState, AppStatus, ChannelLossStatus, CommandStatus,
    ConsumerState, ConsumerStatus, DaemonStatus, DescriptorStatus, GetStatus, LossStatus, Process,
    Quantity, RelayState, RelayStatus, RunasState, RunasStatus, SessionState, SessionStatus,
    SocketStatus, Status, UserStatus, resident_bytes,
};
pub use subscriptions::{AnyEvent, AnySubscribed, AnySubscription, SubscriptionRequest};
pub use version::{VERSION, Versioned};
