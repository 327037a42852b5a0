//! Commands about streams.

use lttngd_model::{ChunkId, PATH_MAX, RelayStreamHandle};

use super::{number, text};
use crate::{DecodeError, Reader, Writer, ctf::PacketIndex};

/// Longest name of a stream in bytes, its NUL included (`RELAYD_COMM_DEFAULT_STREAM_NAME_LEN`).
pub const STREAM_NAME_MAX: usize = 264;
/// Longest path of a stream in bytes from 2.11 on, its NUL included.
pub const STREAM_PATH_MAX: usize = 255;
/// Most streams that one ROTATE_STREAMS is read with.
const ROTATED_STREAMS_MAX: u64 = 1 << 16;

/// ADD_STREAM (`struct lttcomm_relayd_add_stream`, `_2_2` and `_2_11`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddStream {
    /// Channel, `_` and processor, or `metadata`.
    pub name: String,
    /// Directory: from 2.11 on below the trace chunk, at most [`STREAM_PATH_MAX`] with its NUL; before
    /// that what the session daemon made of host and session.
    pub path: String,
    /// Largest size of a trace file in bytes, 0 for no limit. Told from 2.2 on.
    pub tracefile_size_bytes: u64,
    /// Most trace files, 0 for no limit. Told from 2.2 on. Relay daemons divide by it where the size
    /// has a limit.
    pub tracefile_count: u64,
    /// The trace chunk that the stream begins in. Told from 2.11 on.
    pub chunk_id: ChunkId,
}

impl AddStream {
    pub(super) fn encode(&self, writer: &mut Writer, minor: u32) {
        match minor {
            0..11 => {
                let name = text::cut(&self.name, STREAM_NAME_MAX);
                let path = text::cut(&self.path, PATH_MAX);
                writer.padded_string(name, STREAM_NAME_MAX).padded_string(path, PATH_MAX);
                if minor >= 2 {
                    number::put_u64(writer, self.tracefile_size_bytes);
                    number::put_u64(writer, self.tracefile_count);
                }
            }
            11.. => {
                let name = text::cut(&self.name, STREAM_NAME_MAX);
                let path = text::cut(&self.path, STREAM_PATH_MAX);
                text::put_len(writer, name);
                text::put_len(writer, path);
                number::put_u64(writer, self.tracefile_size_bytes);
                number::put_u64(writer, self.tracefile_count);
                number::put_u64(writer, self.chunk_id.0);
                writer.string(name).string(path);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>, minor: u32) -> Result<Self, DecodeError> {
        if minor < 11 {
            let name = reader.padded_string(STREAM_NAME_MAX, "stream name")?;
            let path = reader.padded_string(PATH_MAX, "stream path")?;
            let mut limit = |what| if minor < 2 { Ok(0) } else { number::u64(reader, what) };
            let tracefile_size_bytes = limit("tracefile_size")?;
            let tracefile_count = limit("tracefile_count")?;
            return Ok(Self {
                name,
                path,
                tracefile_size_bytes,
                tracefile_count,
                chunk_id: ChunkId(0),
            });
        }
        let name_len = text::read_len(reader, "stream name length", STREAM_NAME_MAX)?;
        let path_len = text::read_len(reader, "stream path length", STREAM_PATH_MAX)?;
        let tracefile_size_bytes = number::u64(reader, "tracefile_size")?;
        let tracefile_count = number::u64(reader, "tracefile_count")?;
        let chunk_id = ChunkId(number::u64(reader, "trace_chunk_id")?);
        let name = reader.string(name_len, "stream name")?;
        let path = reader.string(path_len, "stream path")?;
        Ok(Self { name, path, tracefile_size_bytes, tracefile_count, chunk_id })
    }
}

/// SEND_INDEX (`struct lttcomm_relayd_index`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SendIndex {
    /// The stream.
    pub handle: RelayStreamHandle,
    /// The packet's number on the data connection; in a live beacon that of the last one.
    pub net_seq_num: u64,
    /// What is known of the packet. Its processor and number are told from 2.8 on.
    pub index: PacketIndex,
}

/// Members of an index before 2.8.
const INDEX_MEMBERS_OLD: usize = 6;

impl SendIndex {
    pub(super) fn encode(&self, writer: &mut Writer, minor: u32) {
        number::put_u64(writer, self.handle.0);
        number::put_u64(writer, self.net_seq_num);
        let members = self.index.members();
        let told = if minor < 8 { INDEX_MEMBERS_OLD } else { members.len() };
        for member in &members[..told] {
            number::put_u64(writer, *member);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>, minor: u32) -> Result<Self, DecodeError> {
        let handle = RelayStreamHandle(number::u64(reader, "relay_stream_id")?);
        let net_seq_num = number::u64(reader, "net_seq_num")?;
        let mut members = [0; 8];
        let told = if minor < 8 { INDEX_MEMBERS_OLD } else { members.len() };
        // What is not told is not known.
        members[told..].fill(u64::MAX);
        for member in &mut members[..told] {
            *member = number::u64(reader, "index")?;
        }
        Ok(Self { handle, net_seq_num, index: PacketIndex::from_members(members) })
    }
}

/// Where a stream leaves its trace chunk (`struct lttcomm_relayd_stream_rotation_position`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RotationPosition {
    /// The stream.
    pub handle: RelayStreamHandle,
    /// Number (`packet_seq_num`) of the first packet that is in the next chunk; 0 for metadata.
    pub at_packet_seq_num: u64,
}

/// ROTATE_STREAMS (`struct lttcomm_relayd_rotate_streams`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RotateStreams {
    /// The chunk that they move to, `None` for none.
    pub new_chunk_id: Option<ChunkId>,
    /// The streams.
    pub positions: Vec<RotationPosition>,
}

/// Bytes between flag and chunk: the structure is aligned as on 64-bit x86.
const ROTATE_PADDING: usize = 7;

impl RotateStreams {
    pub(super) fn encode(&self, writer: &mut Writer) {
        number::put_u32(writer, u32::try_from(self.positions.len()).unwrap_or(u32::MAX));
        writer.u8(self.new_chunk_id.is_some().into()).zeros(ROTATE_PADDING);
        number::put_u64(writer, self.new_chunk_id.map_or(0, |id| id.0));
        for position in &self.positions {
            number::put_u64(writer, position.handle.0);
            number::put_u64(writer, position.at_packet_seq_num);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = number::u32(reader, "stream_count")?;
        if u64::from(count) > ROTATED_STREAMS_MAX {
            let (value, limit) = (count.into(), ROTATED_STREAMS_MAX);
            return Err(DecodeError::TooLarge { what: "stream_count", value, limit });
        }
        let is_set = text::flag(reader, "new_chunk_id set")?;
        // Stock consumer daemons leave them uninitialised.
        reader.bytes(ROTATE_PADDING, "new_chunk_id padding")?;
        let id = ChunkId(number::u64(reader, "new_chunk_id")?);
        let mut positions = Vec::new();
        for _ in 0..count {
            let handle = RelayStreamHandle(number::u64(reader, "rotated stream")?);
            let at_packet_seq_num = number::u64(reader, "rotate_at_seq_num")?;
            positions.push(RotationPosition { handle, at_packet_seq_num });
        }
        Ok(Self { new_chunk_id: is_set.then_some(id), positions })
    }
}
