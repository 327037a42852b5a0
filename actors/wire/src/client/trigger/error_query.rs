//! Questions for what went wrong with a trigger (`struct lttng_error_query_comm`), and their answers.

use lttngd_model::{
    FILTER_MAX_LEN,
    trigger::{ACTION_DEPTH_MAX, ActionPath, ErrorCounter, ErrorQuery, ErrorQueryTarget},
};

use super::super::{
    Dialect,
    mirror::{limited, string, string_len, wire_len},
};
use crate::{DecodeError, Reader, Writer};

/// `enum lttng_error_query_target_type`.
const TRIGGER: i8 = 0;
const CONDITION: i8 = 1;
const ACTION: i8 = 2;
/// `enum lttng_error_query_result_type`.
const COUNTER: u8 = 0;
/// Most counters in an answer; there is never more than one.
const COUNTERS_MAX: usize = 1024;

pub(in super::super) fn decode(bytes: &[u8], dialect: Dialect) -> Result<ErrorQuery, DecodeError> {
    let mut reader = Reader::new(bytes);
    let target = reader.i8("error query target_type")?;
    let trigger = super::decode(&mut reader, dialect)?;
    let target = match target {
        TRIGGER => ErrorQueryTarget::Trigger,
        CONDITION => ErrorQueryTarget::Condition,
        ACTION => {
            let count = reader.u32("action path count")?;
            let count = limited(count, ACTION_DEPTH_MAX, "action path count")?;
            let indexes: Result<_, _> = (0..count).map(|_| reader.u64("action path")).collect();
            ErrorQueryTarget::Action(ActionPath(indexes?))
        }
        other => {
            let (what, value) = ("error query target_type", other.into());
            return Err(DecodeError::BadValue { what, value });
        }
    };
    reader.finish("error query")?;
    Ok(ErrorQuery { trigger, target })
}

/// The bytes of a question.
#[must_use]
pub fn encode_error_query(query: &ErrorQuery, dialect: Dialect) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.i8(match query.target {
        ErrorQueryTarget::Trigger => TRIGGER,
        ErrorQueryTarget::Condition => CONDITION,
        ErrorQueryTarget::Action(_) => ACTION,
    });
    super::encode(&query.trigger, dialect, &mut writer);
    if let ErrorQueryTarget::Action(ActionPath(indexes)) = &query.target {
        writer.u32(wire_len(indexes.len()));
        for index in indexes {
            writer.u64(*index);
        }
    }
    writer.into_bytes()
}

/// Data of a reply to EXECUTE_ERROR_QUERY.
#[must_use]
pub fn encode_error_counters(counters: &[ErrorCounter]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u32(wire_len(counters.len()));
    for ErrorCounter { name, description, value } in counters {
        writer.u8(COUNTER).u32(string_len(name)).u32(string_len(description));
        writer.string(name).string(description).u64(*value);
    }
    writer.into_bytes()
}

/// Reads data of a reply to EXECUTE_ERROR_QUERY.
///
/// # Errors
/// When the bytes are not as many counters as they say.
pub fn decode_error_counters(data: &[u8]) -> Result<Vec<ErrorCounter>, DecodeError> {
    let mut reader = Reader::new(data);
    let count = limited(reader.u32("error result count")?, COUNTERS_MAX, "error result count")?;
    let mut counters = Vec::new();
    for _ in 0..count {
        let kind = reader.u8("error result type")?;
        if kind != COUNTER {
            return Err(DecodeError::BadValue { what: "error result type", value: kind.into() });
        }
        let (name_len, description_len) =
            (reader.u32("error result name_len")?, reader.u32("error result description_len")?);
        counters.push(ErrorCounter {
            name: string(&mut reader, name_len, FILTER_MAX_LEN, "error result name")?,
            description: string(&mut reader, description_len, FILTER_MAX_LEN, "description")?,
            value: reader.u64("error result value")?,
        });
    }
    reader.finish("error results")?;
    Ok(counters)
}
