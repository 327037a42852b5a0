//! The two messages that create channels: ADD_CHANNEL of the kernel domain and
//! ASK_CHANNEL_CREATION of the user-space domain.

use lttngd_model::{
    Bitness, BufferLayout, ChannelKey, ChannelOutput, ChunkId, Credentials, NetIndex, PATH_MAX,
    SessionId,
};

use super::packed;
use crate::{DecodeError, Reader, Writer};

/// Size in bytes of a channel's name in these messages (`LTTNG_SYMBOL_NAME_LEN`).
const NAME_SIZE: usize = 256;

/// Size in bytes of what a channel's directory may have of its member.
const PATHNAME_SIZE: usize = PATH_MAX - 1;

/// What is added to the number of a buffer layout when it is that of 32-bit applications.
const BITS32: u8 = 0x80;

fn put_buffers(writer: &mut Writer, layout: BufferLayout, bitness: Bitness) {
    let added = if bitness == Bitness::Bits32 { BITS32 } else { 0 };
    writer.u8(layout as u8 | added);
}

fn buffers(raw: u8) -> Result<(BufferLayout, Bitness), DecodeError> {
    let unknown = DecodeError::BadValue { what: "buffer layout", value: raw.into() };
    let bitness = if raw & BITS32 == 0 { Bitness::Bits64 } else { Bitness::Bits32 };
    Ok((BufferLayout::from_raw(raw & !BITS32).ok_or(unknown)?, bitness))
}

fn output(raw: u32) -> Result<ChannelOutput, DecodeError> {
    match raw {
        0 => Ok(ChannelOutput::Splice),
        1 => Ok(ChannelOutput::Mmap),
        raw => Err(DecodeError::BadValue { what: "output", value: raw.into() }),
    }
}

/// What a channel of the user-space domain carries (`enum lttng_ust_abi_chan_type`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChannelClass {
    /// Events, one stream for each CPU.
    Data {
        /// Whether a full buffer loses its oldest sub-buffer instead of the new event.
        overwrite: bool,
    },
    /// Metadata: one stream, or none when the channel is not monitored.
    Metadata,
}

impl ChannelClass {
    /// The members `overwrite` and `type`.
    fn to_raw(self) -> (i32, i32) {
        match self {
            Self::Data { overwrite } => (overwrite.into(), 0),
            Self::Metadata => (-1, 1),
        }
    }

    fn from_raw(overwrite: i32, kind: i32) -> Result<Self, DecodeError> {
        match (overwrite, kind) {
            (0, 0) => Ok(Self::Data { overwrite: false }),
            (1, 0) => Ok(Self::Data { overwrite: true }),
            (-1, 1) => Ok(Self::Metadata),
            (_, 0 | 1) => Err(DecodeError::BadValue { what: "overwrite", value: overwrite.into() }),
            _ => Err(DecodeError::BadValue { what: "channel type", value: kind.into() }),
        }
    }
}

/// Asks for a channel of the user-space domain (`u.ask_channel` of `struct lttcomm_consumer_msg`);
/// answered by a [`super::ChannelStatus`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AskChannel {
    /// Size of a sub-buffer in bytes; a power of two.
    pub subbuf_size_bytes: u64,
    /// Count of sub-buffers; a power of two.
    pub num_subbuf: u64,
    /// Data or metadata.
    pub class: ChannelClass,
    /// Period of the switch timer in microseconds, 0 for none.
    pub switch_timer_interval_us: u32,
    /// Period of the read timer in microseconds, 0 for none.
    pub read_timer_interval_us: u32,
    /// Period of the live timer in microseconds, 0 for none.
    pub live_timer_interval_us: u32,
    /// Whether the session is a live one.
    pub is_live: bool,
    /// Period of the monitor timer in microseconds, 0 for none.
    pub monitor_timer_interval_us: u32,
    /// How the consumer reads it.
    pub output: ChannelOutput,
    /// The tracing session.
    pub session_id: SessionId,
    /// Directory below the trace chunk's domain directory: `uid/<uid>/<bits>-bit` or
    /// `pid/<name>-<pid>-<datetime>`.
    pub pathname: String,
    /// Channel name, `metadata` for metadata.
    pub name: String,
    /// Owner of shared memory files: the user of the tracing session.
    pub buffer_owner: Credentials,
    /// The relay daemon that gets the trace, `None` for a local one.
    pub relayd_id: Option<NetIndex>,
    /// The channel.
    pub key: ChannelKey,
    /// Current trace chunk, `None` in snapshot sessions.
    pub chunk_id: Option<ChunkId>,
    /// UUID of the trace.
    pub uuid: [u8; 16],
    /// Stream class id in the trace, all ones for metadata.
    pub chan_id: u32,
    /// Largest size of a trace file in bytes, 0 for no limit.
    pub tracefile_size_bytes: u64,
    /// Largest count of trace files of a stream, 0 for no limit.
    pub tracefile_count: u32,
    /// The id that names a per-PID buffer set in metadata requests.
    pub session_id_per_pid: u64,
    /// Whether the consumer's threads read it all the time; not so in snapshot sessions.
    pub monitor: bool,
    /// User id of the application, returned in metadata requests.
    pub ust_app_uid: u32,
    /// How long a producer may wait for room, in microseconds: 0 not at all, -1 for ever.
    pub blocking_timeout_us: i64,
    /// Directory of shared memory files, empty for none.
    pub root_shm_path: String,
    /// Prefix of this channel's shared memory files, empty for none.
    pub shm_path: String,
    /// Whose buffers it has. Not LTTng's: it is told in the last byte of `pathname`, where LTTng has the end of a text that
    /// never reaches it. LTTng's consumer daemons of 2.13 make buffers of ABI 8 to 10 and of their own word size whatever
    /// stands there.
    pub buffer_layout: BufferLayout,
    /// The word size of those applications, told in the same byte.
    pub bitness: Bitness,
}

impl AskChannel {
    /// In whose share it is: that of its session's owner, and in a session of root's that of the user whose programs
    /// it is for.
    #[must_use]
    pub fn charged_to(&self) -> u32 {
        match self.buffer_owner.uid {
            0 => self.ust_app_uid,
            owner => owner,
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let (overwrite, kind) = self.class.to_raw();
        writer.u64(self.subbuf_size_bytes).u64(self.num_subbuf).i32(overwrite);
        writer.u32(self.switch_timer_interval_us).u32(self.read_timer_interval_us);
        writer.u32(self.live_timer_interval_us).u8(self.is_live.into());
        writer.u32(self.monitor_timer_interval_us).u32(self.output as u32).i32(kind);
        writer.u64(self.session_id.0);
        writer.padded_string(&self.pathname, PATHNAME_SIZE);
        put_buffers(writer, self.buffer_layout, self.bitness);
        writer.padded_string(&self.name, NAME_SIZE);
        writer.u32(self.buffer_owner.uid).u32(self.buffer_owner.gid);
        packed::put_relayd_id(writer, self.relayd_id);
        writer.u64(self.key.0);
        packed::put_optional(writer, self.chunk_id.map(|id| id.0));
        writer.bytes(&self.uuid).u32(self.chan_id);
        writer.u64(self.tracefile_size_bytes).u32(self.tracefile_count);
        writer.u64(self.session_id_per_pid).u32(self.monitor.into()).u32(self.ust_app_uid);
        writer.i64(self.blocking_timeout_us);
        writer.padded_string(&self.root_shm_path, PATH_MAX);
        writer.padded_string(&self.shm_path, PATH_MAX);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let subbuf_size_bytes = reader.u64("subbuf_size")?;
        let num_subbuf = reader.u64("num_subbuf")?;
        let overwrite = reader.i32("overwrite")?;
        let switch_timer_interval_us = reader.u32("switch_timer_interval")?;
        let read_timer_interval_us = reader.u32("read_timer_interval")?;
        let live_timer_interval_us = reader.u32("live_timer_interval")?;
        let is_live = packed::flag(reader.u8("is_live")?.into(), "is_live")?;
        let monitor_timer_interval_us = reader.u32("monitor_timer_interval")?;
        let output = output(reader.u32("output")?)?;
        let class = ChannelClass::from_raw(overwrite, reader.i32("channel type")?)?;
        let session_id = SessionId(reader.u64("session_id")?);
        let pathname = reader.padded_string(PATHNAME_SIZE, "pathname")?;
        let (buffer_layout, bitness) = buffers(reader.u8("buffer layout")?)?;
        Ok(Self {
            buffer_layout,
            bitness,
            subbuf_size_bytes,
            num_subbuf,
            class,
            switch_timer_interval_us,
            read_timer_interval_us,
            live_timer_interval_us,
            is_live,
            monitor_timer_interval_us,
            output,
            session_id,
            pathname,
            name: reader.padded_string(NAME_SIZE, "channel name")?,
            buffer_owner: Credentials {
                uid: reader.u32("buffer uid")?,
                gid: reader.u32("buffer gid")?,
            },
            relayd_id: packed::relayd_id(reader)?,
            key: ChannelKey(reader.u64("key")?),
            chunk_id: packed::optional(reader, "chunk_id")?.map(ChunkId),
            uuid: packed::uuid(reader)?,
            chan_id: reader.u32("chan_id")?,
            tracefile_size_bytes: reader.u64("tracefile_size")?,
            tracefile_count: reader.u32("tracefile_count")?,
            session_id_per_pid: reader.u64("session_id_per_pid")?,
            monitor: packed::flag(reader.u32("monitor")?, "monitor")?,
            ust_app_uid: reader.u32("ust_app_uid")?,
            blocking_timeout_us: reader.i64("blocking_timeout")?,
            root_shm_path: reader.padded_string(PATH_MAX, "root_shm_path")?,
            shm_path: reader.padded_string(PATH_MAX, "shm_path")?,
        })
    }
}

/// Announces a channel of the kernel domain (`u.channel` of `struct lttcomm_consumer_msg`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddChannel {
    /// The channel.
    pub key: ChannelKey,
    /// The tracing session.
    pub session_id: SessionId,
    /// Current trace chunk.
    pub chunk_id: Option<ChunkId>,
    /// Directory below the trace chunk's domain directory; empty for the kernel domain.
    pub pathname: String,
    /// The relay daemon that gets the trace, `None` for a local one.
    pub relayd_id: Option<NetIndex>,
    /// Count of streams that will follow.
    pub nb_init_streams: u32,
    /// Channel name, `metadata` for metadata.
    pub name: String,
    /// How the consumer reads it.
    pub output: ChannelOutput,
    /// Whether it carries metadata (`enum consumer_channel_type`).
    pub metadata: bool,
    /// Largest size of a trace file in bytes, 0 for no limit.
    pub tracefile_size_bytes: u64,
    /// Largest count of trace files of a stream, 0 for no limit.
    pub tracefile_count: u32,
    /// Whether the consumer's threads read it all the time; not so in snapshot sessions.
    pub monitor: bool,
    /// Period of the live timer in microseconds, 0 for none.
    pub live_timer_interval_us: u32,
    /// Whether the session is a live one.
    pub is_live: bool,
    /// Period of the monitor timer in microseconds, 0 for none.
    pub monitor_timer_interval_us: u32,
}

impl AddChannel {
    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u64(self.key.0).u64(self.session_id.0);
        packed::put_optional(writer, self.chunk_id.map(|id| id.0));
        writer.padded_string(&self.pathname, PATH_MAX);
        packed::put_relayd_id(writer, self.relayd_id);
        writer.u32(self.nb_init_streams).padded_string(&self.name, NAME_SIZE);
        // 0 is metadata here and 1 data, unlike in ASK_CHANNEL_CREATION.
        writer.u32(self.output as u32).i32(if self.metadata { 0 } else { 1 });
        writer.u64(self.tracefile_size_bytes).u32(self.tracefile_count);
        writer.u32(self.monitor.into()).u32(self.live_timer_interval_us);
        writer.u8(self.is_live.into()).u32(self.monitor_timer_interval_us);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            key: ChannelKey(reader.u64("channel_key")?),
            session_id: SessionId(reader.u64("session_id")?),
            chunk_id: packed::optional(reader, "chunk_id")?.map(ChunkId),
            pathname: reader.padded_string(PATH_MAX, "pathname")?,
            relayd_id: packed::relayd_id(reader)?,
            nb_init_streams: reader.u32("nb_init_streams")?,
            name: reader.padded_string(NAME_SIZE, "channel name")?,
            output: output(reader.u32("output")?)?,
            metadata: !packed::flag(reader.u32("channel type")?, "channel type")?,
            tracefile_size_bytes: reader.u64("tracefile_size")?,
            tracefile_count: reader.u32("tracefile_count")?,
            monitor: packed::flag(reader.u32("monitor")?, "monitor")?,
            live_timer_interval_us: reader.u32("live_timer_interval")?,
            is_live: packed::flag(reader.u8("is_live")?.into(), "is_live")?,
            monitor_timer_interval_us: reader.u32("monitor_timer_interval")?,
        })
    }
}
