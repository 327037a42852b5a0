//! Process attribute trackers.

use lttngd_model::{Domain, ErrorCode, ProcessAttribute, TrackerValue, TrackingPolicy};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Request;
use super::mirror::{limited, read, string_len, wire_len};
use crate::{DecodeError, Reader, Writer};

/// Longest user or group name in bytes, its NUL included (`LOGIN_NAME_MAX`).
const LOGIN_NAME_MAX: usize = 256;
/// Largest count of values in an inclusion set.
const VALUES_MAX: usize = 1 << 20;

/// The members `process_attr_tracker_add_remove_include_value`, whose tail is also
/// `struct process_attr_tracker_value_comm` without the length.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct ValueMember {
    process_attr: i32,
    value_type: i32,
    integral_value: i64,
    name_len: u32,
}

const _: () = assert!(size_of::<ValueMember>() == 20);

const TYPE_PID: i32 = 0;
const TYPE_UID: i32 = 1;
const TYPE_USER_NAME: i32 = 2;
const TYPE_GID: i32 = 3;
const TYPE_GROUP_NAME: i32 = 4;

/// From the wire, where ids are unsigned but for process ids; `name` is only looked at for a type
/// that is a name.
fn from_raw(value_type: i32, integral: i64, name: String) -> Result<TrackerValue, DecodeError> {
    let out_of_range = DecodeError::BadValue { what: "integral value", value: integral };
    Ok(match value_type {
        TYPE_PID => TrackerValue::Pid(i32::try_from(integral).map_err(|_| out_of_range)?),
        TYPE_UID => TrackerValue::Uid(u32::try_from(integral).map_err(|_| out_of_range)?),
        TYPE_GID => TrackerValue::Gid(u32::try_from(integral).map_err(|_| out_of_range)?),
        TYPE_USER_NAME => TrackerValue::UserName(name),
        TYPE_GROUP_NAME => TrackerValue::GroupName(name),
        other => {
            return Err(DecodeError::BadValue { what: "value_type", value: other.into() });
        }
    })
}

/// Type, number and name.
fn to_raw(value: &TrackerValue) -> (i32, i64, Option<&str>) {
    match value {
        TrackerValue::Pid(pid) => (TYPE_PID, (*pid).into(), None),
        TrackerValue::Uid(uid) => (TYPE_UID, (*uid).into(), None),
        TrackerValue::Gid(gid) => (TYPE_GID, (*gid).into(), None),
        TrackerValue::UserName(name) => (TYPE_USER_NAME, 0, Some(name)),
        TrackerValue::GroupName(name) => (TYPE_GROUP_NAME, 0, Some(name)),
    }
}

fn is_name(value_type: i32) -> bool {
    matches!(value_type, TYPE_USER_NAME | TYPE_GROUP_NAME)
}

fn has_trackers(domain: u32) -> Option<Domain> {
    Domain::from_raw(domain).filter(|domain| matches!(domain, Domain::Kernel | Domain::Ust))
}

fn usable(domain: Domain, attribute: ProcessAttribute) -> bool {
    domain == Domain::Kernel || attribute.is_virtual()
}

/// Count of payload bytes of TRACKER_ADD_VALUE and TRACKER_REMOVE_VALUE.
pub(super) fn payload_len(union: &mut Reader<'_>) -> Result<u64, DecodeError> {
    Ok(read::<ValueMember>(union, "process attribute value")?.name_len.into())
}

/// The attribute and value of TRACKER_ADD_VALUE and TRACKER_REMOVE_VALUE. The order of the checks
/// is that of LTTng's own daemon, since each has an error of its own.
pub(super) fn decode_value(
    request: &Request,
    payload: &[u8],
) -> Result<(ProcessAttribute, TrackerValue), ErrorCode> {
    let union = request.union();
    let mut reader = Reader::new(&union);
    let member: &ValueMember = read(&mut reader, "process attribute value")
        .map_err(|_: DecodeError| ErrorCode::InvalidProtocol)?;
    let name = match payload.len() {
        0 => None,
        len if len > LOGIN_NAME_MAX => return Err(ErrorCode::Invalid),
        len => Some(Reader::new(payload).string(len, "name").map_err(|_| ErrorCode::Invalid)?),
    };
    let domain = has_trackers(request.domain).ok_or(ErrorCode::UnsupportedDomain)?;
    let attribute = ProcessAttribute::from_raw(member.process_attr);
    if !attribute.map_or(domain == Domain::Kernel, |attribute| usable(domain, attribute)) {
        return Err(ErrorCode::UnsupportedDomain);
    }
    if is_name(member.value_type) != name.is_some() {
        return Err(ErrorCode::InvalidProtocol);
    }
    let attribute = attribute.ok_or(ErrorCode::InvalidProtocol)?;
    from_raw(member.value_type, member.integral_value, name.unwrap_or_default())
        .ok()
        .filter(|value| value.fits(attribute))
        .map(|value| (attribute, value))
        .ok_or(ErrorCode::Invalid)
}

/// The members and the payload of TRACKER_ADD_VALUE and TRACKER_REMOVE_VALUE.
pub(super) fn encode_value(
    attribute: ProcessAttribute,
    value: &TrackerValue,
    union: &mut Writer,
    payload: &mut Writer,
) {
    let (value_type, integral_value, name) = to_raw(value);
    let member = ValueMember {
        process_attr: attribute as i32,
        value_type,
        integral_value,
        name_len: name.map_or(0, string_len),
    };
    union.bytes(member.as_bytes());
    if let Some(name) = name {
        payload.string(name);
    }
}

/// The attribute of TRACKER_GET_POLICY and TRACKER_GET_INCLUSION_SET.
pub(super) fn decode_attribute(request: &Request) -> Result<ProcessAttribute, ErrorCode> {
    let raw = Reader::new(&request.union()).i32("process_attr").map_err(|_| ErrorCode::Invalid)?;
    let domain = has_trackers(request.domain).ok_or(ErrorCode::UnsupportedDomain)?;
    ProcessAttribute::from_raw(raw)
        .filter(|attribute| usable(domain, *attribute))
        .ok_or(ErrorCode::Invalid)
}

/// The attribute and policy of TRACKER_SET_POLICY.
pub(super) fn decode_policy(
    request: &Request,
) -> Result<(ProcessAttribute, TrackingPolicy), ErrorCode> {
    let union = request.union();
    let policy = union.get(4..8).ok_or(ErrorCode::Invalid)?;
    let policy = decode_tracking_policy(policy).map_err(|_| ErrorCode::Invalid)?;
    Ok((decode_attribute(request)?, policy))
}

/// Data of a reply to TRACKER_GET_POLICY.
#[must_use]
pub fn encode_tracking_policy(policy: TrackingPolicy) -> Vec<u8> {
    (policy as u32).to_ne_bytes().to_vec()
}

/// Reads data of a reply to TRACKER_GET_POLICY.
///
/// # Errors
/// When there are not exactly 4 bytes, or no policy has that number.
pub fn decode_tracking_policy(data: &[u8]) -> Result<TrackingPolicy, DecodeError> {
    let mut reader = Reader::new(data);
    let raw = reader.u32("tracking policy")?;
    reader.finish("tracking policy")?;
    Ok(match raw {
        0 => TrackingPolicy::IncludeAll,
        1 => TrackingPolicy::ExcludeAll,
        2 => TrackingPolicy::IncludeSet,
        other => {
            return Err(DecodeError::BadValue { what: "tracking policy", value: other.into() });
        }
    })
}

/// Data of a reply to TRACKER_GET_INCLUSION_SET: a count, then each value's type, its number or
/// name length in 8 bytes, and its name.
#[must_use]
pub fn encode_tracker_values(values: &[TrackerValue]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u32(wire_len(values.len()));
    for value in values {
        let (value_type, integral, name) = to_raw(value);
        writer.i32(value_type);
        match name {
            None => writer.i64(integral),
            Some(name) => writer.u32(string_len(name)).u32(0).string(name),
        };
    }
    writer.into_bytes()
}

/// Reads data of a reply to TRACKER_GET_INCLUSION_SET.
///
/// # Errors
/// When the bytes end early or go on, a type is unknown, a number is out of its type's range, or a
/// name is not NUL-terminated UTF-8 or longer than a login name can be.
pub fn decode_tracker_values(data: &[u8]) -> Result<Vec<TrackerValue>, DecodeError> {
    let mut reader = Reader::new(data);
    let count = limited(reader.u32("inclusion set count")?, VALUES_MAX, "inclusion set count")?;
    let mut values = Vec::with_capacity(count.min(reader.left() / 12));
    for _ in 0..count {
        let value_type = reader.i32("value type")?;
        values.push(if is_name(value_type) {
            let len = limited(reader.u32("value name")?, LOGIN_NAME_MAX, "value name")?;
            reader.bytes(4, "value name padding")?;
            from_raw(value_type, 0, reader.string(len, "value name")?)?
        } else {
            from_raw(value_type, reader.i64("value")?, String::new())?
        });
    }
    reader.finish("inclusion set")?;
    Ok(values)
}
