//! The numbers of the ioctls: direction, size of the structure, type and a number of the type's own.

use super::mirror::{
    ABI_VERSION_LEN, CHANNEL_LEN, CONTEXT_LEN, COUNTER_AGGREGATE_LEN, COUNTER_CLEAR_LEN,
    COUNTER_CONF_LEN, EVENT_LEN, EVENT_NOTIFIER_LEN, NAME_LEN, TIME_LEN, TRACER_VERSION_LEN,
    TRACKER_LEN,
};

/// The type of all of them.
const TYPE: u32 = 0xF6;
/// The kernel reads a structure.
pub(super) const WRITE: u32 = 1 << 30;
/// The kernel writes one.
pub(super) const READ: u32 = 2 << 30;

pub(super) const fn io(number: u32) -> u32 {
    TYPE << 8 | number
}

#[allow(clippy::cast_possible_truncation, reason = "no structure is as long as 16 KiB")]
pub(super) const fn sized(direction: u32, number: u32, len: usize) -> u32 {
    assert!(len < 1 << 14);
    direction | (len as u32) << 16 | io(number)
}

pub(super) const CREATE_SESSION: u32 = io(0x45);
pub(super) const TRACER_VERSION: u32 = sized(READ, 0x46, TRACER_VERSION_LEN);
pub(super) const LIST_TRACEPOINTS: u32 = io(0x47);
pub(super) const WAIT_QUIESCENT: u32 = io(0x48);
pub(super) const LIST_SYSCALLS: u32 = io(0x4A);
pub(super) const ABI_VERSION: u32 = sized(READ, 0x4B, ABI_VERSION_LEN);
pub(super) const CREATE_METADATA: u32 = sized(WRITE, 0x54, CHANNEL_LEN);
pub(super) const CREATE_CHANNEL: u32 = sized(WRITE, 0x55, CHANNEL_LEN);
pub(super) const START: u32 = io(0x56);
pub(super) const STOP: u32 = io(0x57);
pub(super) const TRACK_PID: u32 = sized(WRITE, 0x58, size_of::<i32>());
pub(super) const UNTRACK_PID: u32 = sized(WRITE, 0x59, size_of::<i32>());
pub(super) const REGENERATE_METADATA: u32 = io(0x59);
pub(super) const STATEDUMP: u32 = io(0x5C);
pub(super) const SET_NAME: u32 = sized(WRITE, 0x5D, NAME_LEN);
pub(super) const SET_CREATION_TIME: u32 = sized(WRITE, 0x5E, TIME_LEN);
pub(super) const OPEN_STREAM: u32 = io(0x62);
pub(super) const CREATE_EVENT: u32 = sized(WRITE, 0x63, EVENT_LEN);
pub(super) const ADD_CONTEXT: u32 = sized(WRITE, 0x71, CONTEXT_LEN);
pub(super) const ENABLE: u32 = io(0x82);
pub(super) const DISABLE: u32 = io(0x83);
/// Bytecode has no fixed size, and the number none.
pub(super) const FILTER: u32 = io(0x90);
pub(super) const ADD_CALLSITE: u32 = io(0x91);
pub(super) const TRACK: u32 = sized(WRITE, 0xA1, TRACKER_LEN);
pub(super) const UNTRACK: u32 = sized(WRITE, 0xA2, TRACKER_LEN);
pub(super) const CREATE_NOTIFIER_GROUP: u32 = io(0x4C);
pub(super) const CREATE_ERROR_COUNTERS: u32 = sized(WRITE, 0x84, COUNTER_CONF_LEN);
pub(super) const CREATE_NOTIFIER: u32 = sized(WRITE, 0xB0, EVENT_NOTIFIER_LEN);
pub(super) const OPEN_NOTIFICATIONS: u32 = io(0xB1);
/// Bytecode, as [`FILTER`].
pub(super) const CAPTURE: u32 = io(0xB8);
pub(super) const COUNTER_AGGREGATE: u32 = sized(READ | WRITE, 0xC1, COUNTER_AGGREGATE_LEN);
pub(super) const COUNTER_CLEAR: u32 = sized(WRITE, 0xC2, COUNTER_CLEAR_LEN);
/// Of a stream: of the ring buffer, not of the tracer.
pub(super) const FLUSH: u32 = io(0x0C);
