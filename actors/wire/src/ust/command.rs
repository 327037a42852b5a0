//! The command socket: one request at a time, answered by one [`Reply`], or by two for a command with
//! [`Command::has_early_ack`].
//!
//! Up to ABI 10 a request has [`REQUEST_LEN`] bytes and a reply [`REPLY_LEN`], and what follows a request stands in the
//! variant's documentation. "Descriptors" are one zero byte of their own with the descriptors beside it. In ABI 11 a
//! request is a head and a payload, which begins with the command's own structure and ends with what else follows a
//! request; its descriptors are beside the payload's first byte. [`Command::put`] writes either.

mod field_entry;
mod framed;
mod payload;
mod reply;
mod request;
#[cfg(test)]
mod tests;

use lttngd_model::{Bytecode, Context, ContextKind, LogLevelRule, PerfContext};

pub use field_entry::{FIELD_ENTRY_LEN, FieldEntry, field_entry_len};
pub use payload::{
    Arithmetic, COUNTER_CONFIGURATION_LEN, CounterBits, CounterConfiguration, CounterDimension,
    EVENT_NOTIFIER_LEN, EXCLUSION_NAME_LEN, EventNotifier, app_context, decode_exclusions,
    exclusions,
};
pub use reply::{REPLY_LEN, Reply, ReplyHead, UstError, reply_len};

use crate::ust::Abi;

/// Size in bytes of every request up to ABI 10 (`struct ustcomm_ust_msg`).
pub const REQUEST_LEN: usize = 612;
/// The handle of the application itself (`LTTNG_UST_ABI_ROOT_HANDLE`).
pub const ROOT_HANDLE: u32 = 0;
/// Largest channel image that applications take, in bytes.
pub const CHANNEL_IMAGE_MAX_LEN: u64 = 1 << 20;

/// A command. Its handle, which object it is for, is given apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Drops the daemon's reference to any object but the root.
    Release,
    /// Creates a session. Root; returns its handle.
    Session,
    /// Asks for [`Reply::tracer_version`]. Root.
    TracerVersion,
    /// Lists tracepoints. Root; returns a list's handle.
    TracepointList,
    /// Waits for every probe that runs to end. Root.
    WaitQuiescent,
    /// Ends the registration: the application's `main` may run. Root.
    RegisterDone,
    /// Lists the fields of tracepoints. Root; returns a list's handle.
    TracepointFieldList,
    /// Creates the group of event notifiers. Root; then one descriptor, a pipe's write end; returns
    /// its handle.
    EventNotifierGroupCreate,
    /// Creates a channel. Session; then the channel's image and one descriptor; returns its handle.
    Channel {
        /// Size of the image in bytes.
        len: u64,
        /// Who the application is among those that share the buffers, from ABI 11 on: unique, and neither 0 nor 1.
        owner_id: u32,
    },
    /// Starts a session, as ENABLE does.
    SessionStart,
    /// Stops a session, as DISABLE does.
    SessionStop,
    /// Runs the state dump again. Session.
    SessionStatedump,
    /// Adds the next stream to a channel. Channel; then two descriptors: shared memory, wakeup pipe.
    Stream {
        /// Size of the shared memory in bytes.
        len: u64,
        /// Number of the stream.
        stream_nr: u32,
    },
    /// Creates an event rule, disabled. Channel; returns its handle.
    Event {
        /// Tracepoint name or pattern.
        name: String,
        /// Log levels.
        loglevel: LogLevelRule,
        /// 0; not known to ABI 8.
        token: u64,
    },
    /// Adds a context. Channel; for an application context then [`app_context`].
    Context(UstContext),
    /// Ends the current packet of each stream. Channel.
    FlushBuffer,
    /// Enables a session, channel, event rule or event notifier.
    Enable,
    /// Disables a session, channel, event rule or event notifier.
    Disable,
    /// Asks a list for its next [`Reply::tracepoint`]; [`UstError::NoEntry`] at its end.
    TracepointListGet,
    /// Asks a list for its next field: a [`FieldEntry`] follows a reply of success;
    /// [`UstError::NoEntry`] at its end.
    TracepointFieldListGet,
    /// Sets a filter. Event rule or event notifier; then the bytecode.
    Filter(BytecodeHead),
    /// Excludes names. Event rule or event notifier; then [`exclusions`].
    Exclusion {
        /// Count of names. Applications never answer a count of 0.
        count: u32,
    },
    /// Creates an event notifier, disabled. Group; then an [`EventNotifier`]; returns its handle.
    EventNotifierCreate,
    /// Adds a capture. Event notifier; then the bytecode.
    Capture(BytecodeHead),
    /// Creates a counter. Group; then a [`CounterConfiguration`]; returns its handle.
    Counter,
    /// Gives a counter its global values. Counter; then one descriptor, shared memory. Not known from ABI 10 on.
    CounterGlobal {
        /// Size of the shared memory in bytes.
        len: u64,
    },
    /// Gives a counter the values of one CPU. Counter; then one descriptor, shared memory.
    CounterCpu {
        /// Size of the shared memory in bytes.
        len: u64,
        /// CPU.
        cpu_nr: u32,
    },
}

/// What precedes filter and capture bytecode (`struct lttng_ust_abi_filter_bytecode` and `struct
/// lttng_ust_abi_capture_bytecode` without their data).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BytecodeHead {
    /// Size of the bytecode in bytes, at most [`lttngd_model::FILTER_MAX_LEN`].
    pub data_size: u32,
    /// Offset of its relocation table in bytes.
    pub reloc_offset: u32,
    /// Order among captures; 0 for filters.
    pub seqnum: u64,
}

impl From<&Bytecode> for BytecodeHead {
    fn from(bytecode: &Bytecode) -> Self {
        Self {
            data_size: u32::try_from(bytecode.data.len()).unwrap_or(u32::MAX),
            reloc_offset: bytecode.reloc_table_offset,
            seqnum: bytecode.seqnum,
        }
    }
}

/// A context as a request names it (`struct lttng_ust_abi_context`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UstContext {
    /// A type without parameters.
    Plain {
        /// Its number in `enum lttng_ust_abi_context_type`.
        number: i32,
    },
    /// A performance counter of the thread.
    Perf(PerfContext),
    /// An application context, whose names follow the request.
    App {
        /// Length of the provider's name in bytes, its NUL included.
        provider_name_len: u32,
        /// Length of the context's name in bytes, its NUL included.
        ctx_name_len: u32,
    },
}

/// `LTTNG_UST_ABI_CONTEXT_PERF_THREAD_COUNTER`.
const PERF_THREAD_COUNTER: i32 = 5;
/// `LTTNG_UST_ABI_CONTEXT_APP_CONTEXT`.
const APP_CONTEXT: i32 = 7;
/// `LTTNG_UST_ABI_CONTEXT_TIME_NS`, which ABI 8 does not have.
const TIME_NS: i32 = 21;

impl UstContext {
    /// The request's form of a context; `None` when applications do not have it.
    #[must_use]
    pub fn from_model(context: &Context) -> Option<Self> {
        let len = |name: &str| u32::try_from(name.len() + 1).ok();
        Some(match context {
            Context::Plain(ContextKind::PerfThreadCounter | ContextKind::AppContext) => {
                return None;
            }
            Context::Plain(kind) => Self::Plain { number: kind.ust_context()? },
            Context::Perf(ContextKind::PerfThreadCounter, perf) => Self::Perf(perf.clone()),
            Context::Perf(..) => return None,
            Context::App(app) => {
                Self::App { provider_name_len: len(&app.provider)?, ctx_name_len: len(&app.name)? }
            }
        })
    }

    fn number(&self) -> i32 {
        match self {
            Self::Plain { number } => *number,
            Self::Perf(_) => PERF_THREAD_COUNTER,
            Self::App { .. } => APP_CONTEXT,
        }
    }
}

impl Command {
    /// The command that sets a filter; the bytecode's data follows it.
    #[must_use]
    pub fn filter(bytecode: &Bytecode) -> Self {
        Self::Filter(bytecode.into())
    }

    /// The command that adds a capture; the bytecode's data follows its early acknowledgement.
    #[must_use]
    pub fn capture(bytecode: &Bytecode) -> Self {
        Self::Capture(bytecode.into())
    }

    /// The command's number up to ABI 9 (`LTTNG_UST_ABI_*`).
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::Release => 0x01,
            Self::Session => 0x40,
            Self::TracerVersion => 0x41,
            Self::TracepointList => 0x42,
            Self::WaitQuiescent => 0x43,
            Self::RegisterDone => 0x44,
            Self::TracepointFieldList => 0x45,
            Self::EventNotifierGroupCreate => 0x46,
            Self::Channel { .. } => 0x51,
            Self::SessionStart => 0x52,
            Self::SessionStop => 0x53,
            Self::SessionStatedump => 0x54,
            Self::Stream { .. } => 0x60,
            Self::Event { .. } => 0x61,
            Self::Context(_) => 0x70,
            Self::FlushBuffer => 0x71,
            Self::Enable => 0x80,
            Self::Disable => 0x81,
            Self::TracepointListGet => 0x90,
            Self::TracepointFieldListGet => 0x91,
            Self::Filter(_) => 0xA0,
            Self::Exclusion { .. } => 0xA1,
            Self::EventNotifierCreate => 0xB0,
            Self::Capture(_) => 0xB6,
            Self::Counter => 0xC0,
            Self::CounterGlobal { .. } => 0xD0,
            Self::CounterCpu { .. } => 0xD1,
        }
    }

    /// The command's number in an ABI.
    #[must_use]
    pub fn number_in(&self, abi: Abi) -> u32 {
        match self {
            Self::Counter if abi >= Abi::V10 => 0xC1,
            Self::CounterCpu { .. } if abi >= Abi::V10 => 0xD3,
            _ => self.number(),
        }
    }

    /// Whether applications of an ABI acknowledge the request before they take what follows, and reply
    /// once more after that.
    #[must_use]
    pub fn has_early_ack(&self, abi: Abi) -> bool {
        abi < Abi::V11 && self.is_of_notifiers()
    }

    /// Whether it is about event notifiers alone.
    fn is_of_notifiers(&self) -> bool {
        matches!(
            self,
            Self::EventNotifierGroupCreate
                | Self::EventNotifierCreate
                | Self::Capture(_)
                | Self::Counter
                | Self::CounterGlobal { .. }
                | Self::CounterCpu { .. }
        )
    }

    /// The oldest ABI whose applications know the command.
    #[must_use]
    pub fn min_abi(&self) -> Abi {
        match self {
            Self::Context(UstContext::Plain { number: TIME_NS }) => Abi::V9,
            command if command.is_of_notifiers() => Abi::V9,
            _ => Abi::V8,
        }
    }
}
