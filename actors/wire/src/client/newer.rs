//! Replies to the commands that LTTng has since 2.14.

use crate::{DecodeError, Reader, Writer};

/// How the kernel tracer does (`enum lttng_kernel_tracer_status`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum KernelTracerStatus {
    /// It is ready.
    Initialized = 0,
    /// Something else is wrong.
    Unknown = -1,
    /// The daemon is not root's.
    NeedsRoot = -2,
    /// It speaks another ABI.
    Version = -5,
    /// Its modules are not there.
    ModulesMissing = -7,
}

/// Data of a reply to KERNEL_TRACER_STATUS.
#[must_use]
pub fn encode_kernel_tracer_status(status: KernelTracerStatus) -> Vec<u8> {
    (status as i32).to_ne_bytes().to_vec()
}

/// How much memory the streams of a channel have that belong to one user or process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamInfoSet {
    /// Whether they are of programs with 64-bit longs.
    pub is_64_bit: bool,
    /// The user, or the process of a channel with buffers for each.
    pub owner: StreamOwner,
    /// Each stream.
    pub streams: Vec<StreamInfo>,
}

/// Whose streams are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamOwner {
    /// A user's.
    Uid(u32),
    /// A process's.
    Pid(u32),
}

/// The memory of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamInfo {
    /// Of which processor.
    pub cpu: Option<u32>,
    /// What it uses now, in bytes.
    pub used_bytes: u64,
    /// What it may use at most, in bytes.
    pub max_bytes: u64,
}

/// Data of a reply to GET_CHANNEL_DATA_STREAM_INFO_SETS.
#[must_use]
pub fn encode_stream_info_sets(sets: &[StreamInfoSet]) -> Vec<u8> {
    let len = |len: usize| super::mirror::wire_len(len);
    let mut writer = Writer::default();
    writer.u32(len(sets.len()));
    for set in sets {
        let (is_per_pid, owner) = match set.owner {
            StreamOwner::Uid(uid) => (false, uid),
            StreamOwner::Pid(pid) => (true, pid),
        };
        writer.u8(set.is_64_bit.into()).u8(is_per_pid.into()).u64(owner.into());
        writer.u32(len(set.streams.len()));
        for stream in &set.streams {
            writer.u8(stream.cpu.is_some().into());
            if let Some(cpu) = stream.cpu {
                writer.u32(cpu);
            }
            writer.u64(stream.used_bytes).u64(stream.max_bytes);
        }
    }
    writer.into_bytes()
}

/// Data of a reply that lists no map channels, groups or keys.
#[must_use]
pub fn encode_no_maps() -> Vec<u8> {
    0_u64.to_ne_bytes().to_vec()
}

/// Reads data of a reply to KERNEL_TRACER_STATUS.
///
/// # Errors
/// When it is no number, or one that nothing has.
pub fn decode_kernel_tracer_status(data: &[u8]) -> Result<KernelTracerStatus, DecodeError> {
    use KernelTracerStatus as S;
    let mut reader = Reader::new(data);
    let raw = reader.i32("kernel tracer status")?;
    reader.finish("kernel tracer status")?;
    let all = [S::Initialized, S::Unknown, S::NeedsRoot, S::Version, S::ModulesMissing];
    let known = all.into_iter().find(|status| *status as i32 == raw);
    known.ok_or(DecodeError::BadValue { what: "kernel tracer status", value: raw.into() })
}
