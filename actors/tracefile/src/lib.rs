//! Traces in files, as a consumer daemon writes them: data files of streams with their indexes, and
//! metadata files. No actor, no runtime and no clock: each call does its system calls and returns.
//!
//! ```text
//! TraceChunk (directory from the session daemon, owner)
//!   ust/uid/1000/64-bit/            directories are there already, the session daemon makes them
//!     channel_0  channel_1          StreamFile: data
//!     index/channel_0.idx           StreamFile: a record for each packet
//!     metadata                      MetadataFile
//! ```
//!
//! * Every file is opened below the chunk's directory, with the rights of the chunk's
//!   [`Owner`](lttngd_runas::Owner), and
//!   never through a link; what is there and is no regular file is refused.
//! * A packet is in its file whole, with its index record, or not at all: what a failed write left is
//!   cut off again. The stream goes on with the next packet; the gap shows in the packets' numbers.
//! * A chunk remembers which files streams opened in it, so that they can be deleted when the session
//!   is cleared. Memory for that does not grow with the count of files, only with that of streams.
//!
//! The process should ignore `SIGXFSZ`: a write over the limit of a file's size is then an error of
//! that write.

mod chunk;
mod error;
mod file;
mod metadata;
mod place;
mod stream;
#[cfg(test)]
mod tests;

pub use chunk::{DeletionFault, TraceChunk};
pub use error::FileError;
pub use metadata::MetadataFile;
pub use place::{FileLimits, STREAM_NAME_MAX};
pub use stream::{OpeningStream, StreamFile, StreamFileConfig};
