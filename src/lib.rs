//! lttngd, a session daemon for LTTng on the actor model.
//!
//! The daemon takes the place of `lttng-sessiond`. A program can also embed it: [`Daemon::start`]
//! runs it in threads of its own, and a [`Handle`] drives it with the very requests that the client
//! socket uses.
//!
//! ```no_run
//! use lttngd::model::{DescriptorOutput, EventDescription, SessionDescriptor, SessionKind, Uri};
//! use lttngd::{Config, Daemon};
//!
//! # async fn record() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::for_current_user()?.without_clients()?;
//! let daemon = Daemon::start(config)?;
//! let handle = daemon.handle();
//! let session = SessionDescriptor {
//!     kind: SessionKind::Regular,
//!     name: Some("mine".to_owned()),
//!     output: DescriptorOutput::Local(Some(Uri::Path("/tmp/mine/trace".into()))),
//! };
//! handle.create_session(None, session).await?;
//! let rule = EventDescription::tracepoint("app:*").filtered_by("size > 4096")?;
//! handle.enable_event("mine", "", rule).await?;
//! handle.start("mine").await?;
//! // Programs of this user are recorded now.
//! handle.stop("mine").await?;
//! handle.destroy_session("mine").await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each method is a shorthand for a message. [`Handle::ask`] takes the messages themselves: they are
//! plain values that `serde` writes and reads, the very ones that the actors' mailboxes take.
//! [`AnyRequest`] is any of them, for logs, recorded tests and other front ends, and [`VERSION`] says
//! what their written form promises. [`Handle::subscribe`] gives a stream of what happens; [`AnySubscription`] is any
//! message that asks for such a stream.
//!
//! ```no_run
//! use lttngd::session::{SessionEvent, SessionRequest, Start};
//! use lttngd::{AnyRequest, Event, Handle};
//!
//! # async fn start(handle: &Handle) -> Result<(), Box<dyn std::error::Error>> {
//! let events = handle.subscribe(1024).await?;
//! let request: AnyRequest = Start.in_session("mine").into();
//! handle.ask(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The library leaves the process alone: it catches no signal, writes no log (it reports through
//! `tracing`) and does not raise the limit of open descriptors, of which each traced application
//! costs several.

pub mod config;
mod daemon;
mod error;
mod handover;
mod health;
mod keep;
mod listening;
mod load;
pub mod process;
mod room;
mod rundir;
mod wait_page;

pub use config::{AgentPort, ClockPluginConfig, Config, ConsumerdConfig, MetricsAddress};
pub use daemon::Daemon;
pub use error::{DaemonFailed, StartError};
pub use handover::{Handover, SocketKeeper};
pub use load::LoadError;
pub use lttngd_client::Dialect as ClientVersion;
pub use lttngd_declared as declared;
pub use lttngd_document as document;
pub use lttngd_handle::{
    AnyEvent, AnyReply, AnyRequest, AnySubscribed, AnySubscription, AppState, GetStatus, Handle,
    ListRefusals, Refusal, Request, SessionState, Status, SubscriptionRequest, VERSION, Versioned,
};
pub use lttngd_kernel::ListSyscalls;
pub use lttngd_model as model;
pub use lttngd_notification as notification;
pub use lttngd_registry::{
    AppDescription, Calibrate, CreateSession, DestroySession, EVENTS_MAX, Event, ListSessions,
    ListTracepointFields, ListTracepoints, RegisterConsumer, SUBSCRIPTIONS_MAX, SaveAllSessions,
    Subscribe, Subscription,
};
pub use lttngd_session as session;
pub use lttngd_status as status;
pub use lttngd_wire::notification::{CapturedValue, decode_captures};

use model::{BufferScheme, ChannelAttributes, ChannelListing};

/// A channel of the user-space domain for [`Handle::enable_channel`], with the attributes that the
/// daemon gives a channel of its own making. Change those that should differ.
#[must_use]
pub fn user_space_channel(name: impl Into<String>, scheme: BufferScheme) -> ChannelListing {
    let page_size_bytes = rustix::param::page_size() as u64;
    ChannelListing::new(name, ChannelAttributes::user_space(scheme, page_size_bytes))
}

/// The same of the kernel's domain, for [`Handle::enable_kernel_channel`].
#[must_use]
pub fn kernel_channel(name: impl Into<String>) -> ChannelListing {
    ChannelListing::new(name, ChannelAttributes::kernel())
}
