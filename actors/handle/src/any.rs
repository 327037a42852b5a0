//! Every request in one type, and every reply in another: what a log, a recorded test or another front
//! end writes and reads without knowing what comes.

use lttngd_kernel::ListSyscalls;
use lttngd_model::ErrorCode;
use lttngd_notification::{ListTriggers, QueryErrors, RegisterTrigger, UnregisterTrigger};
use lttngd_registry::{
    Calibrate, CreateSession, DestroySession, ListSessions, ListTracepointFields, ListTracepoints,
    RegisterConsumer, SaveAllSessions,
};
use lttngd_session::{
    AddContext, AddSnapshotOutput, AddTrackerValue, Clear, DataPending, DeleteSnapshotOutput,
    DescribeSession, DisableChannel, DisableEvent, EnableChannel, EnableEvent, GetInclusionSet,
    GetQueueReport, GetRotationInfo, GetTrackingPolicy, InSession, ListChannels, ListDomains,
    ListEvents, ListRotationSchedules, ListSnapshotOutputs, ListStreams, PrepareDomain,
    RecordSnapshot, RegenerateMetadata, RegenerateStatedump, RemoveTrackerValue, Rotate, Save,
    SetConsumerUri, SetRotationSchedule, SetShmPath, SetTrackingPolicy, Start, Stop,
};
use serde::{Deserialize, Serialize};

use crate::{GetStatus, Handle, ListRefusals, Request};

/// The enums of requests and of replies, with a variant of its name for each request: those to the
/// daemon, then those to a session.
macro_rules! any {
    (daemon: $($daemon:ident)*; session: $($session:ident)*;) => {
        any! {
            $($daemon: $daemon,)*
            $($session: InSession<$session>,)*
        }
    };
    ($($name:ident: $request:ty,)*) => {
        /// Any request; see the type in each.
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[allow(missing_docs, reason = "each is the request of that name")]
        #[non_exhaustive]
        pub enum AnyRequest {
            $($name($request),)*
        }

        /// The reply to any request, in the variant of the request's name.
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[allow(missing_docs, reason = "each is the reply to the request of that name")]
        #[non_exhaustive]
        pub enum AnyReply {
            $($name(<$request as Request>::Reply),)*
        }

        $(
            impl From<$request> for AnyRequest {
                fn from(request: $request) -> Self {
                    Self::$name(request)
                }
            }
        )*

        impl Request for AnyRequest {
            type Reply = AnyReply;

            fn command(&self) -> &'static str {
                match self {
                    $(Self::$name(request) => request.command(),)*
                }
            }

            async fn ask(self, handle: &Handle) -> Result<AnyReply, ErrorCode> {
                match self {
                    $(Self::$name(request) => request.ask(handle).await.map(AnyReply::$name),)*
                }
            }
        }
    };
}

any! {
    daemon:
        CreateSession DestroySession ListSessions ListTracepoints ListTracepointFields ListSyscalls
        RegisterConsumer Calibrate SaveAllSessions RegisterTrigger UnregisterTrigger ListTriggers QueryErrors
        ListRefusals GetStatus;
    session:
        PrepareDomain EnableChannel DisableChannel EnableEvent DisableEvent AddContext ListChannels ListEvents
        ListDomains Start Stop DataPending SetConsumerUri Rotate GetRotationInfo Clear
        SetRotationSchedule ListRotationSchedules Save SetShmPath RegenerateMetadata
        RegenerateStatedump GetQueueReport DescribeSession AddSnapshotOutput DeleteSnapshotOutput ListSnapshotOutputs RecordSnapshot
        ListStreams
        GetTrackingPolicy SetTrackingPolicy AddTrackerValue RemoveTrackerValue GetInclusionSet;
}
