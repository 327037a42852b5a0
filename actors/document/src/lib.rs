//! Declared sessions: a [`Document`] says all that a session is to be, and [`plan`] which commands bring one to it.
//! Plain values: no actor, no input or output, no clock.
//!
//! [`read`] takes documents in YAML and JSON, and what `lttng save` writes; [`yaml`] and [`json`] write them, and
//! [`schema`] describes them. [`observed`] is the document of a session that is there.
//!
//! What a document leaves out of single values (attributes of a channel, where traces go) is left to the daemon, and is
//! not compared. Lists (channels, event rules, contexts, trackers, snapshot outputs that are named) are whole: what is
//! not in them is not to record.

mod agent_filter;
mod check;
mod command;
mod document;
mod domain;
mod level;
mod matching;
mod plan;
mod rule;
mod saved;
mod text;

#[cfg(test)]
mod tests;

pub use check::Fault;
pub use command::{Command, Obstacle, Schedule};
pub use document::{
    Document, DocumentVersion, End, Mode, Output, RelayUrls, Rotation, SnapshotOutput, VERSION,
};
pub use domain::{
    AgentDomain, AppContext, Attributes, BufferMode, Channel, ContextField, KernelDomain, NameOrId,
    PerfCounter, ReadBy, Scheme, Trackers, UstDomain,
};
pub use level::{Level, LogLevel};
pub use plan::{Observed, Plan, plan, replacing};
pub use rule::{EventRule, Lookup, Probe, ProbedFunction, ProbedTracepoint, RuleKind, UserProbe};
pub use saved::{NotSaid, observed};
pub use text::{DOCUMENT_MAX_LEN, ReadError, json, read, schema, yaml};
