//! Evaluations (`struct lttng_evaluation_comm` and what follows it).

use lttngd_model::trigger::Evaluation;

use super::{
    super::{
        archive,
        mirror::{limited, wire_len},
    },
    condition::{
        CONSUMED_SIZE, EVENT_RULE, ROTATION_COMPLETED, ROTATION_ONGOING, USAGE_HIGH, USAGE_LOW,
    },
};
use crate::{DecodeError, Reader, Writer, notification::PAYLOAD_MAX_LEN};

/// Appends an evaluation.
pub(crate) fn encode_evaluation(evaluation: &Evaluation, writer: &mut Writer) {
    match evaluation {
        Evaluation::SessionConsumedSize { consumed_bytes } => {
            writer.i8(CONSUMED_SIZE).u64(*consumed_bytes);
        }
        Evaluation::BufferUsageHigh { usage_bytes, capacity_bytes } => {
            writer.i8(USAGE_HIGH).u64(*usage_bytes).u64(*capacity_bytes);
        }
        Evaluation::BufferUsageLow { usage_bytes, capacity_bytes } => {
            writer.i8(USAGE_LOW).u64(*usage_bytes).u64(*capacity_bytes);
        }
        Evaluation::RotationOngoing { rotation_id } => {
            writer.i8(ROTATION_ONGOING).u64(*rotation_id).u8(0);
        }
        Evaluation::RotationCompleted { rotation_id, location } => {
            writer.i8(ROTATION_COMPLETED).u64(*rotation_id).u8(location.is_some().into());
            if let Some(location) = location {
                archive::encode(location, writer);
            }
        }
        Evaluation::EventRuleMatches { captures } => {
            writer.i8(EVENT_RULE).u32(wire_len(captures.len())).bytes(captures);
        }
    }
}

/// Reads an evaluation off the front.
///
/// # Errors
/// When the bytes are none.
pub(crate) fn decode_evaluation(reader: &mut Reader<'_>) -> Result<Evaluation, DecodeError> {
    Ok(match reader.i8("evaluation type")? {
        CONSUMED_SIZE => {
            Evaluation::SessionConsumedSize { consumed_bytes: reader.u64("session_consumed")? }
        }
        USAGE_HIGH => Evaluation::BufferUsageHigh {
            usage_bytes: reader.u64("buffer_use")?,
            capacity_bytes: reader.u64("buffer_capacity")?,
        },
        USAGE_LOW => Evaluation::BufferUsageLow {
            usage_bytes: reader.u64("buffer_use")?,
            capacity_bytes: reader.u64("buffer_capacity")?,
        },
        ROTATION_ONGOING => {
            let rotation_id = reader.u64("rotation id")?;
            reader.u8("has_location")?;
            Evaluation::RotationOngoing { rotation_id }
        }
        ROTATION_COMPLETED => {
            let rotation_id = reader.u64("rotation id")?;
            let location = match reader.u8("has_location")? {
                0 => None,
                _ => Some(archive::decode(reader)?),
            };
            Evaluation::RotationCompleted { rotation_id, location }
        }
        EVENT_RULE => {
            let len = reader.u32("capture_payload_size")?;
            let len = limited(len, PAYLOAD_MAX_LEN, "capture_payload_size")?;
            let captures = reader.bytes(len, "capture payload")?.to_vec();
            Evaluation::EventRuleMatches { captures }
        }
        other => {
            return Err(DecodeError::BadValue { what: "evaluation type", value: other.into() });
        }
    })
}
