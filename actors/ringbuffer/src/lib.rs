//! The ring buffers in which applications traced by LTTng-UST leave their events, from the side of
//! their consumer daemon. Applications write to shared memory by the library liblttng-ust (2.12 to
//! 2.16, of 64 and of 32 bits, little-endian); this crate lays it out, takes complete packets out of it, and closes
//! packets that are not full. There are no threads, tasks or timers in it.
//!
//! ```text
//!   ChannelConfig -> Channel::create -> image, pipe ---------> session daemon, applications
//!                       |                                          ^
//!                       +-> create_stream(cpu) -> StreamObject ----+   (stays with the channel)
//!                                 |
//!                                 +-> Stream                           (goes to its only reader)
//! ```
//!
//! One thread owns a [`Stream`]. It watches [`Stream::wakeup_reader`] and does, on
//! [`Wakeup::Woken`](Wakeup) and after every flush:
//!
//! ```no_run
//! # use lttngd_ringbuffer::{Stream, GetError, write};
//! # fn read(stream: &mut Stream, file: std::fs::File) -> Result<(), Box<dyn std::error::Error>> {
//! let _ = stream.drain_wakeups();
//! loop {
//!     match stream.get_next() {
//!         Ok(_header) => {}
//!         // The pipe wakes again.
//!         Err(GetError::Empty) => break,
//!         // The pipe wakes again if the writer lives: look at times as well.
//!         Err(GetError::Uncommitted | GetError::Overwritten) => break,
//!         // One packet less.
//!         Err(GetError::Damaged(_damage)) => continue,
//!         // The end of the stream.
//!         Err(GetError::Corrupt(corruption)) => return Err(corruption.into()),
//!     }
//!     let Some(packet) = stream.packet() else { break };
//!     let mut written = 0;
//!     while written < packet.size_bytes() {
//!         written += write(&file, &packet.views(), written)?;
//!     }
//!     stream.put_next()?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A packet may be held for as long as its bytes need to leave. Rounds should be bounded where one
//! thread reads several streams, since a writer can be faster than its reader for ever.
//!
//! Times of packets come from a [`Clock`] that the caller gives, the same that applications use.
//!
//! Shared memory is either sealed or a file ([`Storage`]). A file can be made shorter by applications,
//! for which this crate installs a handler of the signal SIGBUS when it makes the first one.

mod abandoned;
mod bytes;
mod channel;
mod clock;
mod config;
mod cpus;
mod crash;
mod error;
mod flush;
mod gauge;
mod geometry;
mod guard;
mod image;
mod layout;
mod limits;
mod losses;
mod memory;
mod owned;
mod packet;
mod reader;
mod snapshot;
mod storage;
mod stream;
#[cfg(test)]
mod tests;
mod wakeup;

pub use bytes::{Caching, SharedBytes, VIEWS_MAX, send, write, write_at};
pub use channel::{Channel, StreamObject};
pub use clock::{Clock, MonotonicClock};
pub use config::{BLOCKING_FOREVER, ChannelConfig, Mode, SPARE_MAX_LEN, UUID_LEN};
pub use cpus::possible_cpu_count;
pub use error::{ConfigError, Corruption, CreateError, Damage, GetError};
pub use flush::{BeginOutcome, FlushMode, FlushOutcome};
pub use gauge::Gauge;
pub use limits::{BUFFER_MAX_LEN, CPU_COUNT_MAX, SUBBUF_COUNT_MAX};
pub use losses::Losses;
pub use packet::{HEADER_LEN, HeaderBytes, Packet, PacketHeader};
pub use snapshot::SnapshotPositions;
pub use storage::Storage;
pub use stream::{Positions, Stream};
pub use wakeup::{Wakeup, WakeupReader};
