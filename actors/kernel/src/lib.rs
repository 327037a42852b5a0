//! The actors of the kernel tracer (lttng-modules): [`Tracer`], which there is one of, [`KernelSession`],
//! one for each tracing session that records something of the kernel, and [`Notifiers`], which has the event
//! notifiers of triggers and tells of their events.
//!
//! The tracer's actor has its modules loaded and unloaded, opens it, looks whether it speaks our ABI, and lists
//! what it can record. It is asked by whoever lists, and by sessions, which get a [`Device`]: the way to the
//! tracer itself. A session's actor owns the descriptors of its session, channels, event rules and streams; it
//! is asked by its session, whose rules decide what the tracer is to do
//! ([`lttngd_model::kernel::KernelDomain`]), and asks the kernel's consumer daemon, to which it is what a buffer
//! set of applications is.
//!
//! ```text
//!                 EnsureReady           modules loaded, opened, ABI as it is to be
//!   Tracer:  Idle ------------> Opening ------------------------------------------> Ready
//!             ^                    |                                                  |
//!             +--------------------+---------------- Release, at the daemon's end ----+
//!               it is not there: the next one who asks tries again
//!
//!   KernelSession:  Created --first SetRecording--> Sent to the consumer daemon --Close--> Closed
//! ```
//!
//! No call to the tracer is made on an arbiter: each goes to a thread that may block, and the order of those of
//! one session is that of its queue.

mod device;
mod error;
mod machine;
mod message;
mod modules;
mod notifiers;
mod program;
mod session;
mod tracer;

pub use device::{Device, Kernel};
pub use error::{CallError, TracerUnavailable};
pub use machine::{Loaded, Machine};
pub use message::{
    AddNotifier, Apply, CloseNotifiers, CountErrors, EnsureReady, KernelEventsNotified,
    KernelSessionFailed, ListKernelTracepoints, ListSyscalls, Open, Release, RemoveNotifier,
    SetRecording, Statedump,
};
pub use modules::{ModuleLists, PROBES};
pub use notifiers::{Notifiers, NotifiersConfig};
pub use session::{KernelSession, KernelSessionConfig};
pub use tracer::{Tracer, TracerConfig};
