//! The commands by number, and what a daemon checks before it looks at one.

use lttngd_model::ErrorCode;

macro_rules! kinds {
    ($($number:literal $name:ident $text:literal)*) => {
        /// A command (`enum lttcomm_sessiond_command`).
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[repr(u32)]
        #[allow(missing_docs, reason = "the names are LTTng's own")]
        pub enum CommandKind {
            $($name = $number,)*
        }

        impl CommandKind {
            /// Every command, in the order of the numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The command of a number, `None` when no command has it.
            #[must_use]
            pub fn from_raw(raw: u32) -> Option<Self> {
                Some(match raw {
                    $($number => Self::$name,)*
                    _ => return None,
                })
            }

            /// LTTng's name of the command.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

kinds! {
    0 AddContext "ADD_CONTEXT"
    2 DisableChannel "DISABLE_CHANNEL"
    3 DisableEvent "DISABLE_EVENT"
    4 ListSyscalls "LIST_SYSCALLS"
    5 EnableChannel "ENABLE_CHANNEL"
    6 EnableEvent "ENABLE_EVENT"
    9 DestroySession "DESTROY_SESSION"
    10 ListChannels "LIST_CHANNELS"
    11 ListDomains "LIST_DOMAINS"
    12 ListEvents "LIST_EVENTS"
    13 ListSessions "LIST_SESSIONS"
    14 ListTracepoints "LIST_TRACEPOINTS"
    15 RegisterConsumer "REGISTER_CONSUMER"
    16 StartTrace "START_TRACE"
    17 StopTrace "STOP_TRACE"
    18 ListTracepointFields "LIST_TRACEPOINT_FIELDS"
    21 SetConsumerUri "SET_CONSUMER_URI"
    24 DataPending "DATA_PENDING"
    25 SnapshotAddOutput "SNAPSHOT_ADD_OUTPUT"
    26 SnapshotDelOutput "SNAPSHOT_DEL_OUTPUT"
    27 SnapshotListOutput "SNAPSHOT_LIST_OUTPUT"
    28 SnapshotRecord "SNAPSHOT_RECORD"
    31 SaveSession "SAVE_SESSION"
    32 TrackerAddValue "TRACKER_ADD_VALUE"
    33 TrackerRemoveValue "TRACKER_REMOVE_VALUE"
    34 TrackerGetPolicy "TRACKER_GET_POLICY"
    35 TrackerSetPolicy "TRACKER_SET_POLICY"
    36 TrackerGetInclusionSet "TRACKER_GET_INCLUSION_SET"
    40 SetSessionShmPath "SET_SESSION_SHM_PATH"
    41 RegenerateMetadata "REGENERATE_METADATA"
    42 RegenerateStatedump "REGENERATE_STATEDUMP"
    43 RegisterTrigger "REGISTER_TRIGGER"
    44 UnregisterTrigger "UNREGISTER_TRIGGER"
    45 RotateSession "ROTATE_SESSION"
    46 RotationGetInfo "ROTATION_GET_INFO"
    47 RotationSetSchedule "ROTATION_SET_SCHEDULE"
    48 SessionListRotationSchedules "SESSION_LIST_ROTATION_SCHEDULES"
    49 CreateSession "CREATE_SESSION_EXT"
    50 ClearSession "CLEAR_SESSION"
    51 ListTriggers "LIST_TRIGGERS"
    52 ExecuteErrorQuery "EXECUTE_ERROR_QUERY"
}

/// The largest number of a command.
pub(super) const LAST: u32 = CommandKind::ExecuteErrorQuery as u32;

impl CommandKind {
    /// The number on the wire.
    #[must_use]
    pub fn to_raw(self) -> u32 {
        self as u32
    }

    /// Whether the session that the request names must exist.
    #[must_use]
    pub fn needs_session(self) -> bool {
        !matches!(
            self,
            Self::ListSyscalls
                | Self::ListSessions
                | Self::ListTracepoints
                | Self::ListTracepointFields
                | Self::SaveSession
                | Self::RegisterTrigger
                | Self::UnregisterTrigger
                | Self::CreateSession
                | Self::ListTriggers
                | Self::ExecuteErrorQuery
        )
    }

    /// Whether the domain that the request names is made ready before the command runs.
    #[must_use]
    pub fn needs_domain(self) -> bool {
        matches!(
            self,
            Self::AddContext
                | Self::DisableChannel
                | Self::DisableEvent
                | Self::ListSyscalls
                | Self::EnableChannel
                | Self::EnableEvent
                | Self::ListChannels
                | Self::ListEvents
                | Self::ListTracepoints
                | Self::RegisterConsumer
                | Self::ListTracepointFields
                | Self::SetConsumerUri
                | Self::TrackerAddValue
                | Self::TrackerRemoveValue
                | Self::TrackerGetPolicy
                | Self::TrackerSetPolicy
                | Self::TrackerGetInclusionSet
                | Self::RegisterTrigger
                | Self::UnregisterTrigger
        )
    }

    /// What the command answers for a body that cannot be decoded.
    #[must_use]
    pub fn malformed(self) -> ErrorCode {
        match self {
            Self::EnableChannel
            | Self::SetConsumerUri
            | Self::SnapshotAddOutput
            | Self::SnapshotDelOutput
            | Self::SnapshotRecord
            | Self::RotationSetSchedule
            | Self::CreateSession => ErrorCode::Invalid,
            Self::RegisterTrigger | Self::UnregisterTrigger => ErrorCode::InvalidTrigger,
            _ => ErrorCode::InvalidProtocol,
        }
    }
}
