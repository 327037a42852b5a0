//! LTTng's vocabulary as plain values: sessions, channels, event rules, contexts, fields and the
//! rules that hold between them. No input or output, no clock, no actor: every decision in here can
//! be called by a test directly.
//!
//! Numeric values stand in the types that mirror an `enum` of `liblttng-ctl` 2.13; the wire layouts
//! stand in `lttngd-wire`.

mod buffer_layout;
mod channel;
mod context;
mod credentials;
mod domain;
mod error;
mod escaped;
mod event;
mod field;
mod filter;
mod id;
pub mod kernel;
mod names;
mod output;
mod session;
mod star_glob;
mod time;
mod tracker;
pub mod trigger;
mod url;
mod userspace_probe;
pub mod ust;

pub use buffer_layout::BufferLayout;
pub use channel::{BufferMode, ChannelAttributes, ChannelListing, ChannelOutput};
pub use context::{AppContext, Context, ContextKind, PerfContext};
pub use credentials::Credentials;
pub use domain::{Bitness, BufferScheme, ConsumerKind, Domain, Tracer};
pub use error::ErrorCode;
pub use escaped::Escaped;
pub use event::{
    EventDescription, EventField, EventFieldKind, EventKind, EventListing, LogLevelRule,
    ProbeAttributes,
};
pub use field::{
    Encoding, EnumerationEntry, EnumerationValue, Field, FieldType, FloatType, IntegerType,
};
pub use filter::{Bytecode, CODE_MAX_LEN, Filter, FilterError, FilterFault};
pub use id::{
    ChannelKey, ChunkId, NetIndex, RelaySessionId, RelayStreamHandle, SessionId, TracerToken,
};
pub use names::NameList;
pub use output::{AddressFamily, NetworkUri, StreamKind, Uri};
pub use session::{DescriptorOutput, SessionDescriptor, SessionKind, SessionListing};
pub use star_glob::normalize as normalize_pattern;
pub use time::{Timestamp, set_local_time_zone};
pub use tracker::{ProcessAttribute, TrackerValue, TrackingPolicy};
pub use url::{CONTROL_PORT, DATA_PORT, HostUrl, PlaceUrl};
pub use userspace_probe::{Binary, FunctionLookup, ProbeLocation, UserspaceProbe};

/// Longest name of a session or channel in bytes, its NUL included (`LTTNG_NAME_MAX`).
pub const NAME_MAX: usize = 255;
/// Longest name of an event or symbol in bytes, its NUL included (`LTTNG_SYMBOL_NAME_LEN`).
pub const SYMBOL_NAME_LEN: usize = 256;
/// Longest path in bytes, its NUL included (`LTTNG_PATH_MAX`).
pub const PATH_MAX: usize = 4096;
/// Largest filter text or bytecode in bytes.
pub const FILTER_MAX_LEN: usize = 65536;
