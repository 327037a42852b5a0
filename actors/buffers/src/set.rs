//! What a buffer set is, without its actor.

use std::{
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lttngd_consumer::{ChannelSampled, ConsumerError};
use lttngd_metadata::tsdl::{Clock, Scheme, TraceDescription};
use lttngd_model::{
    Bitness, BufferLayout, ChannelAttributes, ChannelKey, ChunkId, Credentials, NetIndex,
    SessionId, Timestamp,
};
use lttngd_runas::{Below, Owner, Runas};
use lttngd_runtime::Outlet;
use lttngd_users::Lease;
use lttngd_wire::ust::registration::Alignments;

use crate::{
    BufferSetFailed, BuffersError, ChannelSize, IdsGiven, PreparedChannel, SetKey,
    held::{Registry, holding_of},
    shm::ShmDirectory,
};

/// Trace files of one stream at a relay daemon when there is no limit: it keeps a record of each.
const RELAYD_TRACEFILE_COUNT: u32 = 1 << 20;

/// Gives out channel keys, each once in the life of a daemon.
#[derive(Clone, Debug)]
pub struct ChannelKeys(Arc<AtomicU64>);

impl Default for ChannelKeys {
    fn default() -> Self {
        // 0 means "no channel" in a metadata request.
        Self(Arc::new(AtomicU64::new(1)))
    }
}

impl ChannelKeys {
    /// The next key.
    #[must_use]
    pub fn next(&self) -> ChannelKey {
        ChannelKey(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where the streams of a set are written.
#[derive(Clone, Debug)]
pub enum SetOutput {
    /// Nowhere: nobody drains the buffers.
    None,
    /// To files of this machine.
    Directory {
        /// The current chunk.
        chunk: ChunkId,
        /// The directory of its domain.
        domain: Arc<OwnedFd>,
    },
    /// To a relay daemon.
    Relayd {
        /// The current chunk.
        chunk: ChunkId,
        /// The connection.
        net_index: NetIndex,
        /// What goes before the set's directory: relay daemons that know no chunks take whole paths.
        prefix: String,
    },
}

impl SetOutput {
    /// The current chunk.
    #[must_use]
    pub fn chunk(&self) -> Option<ChunkId> {
        match self {
            Self::None => None,
            Self::Directory { chunk, .. } | Self::Relayd { chunk, .. } => Some(*chunk),
        }
    }

    /// The connection to a relay daemon.
    #[must_use]
    pub fn relayd(&self) -> Option<NetIndex> {
        match self {
            Self::None | Self::Directory { .. } => None,
            Self::Relayd { net_index, .. } => Some(*net_index),
        }
    }

    /// The outcome of a request that changes nothing for a channel that is gone: the consumer deletes
    /// the streams of a relay daemon that went away, and stop and destroy go on without them.
    /// # Errors
    /// Any other failure.
    pub fn without_relayd(&self, outcome: Result<(), BuffersError>) -> Result<(), BuffersError> {
        match outcome {
            Err(BuffersError::Consumer(ConsumerError::Refused(code)))
                if self.relayd().is_some() && code.is_channel_not_found() =>
            {
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// The count of trace files that a consumer daemon is told. Relay daemons divide by it, also when it is 0,
    /// which is no limit.
    #[must_use]
    pub fn tracefile_count(&self, attributes: &ChannelAttributes) -> u32 {
        match (attributes.tracefile_size_bytes, attributes.tracefile_count) {
            (1.., 0) if self.relayd().is_some() => RELAYD_TRACEFILE_COUNT,
            (_, count) => u32::try_from(count).unwrap_or(u32::MAX),
        }
    }

    /// What goes before the set's directory.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self {
            Self::None | Self::Directory { .. } => "",
            Self::Relayd { prefix, .. } => prefix,
        }
    }
}

/// All that a set is told when it is made.
#[derive(Clone, Debug)]
pub struct BufferSetConfig {
    /// The session.
    pub session: SessionId,
    /// Its name.
    pub session_name: String,
    /// Whether the daemon chose the name.
    pub auto_named: bool,
    /// When it was made.
    pub session_created_at: Timestamp,
    /// Who owns it, and its files.
    pub owner: Credentials,
    /// Name of this machine.
    pub hostname: String,
    /// The trace clock, measured just now.
    pub clock: Clock,
    /// Whose buffers.
    pub scheme: Scheme,
    /// Word size of the applications.
    pub bitness: Bitness,
    /// How the applications lay out their buffers.
    pub layout: BufferLayout,
    /// Whether the user has buffers of another layout in the session, whose directory is the usual one.
    pub is_beside: bool,
    /// Alignments of the (first) application.
    pub alignments: Alignments,
    /// Tracer version of the (first) application.
    pub tracer_version: (u32, u32, u32),
    /// User of the applications.
    pub app_uid: u32,
    /// Number of the application in the daemon: the consumer's id of a per-PID set.
    pub app_id: u64,
    /// Period of the session's live timer in microseconds, 0 for a session that is not live.
    pub live_timer_interval_us: u32,
    /// The directory for files of the buffers, if they are to be in files.
    pub shm_path: Option<PathBuf>,
    /// Keys for channels.
    pub keys: ChannelKeys,
    /// Is told how the buffers of the set's channels are used.
    pub sampled: Outlet<ChannelSampled>,
    /// Is told which ids it has given, where others may ask for the same.
    pub given: Outlet<IdsGiven>,
    /// Is told when the set fails.
    pub failed: Outlet<BufferSetFailed>,
    /// Longest wait for one reply of the consumer daemon.
    pub consumer_deadline: std::time::Duration,
    /// Makes its files with the rights of their owner.
    pub runas: Runas,
}

impl BufferSetConfig {
    /// Whose buffers these are.
    #[must_use]
    pub fn key(&self) -> SetKey {
        match self.scheme {
            Scheme::Uid(uid) => SetKey::Uid { uid, bitness: self.bitness, layout: self.layout },
            Scheme::Pid { .. } => SetKey::App(self.app_id),
        }
    }

    /// Whether applications may be told ids that others were given: where one has buffers of its own there are
    /// no others, and what a file is to have first must be asked for.
    pub(crate) fn shares_ids(&self) -> bool {
        matches!(self.scheme, Scheme::Uid(_)) && self.shm_path.is_none()
    }

    /// The directory of the set below the domain's.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.scheme {
            Scheme::Uid(uid) => {
                let beside = match (self.is_beside, self.layout) {
                    (false, _) => "",
                    (true, BufferLayout::Ust8) => "-ust-8",
                    (true, BufferLayout::Ust11) => "-ust-11",
                };
                format!("uid/{uid}/{}-bit{beside}", self.bitness.bits_per_long())
            }
            Scheme::Pid { pid, procname, registered_at } => {
                // The name comes from the application: it must not name another directory.
                let procname = procname.replace('/', "_");
                format!("pid/{procname}-{pid}-{}", registered_at.datetime())
            }
        }
    }

    /// Those of the owner.
    pub(crate) async fn rights(&self) -> io::Result<Owner> {
        self.runas.owner(self.owner).await
    }

    /// Makes the directories of the trace: the consumer opens files only.
    pub(crate) async fn make_directories(&self, output: &SetOutput) -> Result<(), BuffersError> {
        let SetOutput::Directory { domain, .. } = output else { return Ok(()) };
        let path = format!("{}/index", self.path());
        let refused = |error: io::Error| BuffersError::Directory {
            path: path.clone(),
            reason: error.to_string(),
        };
        let owner = self.rights().await.map_err(refused)?;
        owner.make_directory(Below::new(domain, &path)).await.map_err(refused)?;
        Ok(())
    }

    /// The directory of the set's buffers, where they are in files.
    pub(crate) fn shm_directory(&self) -> Option<ShmDirectory> {
        self.shm_path.as_ref().map(|root| ShmDirectory::new(root, &self.path()))
    }

    pub(crate) fn registry(&self, uuid: [u8; 16]) -> Registry {
        let description = TraceDescription {
            uuid,
            alignments: self.alignments,
            bitness: self.bitness,
            tracer_version: self.tracer_version,
            scheme: self.scheme.clone(),
            session_name: self.session_name.clone(),
            auto_named: self.auto_named,
            session_created_at: self.session_created_at,
            hostname: self.hostname.clone(),
            clock: self.clock.clone(),
        };
        Registry::sharing(description, holding_of(self.app_uid))
    }
}

/// A data channel in the set.
#[derive(Clone, Debug)]
pub(crate) struct SetChannel {
    pub(crate) prepared: PreparedChannel,
    pub(crate) overwrite: bool,
    pub(crate) size: ChannelSize,
    /// Its user's share of memory for buffers, held as long as they are there.
    pub(crate) _memory: Option<Rc<Lease>>,
}
