//! The buffers of the kernel tracer (lttng-modules) as their reader has them: packets of a [`KernelStream`], and
//! the text of a [`MetadataStream`]. No actor, no runtime; nothing waits but [`KernelStream`]'s flushes, for the
//! processor whose buffer it is.
//!
//! ```text
//!   KernelStream ----+                        mapped:  the packet where it is
//!   MetadataStream --+-> Calls -> ioctls, mmap, splice
//!   KernelGauge -----+                        spliced: its pages, moved out to a file or a socket, or to be read
//! ```
//!
//! Which calls there are and their numbers stands in `lttngd_wire::kernel::ReaderCall`. Whether they go to this
//! machine's kernel is behind [`Calls`].

mod calls;
mod gauge;
mod held;
mod losses;
mod metadata;
mod splice;
mod stream;
#[cfg(test)]
mod tests;

pub use calls::{Calls, Descriptor, Mapped, Refused};
pub use gauge::KernelGauge;
pub use metadata::{MetadataError, MetadataStream, MetadataText};
pub use splice::NotSent;
pub use stream::{KernelStream, NoKernelPacket, PACKET_HEADER_LEN, PacketView};
