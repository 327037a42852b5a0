//! Listings of sessions, and whether a session's data is on its way.

use std::{borrow::Borrow, mem::offset_of};

use lttngd_model::SessionListing;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Dialect;
use super::mirror::{chars, read, text};
use crate::{DecodeError, Reader, Sparse};

/// `struct lttng_session` (`include/lttng/session.h`) of a 64-bit daemon, with the compiler's
/// padding written out.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct LttngSession {
    name: [u8; 255],
    path: [u8; 4096],
    path_padding: u8,
    enabled: u32,
    snapshot_mode: u32,
    live_timer_interval: u32,
    timer_padding: u32,
    /// A pointer, of which only the place is kept.
    extended: u64,
}

const _: () = assert!(size_of::<LttngSession>() == 4376);
const _: () = assert!(offset_of!(LttngSession, enabled) == 4352);
const _: () = assert!(offset_of!(LttngSession, extended) == 4368);

/// `struct lttng_session_extended` (packed, `include/lttng/session-internal.h`).
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct LttngSessionExtended {
    creation_time: u64,
    is_set: u8,
}

const _: () = assert!(size_of::<LttngSessionExtended>() == 9);

/// The path of shared memory behind it since 2.14, in bytes.
const SHM_PATH_LEN: usize = 4096;
/// The trace format behind that since 2.15: CTF 1.8.
const FORMAT_CTF_1: u8 = 1;

/// Bytes behind the extension.
fn more_len(dialect: Dialect) -> usize {
    let shm_path = if dialect.has_rules_behind_events() { SHM_PATH_LEN } else { 0 };
    shm_path + usize::from(dialect.has_trace_formats())
}

/// Data of a reply to LIST_SESSIONS: every session, then the extension of every session.
#[must_use]
pub fn encode_sessions<S: Borrow<SessionListing>>(sessions: &[S], dialect: Dialect) -> Sparse {
    const TAIL: usize = offset_of!(LttngSession, path_padding);
    const NAME_LEN: usize = offset_of!(LttngSession, path);

    let mut data = Sparse::default();
    let mut mirror = LttngSession::new_zeroed();
    for session in sessions.iter().map(Borrow::borrow) {
        mirror.enabled = session.active.into();
        mirror.snapshot_mode = session.snapshot_mode.into();
        mirror.live_timer_interval = session.live_timer_interval_us;
        data.put(&chars::<NAME_LEN>(session.name.as_bytes()));
        let path = session.path.as_bytes();
        // The last byte is that of its NUL.
        let path = path.get(..TAIL - NAME_LEN - 1).unwrap_or(path);
        data.put(path);
        data.put_zeros(TAIL - NAME_LEN - path.len());
        data.put(mirror.as_bytes().get(TAIL..).unwrap_or_default());
    }
    for session in sessions.iter().map(Borrow::borrow) {
        let extended = LttngSessionExtended { creation_time: session.creation_time_s, is_set: 1 };
        data.put(extended.as_bytes());
        if dialect.has_rules_behind_events() {
            let path = session.shm_path.as_bytes();
            let path = path.get(..SHM_PATH_LEN - 1).unwrap_or(path);
            data.put(path);
            data.put_zeros(SHM_PATH_LEN - path.len());
        }
        if dialect.has_trace_formats() {
            data.put(&[FORMAT_CTF_1]);
        }
    }
    data
}

/// Reads data of a reply to LIST_SESSIONS.
///
/// # Errors
/// When the bytes are not whole sessions, a session lacks its creation time, or a text of one is
/// not NUL-terminated UTF-8.
pub fn decode_sessions(data: &[u8], dialect: Dialect) -> Result<Vec<SessionListing>, DecodeError> {
    let extension_len = size_of::<LttngSessionExtended>() + more_len(dialect);
    let count = data.len() / (size_of::<LttngSession>() + extension_len);
    let mut sessions = Reader::new(data);
    let mut extensions = sessions.clone();
    extensions.bytes(count * size_of::<LttngSession>(), "lttng_session array")?;
    let mut listings = Vec::with_capacity(count);
    for _ in 0..count {
        let session: &LttngSession = read(&mut sessions, "lttng_session")?;
        let extended: &LttngSessionExtended = read(&mut extensions, "lttng_session_extended")?;
        let more = extensions.bytes(more_len(dialect), "lttng_session_extended")?;
        let shm_path = more.get(..SHM_PATH_LEN).unwrap_or(&[0]);
        if extended.is_set != 1 {
            let value = extended.is_set.into();
            return Err(DecodeError::BadValue { what: "creation_time is_set", value });
        }
        listings.push(SessionListing {
            name: text(&session.name, "lttng_session name")?,
            path: text(&session.path, "lttng_session path")?,
            active: session.enabled != 0,
            snapshot_mode: session.snapshot_mode != 0,
            live_timer_interval_us: session.live_timer_interval,
            creation_time_s: extended.creation_time,
            shm_path: text(shm_path, "lttng_session shm_path")?,
        });
    }
    extensions.finish("lttng_session array")?;
    Ok(listings)
}

/// Data of a reply to DATA_PENDING.
#[must_use]
pub fn encode_data_pending(pending: bool) -> Vec<u8> {
    vec![pending.into()]
}

/// Reads data of a reply to DATA_PENDING.
///
/// # Errors
/// When there is not exactly one byte, or it is neither 0 nor 1.
pub fn decode_data_pending(data: &[u8]) -> Result<bool, DecodeError> {
    let mut reader = Reader::new(data);
    let raw = reader.u8("data pending")?;
    reader.finish("data pending")?;
    match raw {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(DecodeError::BadValue { what: "data pending", value: other.into() }),
    }
}
