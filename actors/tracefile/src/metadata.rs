//! Metadata files.

use std::{io, os::fd::OwnedFd};

use lttngd_ringbuffer::Caching;
use lttngd_wire::ctf::{METADATA_PACKET_LEN, metadata_packets};

use crate::{
    FileError, TraceChunk,
    file::{cut, write_all_at},
    place::StreamPlace,
};

/// Name of the file.
const NAME: &str = "metadata";

/// The metadata file of a trace: the text so far, in packets. It has one size and no index.
#[derive(Debug)]
pub struct MetadataFile {
    place: StreamPlace,
    trace_uuid: [u8; 16],
    file: OwnedFd,
    len_bytes: u64,
}

impl MetadataFile {
    /// Makes the file in a directory below a trace chunk's (empty for the chunk's own), or empties the
    /// one that is there.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn create(
        chunk: &TraceChunk,
        directory: &str,
        trace_uuid: [u8; 16],
    ) -> Result<Self, FileError> {
        let place = StreamPlace::new(directory, NAME, false)?;
        let (file, _) = chunk.open_stream(&place, 0, false);
        let file = file.finish()?;
        Ok(Self { place, trace_uuid, file, len_bytes: 0 })
    }

    /// The trace is known by this UUID, which its next packets have.
    pub fn set_trace_uuid(&mut self, trace_uuid: [u8; 16]) {
        self.trace_uuid = trace_uuid;
    }

    /// Writes the text that follows what was written so far.
    ///
    /// # Errors
    /// [`FileError`]; none of it is written then.
    pub fn append(&mut self, text: &[u8]) -> Result<(), FileError> {
        let mut bytes = Vec::with_capacity(text.len() + METADATA_PACKET_LEN);
        for packet in metadata_packets(self.trace_uuid, text) {
            bytes.extend_from_slice(packet.content());
            bytes.resize(bytes.len() + packet.padding_len(), 0);
        }
        if let Err(source) =
            write_all_at(&self.file, &[bytes.as_slice().into()], self.len_bytes, Caching::Keep)
        {
            // What stays behind is written over when there is room again; a reader meanwhile finds
            // the end of the file within a packet.
            let _ = cut(&self.file, self.len_bytes);
            return Err(FileError::Write { path: self.place.data(0), source });
        }
        self.len_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Empties the file: the text begins anew.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn reset(&mut self) -> Result<(), FileError> {
        cut(&self.file, 0).map_err(|source| FileError::Cut { path: self.place.data(0), source })?;
        self.len_bytes = 0;
        Ok(())
    }

    /// Whether there is no text in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len_bytes == 0
    }

    /// Removes the file from `chunk`, in which it is: where there is one without text, readers choke on it and
    /// read nothing of what is beside it either.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(self, chunk: &TraceChunk) -> io::Result<()> {
        chunk.remove(&self.place.data(0))
    }

    /// Goes on in another trace chunk, with an empty file: the text has to be written again.
    ///
    /// # Errors
    /// [`FileError`]; the file is the one it was.
    pub fn rotate_into(&mut self, chunk: &TraceChunk) -> Result<(), FileError> {
        let (file, _) = chunk.open_stream(&self.place, 0, false);
        self.file = file.finish()?;
        self.len_bytes = 0;
        Ok(())
    }
}
