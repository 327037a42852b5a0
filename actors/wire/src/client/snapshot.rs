//! Snapshot outputs.

use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mirror::{array, chars, read, text};
use crate::{DecodeError, Reader, Writer};

/// `struct lttng_snapshot_output` (packed, `include/lttng/snapshot-internal.h`).
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct LttngSnapshotOutput {
    id: u32,
    max_size: u64,
    name: [u8; 255],
    ctrl_url: [u8; 4096],
    data_url: [u8; 4096],
}

const _: () = assert!(size_of::<LttngSnapshotOutput>() == 8459);
const _: () = assert!(offset_of!(LttngSnapshotOutput, name) == 12);
const _: () = assert!(offset_of!(LttngSnapshotOutput, ctrl_url) == 267);
const _: () = assert!(offset_of!(LttngSnapshotOutput, data_url) == 4363);

/// A snapshot output as clients describe it and as listings show it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SnapshotOutput {
    /// Id, 0 for none.
    pub id: u32,
    /// Largest size of one snapshot in bytes; 0 for no limit, the largest number for the output's
    /// own limit.
    pub max_size_bytes: u64,
    /// Name; empty for an automatic one.
    pub name: String,
    /// Directory, or URL of the control connection; empty for the session's own outputs.
    pub control_url: String,
    /// URL of the data connection; may be empty.
    pub data_url: String,
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<SnapshotOutput, DecodeError> {
    let output: &LttngSnapshotOutput = read(reader, "lttng_snapshot_output")?;
    Ok(SnapshotOutput {
        id: output.id,
        max_size_bytes: output.max_size,
        name: text(&output.name, "lttng_snapshot_output name")?,
        control_url: text(&output.ctrl_url, "lttng_snapshot_output ctrl_url")?,
        data_url: text(&output.data_url, "lttng_snapshot_output data_url")?,
    })
}

fn mirror(output: &SnapshotOutput) -> LttngSnapshotOutput {
    LttngSnapshotOutput {
        id: output.id,
        max_size: output.max_size_bytes,
        name: chars(output.name.as_bytes()),
        ctrl_url: chars(output.control_url.as_bytes()),
        data_url: chars(output.data_url.as_bytes()),
    }
}

pub(super) fn encode(output: &SnapshotOutput, union: &mut Writer) {
    union.bytes(mirror(output).as_bytes());
}

/// Data of a reply to SNAPSHOT_LIST_OUTPUT.
#[must_use]
pub fn encode_snapshot_outputs(outputs: &[SnapshotOutput]) -> Vec<u8> {
    array(outputs, mirror)
}

/// Reads data of a reply to SNAPSHOT_LIST_OUTPUT.
///
/// # Errors
/// When the bytes are not whole outputs, or a text of one is not NUL-terminated UTF-8.
pub fn decode_snapshot_outputs(data: &[u8]) -> Result<Vec<SnapshotOutput>, DecodeError> {
    let mut reader = Reader::new(data);
    let mut outputs = Vec::with_capacity(data.len() / size_of::<LttngSnapshotOutput>());
    while reader.left() > 0 {
        outputs.push(decode(&mut reader)?);
    }
    Ok(outputs)
}

/// Data of a reply to SNAPSHOT_ADD_OUTPUT: the new output's id
/// (`struct lttcomm_lttng_output_id`).
#[must_use]
pub fn encode_snapshot_output_id(id: u32) -> Vec<u8> {
    id.to_ne_bytes().to_vec()
}

/// Reads data of a reply to SNAPSHOT_ADD_OUTPUT.
///
/// # Errors
/// When there are not exactly 4 bytes.
pub fn decode_snapshot_output_id(data: &[u8]) -> Result<u32, DecodeError> {
    let mut reader = Reader::new(data);
    let id = reader.u32("snapshot output id")?;
    reader.finish("snapshot output id")?;
    Ok(id)
}
