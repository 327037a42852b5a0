//! What the session daemon says to the kernel tracer: the ioctls of lttng-modules 2.13, ABI 2.6
//! (`include/lttng/abi.h`, `include/ringbuffer/vfs.h` and the `_IO` macros of `asm-generic/ioctl.h`).
//!
//! A [`Call`] is one ioctl with what it is given. Which descriptor takes it stands at each; what makes
//! something gives the descriptor of that as its result. Structures are packed and in the machine's byte order.

mod argument;
mod call;
mod event;
mod list;
mod mirror;
mod number;
mod reader;
#[cfg(test)]
mod tests;

pub use argument::Argument;
pub use call::{Call, ChannelSettings};
pub use event::{EventNotifier, Instrumentation, KernelEvent};
pub use list::{ListedSyscall, parse_syscalls, parse_tracepoints};
pub use mirror::{decode_abi_version, decode_error_count, decode_tracer_version};
pub use reader::ReaderCall;
