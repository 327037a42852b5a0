//! Big-endian numbers.

use crate::{DecodeError, Reader, Writer};

pub(crate) fn u32(reader: &mut Reader<'_>, what: &'static str) -> Result<u32, DecodeError> {
    reader.u32(what).map(u32::from_be)
}

pub(crate) fn u64(reader: &mut Reader<'_>, what: &'static str) -> Result<u64, DecodeError> {
    reader.u64(what).map(u64::from_be)
}

pub(crate) fn put_u32(writer: &mut Writer, value: u32) {
    writer.u32(value.to_be());
}

pub(crate) fn put_u64(writer: &mut Writer, value: u64) {
    writer.u64(value.to_be());
}
