//! A channel: its image for applications, its pipe, and the making of its streams.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::clock::Clock;
use crate::config::ChannelConfig;
use crate::error::CreateError;
use crate::image;
use crate::layout::Layout;
use crate::storage::{self, Storage};
use crate::stream::Stream;
use crate::wakeup::{self, Wakeup, WakeupReader};

/// A channel, as the one who made it keeps it. Its streams are apart, since others own those.
#[derive(Debug)]
pub struct Channel {
    config: ChannelConfig,
    layout: Layout,
    image: Vec<u8>,
    reader: WakeupReader,
    writer: Option<OwnedFd>,
}

/// What applications need to use a stream, the answer to GET_CHANNEL.
///
/// Its maker keeps `wakeup` until [`Channel::is_hung_up`]: the stream's reader sees the end of the
/// stream when the last one is closed, and between two applications of a user there is nobody else.
/// `memory` can be closed as soon as it was sent, unless it is to be sent again.
#[derive(Debug)]
pub struct StreamObject {
    /// Bytes of memory to map.
    pub memory_map_size_bytes: u64,
    /// The stream's number, which is its CPU.
    pub stream_nr: u32,
    /// The shared memory.
    pub memory: OwnedFd,
    /// The write end of the stream's wake-up pipe.
    pub wakeup: OwnedFd,
}

impl Channel {
    /// A channel without streams.
    ///
    /// # Errors
    /// A configuration that is not possible, an architecture whose layout is not known, no
    /// descriptors.
    pub fn create(config: &ChannelConfig, clock: &impl Clock) -> Result<Self, CreateError> {
        let layout = Layout::new(config)?;
        let (reader, writer) = wakeup::create()?;
        Ok(Self {
            config: *config,
            layout,
            image: image::encode(config, clock.now()),
            reader,
            writer: Some(writer),
        })
    }

    /// What it was made from.
    #[must_use]
    pub fn config(&self) -> &ChannelConfig {
        &self.config
    }

    /// The channel object: bytes for the session daemon and for applications.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// Bytes of shared memory of each stream.
    #[must_use]
    pub fn stream_size_bytes(&self) -> u64 {
        self.layout.len
    }

    /// The write end of the channel's pipe, which goes with the image; none after
    /// [`close_wakeup`](Self::close_wakeup).
    #[must_use]
    pub fn wakeup(&self) -> Option<BorrowedFd<'_>> {
        self.writer.as_ref().map(AsFd::as_fd)
    }

    /// Closes our write end of the channel's pipe: when it was sent. From then on its end shows that
    /// neither the session daemon nor an application has the channel.
    pub fn close_wakeup(&mut self) {
        self.writer = None;
    }

    /// The read end of the channel's pipe, to be watched for its end.
    #[must_use]
    pub fn hang_up_reader(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// Whether nobody has the channel any more. What an application wrote to the pipe is taken out.
    #[must_use]
    pub fn is_hung_up(&self) -> bool {
        self.reader.drain() == Wakeup::HungUp
    }

    /// Makes the stream of a CPU, ready for applications, and its reader's half. A file that is
    /// given stays when this fails.
    ///
    /// # Errors
    /// No such CPU; no memory, no descriptors, no room in the file system.
    pub fn create_stream(
        &self,
        cpu: u32,
        storage: Storage,
        clock: &impl Clock,
    ) -> Result<(Stream, StreamObject), CreateError> {
        let cpu_count = self.config.cpu_count;
        if cpu >= cpu_count {
            return Err(CreateError::Cpu { cpu, cpu_count });
        }
        let guarded = matches!(storage, Storage::File(_));
        let memory = storage::allocate(storage, self.layout.len)?;
        let (reader, wakeup) = wakeup::create()?;
        let stream =
            Stream::create(&self.config, self.layout, cpu, memory.as_fd(), guarded, reader, clock)?;
        let object =
            StreamObject { memory_map_size_bytes: self.layout.len, stream_nr: cpu, memory, wakeup };
        Ok((stream, object))
    }
}
