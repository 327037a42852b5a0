//! Session descriptors (`struct lttng_session_descriptor_comm` and
//! `struct lttng_session_descriptor_live_comm`, packed,
//! `include/lttng/session-descriptor-internal.h`) and the request that carries one.

use lttngd_model::{
    DescriptorOutput, ErrorCode, PATH_MAX, SessionDescriptor, SessionKind, StreamKind, Uri,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mirror::{bad, read, string, string_len};
use super::{Dialect, uri};
use crate::{DecodeError, Reader, Writer};

/// Largest descriptor in bytes (`LTTNG_SESSION_DESCRIPTOR_MAX_LEN`).
const DESCRIPTOR_MAX_LEN: usize = 65536;

/// The front of `struct lttng_session_descriptor_comm`, behind which 2.15 has the trace format.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct DescriptorFront {
    kind: u8,
    output_type: u8,
}

/// The rest of it; the timer of a live session, the name and the URIs follow.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct DescriptorComm {
    name_len: u32,
    uri_count: u8,
}

const _: () = assert!(size_of::<DescriptorFront>() + size_of::<DescriptorComm>() == 7);

/// `enum lttng_trace_format_descriptor_type` and what stands for none.
const FORMAT_DEFAULT: u8 = 0;
const FORMAT_CTF_1: u8 = 1;
const FORMAT_CTF_2: u8 = 2;

/// The member `create_session`.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct CreateMember {
    home_dir_size: u16,
    session_descriptor_size: u64,
}

const _: () = assert!(size_of::<CreateMember>() == 10);

const REGULAR: u8 = 1;
const SNAPSHOT: u8 = 2;
const LIVE: u8 = 3;
const OUTPUT_NONE: u8 = 0;
const OUTPUT_LOCAL: u8 = 1;
const OUTPUT_NETWORK: u8 = 2;

/// Reads a session descriptor, the data of a reply to CREATE_SESSION_EXT. Bytes behind it are
/// not looked at, as in `liblttng-ctl`.
///
/// # Errors
/// When the bytes end early; the kind or the output type is unknown; a live session has a local
/// output or no timer, or one beyond 32 bits; the name is empty or not NUL-terminated UTF-8; the
/// URIs do not fit the output type, or one is malformed; the trace format is not CTF 1.8.
pub fn decode_descriptor(data: &[u8], dialect: Dialect) -> Result<SessionDescriptor, DecodeError> {
    let mut reader = Reader::new(data);
    let front: &DescriptorFront = read(&mut reader, "session descriptor")?;
    if dialect.has_trace_formats() {
        match reader.u8(TRACE_FORMAT)? {
            FORMAT_DEFAULT | FORMAT_CTF_1 => {}
            other => return Err(bad(TRACE_FORMAT, other)),
        }
    }
    let comm: &DescriptorComm = read(&mut reader, "session descriptor")?;
    let kind = match front.kind {
        REGULAR => SessionKind::Regular,
        SNAPSHOT => SessionKind::Snapshot,
        LIVE => SessionKind::Live { timer_interval_us: decode_timer(&mut reader)? },
        other => return Err(bad("session descriptor type", other)),
    };
    let name = match comm.name_len {
        0 => None,
        1 => return Err(bad("session descriptor name_len", 1)),
        len => Some(string(&mut reader, len, DESCRIPTOR_MAX_LEN, "session descriptor name")?),
    };
    let output = match (front.output_type, comm.uri_count) {
        (OUTPUT_LOCAL, _) if front.kind == LIVE => {
            return Err(bad("output type of a live session", OUTPUT_LOCAL));
        }
        (OUTPUT_NONE, 0) => DescriptorOutput::None,
        (OUTPUT_LOCAL, 0) => DescriptorOutput::Local(None),
        (OUTPUT_LOCAL, 1) => match uri::decode(&mut reader)? {
            path @ Uri::Path(_) => DescriptorOutput::Local(Some(path)),
            Uri::Network(_) => return Err(bad("local output with a network URI", 1)),
        },
        (OUTPUT_NETWORK, 0) => DescriptorOutput::Network(None),
        (OUTPUT_NETWORK, 2) => {
            let control = decode_side(&mut reader, StreamKind::Control)?;
            let data = decode_side(&mut reader, StreamKind::Data)?;
            DescriptorOutput::Network(Some(Box::new((control, data))))
        }
        (OUTPUT_NONE | OUTPUT_LOCAL | OUTPUT_NETWORK, count) => {
            return Err(bad("session descriptor uri_count", count));
        }
        (other, _) => return Err(bad("session descriptor output_type", other)),
    };
    Ok(SessionDescriptor { kind, name, output })
}

const TRACE_FORMAT: &str = "session descriptor trace_format";

fn decode_timer(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let value = reader.u64("live_timer_us")?;
    match u32::try_from(value) {
        Ok(0) => Err(bad("live_timer_us", 0)),
        Ok(timer) => Ok(timer),
        Err(_) => {
            Err(DecodeError::TooLarge { what: "live_timer_us", value, limit: u32::MAX.into() })
        }
    }
}

fn decode_side(reader: &mut Reader<'_>, side: StreamKind) -> Result<Uri, DecodeError> {
    match uri::decode(reader)? {
        Uri::Network(uri) if uri.stream == side => Ok(Uri::Network(uri)),
        _ => Err(bad("side of a network URI", side as u8)),
    }
}

/// A session descriptor; the data of a reply to CREATE_SESSION_EXT when name and URIs are filled
/// in.
#[must_use]
pub fn encode_descriptor(descriptor: &SessionDescriptor, dialect: Dialect) -> Vec<u8> {
    let (output_type, uris) = match &descriptor.output {
        DescriptorOutput::None => (OUTPUT_NONE, Vec::new()),
        DescriptorOutput::Local(path) => (OUTPUT_LOCAL, path.iter().cloned().collect()),
        DescriptorOutput::Network(None) => (OUTPUT_NETWORK, Vec::new()),
        DescriptorOutput::Network(Some(sides)) => {
            (OUTPUT_NETWORK, vec![sides.0.clone(), sides.1.clone()])
        }
    };
    let front = DescriptorFront {
        kind: match descriptor.kind {
            SessionKind::Regular => REGULAR,
            SessionKind::Snapshot => SNAPSHOT,
            SessionKind::Live { .. } => LIVE,
        },
        output_type,
    };
    let comm = DescriptorComm {
        name_len: descriptor.name.as_deref().map_or(0, string_len),
        uri_count: u8::try_from(uris.len()).unwrap_or(u8::MAX),
    };
    let mut writer = Writer::default();
    writer.bytes(front.as_bytes());
    if dialect.has_trace_formats() {
        writer.u8(FORMAT_CTF_1);
    }
    writer.bytes(comm.as_bytes());
    if let SessionKind::Live { timer_interval_us } = descriptor.kind {
        writer.u64(timer_interval_us.into());
    }
    if let Some(name) = &descriptor.name {
        writer.string(name);
    }
    writer.bytes(&uri::encode_list(&uris));
    writer.into_bytes()
}

/// Count of payload bytes of CREATE_SESSION_EXT.
pub(super) fn payload_len(union: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let member: &CreateMember = read(union, "create_session")?;
    Ok(member.session_descriptor_size.saturating_add(member.home_dir_size.into()))
}

/// The client's home directory and the descriptor of CREATE_SESSION_EXT.
pub(super) fn decode_request(
    union: &[u8],
    payload: &[u8],
    dialect: Dialect,
) -> Result<(Option<String>, SessionDescriptor), ErrorCode> {
    let member: &CreateMember = read(&mut Reader::new(union), "create_session")
        .map_err(|_: DecodeError| ErrorCode::InvalidProtocol)?;
    let home_len = usize::from(member.home_dir_size);
    if home_len >= PATH_MAX || payload.len().saturating_sub(home_len) > DESCRIPTOR_MAX_LEN {
        return Err(ErrorCode::Invalid);
    }
    if payload.is_empty() {
        return Err(ErrorCode::SessionFail);
    }
    let mut reader = Reader::new(payload);
    let home = match home_len {
        0 => None,
        len => Some(reader.string(len, "home directory").map_err(|_| ErrorCode::Invalid)?),
    };
    let rest = reader.left();
    let descriptor = reader
        .bytes(rest, "session descriptor")
        .and_then(|bytes| decode_descriptor(bytes, dialect))
        .map_err(|error| match error {
            DecodeError::BadValue { what: TRACE_FORMAT, value } if value == FORMAT_CTF_2.into() => {
                ErrorCode::TraceFormatNotSupported
            }
            _ => ErrorCode::Invalid,
        })?;
    Ok((home, descriptor))
}

/// The members and the payload of CREATE_SESSION_EXT.
pub(super) fn encode_request(
    (home, descriptor, dialect): (Option<&str>, &SessionDescriptor, Dialect),
    union: &mut Writer,
    payload: &mut Writer,
) {
    if let Some(home) = home {
        payload.string(home);
    }
    let home_len = payload.len();
    let bytes = encode_descriptor(descriptor, dialect);
    let member = CreateMember {
        home_dir_size: u16::try_from(home_len).unwrap_or(u16::MAX),
        session_descriptor_size: bytes.len() as u64,
    };
    union.bytes(member.as_bytes());
    payload.bytes(&bytes);
}
