//! Fields of tracepoints (`struct lttng_event_field_comm`, packed,
//! `include/lttng/event-field-internal.h`).

use lttngd_model::{ErrorCode, EventField, EventFieldKind, SYMBOL_NAME_LEN};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mirror::{limited, read, string, string_len, wire_len};
use super::{REPLY_DATA_MAX_LEN, event, listing};
use crate::{DecodeError, Reader, Writer};

/// `struct lttng_event_field_comm`; the name and the event follow.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct EventFieldComm {
    kind: u8,
    nowrite: u8,
    name_len: u32,
    event_len: u32,
}

const _: () = assert!(size_of::<EventFieldComm>() == 10);

fn decode(reader: &mut Reader<'_>) -> Result<EventField, DecodeError> {
    let comm: &EventFieldComm = read(reader, "event field")?;
    let name = string(reader, comm.name_len, SYMBOL_NAME_LEN, "field name")?;
    let event_len = limited(comm.event_len, REPLY_DATA_MAX_LEN, "event_len")?;
    let mut event_reader = Reader::new(reader.bytes(event_len, "event of a field")?);
    let event = event::decode_listing(&mut event_reader)?;
    event_reader.finish("event of a field")?;
    let kind = EventFieldKind::from_raw(comm.kind.into());
    Ok(EventField { name, kind, nowrite: comm.nowrite != 0, event })
}

fn encode(field: &EventField, writer: &mut Writer) -> Result<(), ErrorCode> {
    let mut event = Writer::default();
    event::encode_listing(&field.event, &mut event)?;
    let comm = EventFieldComm {
        kind: field.kind as u8,
        nowrite: field.nowrite.into(),
        name_len: string_len(&field.name),
        event_len: wire_len(event.len()),
    };
    writer.bytes(comm.as_bytes()).string(&field.name).bytes(&event.into_bytes());
    Ok(())
}

/// Data of a reply to LIST_TRACEPOINT_FIELDS; the count goes to the command header.
///
/// # Errors
/// As [`super::encode_events`].
pub fn encode_event_fields(fields: &[EventField]) -> Result<Vec<u8>, ErrorCode> {
    let mut writer = Writer::default();
    for field in fields {
        encode(field, &mut writer)?;
    }
    Ok(writer.into_bytes())
}

/// Reads data of a reply to LIST_TRACEPOINT_FIELDS.
///
/// # Errors
/// When there are not `count` fields in the bytes, or more, or a member of one has no meaning.
pub fn decode_event_fields(count: u32, data: &[u8]) -> Result<Vec<EventField>, DecodeError> {
    listing::decode(count, data, size_of::<EventFieldComm>(), "event fields", decode)
}
