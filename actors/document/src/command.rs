//! What is done to bring a session to a document, and what cannot be done while it stays.

use std::fmt;

use lttngd_model::{BufferScheme, Domain, ProcessAttribute, TrackerValue, TrackingPolicy};

use crate::{Attributes, ContextField, EventRule, RuleKind, SnapshotOutput};

/// A schedule of rotations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Schedule {
    /// Every so many microseconds.
    PeriodUs(u64),
    /// Whenever so many bytes were recorded.
    SizeBytes(u64),
}

/// One command to the daemon about the session of the document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "fields are those of LTTng's commands")]
pub enum Command {
    /// Ends the session that is there.
    Destroy,
    /// Makes the session with the document's mode and output.
    Create,
    /// Has its buffers in files below this directory.
    SetShmPath(String),
    /// Adds a place for snapshots.
    AddSnapshotOutput(SnapshotOutput),
    /// Takes away the place of this name.
    DeleteSnapshotOutput(String),
    /// Makes a channel, or lets it record again.
    EnableChannel { domain: Domain, scheme: BufferScheme, channel: String, attributes: Attributes },
    /// Stops a channel.
    DisableChannel { domain: Domain, channel: String },
    /// Adds an event rule, or lets it record again.
    EnableEvent { domain: Domain, scheme: BufferScheme, channel: String, rule: EventRule },
    /// Stops the event rules of this name, in the kernel's domain those of this kind.
    DisableEvent { domain: Domain, channel: String, name: String, kind: Option<RuleKind> },
    /// Adds a context to a channel.
    AddContext { domain: Domain, channel: String, context: ContextField },
    /// Says which processes a tracker lets through.
    SetTracker { domain: Domain, attribute: ProcessAttribute, policy: TrackingPolicy },
    /// Lets one more through.
    Track { domain: Domain, attribute: ProcessAttribute, value: TrackerValue },
    /// Lets one through no more.
    Untrack { domain: Domain, attribute: ProcessAttribute, value: TrackerValue },
    /// Has it rotated of its own accord.
    AddSchedule(Schedule),
    /// Not any more.
    RemoveSchedule(Schedule),
    /// Lets it record.
    Start,
    /// Stops it.
    Stop,
}

/// What cannot be changed while the session stays.
#[derive(Clone, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "fields say what it is about")]
pub enum Obstacle {
    /// It is for something else, or has another live timer.
    Mode,
    /// Its traces go elsewhere.
    Output,
    /// Its buffers are elsewhere.
    ShmPath,
    /// Buffers are shared in another way.
    Scheme,
    /// A channel is missing, and the session was started already.
    MissingChannel { domain: Domain, channel: String },
    /// A channel has other attributes.
    Attributes { domain: Domain, channel: String },
    /// A context is missing, and the session was started already.
    MissingContext { domain: Domain, channel: String, context: ContextField },
    /// There is a context that is not wanted.
    Context { domain: Domain, channel: String, context: ContextField },
    /// An event rule is to stop while another of the same name is to record on.
    SharedName { domain: Domain, channel: String, name: String },
    /// A probe of this name is elsewhere.
    Place { domain: Domain, channel: String, name: String },
}

/// LTTng's word for a domain.
pub(crate) fn word(domain: Domain) -> &'static str {
    match domain {
        Domain::Kernel => "kernel",
        Domain::Ust => "ust",
        Domain::Jul => "jul",
        Domain::Log4j => "log4j",
        Domain::Python => "python",
        Domain::None => "none",
    }
}

/// LTTng's word for what a tracker selects by.
fn attribute_word(attribute: ProcessAttribute) -> &'static str {
    match attribute {
        ProcessAttribute::ProcessId => "pid",
        ProcessAttribute::VirtualProcessId => "vpid",
        ProcessAttribute::UserId => "uid",
        ProcessAttribute::VirtualUserId => "vuid",
        ProcessAttribute::GroupId => "gid",
        ProcessAttribute::VirtualGroupId => "vgid",
    }
}

fn value_text(value: &TrackerValue) -> String {
    match value {
        TrackerValue::Pid(pid) => pid.to_string(),
        TrackerValue::Uid(id) | TrackerValue::Gid(id) => id.to_string(),
        TrackerValue::UserName(name) | TrackerValue::GroupName(name) => name.clone(),
    }
}

/// The context as a document has it.
struct Shown<'a>(&'a ContextField);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ContextField::Perf(perf) => write!(out, "perf {}", perf.name),
            ContextField::App(app) => write!(out, "$app.{}:{}", app.provider, app.name),
            plain => out.write_str(&plain.saved_word().unwrap_or_default().to_lowercase()),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeriodUs(period_us) => write!(out, "every {period_us} us"),
            Self::SizeBytes(bytes) => write!(out, "every {bytes} bytes"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destroy => write!(out, "destroy the session"),
            Self::Create => write!(out, "create the session"),
            Self::SetShmPath(path) => write!(out, "set the shared memory path {path}"),
            Self::AddSnapshotOutput(output) => write!(out, "add snapshot output {}", output.name),
            Self::DeleteSnapshotOutput(name) => write!(out, "delete snapshot output {name}"),
            Self::EnableChannel { domain, channel, .. } => {
                write!(out, "enable channel {channel} ({})", word(*domain))
            }
            Self::DisableChannel { domain, channel } => {
                write!(out, "disable channel {channel} ({})", word(*domain))
            }
            Self::EnableEvent { domain, channel, rule, .. } => {
                write!(out, "enable event {} in channel {channel} ({})", rule.name, word(*domain))?;
                match &rule.filter {
                    Some(filter) => write!(out, " with filter {filter}"),
                    None => Ok(()),
                }
            }
            Self::DisableEvent { domain, channel, name, .. } => {
                write!(out, "disable event {name} in channel {channel} ({})", word(*domain))
            }
            Self::AddContext { domain, channel, context } => {
                let (context, domain) = (Shown(context), word(*domain));
                write!(out, "add context {context} to channel {channel} ({domain})")
            }
            Self::SetTracker { domain, attribute, policy } => {
                let whom = match policy {
                    TrackingPolicy::IncludeAll => "all processes",
                    TrackingPolicy::ExcludeAll => "no process",
                    TrackingPolicy::IncludeSet => "the following",
                };
                write!(out, "track {whom} by {} ({})", attribute_word(*attribute), word(*domain))
            }
            Self::Track { domain, attribute, value } => {
                let (attribute, value) = (attribute_word(*attribute), value_text(value));
                write!(out, "track {attribute} {value} ({})", word(*domain))
            }
            Self::Untrack { domain, attribute, value } => {
                let (attribute, value) = (attribute_word(*attribute), value_text(value));
                write!(out, "untrack {attribute} {value} ({})", word(*domain))
            }
            Self::AddSchedule(schedule) => write!(out, "rotate {schedule}"),
            Self::RemoveSchedule(schedule) => write!(out, "no longer rotate {schedule}"),
            Self::Start => write!(out, "start the session"),
            Self::Stop => write!(out, "stop the session"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mode => write!(out, "the session has another mode"),
            Self::Output => write!(out, "the session's traces go elsewhere"),
            Self::ShmPath => write!(out, "the session's buffers are in another directory"),
            Self::Scheme => write!(out, "applications share buffers in another way"),
            Self::MissingChannel { domain, channel } => write!(
                out,
                "channel {channel} ({}) is missing, and a session that was started takes no new one",
                word(*domain)
            ),
            Self::Attributes { domain, channel } => {
                write!(out, "channel {channel} ({}) has other attributes", word(*domain))
            }
            Self::MissingContext { domain, channel, context } => write!(
                out,
                "channel {channel} ({}) lacks context {}, and a session that was started takes no new one",
                word(*domain),
                Shown(context)
            ),
            Self::Context { domain, channel, context } => write!(
                out,
                "channel {channel} ({}) has context {}, and contexts cannot be taken away",
                word(*domain),
                Shown(context)
            ),
            Self::SharedName { domain, channel, name } => write!(
                out,
                "an event rule {name} of channel {channel} ({}) cannot stop while others of the same name record",
                word(*domain)
            ),
            Self::Place { domain, channel, name } => write!(
                out,
                "probe {name} of channel {channel} ({}) is at another place",
                word(*domain)
            ),
        }
    }
}
