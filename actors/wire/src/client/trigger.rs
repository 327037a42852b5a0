//! Triggers (`struct lttng_trigger_comm`, packed, `include/lttng/trigger/trigger-internal.h`), their lists, and
//! questions for what went wrong with them.

mod action;
mod condition;
mod error_query;
mod evaluation;
mod event_rule;

use lttngd_model::{
    ErrorCode,
    trigger::{Condition, TRIGGER_NAME_MAX, Trigger},
};

use super::Dialect;
use super::mirror::{limited, string, string_len, wire_len};
use crate::{DecodeError, Reader, Writer};

pub(super) use error_query::decode as decode_error_query;
pub use error_query::{decode_error_counters, encode_error_counters, encode_error_query};
pub(crate) use evaluation::{decode_evaluation, encode_evaluation};

/// Size of the fixed part in bytes.
const HEADER_LEN: usize = 17;

/// A triggers list longer than this in bytes does not fit into a reply.
const LIST_MAX_LEN: usize = super::REPLY_DATA_MAX_LEN;

/// A value that has a form and no meaning.
fn refused(what: &'static str) -> impl FnOnce(ErrorCode) -> DecodeError {
    move |_| DecodeError::BadValue { what, value: 0 }
}

/// Reads a trigger off the front.
pub(crate) fn decode(reader: &mut Reader<'_>, dialect: Dialect) -> Result<Trigger, DecodeError> {
    let uid = reader.u64("trigger uid")?;
    let owner_uid = u32::try_from(uid).map_err(|_| DecodeError::TooLarge {
        what: "trigger uid",
        value: uid,
        limit: u32::MAX.into(),
    })?;
    let length = reader.u32("trigger length")?;
    let name_len = reader.u32("trigger name_length")?;
    let is_hidden = reader.u8("trigger is_hidden")? != 0;
    let left = reader.left();
    let name = match name_len {
        0 => None,
        len => Some(string(reader, len, TRIGGER_NAME_MAX, "trigger name")?),
    };
    let condition = condition::decode(reader, dialect)?;
    let action = action::decode(reader)?;
    if left - reader.left() != limited(length, left, "trigger length")? {
        return Err(DecodeError::BadValue { what: "trigger length", value: length.into() });
    }
    let trigger = Trigger { owner_uid, name, is_hidden, condition, action };
    trigger.check().map_err(refused("trigger"))?;
    Ok(trigger)
}

fn encode(trigger: &Trigger, dialect: Dialect, writer: &mut Writer) {
    let mut parts = Writer::default();
    if let Some(name) = &trigger.name {
        parts.string(name);
    }
    condition::encode(&trigger.condition, dialect, &mut parts);
    action::encode(&trigger.action, &mut parts);
    writer.u64(trigger.owner_uid.into()).u32(wire_len(parts.len()));
    writer.u32(trigger.name.as_deref().map_or(0, string_len)).u8(trigger.is_hidden.into());
    writer.bytes(&parts.into_bytes());
}

/// Reads a trigger and nothing else.
///
/// # Errors
/// When the bytes are no trigger, something follows it, or it is one that
/// [`Trigger::check`] refuses.
pub fn decode_trigger(bytes: &[u8], dialect: Dialect) -> Result<Trigger, DecodeError> {
    let mut reader = Reader::new(bytes);
    let trigger = decode(&mut reader, dialect)?;
    reader.finish("trigger")?;
    Ok(trigger)
}

/// The bytes of a trigger.
#[must_use]
pub fn encode_trigger(trigger: &Trigger, dialect: Dialect) -> Vec<u8> {
    let mut writer = Writer::with_capacity(HEADER_LEN + 64);
    encode(trigger, dialect, &mut writer);
    writer.into_bytes()
}

/// Data of a reply to LIST_TRIGGERS.
#[must_use]
pub fn encode_triggers<'a>(
    triggers: impl IntoIterator<Item = &'a Trigger>,
    dialect: Dialect,
) -> Vec<u8> {
    let (mut all, mut count) = (Writer::default(), 0);
    for trigger in triggers {
        encode(trigger, dialect, &mut all);
        count += 1;
    }
    let mut writer = Writer::with_capacity(8 + all.len());
    writer.u32(wire_len(count)).u32(wire_len(all.len())).bytes(&all.into_bytes());
    writer.into_bytes()
}

/// Reads data of a reply to LIST_TRIGGERS.
///
/// # Errors
/// When the bytes are not as many triggers as they say.
pub fn decode_triggers(data: &[u8], dialect: Dialect) -> Result<Vec<Trigger>, DecodeError> {
    let mut reader = Reader::new(data);
    let count = reader.u32("trigger count")?;
    let length = limited(reader.u32("triggers length")?, LIST_MAX_LEN, "triggers length")?;
    if length != reader.left() {
        return Err(DecodeError::BadValue { what: "triggers length", value: reader.left() as i64 });
    }
    let mut triggers = Vec::new();
    for _ in 0..count {
        triggers.push(decode(&mut reader, dialect)?);
    }
    reader.finish("triggers")?;
    Ok(triggers)
}

/// Reads a condition and nothing else.
///
/// # Errors
/// When the bytes are no condition, or something follows it.
pub fn decode_condition(bytes: &[u8], dialect: Dialect) -> Result<Condition, DecodeError> {
    let mut reader = Reader::new(bytes);
    let condition = condition::decode(&mut reader, dialect)?;
    reader.finish("condition")?;
    condition.check().map_err(refused("condition"))?;
    Ok(condition)
}

/// The bytes of a condition.
#[must_use]
pub fn encode_condition(condition: &Condition, dialect: Dialect) -> Vec<u8> {
    let mut writer = Writer::default();
    condition::encode(condition, dialect, &mut writer);
    writer.into_bytes()
}
