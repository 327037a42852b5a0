//! The commands by number, and what a daemon checks before it looks at one.

use lttngd_model::ErrorCode;

macro_rules! kinds {
    ($($number:literal $name:ident)*) => {
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
        }
    };
}

kinds! {
    0 AddContext
    2 DisableChannel
    3 DisableEvent
    4 ListSyscalls
    5 EnableChannel
    6 EnableEvent
    9 DestroySession
    10 ListChannels
    11 ListDomains
    12 ListEvents
    13 ListSessions
    14 ListTracepoints
    15 RegisterConsumer
    16 StartTrace
    17 StopTrace
    18 ListTracepointFields
    21 SetConsumerUri
    24 DataPending
    25 SnapshotAddOutput
    26 SnapshotDelOutput
    27 SnapshotListOutput
    28 SnapshotRecord
    31 SaveSession
    32 TrackerAddValue
    33 TrackerRemoveValue
    34 TrackerGetPolicy
    35 TrackerSetPolicy
    36 TrackerGetInclusionSet
    40 SetSessionShmPath
    41 RegenerateMetadata
    42 RegenerateStatedump
    43 RegisterTrigger
    44 UnregisterTrigger
    45 RotateSession
    46 RotationGetInfo
    47 RotationSetSchedule
    48 SessionListRotationSchedules
    49 CreateSession
    50 ClearSession
    51 ListTriggers
    52 ExecuteErrorQuery
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
