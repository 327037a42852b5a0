//! Rotations and their schedules.

use std::mem::offset_of;

use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::ArchiveLocation;
use super::archive::{HOST_NAME_MAX, LOCAL, PROTOCOL_TCP, RELAY, check_protocol};
use super::mirror::{chars, read, text};
use crate::{DecodeError, Reader, Writer};

/// Size of `struct lttng_rotation_get_info_return`, packed.
const INFO_LEN: usize = 4362;
/// Size of the location in it.
const INFO_LOCATION_LEN: usize = 4357;

/// `struct lttng_rotation_get_info_return` (packed, `include/lttng/rotate-internal.h`).
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct GetInfoReturn {
    status: i32,
    location_type: i8,
    location: [u8; INFO_LOCATION_LEN],
}

const _: () = assert!(size_of::<GetInfoReturn>() == INFO_LEN);

/// The relay variant of the location.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct RelayLocation {
    host: [u8; HOST_NAME_MAX],
    protocol: i8,
    control: u16,
    data: u16,
    relative_path: [u8; 4096],
}

const _: () = assert!(size_of::<RelayLocation>() == INFO_LOCATION_LEN);
const _: () = assert!(offset_of!(RelayLocation, relative_path) == 266 - 5);

/// The member `rotation_set_schedule`.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct ScheduleMember {
    kind: u8,
    set: u8,
    value: u64,
}

const _: () = assert!(size_of::<ScheduleMember>() == 10);

const SIZE_THRESHOLD: u8 = 0;
const PERIODIC: u8 = 1;

/// The state of a rotation (`enum lttng_rotation_state`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum RotationState {
    /// None took place.
    NoRotation = 0,
    /// On its way.
    Ongoing = 1,
    /// Done, its location is known.
    Completed = 2,
    /// No longer known.
    Expired = 3,
    /// Failed.
    Error = -1,
}

impl RotationState {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_raw(reader.i32("rotation state")?)
    }

    fn from_raw(raw: i32) -> Result<Self, DecodeError> {
        Ok(match raw {
            0 => Self::NoRotation,
            1 => Self::Ongoing,
            2 => Self::Completed,
            3 => Self::Expired,
            -1 => Self::Error,
            other => {
                return Err(DecodeError::BadValue { what: "rotation state", value: other.into() });
            }
        })
    }
}

/// What a client learns of a rotation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RotationInfo {
    /// Its state.
    pub state: RotationState,
    /// Where its chunk is, when completed.
    pub location: Option<ArchiveLocation>,
}

/// A rotation schedule (`enum lttng_rotation_schedule_type` and its value).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum RotationSchedule {
    /// After so many bytes were recorded.
    SizeThreshold {
        /// Bytes.
        bytes: u64,
    },
    /// After so long.
    Periodic {
        /// Microseconds.
        period_us: u64,
    },
}

/// The schedules of a session.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct RotationSchedules {
    /// Period in microseconds.
    pub period_us: Option<u64>,
    /// Size threshold in bytes.
    pub size_bytes: Option<u64>,
}

pub(super) fn decode_schedule(
    reader: &mut Reader<'_>,
) -> Result<(bool, RotationSchedule), DecodeError> {
    let member: &ScheduleMember = read(reader, "rotation_set_schedule")?;
    let schedule = match member.kind {
        SIZE_THRESHOLD => RotationSchedule::SizeThreshold { bytes: member.value },
        PERIODIC => RotationSchedule::Periodic { period_us: member.value },
        other => {
            return Err(DecodeError::BadValue { what: "schedule type", value: other.into() });
        }
    };
    Ok((member.set == 1, schedule))
}

pub(super) fn encode_schedule(set: bool, schedule: RotationSchedule, union: &mut Writer) {
    let (kind, value) = match schedule {
        RotationSchedule::SizeThreshold { bytes } => (SIZE_THRESHOLD, bytes),
        RotationSchedule::Periodic { period_us } => (PERIODIC, period_us),
    };
    union.bytes(ScheduleMember { kind, set: set.into(), value }.as_bytes());
}

/// Data of a reply to ROTATE_SESSION: the rotation's id (`struct lttng_rotate_session_return`).
#[must_use]
pub fn encode_rotation_id(id: u64) -> Vec<u8> {
    id.to_ne_bytes().to_vec()
}

/// Reads data of a reply to ROTATE_SESSION.
///
/// # Errors
/// When there are not exactly 8 bytes.
pub fn decode_rotation_id(data: &[u8]) -> Result<u64, DecodeError> {
    let mut reader = Reader::new(data);
    let id = reader.u64("rotation id")?;
    reader.finish("rotation id")?;
    Ok(id)
}

/// Data of a reply to ROTATION_GET_INFO.
#[must_use]
pub fn encode_rotation_info(info: &RotationInfo) -> Vec<u8> {
    let (location_type, location) = match &info.location {
        None => (0, [0; INFO_LOCATION_LEN]),
        Some(ArchiveLocation::Local { path }) => {
            let mut location = [0; INFO_LOCATION_LEN];
            for (to, from) in location.iter_mut().zip(chars::<4096>(path.as_bytes())) {
                *to = from;
            }
            (LOCAL, location)
        }
        Some(ArchiveLocation::Relay { host, control_port, data_port, relative_path }) => {
            let relay = RelayLocation {
                host: chars(host.as_bytes()),
                protocol: PROTOCOL_TCP,
                control: *control_port,
                data: *data_port,
                relative_path: chars(relative_path.as_bytes()),
            };
            (RELAY, zerocopy::transmute!(relay))
        }
    };
    GetInfoReturn { status: info.state as i32, location_type, location }.as_bytes().to_vec()
}

/// Reads data of a reply to ROTATION_GET_INFO.
///
/// # Errors
/// When there are not exactly 4362 bytes, the state, or the location's type of a completed
/// rotation, is unknown, or a text is not NUL-terminated UTF-8.
pub fn decode_rotation_info(data: &[u8]) -> Result<RotationInfo, DecodeError> {
    let mut reader = Reader::new(data);
    let info: &GetInfoReturn = read(&mut reader, "rotation info")?;
    reader.finish("rotation info")?;
    let state = RotationState::from_raw(info.status)?;
    if state != RotationState::Completed {
        return Ok(RotationInfo { state, location: None });
    }
    let mut reader = Reader::new(&info.location);
    let location = match info.location_type {
        LOCAL => ArchiveLocation::Local {
            path: text(reader.bytes(4096, "absolute_path")?, "absolute_path")?,
        },
        RELAY => {
            let relay: &RelayLocation = read(&mut reader, "relay location")?;
            check_protocol(relay.protocol)?;
            ArchiveLocation::Relay {
                host: text(&relay.host, "relay host")?,
                control_port: relay.control,
                data_port: relay.data,
                relative_path: text(&relay.relative_path, "relay relative_path")?,
            }
        }
        other => {
            return Err(DecodeError::BadValue { what: "location_type", value: other.into() });
        }
    };
    Ok(RotationInfo { state, location: Some(location) })
}

/// Data of a reply to SESSION_LIST_ROTATION_SCHEDULES (`struct
/// lttng_session_list_schedules_return`).
#[must_use]
pub fn encode_rotation_schedules(schedules: &RotationSchedules) -> Vec<u8> {
    let mut writer = Writer::default();
    for value in [schedules.period_us, schedules.size_bytes] {
        writer.u8(value.is_some().into()).u64(value.unwrap_or(0));
    }
    writer.into_bytes()
}

/// Reads data of a reply to SESSION_LIST_ROTATION_SCHEDULES.
///
/// # Errors
/// When there are not exactly 18 bytes.
pub fn decode_rotation_schedules(data: &[u8]) -> Result<RotationSchedules, DecodeError> {
    let mut reader = Reader::new(data);
    let mut schedule = || {
        let set = reader.u8("schedule set")? == 1;
        let value = reader.u64("schedule value")?;
        Ok(set.then_some(value))
    };
    let schedules = RotationSchedules { period_us: schedule()?, size_bytes: schedule()? };
    reader.finish("rotation schedules")?;
    Ok(schedules)
}
