//! Saved sessions: the XML files of `lttng save` and `lttng load`, as session.xsd of LTTng 2.13
//! describes them, and those of newer versions but for what can be left out of them. [`read`] takes what the schema takes, elements in any order; [`write()`] writes what
//! the stock daemon writes, to the byte.

mod context;
mod list;
mod newer;
mod probe;
mod text;
mod trackers;
mod write;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Deserialize;
use thiserror::Error;

use self::list::{
    Channels, Contexts, Domains, Events, Exclusions, RotationSchedules, SnapshotOutputs, unwrap,
};
pub use self::newer::LeftOut;
pub use self::probe::{
    SavedEventAttributes, SavedFunction, SavedFunctionProbe, SavedLookupMethod, SavedProbe,
    SavedTracepointProbe,
};
pub use self::text::decode;
pub use self::trackers::{SavedTracker, SavedTrackers, TrackedValue};
pub use self::write::write;

/// Most bytes of a file of saved sessions.
pub const SESSION_FILE_MAX: u64 = 64 << 20;
/// Possible blocking timeouts: for ever, none, and as many milliseconds as an `int` holds.
const BLOCKING_TIMEOUTS_US: std::ops::RangeInclusive<i64> = -1..=(i32::MAX as i64) * 1000 + 999;
/// Most sessions of a file.
const SESSIONS_MAX: usize = 1 << 16;

/// Why a file of saved sessions cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("not a file of saved sessions: {}", lttngd_model::Escaped(.0))]
pub struct SessionFileError(String);

/// A saved session.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedSession {
    /// Name.
    pub name: String,
    /// Directory of the shared memory of its buffers, if it was chosen.
    #[serde(default)]
    pub shared_memory_path: Option<String>,
    /// Its domains.
    #[serde(default, deserialize_with = "unwrap::<_, Domains, _>")]
    pub domains: Vec<SavedDomain>,
    /// Whether it was tracing. A file that does not say so starts the session.
    #[serde(default)]
    pub started: Option<bool>,
    /// What is not usual about it.
    #[serde(default)]
    pub attributes: SavedAttributes,
    /// Where its traces go; `None` for nowhere.
    #[serde(default)]
    pub output: Option<SavedOutput>,
}

/// What is not usual about a session.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedAttributes {
    /// Whether it is a snapshot session.
    #[serde(default)]
    pub snapshot_mode: bool,
    /// Period of the live timer in microseconds, 0 for a session that is not live.
    #[serde(default, rename = "live_timer_interval")]
    pub live_timer_interval_us: u32,
    /// Its rotation schedules.
    #[serde(default)]
    pub rotation_schedules: SavedRotationSchedules,
}

/// The rotation schedules of a session. Of several of a kind, the last one counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(from = "RotationSchedules")]
pub struct SavedRotationSchedules {
    /// Period in microseconds, 0 for none.
    pub period_us: u64,
    /// Size in bytes, 0 for none.
    pub size_threshold_bytes: u64,
}

/// Where the traces of a session go: one of the two.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedOutput {
    /// Outputs of a snapshot session.
    #[serde(default, deserialize_with = "unwrap::<_, SnapshotOutputs, _>")]
    pub snapshot_outputs: Vec<SavedSnapshotOutput>,
    /// Output of any other session.
    #[serde(default)]
    pub consumer_output: Option<SavedConsumerOutput>,
}

/// A snapshot output.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedSnapshotOutput {
    /// Name.
    pub name: String,
    /// Most bytes of one snapshot, 0 for no limit.
    #[serde(rename = "max_size")]
    pub max_size_bytes: u64,
    /// Where to.
    pub consumer_output: SavedConsumerOutput,
}

/// A place for traces.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedConsumerOutput {
    /// Whether traces go there.
    pub enabled: bool,
    /// The place.
    pub destination: SavedDestination,
}

/// A directory or a relay daemon: one of the two.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedDestination {
    /// A directory; empty for nowhere.
    #[serde(default)]
    pub path: Option<String>,
    /// A relay daemon.
    #[serde(default)]
    pub net_output: Option<SavedNetOutput>,
}

/// A relay daemon.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedNetOutput {
    /// URL of its control connection.
    pub control_uri: String,
    /// URL of its data connection.
    pub data_uri: String,
}

/// Names a set of words and gives each its text in the file.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
        #[allow(missing_docs, reason = "the names are LTTng's own")]
        pub enum $name {
            $(#[serde(rename = $word)] $variant,)*
        }

        impl $name {
            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    )*};
}

words! {
    /// A domain.
    SavedDomainType { Kernel = "KERNEL", Ust = "UST", Jul = "JUL", Log4j = "LOG4J", Python = "PYTHON", }
    /// A buffering scheme.
    SavedBufferType { PerPid = "PER_PID", PerUid = "PER_UID", Global = "GLOBAL", }
    /// What a full buffer does.
    SavedOverwriteMode { Discard = "DISCARD", Overwrite = "OVERWRITE", }
    /// How a consumer daemon reads a channel.
    SavedOutputType { Splice = "SPLICE", Mmap = "MMAP", }
    /// A kind of instrumentation. The last two are older words for two of the others.
    SavedEventType {
        All = "ALL", Tracepoint = "TRACEPOINT", Probe = "PROBE", UserspaceProbe = "USERSPACE_PROBE",
        Function = "FUNCTION", FunctionEntry = "FUNCTION_ENTRY", Noop = "NOOP", Syscall = "SYSCALL",
        Kprobe = "KPROBE", Kretprobe = "KRETPROBE",
    }
    /// How a log level is meant.
    SavedLogLevelType { All = "ALL", Range = "RANGE", Single = "SINGLE", }
}

/// A domain of a session.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedDomain {
    /// Which.
    #[serde(rename = "type")]
    pub kind: SavedDomainType,
    /// Its buffering scheme.
    pub buffer_type: SavedBufferType,
    /// Its channels.
    #[serde(default, deserialize_with = "unwrap::<_, Channels, _>")]
    pub channels: Vec<SavedChannel>,
    /// Its process attribute trackers; `None` in domains that have none. Files of LTTng before 2.12
    /// have them under another name.
    #[serde(default, alias = "trackers")]
    pub process_attr_trackers: Option<SavedTrackers>,
}

/// A channel. What a file leaves out is `None`, and the domain's default.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are LTTng's own, with their units")]
pub struct SavedChannel {
    pub name: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub overwrite_mode: Option<SavedOverwriteMode>,
    #[serde(default, rename = "subbuffer_size")]
    pub subbuffer_size_bytes: Option<u64>,
    #[serde(default)]
    pub subbuffer_count: Option<u64>,
    #[serde(default, rename = "switch_timer_interval")]
    pub switch_timer_interval_us: Option<u32>,
    #[serde(rename = "read_timer_interval")]
    pub read_timer_interval_us: u32,
    pub output_type: SavedOutputType,
    #[serde(default, rename = "blocking_timeout")]
    pub blocking_timeout_us: Option<i64>,
    #[serde(default, rename = "monitor_timer_interval")]
    pub monitor_timer_interval_us: Option<u64>,
    #[serde(default, rename = "tracefile_size")]
    pub tracefile_size_bytes: u64,
    #[serde(default)]
    pub tracefile_count: u64,
    #[serde(default, rename = "live_timer_interval")]
    pub live_timer_interval_us: Option<u32>,
    #[serde(default, deserialize_with = "unwrap::<_, Events, _>")]
    pub events: Vec<SavedEvent>,
    #[serde(default, deserialize_with = "unwrap::<_, Contexts, _>")]
    pub contexts: Vec<SavedContext>,
}

/// An event rule of the user-space domain or an agent's.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedEvent {
    /// Name or pattern.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it records. The schema has `true` for a file that does not say so, the stock loader
    /// `false`, and that is what files are tried with.
    #[serde(default)]
    pub enabled: bool,
    /// Kind.
    #[serde(default = "tracepoint", rename = "type")]
    pub kind: SavedEventType,
    /// How the log level is meant.
    #[serde(default = "every_level")]
    pub loglevel_type: SavedLogLevelType,
    /// Log level, if one is meant.
    #[serde(default)]
    pub loglevel: Option<i32>,
    /// Filter text.
    #[serde(default)]
    pub filter: Option<String>,
    /// Names or patterns that do not match.
    #[serde(default, deserialize_with = "unwrap::<_, Exclusions, _>")]
    pub exclusions: Vec<String>,
    /// Where a probe stands.
    #[serde(default)]
    pub attributes: Option<SavedEventAttributes>,
}

/// A context: one of the three.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedContext {
    /// One without parameters, LTTng's name of its type without prefix.
    #[serde(default, rename = "type")]
    pub plain: Option<String>,
    /// A performance counter.
    #[serde(default)]
    pub perf: Option<SavedPerfContext>,
    /// One that an application's own provider fills.
    #[serde(default)]
    pub app: Option<SavedAppContext>,
}

/// A performance counter.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedPerfContext {
    /// `perf_event_attr.type`.
    #[serde(rename = "type")]
    pub perf_type: u32,
    /// `perf_event_attr.config`.
    pub config: u64,
    /// Name of the field in traces.
    pub name: String,
}

/// A context that an application's own provider fills.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SavedAppContext {
    /// Provider name.
    pub provider_name: String,
    /// Context name.
    pub ctx_name: String,
}

fn yes() -> bool {
    true
}

fn tracepoint() -> SavedEventType {
    SavedEventType::Tracepoint
}

fn every_level() -> SavedLogLevelType {
    SavedLogLevelType::All
}

/// Reads a file of saved sessions.
///
/// # Errors
/// For anything that is not well-formed, has elements that the schema does not know, lacks some that
/// it demands, or has other values than it allows.
pub fn read(text: &str) -> Result<Vec<SavedSession>, SessionFileError> {
    Ok(read_any(text)?.0)
}

/// The same, with what newer versions of LTTng have written into it that is left out.
///
/// # Errors
/// As [`read`].
pub fn read_any(text: &str) -> Result<(Vec<SavedSession>, LeftOut), SessionFileError> {
    let error = |error: &dyn std::fmt::Display| SessionFileError(error.to_string());
    let mut text = Cow::Borrowed(text);
    if text.contains("xmlns:") {
        text = text::without_namespaces(&text).map_err(|e| error(&e))?.into();
    }
    let mut left_out = LeftOut::new();
    if newer::may_be_newer(&text) {
        let (older, newer) = newer::without(&text).map_err(|e| error(&e))?;
        (text, left_out) = (older.into(), newer);
    }
    let sessions = list::sessions(&text).map_err(|e| error(&e))?;
    if sessions.is_empty() || sessions.len() > SESSIONS_MAX {
        return Err(error(&format_args!("{} sessions", sessions.len())));
    }
    for session in &sessions {
        session.check().map_err(|e| error(&e))?;
    }
    Ok((sessions, left_out))
}

impl SavedSession {
    /// What the shape of the data does not tell: the choices of the schema.
    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        let mut destinations = Vec::new();
        if let Some(output) = &self.output {
            if output.consumer_output.is_some() && !output.snapshot_outputs.is_empty() {
                return Err(format!("session {name}: two kinds of output"));
            }
            destinations.extend(output.consumer_output.iter().map(|output| &output.destination));
            let snapshots = output.snapshot_outputs.iter();
            destinations.extend(snapshots.map(|output| &output.consumer_output.destination));
        }
        if destinations.iter().any(|place| place.path.is_some() == place.net_output.is_some()) {
            return Err(format!("session {name}: an output needs a path or a net_output"));
        }
        for (at, domain) in self.domains.iter().enumerate() {
            if self.domains.iter().take(at).any(|other| other.kind == domain.kind) {
                return Err(format!("session {name}: domain {} twice", domain.kind.word()));
            }
            for channel in &domain.channels {
                let timeout_us = channel.blocking_timeout_us.unwrap_or_default();
                if !BLOCKING_TIMEOUTS_US.contains(&timeout_us) {
                    return Err(format!("session {name}: blocking_timeout {timeout_us}"));
                }
            }
            let events = domain.channels.iter().flat_map(|channel| &channel.events);
            for attributes in events.filter_map(|event| event.attributes.as_ref()) {
                let count = attributes.count();
                if count != 1 {
                    return Err(format!("session {name}: {count} kinds of attributes of an event"));
                }
            }
            for context in domain.channels.iter().flat_map(|channel| &channel.contexts) {
                let SavedContext { plain, perf, app } = context;
                let count = [plain.is_some(), perf.is_some(), app.is_some()]
                    .iter()
                    .filter(|is| **is)
                    .count();
                if count != 1 {
                    return Err(format!("session {name}: a context has {count} types"));
                }
            }
        }
        Ok(())
    }
}
