//! Commands that LTTng has since 2.14. What this daemon does not have of them is answered as what it is: nothing.

use lttngd_model::{Domain, ErrorCode};
use lttngd_session::{ListStreams, SessionRequest, StreamSet, StreamsOwner};
use lttngd_wire::client::{
    CommandKind, KernelTracerStatus, Reply, StreamInfo, StreamInfoSet, StreamOwner,
    encode_kernel_tracer_status, encode_no_maps, encode_stream_info_sets,
};

use super::Asking;

impl Asking<'_> {
    pub(super) async fn kernel_tracer_status(&self) -> Result<Reply, ErrorCode> {
        let status = match self.handle.check_served(Some(Domain::Kernel)).await {
            Ok(()) => KernelTracerStatus::Initialized,
            Err(ErrorCode::NeedRootSessiond) => KernelTracerStatus::NeedsRoot,
            Err(ErrorCode::KernVersion) => KernelTracerStatus::Version,
            Err(ErrorCode::KernNa) => KernelTracerStatus::ModulesMissing,
            Err(_) => KernelTracerStatus::Unknown,
        };
        Ok(self.ok().with_data(encode_kernel_tracer_status(status)))
    }

    /// The memory of sub-buffers stays theirs for as long as there are those.
    pub(super) async fn reclaim_memory(&self) -> Result<Reply, ErrorCode> {
        self.check().await.and(Err(ErrorCode::NotSupported))
    }

    pub(super) async fn stream_info_sets(&self, channel: String) -> Result<Reply, ErrorCode> {
        let domain = self.checked(self.some(ErrorCode::UnknownDomain)).await?;
        let sets =
            self.handle.ask(ListStreams { domain, channel }.in_session(self.session)).await?;
        let sets: Vec<_> = sets.into_iter().map(stream_info_set).collect();
        Ok(self.ok().with_data(encode_stream_info_sets(&sets)))
    }

    /// There are no maps: a list of them is empty, and none can be made or found.
    pub(super) async fn maps(&self, kind: CommandKind) -> Result<Reply, ErrorCode> {
        self.check().await?;
        match kind {
            CommandKind::ListMapChannels => Ok(self.ok().with_data(encode_no_maps())),
            _ => Err(ErrorCode::NotSupported),
        }
    }
}

fn stream_info_set(set: StreamSet) -> StreamInfoSet {
    let streams = set.streams.into_iter().map(|stream| StreamInfo {
        cpu: Some(stream.cpu),
        used_bytes: stream.used_bytes,
        max_bytes: stream.max_bytes,
    });
    StreamInfoSet {
        is_64_bit: set.is_64_bit,
        owner: match set.owner {
            StreamsOwner::User(uid) => StreamOwner::Uid(uid),
            StreamsOwner::Process(pid) => StreamOwner::Pid(pid),
        },
        streams: streams.collect(),
    }
}
