//! The commands by number, and what a daemon checks before it looks at one.

use lttngd_model::ErrorCode;

use super::Dialect;

macro_rules! number {
    (_) => {
        None
    };
    ($number:literal) => {
        Some($number)
    };
}

macro_rules! kinds {
    ($($name:ident $text:literal [$v13:tt $v14:tt $v15:tt $v16:tt])*) => {
        /// A command (`enum lttcomm_sessiond_command`).
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[allow(missing_docs, reason = "the names are LTTng's own")]
        pub enum CommandKind {
            $($name,)*
        }

        impl CommandKind {
            /// Every command that there is in any version.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The numbers of each, one for each version.
            const NUMBERS: &[[Option<u32>; 4]] =
                &[$([number!($v13), number!($v14), number!($v15), number!($v16)],)*];

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

// The numbers in 2.13, 2.14, 2.15 and 2.16.
kinds! {
    AddContext "ADD_CONTEXT" [0 1 1 1]
    DisableChannel "DISABLE_CHANNEL" [2 2 2 2]
    DisableEvent "DISABLE_EVENT" [3 3 3 3]
    ListSyscalls "LIST_SYSCALLS" [4 4 4 4]
    EnableChannel "ENABLE_CHANNEL" [5 5 5 5]
    EnableEvent "ENABLE_EVENT" [6 6 6 6]
    DestroySession "DESTROY_SESSION" [9 7 7 7]
    ListChannels "LIST_CHANNELS" [10 8 8 8]
    ListDomains "LIST_DOMAINS" [11 9 9 9]
    ListEvents "LIST_EVENTS" [12 10 10 10]
    ListSessions "LIST_SESSIONS" [13 11 11 11]
    ListTracepoints "LIST_TRACEPOINTS" [14 12 12 12]
    RegisterConsumer "REGISTER_CONSUMER" [15 13 13 _]
    StartTrace "START_TRACE" [16 14 14 13]
    StopTrace "STOP_TRACE" [17 15 15 14]
    ListTracepointFields "LIST_TRACEPOINT_FIELDS" [18 16 16 15]
    SetConsumerUri "SET_CONSUMER_URI" [21 19 19 18]
    DataPending "DATA_PENDING" [24 20 20 19]
    SnapshotAddOutput "SNAPSHOT_ADD_OUTPUT" [25 21 21 20]
    SnapshotDelOutput "SNAPSHOT_DEL_OUTPUT" [26 22 22 21]
    SnapshotListOutput "SNAPSHOT_LIST_OUTPUT" [27 23 23 22]
    SnapshotRecord "SNAPSHOT_RECORD" [28 24 24 23]
    SaveSession "SAVE_SESSION" [31 25 25 24]
    TrackerAddValue "TRACKER_ADD_VALUE" [32 26 26 25]
    TrackerRemoveValue "TRACKER_REMOVE_VALUE" [33 27 27 26]
    TrackerGetPolicy "TRACKER_GET_POLICY" [34 28 28 27]
    TrackerSetPolicy "TRACKER_SET_POLICY" [35 29 29 28]
    TrackerGetInclusionSet "TRACKER_GET_INCLUSION_SET" [36 30 30 29]
    SetSessionShmPath "SET_SESSION_SHM_PATH" [40 31 31 30]
    RegenerateMetadata "REGENERATE_METADATA" [41 32 32 31]
    RegenerateStatedump "REGENERATE_STATEDUMP" [42 33 33 32]
    RegisterTrigger "REGISTER_TRIGGER" [43 34 34 33]
    UnregisterTrigger "UNREGISTER_TRIGGER" [44 35 35 34]
    RotateSession "ROTATE_SESSION" [45 36 36 35]
    RotationGetInfo "ROTATION_GET_INFO" [46 37 37 36]
    RotationSetSchedule "ROTATION_SET_SCHEDULE" [47 38 38 37]
    SessionListRotationSchedules "SESSION_LIST_ROTATION_SCHEDULES" [48 39 39 38]
    CreateSession "CREATE_SESSION_EXT" [49 40 40 39]
    ClearSession "CLEAR_SESSION" [50 41 41 40]
    ListTriggers "LIST_TRIGGERS" [51 42 42 41]
    ExecuteErrorQuery "EXECUTE_ERROR_QUERY" [52 43 43 42]
    KernelTracerStatus "KERNEL_TRACER_STATUS" [_ 44 44 43]
    ReclaimChannelMemory "RECLAIM_CHANNEL_MEMORY" [_ _ 45 44]
    GetStreamInfoSets "GET_CHANNEL_DATA_STREAM_INFO_SETS" [_ _ 46 45]
    AddMapChannel "ADD_MAP_CHANNEL" [_ _ _ 46]
    ListMapChannels "LIST_MAP_CHANNELS" [_ _ _ 47]
    GetMapChannelByName "GET_MAP_CHANNEL_BY_NAME" [_ _ _ 48]
    ListMapGroups "LIST_MAP_GROUPS" [_ _ _ 49]
    SampleMapGroup "SAMPLE_MAP_GROUP" [_ _ _ 50]
    ListMapKeys "LIST_MAP_KEYS" [_ _ _ 51]
}

/// One more than the largest number of any command.
const NUMBERS_END: usize = 53;

/// The commands of each version by their numbers.
#[allow(clippy::indexing_slicing, reason = "what is outside does not compile")]
const BY_NUMBER: [[Option<CommandKind>; NUMBERS_END]; 4] = {
    let mut all = [[None; NUMBERS_END]; 4];
    let mut kind = 0;
    while kind < CommandKind::ALL.len() {
        let mut dialect = 0;
        while dialect < all.len() {
            if let Some(number) = CommandKind::NUMBERS[kind][dialect] {
                all[dialect][number as usize] = Some(CommandKind::ALL[kind]);
            }
            dialect += 1;
        }
        kind += 1;
    }
    all
};

/// The largest number of a command.
pub(super) fn last(dialect: Dialect) -> u32 {
    match dialect {
        Dialect::V2_13 => 52,
        Dialect::V2_14 => 44,
        Dialect::V2_15 => 46,
        Dialect::V2_16 => 51,
    }
}

impl CommandKind {
    /// The number on the wire, `None` when the version has no such command.
    #[must_use]
    pub fn to_raw(self, dialect: Dialect) -> Option<u32> {
        Self::NUMBERS.get(self as usize)?.get(dialect as usize).copied().flatten()
    }

    /// The command of a number, `None` when none of that version has it.
    #[must_use]
    pub fn from_raw(raw: u32, dialect: Dialect) -> Option<Self> {
        BY_NUMBER.get(dialect as usize)?.get(raw as usize).copied().flatten()
    }

    /// Whether all versions that give it one number ask it alike and read its reply alike, which has no data.
    #[must_use]
    pub fn is_the_same_in_all(self) -> bool {
        matches!(self, Self::AddContext | Self::DisableChannel)
    }

    /// Whether it makes a session record, or stop or end, or lose what it recorded.
    #[must_use]
    pub fn starts_or_ends(self) -> bool {
        matches!(
            self,
            Self::DestroySession | Self::StartTrace | Self::StopTrace | Self::ClearSession
        )
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
                | Self::KernelTracerStatus
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
                | Self::ReclaimChannelMemory
                | Self::GetStreamInfoSets
                | Self::AddMapChannel
                | Self::ListMapChannels
                | Self::GetMapChannelByName
                | Self::ListMapGroups
                | Self::SampleMapGroup
                | Self::ListMapKeys
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
