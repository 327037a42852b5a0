//! Where the packets of a stream go.

use lttngd_tracefile::{FileError, FileLimits, OpeningStream, StreamFile, StreamFileConfig};

use super::{new::OutputConfig, remote::RemoteStream, stream_source::StreamSource};
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

    /// Moves the packet that `source` holds to files, without a look at its bytes; how many these are. `None` where
    /// that cannot be.
    pub(super) fn take_packet(
        &mut self,
        chunk: Option<&Chunk>,
        source: &mut dyn StreamSource,
    ) -> Option<Result<u64, FileError>> {
        let Self::Local(file) = self else { return None };
        let (files, len, index) = (chunk?.local()?, source.movable_len()?, source.packet()?.index);
        let moved =
            file.write_packet_by(files, len, &index, |to, offset| source.move_to(to, offset));
        Some(moved.map(|()| len))
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
