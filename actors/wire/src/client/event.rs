//! Events (`struct lttng_event_comm`, packed, `include/lttng/event-internal.h`).

use std::mem::offset_of;

use lttngd_model::{
    Bytecode, ErrorCode, EventDescription, EventKind, EventListing, FILTER_MAX_LEN, Filter,
    ProbeAttributes, SYMBOL_NAME_LEN, UserspaceProbe,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mirror::{limited, read, string, string_len, wire_len};
use super::{Dialect, PAYLOAD_MAX_LEN, listing};
use crate::{DecodeError, Reader, Writer};

/// Largest count of exclusions of one event.
const EXCLUSIONS_MAX: usize = 4096;

/// `struct lttng_event_comm`; name, exclusions, filter and the part for the kind follow.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct EventComm {
    event_type: i8,
    loglevel_type: i8,
    loglevel: i32,
    enabled: i8,
    pid: i32,
    flags: u32,
    name_len: u32,
    exclusion_count: u32,
    filter_expression_len: u32,
    bytecode_len: u32,
    userspace_probe_location_len: u32,
    probe_attr_len: u32,
    function_attr_len: u32,
}

/// Size of the fixed part in bytes.
pub(super) const EVENT_COMM_LEN: usize = 43;
const _: () = assert!(size_of::<EventComm>() == EVENT_COMM_LEN);
const _: () = assert!(offset_of!(EventComm, name_len) == 15);

/// `struct lttng_bytecode` (packed, `src/common/bytecode/bytecode.h`); padding up to the size that it has in the
/// dialect, and `len` bytes, follow.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct BytecodeHeader {
    len: u32,
    reloc_table_offset: u32,
    seqnum: u64,
}

const _: () = assert!(size_of::<BytecodeHeader>() == 16);

/// What the part after the filter is, by kind.
enum Tail {
    None,
    /// Address, offset and symbol: kernel probes and, despite the name, return probes.
    Probe,
    /// Symbol alone.
    Function,
    UserspaceProbe,
}

impl Tail {
    fn of(kind: EventKind) -> Self {
        match kind {
            EventKind::Probe | EventKind::Function => Self::Probe,
            EventKind::FunctionEntry => Self::Function,
            EventKind::UserspaceProbe => Self::UserspaceProbe,
            EventKind::All | EventKind::Tracepoint | EventKind::Noop | EventKind::Syscall => {
                Self::None
            }
        }
    }
}

/// An event with every part that the wire can carry, and its kind, which is known.
#[derive(Debug)]
struct Event {
    kind: EventKind,
    /// Everything but the filter.
    description: EventDescription,
    filter_expression: Option<String>,
    bytecode: Option<Bytecode>,
}

fn decode(reader: &mut Reader<'_>, dialect: Dialect) -> Result<Event, DecodeError> {
    let comm: &EventComm = read(reader, "event")?;
    let kind = EventKind::from_raw(comm.event_type)
        .ok_or(DecodeError::BadValue { what: "event_type", value: comm.event_type.into() })?;
    let name = string(reader, comm.name_len, SYMBOL_NAME_LEN, "event name")?;
    let count = limited(comm.exclusion_count, EXCLUSIONS_MAX, "event exclusion_count")?;
    let mut exclusions = Vec::with_capacity(count.min(reader.left() / size_of::<u32>()));
    for _ in 0..count {
        let len = reader.u32("exclusion")?;
        exclusions.push(string(reader, len, SYMBOL_NAME_LEN, "exclusion")?);
    }
    let filter_expression = match comm.filter_expression_len {
        0 => None,
        len => Some(string(reader, len, FILTER_MAX_LEN, "filter expression")?),
    };
    let bytecode = match comm.bytecode_len {
        0 => None,
        len => Some(decode_bytecode(reader, len, dialect)?),
    };
    let (probe, userspace_probe) = decode_tail(kind, comm, reader)?;
    let description = EventDescription {
        kind: comm.event_type,
        loglevel_type: comm.loglevel_type,
        loglevel: comm.loglevel,
        enabled: comm.enabled,
        pid: comm.pid,
        flags: comm.flags,
        name,
        exclusions,
        filter: None,
        probe,
        userspace_probe,
    };
    Ok(Event { kind, description, filter_expression, bytecode })
}

fn decode_bytecode(
    reader: &mut Reader<'_>,
    block_len: u32,
    dialect: Dialect,
) -> Result<Bytecode, DecodeError> {
    let header: &BytecodeHeader = read(reader, "bytecode")?;
    reader.bytes(bytecode_padding(dialect), "bytecode")?;
    let len = limited(header.len, FILTER_MAX_LEN, "bytecode len")?;
    if len + dialect.bytecode_header_len() != limited(block_len, PAYLOAD_MAX_LEN, "bytecode_len")? {
        return Err(DecodeError::BadValue { what: "bytecode_len", value: block_len.into() });
    }
    limited(header.reloc_table_offset, len, "bytecode reloc_table_offset")?;
    Ok(Bytecode {
        reloc_table_offset: header.reloc_table_offset,
        seqnum: header.seqnum,
        data: reader.bytes(len, "bytecode data")?.to_vec(),
    })
}

fn bytecode_padding(dialect: Dialect) -> usize {
    dialect.bytecode_header_len() - size_of::<BytecodeHeader>()
}

type TailParts = (Option<ProbeAttributes>, Option<UserspaceProbe>);

fn decode_tail(
    kind: EventKind,
    comm: &EventComm,
    reader: &mut Reader<'_>,
) -> Result<TailParts, DecodeError> {
    let lens = (comm.probe_attr_len, comm.function_attr_len, comm.userspace_probe_location_len);
    let (len, others) = match Tail::of(kind) {
        Tail::None => (0, [lens.0, lens.1, lens.2]),
        Tail::Probe => (lens.0, [0, lens.1, lens.2]),
        Tail::Function => (lens.1, [lens.0, 0, lens.2]),
        Tail::UserspaceProbe => (lens.2, [lens.0, lens.1, 0]),
    };
    if let Some(value) = others.into_iter().find(|len| *len != 0) {
        return Err(DecodeError::BadValue { what: "length of another kind", value: value.into() });
    }
    let bytes = reader.bytes(limited(len, PAYLOAD_MAX_LEN, "event attributes")?, "attributes")?;
    match Tail::of(kind) {
        Tail::None => Ok((None, None)),
        Tail::Probe => Ok((Some(decode_probe(bytes)?), None)),
        Tail::Function => Ok((Some(decode_function(Reader::new(bytes))?), None)),
        Tail::UserspaceProbe => {
            let probe = UserspaceProbe::from(bytes.to_vec());
            let bad = DecodeError::BadValue { what: "userspace_probe_location", value: len.into() };
            probe.location().map(|_| (None, Some(probe))).ok_or(bad)
        }
    }
}

/// `struct lttng_event_probe_attr_comm`. LTTng 2.13 fills the offset with the address, so that the
/// offset only counts as what was sent.
fn decode_probe(bytes: &[u8]) -> Result<ProbeAttributes, DecodeError> {
    let mut reader = Reader::new(bytes);
    let address = reader.u64("probe addr")?;
    let offset = reader.u64("probe offset")?;
    Ok(ProbeAttributes { address, offset, ..decode_function(reader)? })
}

/// `struct lttng_event_function_attr_comm`.
fn decode_function(mut reader: Reader<'_>) -> Result<ProbeAttributes, DecodeError> {
    let len = reader.u32("symbol_name_len")?;
    let symbol = string(&mut reader, len, SYMBOL_NAME_LEN, "symbol")?;
    reader.finish("event attributes")?;
    Ok(ProbeAttributes { address: 0, offset: 0, symbol })
}

/// Appends an event; `filter` is its text and bytecode.
fn encode(
    event: &EventDescription,
    (filter, dialect): ((Option<&str>, Option<&Bytecode>), Dialect),
    writer: &mut Writer,
) {
    let tail = EventKind::from_raw(event.kind).map_or(Tail::None, Tail::of);
    let bytes = encode_tail(&tail, event);
    let tail_len = wire_len(bytes.len());
    let comm = EventComm {
        event_type: event.kind,
        loglevel_type: event.loglevel_type,
        loglevel: event.loglevel,
        enabled: event.enabled,
        pid: event.pid,
        flags: event.flags,
        name_len: string_len(&event.name),
        exclusion_count: wire_len(event.exclusions.len()),
        filter_expression_len: filter.0.map_or(0, string_len),
        bytecode_len: filter
            .1
            .map_or(0, |code| wire_len(dialect.bytecode_header_len() + code.data.len())),
        userspace_probe_location_len: if matches!(tail, Tail::UserspaceProbe) {
            tail_len
        } else {
            0
        },
        probe_attr_len: if matches!(tail, Tail::Probe) { tail_len } else { 0 },
        function_attr_len: if matches!(tail, Tail::Function) { tail_len } else { 0 },
    };
    writer.bytes(comm.as_bytes()).string(&event.name);
    for exclusion in &event.exclusions {
        writer.u32(string_len(exclusion)).string(exclusion);
    }
    if let Some(expression) = filter.0 {
        writer.string(expression);
    }
    if let Some(bytecode) = filter.1 {
        let header = BytecodeHeader {
            len: wire_len(bytecode.data.len()),
            reloc_table_offset: bytecode.reloc_table_offset,
            seqnum: bytecode.seqnum,
        };
        writer.bytes(header.as_bytes()).zeros(bytecode_padding(dialect)).bytes(&bytecode.data);
    }
    writer.bytes(&bytes);
}

fn encode_tail(tail: &Tail, event: &EventDescription) -> Vec<u8> {
    let probe = event.probe.clone().unwrap_or_default();
    let mut writer = Writer::default();
    match tail {
        Tail::None => {}
        Tail::Probe => {
            writer.u64(probe.address).u64(probe.offset);
            writer.u32(string_len(&probe.symbol)).string(&probe.symbol);
        }
        Tail::Function => {
            writer.u32(string_len(&probe.symbol)).string(&probe.symbol);
        }
        Tail::UserspaceProbe => {
            writer.bytes(event.userspace_probe.as_ref().map_or(&[], UserspaceProbe::bytes));
        }
    }
    writer.into_bytes()
}

/// The event of ENABLE_EVENT and DISABLE_EVENT. Filter text and bytecode come together or not at
/// all. Since 2.14 an event rule follows it, in which the same is said again; it is left alone, since 2.14 and 2.15 have
/// the two kinds of log levels in it the wrong way round.
pub(super) fn decode_description(
    payload: &[u8],
    dialect: Dialect,
) -> Result<EventDescription, DecodeError> {
    let mut reader = Reader::new(payload);
    let event = decode(&mut reader, dialect)?;
    if dialect.has_rules_behind_events() {
        let rule_len = reader.left();
        reader.bytes(rule_len, "event rule")?;
    }
    reader.finish("event")?;
    let filter = match (event.filter_expression, event.bytecode) {
        (Some(expression), Some(bytecode)) => Some(Filter { expression, bytecode }),
        (None, None) => None,
        _ => return Err(DecodeError::BadValue { what: "filter without its half", value: 0 }),
    };
    Ok(EventDescription { filter, ..event.description })
}

/// Appends the event of ENABLE_EVENT and DISABLE_EVENT, without an event rule.
pub(super) fn encode_description(event: &EventDescription, dialect: Dialect, writer: &mut Writer) {
    let filter = event.filter.as_ref();
    let parts =
        (filter.map(|filter| filter.expression.as_str()), filter.map(|filter| &filter.bytecode));
    encode(event, (parts, dialect), writer);
}

/// Reads an event of a listing. Bytecode, in which alone versions differ, has no place in one.
pub(super) fn decode_listing(reader: &mut Reader<'_>) -> Result<EventListing, DecodeError> {
    let event = decode(reader, Dialect::V2_13)?;
    if event.bytecode.is_some() {
        let value = event.description.kind.into();
        return Err(DecodeError::BadValue { what: "listed event", value });
    }
    let description = event.description;
    Ok(EventListing {
        kind: event.kind,
        name: description.name,
        loglevel_type: description.loglevel_type,
        loglevel: description.loglevel,
        enabled: description.enabled,
        pid: description.pid,
        flags: description.flags,
        filter_expression: event.filter_expression,
        exclusions: description.exclusions,
        // In user space, rules of the kinds of kernel probes and functions have no attributes, and are
        // listed with empty ones.
        probe: description.probe.filter(|probe| *probe != ProbeAttributes::default()),
        userspace_probe: description.userspace_probe,
    })
}

/// Appends an event of a listing.
pub(super) fn encode_listing(event: &EventListing, writer: &mut Writer) -> Result<(), ErrorCode> {
    let has_location = event.userspace_probe.is_some();
    if matches!(Tail::of(event.kind), Tail::UserspaceProbe) && !has_location {
        return Err(ErrorCode::KernListFail);
    }
    let description = EventDescription {
        kind: event.kind as i8,
        loglevel_type: event.loglevel_type,
        loglevel: event.loglevel,
        enabled: event.enabled,
        pid: event.pid,
        flags: event.flags,
        name: event.name.clone(),
        exclusions: event.exclusions.clone(),
        filter: None,
        probe: event.probe.clone(),
        userspace_probe: event.userspace_probe.clone(),
    };
    let filter = (event.filter_expression.as_deref(), None);
    encode(&description, (filter, Dialect::V2_13), writer);
    Ok(())
}

/// Data of a reply to LIST_EVENTS, LIST_TRACEPOINTS and LIST_SYSCALLS; the count goes to the
/// command header.
///
/// # Errors
/// [`ErrorCode::KernListFail`] for a user space probe without its location, which a client needs.
pub fn encode_events(events: &[EventListing]) -> Result<Vec<u8>, ErrorCode> {
    let mut writer = Writer::with_capacity(events.len() * (EVENT_COMM_LEN + 32));
    for event in events {
        encode_listing(event, &mut writer)?;
    }
    Ok(writer.into_bytes())
}

/// Reads data of a reply to LIST_EVENTS, LIST_TRACEPOINTS and LIST_SYSCALLS.
///
/// # Errors
/// When there are not `count` events in the bytes, or more, or a member of one has no meaning.
pub fn decode_events(count: u32, data: &[u8]) -> Result<Vec<EventListing>, DecodeError> {
    listing::decode(count, data, EVENT_COMM_LEN, "events", decode_listing)
}
