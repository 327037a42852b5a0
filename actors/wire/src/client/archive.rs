//! Where a rotation left its trace chunk, and the reply to DESTROY_SESSION, which tells it.

use lttngd_model::{PATH_MAX, trigger::ArchiveLocation};

use super::mirror::{string, string_len};
use super::{Reply, RotationState};
use crate::{DecodeError, Reader, Writer};

/// Longest host name of a relay daemon in bytes, its NUL included (`LTTNG_HOST_NAME_MAX`).
pub(super) const HOST_NAME_MAX: usize = 256;
/// `enum lttng_trace_archive_location_type`.
pub(super) const LOCAL: i8 = 1;
/// `enum lttng_trace_archive_location_type`.
pub(super) const RELAY: i8 = 2;
/// `enum lttng_trace_archive_location_relay_protocol_type`.
pub(super) const PROTOCOL_TCP: i8 = 0;
/// What the local variant leaves unused of the union in `struct
/// lttng_trace_archive_location_comm`.
const LOCAL_UNUSED_LEN: usize = 9;

/// `struct lttng_trace_archive_location_comm` (packed, `include/lttng/location-internal.h`), then
/// the texts.
pub(super) fn encode(location: &ArchiveLocation, writer: &mut Writer) {
    match location {
        ArchiveLocation::Local { path } => {
            writer.i8(LOCAL).u32(string_len(path)).zeros(LOCAL_UNUSED_LEN).string(path);
        }
        ArchiveLocation::Relay { host, control_port, data_port, relative_path } => {
            writer.i8(RELAY).u32(string_len(host)).i8(PROTOCOL_TCP);
            writer.u16(*control_port).u16(*data_port).u32(string_len(relative_path));
            writer.string(host).string(relative_path);
        }
    }
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<ArchiveLocation, DecodeError> {
    match reader.i8("archive location type")? {
        LOCAL => {
            let len = reader.u32("absolute_path_len")?;
            reader.bytes(LOCAL_UNUSED_LEN, "archive location")?;
            Ok(ArchiveLocation::Local { path: string(reader, len, PATH_MAX, "absolute_path")? })
        }
        RELAY => {
            let host_len = reader.u32("hostname_len")?;
            check_protocol(reader.i8("relay protocol")?)?;
            let control_port = reader.u16("control port")?;
            let data_port = reader.u16("data port")?;
            let path_len = reader.u32("relative_path_len")?;
            let host = string(reader, host_len, HOST_NAME_MAX, "hostname")?;
            let relative_path = string(reader, path_len, PATH_MAX, "relative_path")?;
            Ok(ArchiveLocation::Relay { host, control_port, data_port, relative_path })
        }
        other => Err(DecodeError::BadValue { what: "archive location type", value: other.into() }),
    }
}

/// Accepts the one protocol there is.
pub(super) fn check_protocol(protocol: i8) -> Result<(), DecodeError> {
    match protocol {
        PROTOCOL_TCP => Ok(()),
        other => Err(DecodeError::BadValue { what: "relay protocol", value: other.into() }),
    }
}

/// Command header of a reply to DESTROY_SESSION (`struct
/// lttcomm_session_destroy_command_header`): the state of the rotation that the destruction made.
#[must_use]
pub fn encode_destroyed_header(state: RotationState) -> Vec<u8> {
    (state as i32).to_ne_bytes().to_vec()
}

/// Data of a reply to DESTROY_SESSION: where the last chunk is, only with
/// [`RotationState::Completed`].
#[must_use]
pub fn encode_destroyed_data(location: Option<&ArchiveLocation>) -> Vec<u8> {
    let mut writer = Writer::default();
    if let Some(location) = location {
        encode(location, &mut writer);
    }
    writer.into_bytes()
}

/// Reads a reply to DESTROY_SESSION.
///
/// # Errors
/// When the command header is not a rotation state, or the data is not a location with
/// [`RotationState::Completed`] and nothing otherwise.
pub fn decode_destroyed(
    reply: &Reply,
) -> Result<(RotationState, Option<ArchiveLocation>), DecodeError> {
    let mut header = Reader::new(&reply.header);
    let state = RotationState::decode(&mut header)?;
    header.finish("destroy header")?;
    let mut data = Reader::new(&reply.data);
    let location = match state {
        RotationState::Completed => Some(decode(&mut data)?),
        _ => None,
    };
    data.finish("archive location")?;
    Ok((state, location))
}
