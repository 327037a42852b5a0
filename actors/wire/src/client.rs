//! The protocol between `liblttng-ctl` (the `lttng` command line and programs like it) and a
//! session daemon, both sides of it, as LTTng 2.13, 2.14, 2.15 and 2.16 have it.
//!
//! A [`Dialect`] is a version as far as it differs. What is asked and answered is the same for all above this module.
//!
//! A client connects, sends one [`Request`] of [`REQUEST_LEN`] bytes, the payload that
//! [`Request::payload_len`] announces and [`Request::fd_count`] descriptors; the daemon answers one
//! [`Reply`], and both close. Sources of the layouts: `src/common/sessiond-comm/sessiond-comm.h` for
//! the fixed parts, `include/lttng/*-internal.h` for what follows them.
//!
//! Reading as a daemon: [`Asked::decode`], [`Asked::in_dialect`], [`Request::payload_len`], [`Request::command`]; answering:
//! [`Reply::ok`] or [`Reply::error`] with data from the `encode_*` functions. Asking as a client:
//! [`Request::new`], [`Request::encode`]; reading the answer: [`ReplyHeader::decode`],
//! [`Reply::decode`] and the `decode_*` functions.

mod archive;
mod asked;
mod body;
mod channel;
mod command;
mod context;
mod descriptor;
mod dialect;
mod domain;
mod event;
mod field;
mod kind;
mod listing;
mod mirror;
mod newer;
mod reply;
mod request;
mod rotation;
mod save;
mod session;
mod shape;
mod snapshot;
#[cfg(test)]
pub(crate) mod tests;
mod tracker;
mod trigger;
mod uri;

pub use archive::{decode_destroyed, encode_destroyed_data, encode_destroyed_header};
pub use asked::Asked;
pub use channel::{decode_channels, encode_channels};
pub use command::Command;
pub use context::ContextRequest;
pub use descriptor::{decode_descriptor, encode_descriptor};
pub use dialect::{Dialect, Dialects, UnknownDialect};
pub use domain::{DomainListing, decode_domains, encode_domains};
pub use event::{decode_events, encode_events};
pub use field::{decode_event_fields, encode_event_fields};
pub use kind::CommandKind;
pub use lttngd_model::trigger::ArchiveLocation;
pub use newer::{
    KernelTracerStatus, StreamInfo, StreamInfoSet, StreamOwner, decode_kernel_tracer_status,
    encode_kernel_tracer_status, encode_no_maps, encode_stream_info_sets,
};
pub use reply::{REPLY_DATA_MAX_LEN, Reply, ReplyHeader};
pub use request::{FDS_MAX, PAYLOAD_MAX_LEN, REQUEST_LEN, Request};
pub use rotation::{
    RotationInfo, RotationSchedule, RotationSchedules, RotationState, decode_rotation_id,
    decode_rotation_info, decode_rotation_schedules, encode_rotation_id, encode_rotation_info,
    encode_rotation_schedules,
};
pub use save::SaveSession;
pub use session::{decode_data_pending, decode_sessions, encode_data_pending, encode_sessions};
pub use snapshot::{
    SnapshotOutput, decode_snapshot_output_id, decode_snapshot_outputs, encode_snapshot_output_id,
    encode_snapshot_outputs,
};
pub use tracker::{
    decode_tracker_values, decode_tracking_policy, encode_tracker_values, encode_tracking_policy,
};
pub(crate) use trigger::{decode as decode_trigger_in, decode_evaluation, encode_evaluation};
pub use trigger::{
    decode_condition, decode_error_counters, decode_trigger, decode_triggers, encode_condition,
    encode_error_counters, encode_error_query, encode_trigger, encode_triggers,
};
