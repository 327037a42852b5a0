//! CREATE_SESSION.

use lttngd_model::{ChunkId, NAME_MAX, PATH_MAX, SessionId, Timestamp};

use super::{number, text};
use crate::{DecodeError, Reader, Writer};

/// Longest host name in bytes, its NUL included.
pub const HOST_NAME_MAX: usize = 64;
/// Longest base path in bytes, its NUL included.
pub const BASE_PATH_MAX: usize = PATH_MAX;

/// The minor version from which on the format of traces is told.
const FORMATS_SINCE: u32 = 15;
/// `LTTCOMM_RELAYD_TRACE_FORMAT_CTF_1_8`.
const CTF_1_8: u32 = 1;

/// Announces a session. Before 2.4 it has no payload; before 2.11 only name, host, live timer and
/// snapshot mode are told (`struct lttcomm_relayd_create_session_2_4` and `_2_11`). From 2.15 on the format of its
/// traces is told, which is CTF 1.8 in all that is written here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreateSession {
    /// Name of the session, cut to 254 bytes.
    pub name: String,
    /// Name of this machine, cut to 63 bytes.
    pub hostname: String,
    /// Directory below the relay's for this machine; empty for one made of the session's name.
    pub base_path: String,
    /// Period of the live timer in microseconds, 0 for a session that is not live.
    pub live_timer_us: u32,
    /// Whether it is for one snapshot.
    pub snapshot: bool,
    /// Whether the name says when the session was made.
    pub name_contains_creation_time: bool,
    /// The session daemon, never all zeros.
    pub sessiond_uuid: [u8; 16],
    /// The session in the session daemon.
    pub session_id: SessionId,
    /// When it was made.
    pub created_at: Timestamp,
    /// The trace chunk that it is in.
    pub current_chunk_id: Option<ChunkId>,
}

impl CreateSession {
    pub(super) fn encode(&self, minor: u32) -> Vec<u8> {
        let mut writer = Writer::default();
        let name = text::cut(&self.name, NAME_MAX);
        let hostname = text::cut(&self.hostname, HOST_NAME_MAX);
        match minor {
            0..4 => {}
            4..11 => {
                writer.padded_string(name, NAME_MAX).padded_string(hostname, HOST_NAME_MAX);
                number::put_u32(&mut writer, self.live_timer_us);
                number::put_u32(&mut writer, self.snapshot.into());
            }
            11.. => {
                let base_path = text::cut(&self.base_path, BASE_PATH_MAX);
                for text in [name, hostname, base_path] {
                    text::put_len(&mut writer, text);
                }
                number::put_u32(&mut writer, self.live_timer_us);
                writer.u8(self.snapshot.into()).u8(self.name_contains_creation_time.into());
                writer.bytes(&self.sessiond_uuid);
                number::put_u64(&mut writer, self.session_id.0);
                number::put_u64(&mut writer, self.created_at.epoch_s);
                writer.u8(self.current_chunk_id.is_some().into());
                number::put_u64(&mut writer, self.current_chunk_id.map_or(0, |id| id.0));
                if minor >= FORMATS_SINCE {
                    number::put_u32(&mut writer, CTF_1_8);
                }
                writer.string(name).string(hostname).string(base_path);
            }
        }
        writer.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8], minor: u32) -> Result<Option<Self>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let session = match minor {
            0..4 => None,
            4..11 => Some(Self::decode_fixed(&mut reader)?),
            11.. => Some(Self::decode_variable(&mut reader, minor)?),
        };
        reader.finish("create session")?;
        Ok(session)
    }

    fn decode_fixed(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: reader.padded_string(NAME_MAX, "session_name")?,
            hostname: reader.padded_string(HOST_NAME_MAX, "hostname")?,
            base_path: String::new(),
            live_timer_us: number::u32(reader, "live_timer")?,
            snapshot: number::u32(reader, "snapshot")? != 0,
            name_contains_creation_time: false,
            sessiond_uuid: [0; 16],
            session_id: SessionId(0),
            created_at: Timestamp { epoch_s: 0 },
            current_chunk_id: None,
        })
    }

    fn decode_variable(reader: &mut Reader<'_>, minor: u32) -> Result<Self, DecodeError> {
        let name_len = text::read_len(reader, "session_name_len", NAME_MAX)?;
        let hostname_len = text::read_len(reader, "hostname_len", HOST_NAME_MAX)?;
        let base_path_len = text::read_len(reader, "base_path_len", BASE_PATH_MAX)?;
        let live_timer_us = number::u32(reader, "live_timer")?;
        let snapshot = reader.u8("snapshot")? != 0;
        let name_contains_creation_time = reader.u8("session_name_contains_creation_time")? != 0;
        let mut sessiond_uuid = [0; 16];
        sessiond_uuid.copy_from_slice(reader.bytes(16, "sessiond_uuid")?);
        let session_id = SessionId(number::u64(reader, "session_id")?);
        let created_at = Timestamp { epoch_s: number::u64(reader, "creation_time")? };
        let has_chunk = reader.u8("current_chunk_id set")? != 0;
        let chunk = ChunkId(number::u64(reader, "current_chunk_id")?);
        let format =
            if minor >= FORMATS_SINCE { number::u32(reader, "trace_format")? } else { CTF_1_8 };
        if format != CTF_1_8 {
            return Err(DecodeError::BadValue { what: "trace_format", value: format.into() });
        }
        Ok(Self {
            name: reader.string(name_len, "session_name")?,
            hostname: reader.string(hostname_len, "hostname")?,
            base_path: reader.string(base_path_len, "base_path")?,
            live_timer_us,
            snapshot,
            name_contains_creation_time,
            sessiond_uuid,
            session_id,
            created_at,
            current_chunk_id: has_chunk.then_some(chunk),
        })
    }
}
