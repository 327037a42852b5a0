//! The CTF 1.8 metadata of a user-space trace: TSDL text that describes packets, events and fields
//! to the readers of a trace.
//!
//! The text is that of `lttng-sessiond` 2.13 to the byte, so that every reader which knows its traces
//! knows ours, with two exceptions for what hostile or odd applications send, and one for viewers. Quotes,
//! backslashes and line breaks are escaped in every quoted string, and what babeltrace2 could not read back
//! is refused (`readable.rs`); stock writes both as they are, which makes the whole trace unreadable. A
//! stream is described before its events, where stock describes them as they come.

mod block;
mod field;
mod header;
mod readable;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use block::{event_block, stream_block};
pub use field::{FIELD_NESTING_MAX, FieldError};
pub(crate) use header::{Preamble, preamble};

use lttngd_model::{Bitness, Timestamp};
use lttngd_wire::ust::registration::Alignments;

/// Largest metadata text of a trace in bytes.
pub const METADATA_MAX_LEN: usize = 64 << 20;

/// Whose buffers a trace is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// Those of every application of this user.
    Uid(u32),
    /// Those of one application.
    Pid {
        /// Process id.
        pid: u32,
        /// Process name.
        procname: String,
        /// When it registered.
        registered_at: Timestamp,
    },
}

/// The clock of a trace, and how it stands to the world.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Clock {
    /// Its name, an identifier.
    pub name: String,
    /// Its identity, which two traces share when their clocks are one; `None` when unknown.
    pub uuid: Option<String>,
    /// What it is.
    pub description: String,
    /// How many units it counts in a second.
    pub freq_hz: u64,
    /// Units from the Epoch to its zero.
    pub offset: i64,
}

impl Clock {
    /// `CLOCK_MONOTONIC`, whose identity is the machine's boot id.
    #[must_use]
    pub fn monotonic(boot_id: Option<String>, offset_ns: i64) -> Self {
        Self {
            name: "monotonic".to_owned(),
            uuid: boot_id,
            description: "Monotonic Clock".to_owned(),
            freq_hz: 1_000_000_000,
            offset: offset_ns,
        }
    }
}

/// What the metadata says about a trace as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceDescription {
    /// Identity of the trace, the same in every packet of it.
    pub uuid: [u8; 16],
    /// Alignments of the application's basic types: of the first that shares the buffers.
    pub alignments: Alignments,
    /// Size of the application's `long`.
    pub bitness: Bitness,
    /// Major, minor and patch level of the application's LTTng-UST.
    pub tracer_version: (u32, u32, u32),
    /// Whose buffers.
    pub scheme: Scheme,
    /// Name of the session.
    pub session_name: String,
    /// Whether the daemon made that name up; the trace is then called `auto`.
    pub auto_named: bool,
    /// When the session was made.
    pub session_created_at: Timestamp,
    /// Name of the machine.
    pub hostname: String,
    /// The clock at the time the text is written.
    pub clock: Clock,
}

/// Which header precedes each event of a stream (`enum lttng_ust_ctl_channel_header`,
/// `include/lttng/ust-ctl.h`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum HeaderType {
    /// 5 bits of event id and 27 of timestamp.
    Compact = 1,
    /// 16 bits of event id and 32 of timestamp.
    Large = 2,
}
