//! Members that several messages share.

use lttngd_model::NetIndex;

use crate::{DecodeError, Reader, Writer};

/// Stands for "no relay daemon" where a relay's index is not optional.
const NO_RELAYD: u64 = u64::MAX;

/// Reads a relay's network index.
pub(super) fn relayd_id(reader: &mut Reader<'_>) -> Result<Option<NetIndex>, DecodeError> {
    let id = reader.u64("relayd_id")?;
    Ok((id != NO_RELAYD).then_some(NetIndex(id)))
}

/// Appends a relay's network index.
pub(super) fn put_relayd_id(writer: &mut Writer, id: Option<NetIndex>) {
    writer.u64(id.map_or(NO_RELAYD, |id| id.0));
}

/// Reads `LTTNG_OPTIONAL_COMM(uint64_t)`: a byte that says whether the number behind it counts.
pub(super) fn optional(
    reader: &mut Reader<'_>,
    what: &'static str,
) -> Result<Option<u64>, DecodeError> {
    let set = flag(reader.u8(what)?.into(), what)?;
    let value = reader.u64(what)?;
    Ok(set.then_some(value))
}

/// Appends `LTTNG_OPTIONAL_COMM(uint64_t)`; the number is 0 when it does not count.
pub(super) fn put_optional(writer: &mut Writer, value: Option<u64>) {
    writer.u8(value.is_some().into()).u64(value.unwrap_or(0));
}

/// A member that is 0 or 1.
pub(super) fn flag(value: u32, what: &'static str) -> Result<bool, DecodeError> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(DecodeError::BadValue { what, value: value.into() }),
    }
}

/// Reads a UUID.
pub(super) fn uuid(reader: &mut Reader<'_>) -> Result<[u8; 16], DecodeError> {
    let mut uuid = [0; 16];
    uuid.copy_from_slice(reader.bytes(16, "uuid")?);
    Ok(uuid)
}
