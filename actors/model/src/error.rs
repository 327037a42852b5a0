//! The error codes of `liblttng-ctl` 2.13 (`enum lttng_error_code`, `include/lttng/lttng-error.h`).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! codes {
    ($($number:literal $name:ident $text:literal)*) => {
        /// Why a command failed. The number is what a client reads in a reply.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[repr(u32)]
        pub enum ErrorCode {
            $(#[doc = $text] $name = $number,)*
        }

        impl ErrorCode {
            /// The code of a number, `None` when no code has it.
            #[must_use]
            pub fn from_raw(raw: u32) -> Option<Self> {
                match raw {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    11 Unk "unspecified failure"
    12 Und "command (or command for that domain) does not exist"
    13 SessionStarted "session is running, the operation needs it stopped / never started"
    14 UnknownDomain "tracing domain value not known"
    15 NotSupported "operation or option not supported"
    16 NoSession "no session matches (loader internal)"
    17 CreateDirFail "a directory could not be created"
    18 SessionFail "creating the session failed"
    19 NoSessiond "session daemon cannot be reached (client side)"
    20 SetUrl "output URL or path could not be set"
    21 UrlExist "output URL is already set"
    22 BufferNotSupported "buffering scheme not supported"
    23 SessNotFound "no session of that name"
    24 BufferTypeMismatch "buffering scheme differs from the one the session already uses"
    25 Fatal "fatal failure in the daemon"
    26 Nomem "out of memory"
    27 SelectSess "no session selected (client side)"
    28 ExistSess "session name already used"
    29 NoEvent "event not found (kernel)"
    30 ConnectFail "cannot connect to a Unix socket"
    31 SnapshotOutputExist "a snapshot output already exists"
    32 Eperm "not permitted"
    33 KernNa "kernel tracer absent"
    34 KernVersion "kernel tracer version incompatible"
    35 KernEventExist "kernel event already enabled"
    36 KernSessFail "creating the kernel session failed"
    37 KernChanExist "kernel channel already enabled"
    38 KernChanFail "creating the kernel channel failed"
    39 KernChanNotFound "kernel channel not found"
    40 KernChanDisableFail "disabling the kernel channel failed"
    41 KernChanEnableFail "enabling the kernel channel failed"
    42 KernContextFail "adding the context in the kernel failed"
    43 KernEnableFail "enabling the kernel event failed"
    44 KernDisableFail "disabling the kernel event failed"
    45 KernMetaFail "opening kernel metadata failed"
    46 KernStartFail "starting kernel tracing failed"
    47 KernStopFail "stopping kernel tracing failed"
    48 KernConsumerFail "kernel consumer daemon failed to start / is already there"
    49 KernStreamFail "creating kernel streams failed"
    50 StartSessionOnce "session must have been started at least once"
    51 SnapshotFail "recording the snapshot failed"
    52 NoStream "no stream"
    53 KernListFail "listing kernel events failed"
    54 UstCalibrateFail "UST calibration failed (unused)"
    55 UstEventEnabled "UST event already enabled"
    56 UstSessFail "creating the UST session failed"
    57 UstChanExist "UST channel already enabled"
    58 UstChanFail "creating the UST channel failed"
    59 UstChanNotFound "UST channel not found"
    60 UstChanDisableFail "disabling the UST channel failed"
    61 UstChanEnableFail "enabling the UST channel failed"
    62 ChanExist "channel already exists"
    63 UstEnableFail "enabling the UST event failed"
    64 UstDisableFail "disabling the UST event failed"
    65 UstMetaFail "opening UST metadata failed"
    66 UstStartFail "starting UST tracing failed"
    67 UstStopFail "stopping UST tracing failed"
    68 UstConsumer64Fail "64-bit UST consumer failed to start"
    69 UstConsumer32Fail "32-bit UST consumer failed to start"
    70 UstStreamFail "creating UST streams failed"
    71 SnapshotNodata "snapshot has no data"
    72 NoChannel "session has no channel"
    73 SessionInvalidChar "session name invalid (too long or has a slash)"
    74 UstListFail "listing UST events failed"
    75 UstEventExist "UST event already exists on the application"
    76 UstEventNotFound "UST / agent event not found"
    77 UstContextExist "context already added"
    78 UstContextInval "context not valid for UST"
    79 NeedRootSessiond "kernel tracing needs a root daemon and root or tracing-group client"
    80 TraceAlreadyStarted "session already active / was already started once"
    81 TraceAlreadyStopped "session is not active"
    82 KernEventEnosys "kernel event type not implemented"
    83 NeedChannelName "channel name required because a non-default channel exists"
    84 NoUst "daemon built without UST"
    85 SaveFileExist "session file already exists"
    86 SaveIoFail "writing the session file failed"
    87 LoadInvalidConfig "session file (or its schema) invalid"
    88 LoadIoFail "reading the session file failed"
    89 LoadSessionNoent "session file / session in file not found"
    90 MaxSizeInvalid "snapshot size limit too small"
    91 MiOutputType "unknown machine interface format (client side)"
    92 MiIoFail "machine interface write failure (client side)"
    93 MiNotImplemented "machine interface not implemented for this command (client side)"
    97 Invalid "parameter invalid"
    98 NoUstconsumerd "no UST consumer daemon"
    99 NoKernconsumerd "no kernel consumer daemon"
    100 EventExistLoglevel "event already enabled with another log level"
    101 UrlDataMiss "data URL missing"
    102 UrlCtrlMiss "control URL missing"
    103 EnableConsumerFail "handing the relay connection to the consumer failed"
    104 RelaydConnectFail "relay daemon cannot be reached"
    105 RelaydVersionFail "relay daemon version incompatible"
    106 FilterInval "filter (text or bytecode) invalid"
    107 FilterNomem "out of memory for the filter"
    108 FilterExist "filter already exists"
    109 NoConsumer "no consumer for the session"
    110 ExclusionInval "exclusion invalid"
    111 ExclusionNomem "out of memory for exclusions"
    112 InvalidEventName "event name not allowed"
    113 InvalidChannelName "channel name not allowed"
    114 ProcessAttrExists "process attribute value already tracked"
    115 ProcessAttrMissing "process attribute value not tracked"
    116 InvalidChannelDomain "channel belongs to another domain"
    117 Overflow "count or size overflow"
    118 SessionNotStarted "session not active"
    119 LiveSession "not possible on a live session"
    120 PerPidSession "not possible with per-PID buffers"
    121 KernContextUnavailable "context not available on this kernel"
    122 RegenStatedumpFail "state dump regeneration failed"
    123 RegenStatedumpNomem "state dump regeneration: out of memory"
    124 NotSnapshotSession "snapshot command on a session that outputs traces"
    125 InvalidTrigger "trigger invalid"
    126 TriggerExists "trigger (or its name) already registered"
    127 TriggerNotFound "no such trigger"
    128 CommandCancelled "command cancelled"
    129 RotationPending "a rotation is running"
    130 RotationNotAvailable "rotation not possible for this kind of session"
    131 RotationScheduleSet "schedule of that type already set"
    132 RotationScheduleNotSet "schedule of that type / value not set"
    133 RotationMultipleAfterStop "already rotated since the last stop"
    134 RotationWrongVersion "kernel tracer too old for rotation"
    135 NoSessionOutput "session has no output"
    136 RotationNotAvailableRelay "relay too old for rotation"
    137 AgentTracingDisabled "agent support disabled in the daemon"
    138 ProbeLocationInval "user space probe location invalid"
    139 ElfParsing "ELF file could not be parsed"
    140 SdtProbeSemaphore "SDT probe uses a semaphore"
    141 RotationFailConsumer "consumer failed to rotate"
    142 RotateRenameFailConsumer "consumer failed to rename a chunk"
    143 RotationPendingLocalFailConsumer "consumer failed the local pending check"
    144 RotationPendingRelayFailConsumer "consumer failed the relay pending check"
    145 MkdirFailConsumer "consumer failed to create a directory"
    146 ChanNotFound "consumer / relay does not know the channel"
    147 SnapshotUnsupported "session cannot take snapshots (non-mmap channel)"
    148 SessionNotExist "session does not exist (consumer)"
    149 CreateTraceChunkFailConsumer "consumer failed to create the trace chunk"
    150 CloseTraceChunkFailConsumer "consumer failed to close the trace chunk"
    151 TraceChunkExistsFailConsumer "consumer failed the chunk existence query"
    152 InvalidProtocol "malformed message"
    153 FileCreationError "file could not be created"
    154 TimerStopError "timer could not be stopped"
    155 RotationNotAvailableKernel "kernel tracer does not support rotation"
    156 ClearRelayDisallowed "relay refuses clear"
    157 ClearNotAvailableRelay "relay cannot clear (too old or refuses)"
    158 ClearFailConsumer "consumer failed to clear"
    159 RotationAfterStopClear "already cleared since the last stop"
    160 UserNotFound "user name unknown"
    161 GroupNotFound "group name unknown"
    162 UnsupportedDomain "domain not supported for this operation"
    163 ProcessAttrTrackerInvalidTrackingPolicy "tracking policy does not allow this"
    164 EventNotifierGroupNotificationFd "event notifier group descriptor creation failed"
    165 InvalidCaptureExpression "capture expression invalid"
    166 EventNotifierRegistration "event notifier creation failed"
    167 EventNotifierErrorAccounting "error accounting setup failed"
    168 EventNotifierErrorAccountingFull "error accounting has no free slot"
    169 InvalidErrorQueryTarget "error query target invalid"
    170 BufferFlushFailed "flushing a stream buffer failed"
    171 InvalidReclamationPolicy "policy for memory that is given back is invalid (2.15)"
    172 TraceFormatNotSupported "trace format not supported (2.15)"
}

impl ErrorCode {
    /// `ret_code` of a reply that is not an error (`LTTNG_OK`).
    pub const OK: u32 = 10;

    /// The number in a reply.
    #[must_use]
    pub fn to_raw(self) -> u32 {
        self as u32
    }

    /// LTTng's name of it, without the `LTTNG_ERR_` at its beginning.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for it in format!("{self:?}").chars() {
            if it.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(it.to_ascii_uppercase());
        }
        name
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (error {})", self.text(), self.to_raw())
    }
}

impl std::error::Error for ErrorCode {}

/// The number, which is the same in every version of the client protocol.
impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.to_raw())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = u32::deserialize(deserializer)?;
        Self::from_raw(raw)
            .ok_or_else(|| de::Error::custom(format_args!("no error has the number {raw}")))
    }
}
