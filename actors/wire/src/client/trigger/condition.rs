//! Conditions (`struct lttng_condition_comm` and what follows it).

use lttngd_model::{
    AppContext, Domain, FILTER_MAX_LEN, NAME_MAX,
    trigger::{BufferUsage, CAPTURE_DEPTH_MAX, CAPTURES_MAX, Capture, Condition, Threshold},
};

use super::{
    super::{
        Dialect,
        mirror::{limited, string, string_len, wire_len},
    },
    event_rule,
};
use crate::{DecodeError, Reader, Writer};

/// `enum lttng_condition_type`.
pub(super) const CONSUMED_SIZE: i8 = 100;
pub(super) const USAGE_HIGH: i8 = 101;
pub(super) const USAGE_LOW: i8 = 102;
pub(super) const ROTATION_ONGOING: i8 = 103;
pub(super) const ROTATION_COMPLETED: i8 = 104;
pub(super) const EVENT_RULE: i8 = 105;

/// `enum lttng_event_expr_type`.
const PAYLOAD: u8 = 0;
const CONTEXT: u8 = 1;
const APP_CONTEXT: u8 = 2;
const ELEMENT: u8 = 3;

pub(super) fn decode(reader: &mut Reader<'_>, dialect: Dialect) -> Result<Condition, DecodeError> {
    let session = |reader: &mut Reader<'_>| {
        let len = reader.u32("condition session_name_len")?;
        string(reader, len, NAME_MAX, "condition session_name")
    };
    Ok(match reader.i8("condition type")? {
        CONSUMED_SIZE => {
            let threshold_bytes = reader.u64("consumed threshold_bytes")?;
            Condition::SessionConsumedSize { session: session(reader)?, threshold_bytes }
        }
        USAGE_HIGH => Condition::BufferUsageHigh(decode_usage(reader)?),
        USAGE_LOW => Condition::BufferUsageLow(decode_usage(reader)?),
        ROTATION_ONGOING => Condition::RotationOngoing { session: session(reader)? },
        ROTATION_COMPLETED => Condition::RotationCompleted { session: session(reader)? },
        EVENT_RULE => {
            let rule = event_rule::decode(reader, dialect)?;
            let count = limited(reader.u32("captures count")?, CAPTURES_MAX, "captures count")?;
            let captures: Result<_, _> = (0..count).map(|_| decode_capture(reader)).collect();
            Condition::EventRuleMatches { rule, captures: captures? }
        }
        other => {
            return Err(DecodeError::BadValue { what: "condition type", value: other.into() });
        }
    })
}

pub(super) fn encode(condition: &Condition, dialect: Dialect, writer: &mut Writer) {
    match condition {
        Condition::SessionConsumedSize { session, threshold_bytes } => {
            writer.i8(CONSUMED_SIZE).u64(*threshold_bytes);
            writer.u32(string_len(session)).string(session);
        }
        Condition::BufferUsageHigh(usage) => encode_usage(USAGE_HIGH, usage, writer),
        Condition::BufferUsageLow(usage) => encode_usage(USAGE_LOW, usage, writer),
        Condition::RotationOngoing { session } => {
            writer.i8(ROTATION_ONGOING).u32(string_len(session)).string(session);
        }
        Condition::RotationCompleted { session } => {
            writer.i8(ROTATION_COMPLETED).u32(string_len(session)).string(session);
        }
        Condition::EventRuleMatches { rule, captures } => {
            writer.i8(EVENT_RULE);
            event_rule::encode(rule, dialect, writer);
            writer.u32(wire_len(captures.len()));
            captures.iter().for_each(|capture| encode_capture(capture, writer));
        }
    }
}

/// `struct lttng_condition_buffer_usage_comm`.
fn decode_usage(reader: &mut Reader<'_>) -> Result<BufferUsage, DecodeError> {
    let in_bytes = reader.u8("usage threshold_set_in_bytes")? != 0;
    let bytes = reader.u64("usage threshold_bytes")?;
    let ratio = f64::from_bits(reader.u64("usage threshold_ratio")?);
    let threshold = if in_bytes { Threshold::Bytes(bytes) } else { Threshold::Ratio(ratio) };
    let session_len = reader.u32("usage session_name_len")?;
    let channel_len = reader.u32("usage channel_name_len")?;
    let raw = reader.i8("usage domain_type")?;
    let domain = u32::try_from(raw).ok().and_then(Domain::from_raw);
    let session = string(reader, session_len, NAME_MAX, "usage session_name")?;
    let channel = string(reader, channel_len, NAME_MAX, "usage channel_name")?;
    match domain {
        Some(domain) if domain != Domain::None => {
            Ok(BufferUsage { session, domain, channel, threshold })
        }
        _ => Err(DecodeError::BadValue { what: "usage domain_type", value: raw.into() }),
    }
}

fn encode_usage(kind: i8, usage: &BufferUsage, writer: &mut Writer) {
    let (in_bytes, bytes, ratio) = match usage.threshold {
        Threshold::Bytes(bytes) => (1, bytes, 0.0),
        Threshold::Ratio(ratio) => (0, 0, ratio),
    };
    writer.i8(kind).u8(in_bytes).u64(bytes).u64(f64::to_bits(ratio));
    writer.u32(string_len(&usage.session)).u32(string_len(&usage.channel));
    // There are six of them.
    writer.u8(usage.domain as u8).string(&usage.session).string(&usage.channel);
}

fn text(reader: &mut Reader<'_>, what: &'static str) -> Result<String, DecodeError> {
    let len = reader.u32(what)?;
    string(reader, len, FILTER_MAX_LEN, what)
}

/// Indexes stand before the array that they are of: the last one first.
fn decode_capture(reader: &mut Reader<'_>) -> Result<Capture, DecodeError> {
    let mut indexes = Vec::new();
    let root = loop {
        break match reader.u8("capture type")? {
            PAYLOAD => Capture::Payload(text(reader, "payload field")?),
            CONTEXT => Capture::Context(text(reader, "context field")?),
            APP_CONTEXT => Capture::AppContext(AppContext {
                provider: text(reader, "context provider")?,
                name: text(reader, "context type")?,
            }),
            ELEMENT if indexes.len() < CAPTURE_DEPTH_MAX => {
                indexes.push(reader.u32("element index")?);
                continue;
            }
            other => {
                return Err(DecodeError::BadValue { what: "capture type", value: other.into() });
            }
        };
    };
    let element = |array, index| Capture::Element { index, array: Box::new(array) };
    Ok(indexes.into_iter().rev().fold(root, element))
}

fn encode_capture(capture: &Capture, writer: &mut Writer) {
    let mut root = capture;
    while let Capture::Element { index, array } = root {
        writer.u8(ELEMENT).u32(*index);
        root = array;
    }
    match root {
        Capture::Payload(name) => {
            writer.u8(PAYLOAD).u32(string_len(name)).string(name);
        }
        Capture::Context(name) => {
            writer.u8(CONTEXT).u32(string_len(name)).string(name);
        }
        Capture::AppContext(AppContext { provider, name }) => {
            writer.u8(APP_CONTEXT).u32(string_len(provider)).string(provider);
            writer.u32(string_len(name)).string(name);
        }
        Capture::Element { .. } => {}
    }
}
