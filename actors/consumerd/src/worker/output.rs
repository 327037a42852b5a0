//! Where the packets of a stream go.

use lttngd_tracefile::{FileError, FileLimits, OpeningStream, StreamFile, StreamFileConfig};

use super::{
    new::OutputConfig,
    relay::Relays,
    remote::{RemoteStream, Sent},
    stream_source::{SourcePacket, StreamSource},
};
use crate::chunk::Chunk;

/// Where packets go.
#[derive(Debug)]
pub(super) enum Output {
    /// Nowhere: there is no trace chunk, or its files failed.
    Nowhere,
    /// To files.
    Local(StreamFile),
    /// To a relay daemon.
    Remote(RemoteStream),
}

impl Output {
    pub(super) fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// Moves the packet that `source` holds to files or to a relay daemon, without a look at its bytes. `None` where
    /// that cannot be.
    pub(super) fn take_packet(
        &mut self,
        chunk: Option<&Chunk>,
        source: &mut dyn StreamSource,
        relays: &mut Relays,
    ) -> Option<Result<Sent, FileError>> {
        let (chunk, len, index) = (chunk?, source.movable_len()?, source.packet()?.index);
        match self {
            Self::Nowhere => None,
            Self::Local(file) => {
                let files = chunk.local()?;
                let moved = file
                    .write_packet_by(files, len, &index, |to, offset| source.move_to(to, offset));
                Some(moved.map(|()| Sent::Whole(len)))
            }
            Self::Remote(remote) => Some(Ok(relays.send_pages(remote, len, &index, source))),
        }
    }

    /// The stream at the relay daemon that gets them.
    pub(super) fn remote(&self) -> Option<&RemoteStream> {
        match self {
            Self::Remote(remote) => Some(remote),
            Self::Nowhere | Self::Local(_) => None,
        }
    }
}

/// An output that is being opened: files, or nowhere.
#[derive(Debug, Default)]
pub(super) struct Opening(Option<OpeningStream>);

impl Opening {
    /// Begins to open the files of a stream in a trace chunk, side by side with those of other streams.
    /// `path` is their directory there.
    pub(super) fn begin(
        chunk: &Chunk,
        writing: &OutputConfig,
        cpu: u32,
        path: &str,
        indexed: bool,
    ) -> Result<Self, FileError> {
        let Some(files) = chunk.local() else { return Ok(Self::default()) };
        let config = StreamFileConfig {
            directory: path,
            name: &writing.stream_name(cpu),
            limits: limits(writing),
            indexed,
        };
        StreamFile::open(files, &config).map(|opening| Self(Some(opening)))
    }

    /// Waits until it is open.
    pub(super) fn finish(self) -> Result<Output, FileError> {
        self.0.map_or(Ok(Output::Nowhere), |opening| opening.finish().map(Output::Local))
    }
}

/// Of what size and how many the files of each stream of a channel are.
fn limits(writing: &OutputConfig) -> FileLimits {
    FileLimits { size_max_bytes: writing.tracefile_size_bytes, count_max: writing.tracefile_count }
}

/// Why a packet was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWritten {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("its trace chunk is not here")]
    ChunkElsewhere,
    #[error("there is no trace chunk for its events")]
    NoChunk,
}

/// Writes a packet.
pub(super) fn write_packet(
    output: &mut Output,
    chunk: Option<&Chunk>,
    packet: &SourcePacket<'_>,
    relays: &mut Relays,
) -> Result<Sent, NotWritten> {
    match (output, chunk) {
        (Output::Local(file), Some(chunk)) => {
            let files = chunk.local().ok_or(NotWritten::ChunkElsewhere)?;
            file.write_packet(files, &packet.views, &packet.index)?;
            Ok(Sent::Whole(packet.size_bytes()))
        }
        (Output::Remote(remote), Some(_)) => Ok(relays.send(remote, packet)),
        _ => Err(NotWritten::NoChunk),
    }
}
