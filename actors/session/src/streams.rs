//! The memory of channels' streams.

use actix::Message;
use lttngd_app::AppId;
use lttngd_buffers::SetKey;
use lttngd_model::{Bitness, Domain, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::actor::Inner;

/// GET_CHANNEL_DATA_STREAM_INFO_SETS: the memory that the streams of a channel have, of each user or of each
/// application with buffers of its own. That of the kernel is not known.
///
/// Errors: `UstChanNotFound`, `KernChanNotFound`.
#[derive(Clone, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<StreamSet>, ErrorCode>")]
pub struct ListStreams {
    /// The domain.
    pub domain: Domain,
    /// Channel name.
    pub channel: String,
}

/// Streams of a channel that belong together.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StreamSet {
    /// Whether they are of programs with 64-bit longs.
    pub is_64_bit: bool,
    /// Whose.
    pub owner: StreamsOwner,
    /// Each.
    pub streams: Vec<StreamMemory>,
}

/// Whose streams are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum StreamsOwner {
    /// All applications of this user.
    User(u32),
    /// The application with this process id.
    Process(u32),
}

/// The memory of a stream.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StreamMemory {
    /// Its processor.
    pub cpu: u32,
    /// What it uses now, in bytes.
    pub used_bytes: u64,
    /// What it may use, in bytes.
    pub max_bytes: u64,
}

/// Bytes of a block of a file, as the system counts them.
const BLOCK_LEN: u64 = 512;

impl Inner {
    pub(crate) fn list_streams(&self, request: ListStreams) -> Result<Vec<StreamSet>, ErrorCode> {
        let ListStreams { domain, channel } = request;
        let state = self.state();
        if domain == Domain::Kernel {
            let kernel = state.domains.kernel.as_ref().ok_or(ErrorCode::KernChanNotFound)?;
            // Their memory is the tracer's, which does not tell of it.
            return kernel.rules.list_events(&channel).map(|_| Vec::new());
        }
        let ust = state.domains.ust.as_ref().ok_or(ErrorCode::UstChanNotFound)?;
        let index = ust.channel(&channel).ok_or(ErrorCode::UstChanNotFound)?.index;
        let mut sets = Vec::new();
        for (key, set) in &state.sets {
            let owner = match key {
                SetKey::Uid { uid, .. } => StreamsOwner::User(*uid),
                SetKey::App(id) => match state.apps.get(AppId(*id)) {
                    Some((info, _)) => StreamsOwner::Process(info.pid),
                    None => continue,
                },
            };
            let Some((_, objects)) = &set.prepared else { continue };
            let Some(channel) = objects.channel(index) else { continue };
            let streams = channel.object.streams.iter().map(|stream| {
                // Files may be in a file system that does not answer at once.
                let used = match state.shm_path {
                    None => rustix::fs::fstat(&stream.memory).ok(),
                    Some(_) => None,
                };
                let used = used.and_then(|stat| u64::try_from(stat.st_blocks).ok());
                StreamMemory {
                    cpu: stream.number,
                    used_bytes: used.map_or(stream.len, |blocks| blocks * BLOCK_LEN),
                    max_bytes: stream.len,
                }
            });
            let is_64_bit = set.bitness == Bitness::Bits64;
            sets.push(StreamSet { is_64_bit, owner, streams: streams.collect() });
        }
        sets.sort_by_key(|set| (set.owner, set.is_64_bit));
        Ok(sets)
    }
}
