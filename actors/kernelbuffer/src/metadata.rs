//! The metadata stream of a session: text in packets.

use std::{os::fd::BorrowedFd, sync::Arc};

use lttngd_wire::kernel::ReaderCall;
use rustix::io::Errno;

use crate::{
    calls::{Calls, Mapped, Refused, refused},
    held,
};

/// Size of what stands before the text of a packet: magic number, UUID, checksum, both sizes, and five bytes of
/// how it is packed and of the version.
const HEADER_LEN: usize = 37;
const UUID_AT: usize = 4;
const CONTENT_SIZE_AT: usize = 24;
/// Most bytes of text that are handed on at a time.
const TEXT_MAX_LEN: usize = 1 << 20;

/// Why there is no text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MetadataError {
    /// The kernel does not give it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A packet of it is none.
    #[error("a packet of the kernel's metadata has no header, or one that is longer than it")]
    Packet,
}

/// Text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MetadataText {
    /// Which text it is: one more each time that it is made anew.
    pub version: u64,
    /// Position of its first byte in the text of this version.
    pub offset: u64,
    /// The trace.
    pub uuid: [u8; 16],
    /// The text, which ends with a whole statement.
    pub bytes: Vec<u8>,
}

/// The metadata stream of a session, as its only reader has it.
#[derive(Debug)]
pub struct MetadataStream {
    calls: Arc<dyn Calls>,
    mapped: Mapped,
    /// What was handed on of the text.
    version: u64,
    offset: u64,
    /// Text whose last statement has not come whole, with the trace's UUID.
    pending: Vec<u8>,
    uuid: [u8; 16],
    is_ended: bool,
}

impl MetadataStream {
    /// Takes one over.
    ///
    /// # Errors
    /// When its packets cannot be mapped.
    pub fn new(calls: Arc<dyn Calls>) -> Result<Self, Refused> {
        let call = ReaderCall::MmapLen;
        let len = calls.ask(call).map_err(refused(call))?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let doing = "map its metadata";
        let mapped = calls.map(len).map_err(|errno| Refused { doing, errno })?;
        let (pending, uuid) = (Vec::new(), [0; 16]);
        Ok(Self { calls, mapped, version: 0, offset: 0, pending, uuid, is_ended: false })
    }

    /// What becomes readable with text, and hangs up with the session.
    #[must_use]
    pub fn wakeup_fd(&self) -> BorrowedFd<'_> {
        self.calls.descriptor()
    }

    /// Whether its session is gone, and all of its text was read.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Text that is new; `None` when there is none, or no whole statement of it. To be called until then.
    ///
    /// # Errors
    /// Why there will be none.
    pub fn read(&mut self) -> Result<Option<MetadataText>, MetadataError> {
        let mut is_whole = self.pending.is_empty();
        while self.pending.len() < TEXT_MAX_LEN || !is_whole {
            let Some(ends_statement) = self.get_next()? else { break };
            let anew = self.is_anew()?;
            if anew && is_whole && !self.pending.is_empty() {
                // What is of the version before goes first; the packet comes again.
                self.tell(ReaderCall::PutSubbuf)?;
                return Ok(Some(self.hand_on()));
            }
            let took = self.take_packet(anew);
            self.tell(ReaderCall::PutNext)?;
            took?;
            is_whole = ends_statement;
        }
        Ok((is_whole && !self.pending.is_empty()).then(|| self.hand_on()))
    }

    /// Holds the next packet; whether the text ends with a whole statement then.
    fn get_next(&mut self) -> Result<Option<bool>, MetadataError> {
        let mut whole = 0;
        match self.calls.call(ReaderCall::GetNextMetadata, &mut whole) {
            Ok(()) => Ok(Some(whole != 0)),
            Err(Errno::AGAIN) => Ok(None),
            Err(Errno::NODATA) => {
                self.is_ended = true;
                Ok(None)
            }
            // Tracers before ABI 2.4 do not tell.
            Err(Errno::NOTTY) => match self.calls.tell(ReaderCall::GetNext) {
                Ok(()) => Ok(Some(true)),
                Err(Errno::AGAIN) => Ok(None),
                Err(Errno::NODATA) => {
                    self.is_ended = true;
                    Ok(None)
                }
                Err(errno) => Err(refused(ReaderCall::GetNext)(errno).into()),
            },
            Err(errno) => Err(refused(ReaderCall::GetNextMetadata)(errno).into()),
        }
    }

    /// Whether the packet that is held begins the text anew.
    fn is_anew(&self) -> Result<bool, MetadataError> {
        let call = ReaderCall::MetadataVersion;
        Ok(self.calls.ask(call).map_err(refused(call))? != self.version)
    }

    fn take_packet(&mut self, anew: bool) -> Result<(), MetadataError> {
        let calls = &*self.calls;
        let ask = |call: ReaderCall| calls.ask(call).map_err(refused(call));
        let at = held::mapped_at(calls)?;
        let len = usize::try_from(ask(ReaderCall::SubbufSize)?).unwrap_or(usize::MAX);
        let packet = self.mapped.bytes(at, len).ok_or(MetadataError::Packet)?;
        let (uuid, text) = split(packet).ok_or(MetadataError::Packet)?;
        if anew {
            self.version = ask(ReaderCall::MetadataVersion)?;
            self.offset = 0;
            self.pending.clear();
        }
        self.uuid = uuid;
        self.pending.extend_from_slice(text);
        Ok(())
    }

    fn hand_on(&mut self) -> MetadataText {
        let bytes = std::mem::take(&mut self.pending);
        let Self { version, offset, uuid, .. } = *self;
        self.offset += bytes.len() as u64;
        MetadataText { version, offset, uuid, bytes }
    }

    fn tell(&self, call: ReaderCall) -> Result<(), MetadataError> {
        Ok(self.calls.tell(call).map_err(refused(call))?)
    }
}

/// The trace's UUID and the text of a packet.
fn split(packet: &[u8]) -> Option<([u8; 16], &[u8])> {
    let uuid = packet.get(UUID_AT..)?.first_chunk()?;
    let content = packet.get(CONTENT_SIZE_AT..)?.first_chunk()?;
    let content_len = usize::try_from(u32::from_ne_bytes(*content) / 8).ok()?;
    Some((*uuid, packet.get(HEADER_LEN..content_len)?))
}
