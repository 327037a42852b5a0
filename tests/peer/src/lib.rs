//! Fake peers for tests: the other ends of the daemon's sockets, each of which can misbehave at any
//! message.
//!
//! A fake runs in threads of its own and blocks there, so that it is as independent of the daemon's
//! runtime as a real peer. What it was sent stands in its record; what it does with a message is
//! decided by a closure of the test. Faults of the test itself panic.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod agent;
mod alone;
pub mod app;
mod client;
mod consumer;
mod descriptors;
pub mod hostile;
mod kernel;
mod logged;
mod relayd;
mod samples;
mod tracer;
mod waiting;

pub use agent::{AgentAct, AgentRequest, AgentScript, FakeAgent};
pub use alone::{alone, open_descriptors};
pub use app::{AppAct, AppRequest, AppScript, FakeApp};
pub use client::FakeClient;
pub use consumer::{ConsumerAct, ConsumerScript, FakeConsumer, Greeting, MetadataPush};
pub use descriptors::{receive_descriptors, send_descriptors};
pub use kernel::{FakeKernel, KernelAct, KernelObject};
pub use logged::Logged;
pub use relayd::{FakeRelayd, answer_as_relayd};
pub use samples::{channel_listing, event_description};
pub use tracer::{EVENT_HEADER_LEN, Event, Refused, Slot, Tracer, TracerChannel, events};
pub use waiting::{BaseLine, Gate, PATIENCE, at_rest, eventually, eventually_so};
