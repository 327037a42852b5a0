//! What all requests to a session have in common.

use actix::Message;
use lttngd_model::{Credentials, Domain, ErrorCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    AddContext, AddSnapshotOutput, AddTrackerValue, Clear, CommandQueue, DataPending,
    DeleteSnapshotOutput, DescribeSession, DisableChannel, DisableEvent, EnableChannel,
    EnableEvent, GetInclusionSet, GetQueueReport, GetRotationInfo, GetTrackingPolicy, ListChannels,
    ListDomains, ListEvents, ListRotationSchedules, ListSnapshotOutputs, ListStreams, Needs,
    PrepareDomain, RecordSnapshot, RegenerateMetadata, RegenerateStatedump, RemoveTrackerValue,
    Rotate, RotationInfo, RotationSchedules, Save, SessionDescription, SetConsumerUri,
    SetRotationSchedule, SetShmPath, SetTrackingPolicy, SnapshotOutput, Start, Stop, StreamSet,
};

/// What a client or an embedding program asks a session.
pub trait SessionRequest:
    Message<Result = Result<<Self as SessionRequest>::Reply, ErrorCode>>
    + Serialize
    + DeserializeOwned
    + Send
    + 'static
{
    /// What it answers when it does not fail.
    type Reply: Serialize + DeserializeOwned + Send + 'static;

    /// LTTng's name of the command, or ours where LTTng has none.
    const COMMAND: &'static str;

    /// What must be there before.
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    /// Puts who really asks into the request, if it says who asks.
    fn act_for(&mut self, requester: Credentials) {
        let _ = requester;
    }

    /// The request to the session of this name.
    fn in_session(self, session: impl Into<String>) -> InSession<Self> {
        InSession { session: session.into(), request: self }
    }
}

/// A request to a session, which is named.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct InSession<M> {
    /// Name of the session.
    pub session: String,
    /// What it is asked.
    pub request: M,
}

/// `Request "COMMAND" -> Reply`, and what it needs by its domain if it has one.
macro_rules! requests {
    ($($request:ident $command:literal -> $reply:ty $(, |$this:ident| $needs:expr)?;)*) => {$(
        impl SessionRequest for $request {
            type Reply = $reply;

            const COMMAND: &'static str = $command;
            $(
                fn needs(&self) -> Needs {
                    let $this = self;
                    $needs
                }
            )?
        }
    )*};
}

requests! {
    PrepareDomain "PREPARE_DOMAIN" -> (), |it| Needs::Ready(it.domain);
    EnableChannel "ENABLE_CHANNEL" -> (), |it| Needs::Ready(it.domain);
    DisableChannel "DISABLE_CHANNEL" -> (), |it| Needs::Present(it.domain);
    EnableEvent "ENABLE_EVENT" -> (), |it| Needs::Ready(it.domain);
    DisableEvent "DISABLE_EVENT" -> (), |it| Needs::Present(it.domain);
    AddContext "ADD_CONTEXT" -> (), |it| Needs::Ready(it.domain);
    ListChannels "LIST_CHANNELS" -> Vec<lttngd_model::ChannelListing>,
        |it| if it.domain.is_agent() { Needs::Ready(it.domain) } else { Needs::Open(it.domain) };
    ListEvents "LIST_EVENTS" -> Vec<lttngd_model::EventListing>, |it| Needs::Open(it.domain);
    ListDomains "LIST_DOMAINS" -> Vec<(Domain, lttngd_model::BufferScheme)>;
    Start "START_TRACE" -> ();
    Stop "STOP_TRACE" -> ();
    DataPending "DATA_PENDING" -> bool;
    SetConsumerUri "SET_CONSUMER_URI" -> (),
        |it| it.domain.map_or(Needs::Nothing, Needs::Ready);
    Rotate "ROTATE_SESSION" -> u64;
    GetRotationInfo "ROTATION_GET_INFO" -> RotationInfo;
    Clear "CLEAR_SESSION" -> ();
    SetRotationSchedule "ROTATION_SET_SCHEDULE" -> ();
    ListRotationSchedules "SESSION_LIST_ROTATION_SCHEDULES" -> RotationSchedules;
    SetShmPath "SET_SESSION_SHM_PATH" -> ();
    GetQueueReport "QUEUE_REPORT" -> CommandQueue;
    DescribeSession "DESCRIBE_SESSION" -> SessionDescription;
    RegenerateMetadata "REGENERATE_METADATA" -> ();
    RegenerateStatedump "REGENERATE_STATEDUMP" -> ();
    AddSnapshotOutput "SNAPSHOT_ADD_OUTPUT" -> u32;
    DeleteSnapshotOutput "SNAPSHOT_DEL_OUTPUT" -> ();
    ListSnapshotOutputs "SNAPSHOT_LIST_OUTPUT" -> Vec<SnapshotOutput>;
    ListStreams "GET_CHANNEL_DATA_STREAM_INFO_SETS" -> Vec<StreamSet>, |it| Needs::Open(it.domain);
    RecordSnapshot "SNAPSHOT_RECORD" -> ();
    GetTrackingPolicy "TRACKER_GET_POLICY" -> lttngd_model::TrackingPolicy,
        |it| Needs::Open(it.domain);
    SetTrackingPolicy "TRACKER_SET_POLICY" -> (), |it| Needs::Ready(it.domain);
    AddTrackerValue "TRACKER_ADD_VALUE" -> (), |it| Needs::Ready(it.domain);
    RemoveTrackerValue "TRACKER_REMOVE_VALUE" -> (), |it| Needs::Ready(it.domain);
    GetInclusionSet "TRACKER_GET_INCLUSION_SET" -> Vec<lttngd_model::TrackerValue>,
        |it| Needs::Open(it.domain);
}

impl SessionRequest for Save {
    type Reply = ();

    const COMMAND: &'static str = "SAVE_SESSION";

    fn act_for(&mut self, requester: Credentials) {
        self.requester = requester;
    }
}
