//! What the tracer's actor and those of its sessions are asked.

use std::{sync::Arc, time::Duration};

use actix::{Addr, Message};
use lttngd_buffers::{BuffersError, ChannelCounters, SetOutput, counters_of};
use lttngd_consumer::{Consumer, ConsumerError, DestroyChannel, EndSampling};
use lttngd_model::{
    ChannelKey, ErrorCode, EventListing, SessionId, TracerToken,
    kernel::{Done, KernelNotifier, Plan},
    trigger::EventNotified,
};
use lttngd_runtime::{Hold, Outlet, ask};
use serde::{Deserialize, Serialize};

use crate::{Device, TracerUnavailable};

/// Has the tracer opened, unless it is: its modules are loaded, and its version is looked at.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Device, TracerUnavailable>")]
pub struct EnsureReady;

/// The tracepoints that the tracer knows (LIST_TRACEPOINTS).
///
/// Errors: those of [`EnsureReady`], `KernListFail`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<EventListing>, ErrorCode>")]
pub struct ListKernelTracepoints;

/// LIST_SYSCALLS: the system calls that the tracer knows by name.
///
/// Errors: those of [`EnsureReady`], `KernListFail`; `KernNa` and `NeedRootSessiond` of a daemon that has no tracer.
#[derive(Clone, Copy, Debug, Deserialize, Message, Serialize)]
#[rtype(result = "Result<Vec<EventListing>, ErrorCode>")]
pub struct ListSyscalls;

/// Lets go of the tracer, which nobody uses any more, and unloads the modules that were loaded for it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Release;

/// Has the session made in the tracer, unless it is there.
///
/// Errors: those of [`EnsureReady`], `KernSessFail`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Device, ErrorCode>")]
pub struct Open;

/// Has the tracer do what a command asks for.
///
/// Errors: none of its own: what became of each step stands in the reply.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Done, ErrorCode>")]
pub struct Apply {
    /// What it is to do.
    pub plan: Plan,
}

/// Has the tracer record what the session wants, or nothing. The first time the consumer daemon is given the
/// streams.
///
/// Errors: the code that a start or a stop answers: `KernMetaFail`, `KernStreamFail`, `KernStartFail`,
/// `KernStopFail`.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct SetRecording {
    /// Whether it records.
    pub active: bool,
    /// Where streams are written that the consumer daemon does not have yet.
    pub output: SetOutput,
}

/// Has the tracer record its state again (REGENERATE_STATEDUMP).
///
/// Errors: `RegenStatedumpFail`, `RegenStatedumpNomem`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct Statedump;

/// A channel has buffers that nobody reads: those of processors that came.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct BuffersCame {
    pub(crate) channel: u32,
}

/// The actor of a kernel session failed, and whoever asks it something is told that it is closed. What it had in
/// the tracer is gone, and the consumer daemon reads to its end what it has; it still counts, and keeps what does
/// not end with the tracer's own, to be let go of.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct KernelSessionFailed {
    pub(crate) consumer: Addr<Consumer>,
    pub(crate) consumer_deadline: Duration,
    pub(crate) session: SessionId,
    /// Those that the consumer daemon has: the session's numbers, the keys, whether they overwrite.
    pub(crate) sent: Vec<(u32, ChannelKey, bool)>,
    /// Whether they end with the tracer's.
    pub(crate) end_by_themselves: bool,
    /// Those of which samples are told.
    pub(crate) channels: Vec<ChannelKey>,
}

impl KernelSessionFailed {
    /// Ends what the session had at the consumer daemon. What its channels lost, as far as that is known.
    ///
    /// # Errors
    /// When the consumer daemon does not tell, or refuses to end a channel.
    pub async fn let_go(self) -> Result<Vec<ChannelCounters>, BuffersError> {
        let Self { consumer, consumer_deadline: deadline, session, sent, .. } = self;
        let counted = counters_of(&consumer, deadline, session, sent.iter().copied()).await;
        // It fails only when the consumer's actor is gone, and what it would tell with it.
        let _ = consumer.send(EndSampling { keys: self.channels }).await;
        if !self.end_by_themselves {
            for (_, key, _) in sent {
                let destroyed: Result<(), ConsumerError> =
                    ask(&consumer, DestroyChannel { session, key }, deadline).await?;
                destroyed?;
            }
        }
        counted
    }
}

/// Has the tracer tell of the events of one more notifier. They may be told before the reply.
///
/// Errors: those of [`EnsureReady`]; `NotSupported` for a tracer without event notifiers;
/// `EventNotifierRegistration`, `EventNotifierGroupNotificationFd`, `EventNotifierErrorAccounting` when it cannot
/// tell of any; `KernEventExist`, `KernEventEnosys`, `FilterInval`, `FilterNomem`, `KernEnableFail` when it
/// refuses this one, also for a place that a program does not have.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), ErrorCode>")]
pub struct AddNotifier {
    /// The notifier.
    pub notifier: Arc<KernelNotifier>,
    /// Is told of events, of all notifiers from the first on.
    pub notified: Outlet<KernelEventsNotified>,
}

/// Takes back a notifier, and sets its counter to 0. Events that the tracer told before are told yet.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct RemoveNotifier {
    /// The notifier's.
    pub token: TracerToken,
    /// Its counter, which another may use then.
    pub error_counter_index: u64,
}

/// Asks how many events that matched a notifier the tracer could not tell, since they were too many.
///
/// Errors: `Unk` when the tracer does not say.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<u64, ErrorCode>")]
pub struct CountErrors {
    /// The notifier's counter.
    pub index: u64,
}

/// Takes back all notifiers, when the daemon ends: none is taken any more, and the tracer can be let go of.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CloseNotifiers;

/// Events of the kernel matched notifiers, in the order in which the tracer told them.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct KernelEventsNotified {
    /// Never empty. A notifier may have been taken back meanwhile.
    pub events: Vec<EventNotified>,
    /// No more is read while this is held: to be dropped when room is there for as many again. Meanwhile the
    /// tracer counts what does not fit.
    pub taken: Hold,
}
