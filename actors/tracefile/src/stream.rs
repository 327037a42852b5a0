//! Files of a stream.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use lttngd_ringbuffer::{Caching, SharedBytes};
use lttngd_wire::ctf::{INDEX_HEADER_LEN, PacketIndex, index_header};

use crate::{
    FileError, FileLimits, TraceChunk,
    chunk::OpeningFile,
    file::{cut, has_name, write_all_at},
    place::StreamPlace,
};

/// From this length on, in bytes, a packet does not stay in the system's cache. Traces are seldom read
/// soon, and would take the place of what applications have there. Each such packet begins to go to the
/// disk at once, which for small ones costs more than it is worth.
const UNCACHED_MIN_LEN: usize = 256 << 10;

/// What the files of a stream are.
#[derive(Clone, Copy, Debug)]
pub struct StreamFileConfig<'a> {
    /// Directory below the trace chunk's, empty for the chunk's own. It is there already.
    pub directory: &'a str,
    /// Name of the stream: its channel's, `_` and its processor.
    pub name: &'a str,
    /// Sizes and count of the files.
    pub limits: FileLimits,
    /// Whether packets are indexed. Snapshots are not.
    pub indexed: bool,
}

/// The data file that a stream writes, and its index.
#[derive(Debug)]
pub struct StreamFile {
    place: StreamPlace,
    limits: FileLimits,
    indexed: bool,
    number: u64,
    files: Files,
}

/// Open files and where they end.
#[derive(Debug)]
struct Files {
    data: OwnedFd,
    /// Whether its file system counts names, so that a file without any is known to be removed.
    counts_names: bool,
    data_len_bytes: u64,
    index: Option<OwnedFd>,
    index_len_bytes: u64,
    /// Whether what a failed write left behind could not be cut off.
    ragged: bool,
}

impl StreamFile {
    /// Makes the files in a trace chunk, or empties those that are there.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn create(chunk: &TraceChunk, config: &StreamFileConfig<'_>) -> Result<Self, FileError> {
        Self::open(chunk, config)?.finish()
    }

    /// Begins to make the files in a trace chunk, or to empty those that are there, side by side with
    /// those of other streams.
    ///
    /// # Errors
    /// [`FileError::Name`].
    pub fn open(
        chunk: &TraceChunk,
        config: &StreamFileConfig<'_>,
    ) -> Result<OpeningStream, FileError> {
        let StreamFileConfig { directory, name, limits, indexed } = *config;
        let place = StreamPlace::new(directory, name, limits.size_max_bytes > 0)?;
        let files = chunk.open_stream(&place, 0, indexed);
        Ok(OpeningStream { place, limits, indexed, files })
    }

    /// Writes a packet with its padding, at most [`VIEWS_MAX`](lttngd_ringbuffer::VIEWS_MAX) views, and its index record, in the next file where this one is
    /// full. `chunk` is the one that the stream is in.
    ///
    /// # Errors
    /// [`FileError`]; the files are as before. A packet that failed can be tried again.
    pub fn write_packet(
        &mut self,
        chunk: &TraceChunk,
        packet: &[SharedBytes<'_>],
        index: &PacketIndex,
    ) -> Result<(), FileError> {
        let len: usize = packet.iter().map(SharedBytes::len).sum();
        let caching = if len < UNCACHED_MIN_LEN { Caching::Keep } else { Caching::Drop };
        self.write_packet_by(chunk, len as u64, index, |data, offset| {
            write_all_at(data, packet, offset, caching).map(drop)
        })
    }

    /// The same of a packet of `len` bytes that `write` writes to a file at an offset.
    ///
    /// # Errors
    /// [`FileError`], also of what `write` fails with; the files are as before.
    pub fn write_packet_by(
        &mut self,
        chunk: &TraceChunk,
        len: u64,
        index: &PacketIndex,
        write: impl FnOnce(BorrowedFd<'_>, u64) -> io::Result<()>,
    ) -> Result<(), FileError> {
        let size_max = self.limits.size_max_bytes;
        if size_max > 0 && self.files.data_len_bytes + len > size_max {
            self.open_next(chunk)?;
        }
        self.files.append(&self.place, self.number, len, index, write)
    }

    /// A packet larger than the limit is alone in its file; like the stock daemon, this moves on even
    /// from a file that is empty.
    fn open_next(&mut self, chunk: &TraceChunk) -> Result<(), FileError> {
        let number = self.limits.next(self.number);
        let files = chunk.open_stream(&self.place, number, self.indexed);
        self.files = Files::finish(files, &self.place, number)?;
        self.number = number;
        Ok(())
    }
}

/// Files of a stream that are being opened.
#[derive(Debug)]
pub struct OpeningStream {
    place: StreamPlace,
    limits: FileLimits,
    indexed: bool,
    files: OpeningFiles,
}

impl OpeningStream {
    /// Waits until they are open.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn finish(self) -> Result<StreamFile, FileError> {
        let Self { place, limits, indexed, files } = self;
        let files = Files::finish(files, &place, 0)?;
        Ok(StreamFile { place, limits, indexed, number: 0, files })
    }
}

type OpeningFiles = (OpeningFile, Option<OpeningFile>);

impl Files {
    fn finish(
        (data, index): OpeningFiles,
        place: &StreamPlace,
        number: u64,
    ) -> Result<Self, FileError> {
        let data = data.finish()?;
        let index = index.map(OpeningFile::finish).transpose()?;
        if let Some(index) = &index {
            write_all_at(index, &[index_header().as_slice().into()], 0, Caching::Keep)
                .map_err(|source| FileError::Write { path: place.index(number), source })?;
        }
        let index_len_bytes = INDEX_HEADER_LEN as u64;
        let counts_names = has_name(&data);
        Ok(Self { data, counts_names, data_len_bytes: 0, index, index_len_bytes, ragged: false })
    }

    fn append(
        &mut self,
        place: &StreamPlace,
        number: u64,
        len: u64,
        index: &PacketIndex,
        write: impl FnOnce(BorrowedFd<'_>, u64) -> io::Result<()>,
    ) -> Result<(), FileError> {
        if self.counts_names && !has_name(&self.data) {
            return Err(FileError::Removed { path: place.data(number) });
        }
        if self.ragged {
            self.cut_to_whole_packets(place, number)?;
        }
        let offset_bytes = self.data_len_bytes;
        let data_written = write(self.data.as_fd(), offset_bytes)
            .map_err(|source| FileError::Write { path: place.data(number), source });
        let written = data_written.and_then(|()| {
            let Some(file) = &self.index else { return Ok(0) };
            let record = index.record(offset_bytes);
            let record_len = write_all_at(
                file,
                &[record.as_slice().into()],
                self.index_len_bytes,
                Caching::Keep,
            )
            .map_err(|source| FileError::Write { path: place.index(number), source })?;
            Ok(record_len)
        });
        match written {
            Ok(record_len) => {
                self.data_len_bytes += len;
                self.index_len_bytes += record_len;
                Ok(())
            }
            Err(error) => {
                // What cannot be cut now is cut before the next packet; why it was written at all is
                // the better report.
                let _ = self.cut_to_whole_packets(place, number);
                Err(error)
            }
        }
    }

    fn cut_to_whole_packets(&mut self, place: &StreamPlace, number: u64) -> Result<(), FileError> {
        self.ragged = true;
        cut(&self.data, self.data_len_bytes)
            .map_err(|source| FileError::Cut { path: place.data(number), source })?;
        if let Some(index) = &self.index {
            cut(index, self.index_len_bytes)
                .map_err(|source| FileError::Cut { path: place.index(number), source })?;
        }
        self.ragged = false;
        Ok(())
    }
}
