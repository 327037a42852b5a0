//! The calls of whoever reads a stream's buffer: of the tracer's ring buffer, not of the tracer.

use super::number::{READ, WRITE, io, sized};

/// Size of the kernel's `unsigned long`.
const ULONG_LEN: usize = size_of::<usize>();

/// A call of a stream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ReaderCall {
    /// Tells how far the reader was when positions were last sampled, in bytes.
    ConsumedPosition,
    /// Tells how far the writers were when positions were last sampled, in bytes.
    ProducedPosition,
    /// Holds the sub-buffer at a position.
    GetSubbuf,
    /// Gives the sub-buffer back and stays where the reader was.
    PutSubbuf,
    /// Holds the next sub-buffer: `EAGAIN` without one, `ENODATA` when none will come.
    GetNext,
    /// Gives the sub-buffer back, and goes on behind it.
    PutNext,
    /// Tells the size of what is in the sub-buffer that is held, in bytes.
    SubbufSize,
    /// Tells the same with what fills it up to whole pages.
    PaddedSubbufSize,
    /// Tells the size of a sub-buffer in bytes.
    SubbufSizeMax,
    /// Tells how much there is to map, in bytes.
    MmapLen,
    /// Tells where in what is mapped the sub-buffer is that is held.
    MmapReadOffset,
    /// Closes the packet if there is something in it.
    Flush,
    /// Tells which version the metadata has of which a packet is held.
    MetadataVersion,
    /// Samples positions.
    SamplePositions,
    /// Closes the packet, and an empty one as well.
    FlushEmpty,
    /// Drops all that there is.
    Clear,
    /// As [`Self::GetNext`] of metadata; tells whether the text ends with a whole statement.
    GetNextMetadata,
    /// Tells when the packet that is held begins.
    TimestampBegin,
    /// Tells when the packet that is held ends.
    TimestampEnd,
    /// Tells how many events were dropped up to the packet that is held.
    EventsDiscarded,
    /// Tells the size of what is in the packet that is held, in bits.
    ContentSize,
    /// Tells the size of the packet that is held, in bits.
    PacketSize,
    /// Tells the stream's id in its trace.
    StreamId,
    /// Tells the time.
    CurrentTimestamp,
    /// Tells the number of the packet that is held.
    SequenceNumber,
    /// Tells the stream's processor.
    StreamInstanceId,
}

impl ReaderCall {
    /// The ioctl's number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::ConsumedPosition => sized(READ, 0x01, ULONG_LEN),
            Self::ProducedPosition => sized(READ, 0x02, ULONG_LEN),
            Self::GetSubbuf => sized(WRITE, 0x03, ULONG_LEN),
            Self::PutSubbuf => io(0x04),
            Self::GetNext => io(0x05),
            Self::PutNext => io(0x06),
            Self::SubbufSize => sized(READ, 0x07, ULONG_LEN),
            Self::PaddedSubbufSize => sized(READ, 0x08, ULONG_LEN),
            Self::SubbufSizeMax => sized(READ, 0x09, ULONG_LEN),
            Self::MmapLen => sized(READ, 0x0A, ULONG_LEN),
            Self::MmapReadOffset => sized(READ, 0x0B, ULONG_LEN),
            Self::Flush => io(0x0C),
            Self::MetadataVersion => sized(READ, 0x0D, 8),
            Self::SamplePositions => io(0x0E),
            Self::FlushEmpty => io(0x0F),
            Self::Clear => io(0x11),
            Self::GetNextMetadata => sized(READ, 0x12, size_of::<u32>()),
            Self::TimestampBegin => sized(READ, 0x20, 8),
            Self::TimestampEnd => sized(READ, 0x21, 8),
            Self::EventsDiscarded => sized(READ, 0x22, 8),
            Self::ContentSize => sized(READ, 0x23, 8),
            Self::PacketSize => sized(READ, 0x24, 8),
            Self::StreamId => sized(READ, 0x25, 8),
            Self::CurrentTimestamp => sized(READ, 0x26, 8),
            Self::SequenceNumber => sized(READ, 0x27, 8),
            Self::StreamInstanceId => sized(READ, 0x28, 8),
        }
    }

    /// Bytes of the number that it takes or tells, 0 for none.
    #[must_use]
    pub const fn len(self) -> usize {
        (self.number() >> 16 & 0x3FFF) as usize
    }

    /// Whether it takes and tells nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What it is to do, for people.
    #[must_use]
    pub const fn doing(self) -> &'static str {
        match self {
            Self::ConsumedPosition | Self::ProducedPosition | Self::SamplePositions => {
                "tell its positions"
            }
            Self::GetSubbuf | Self::GetNext | Self::GetNextMetadata => "give a packet",
            Self::PutSubbuf | Self::PutNext => "take a packet back",
            Self::SubbufSizeMax | Self::MmapLen | Self::MmapReadOffset => {
                "tell where its packets are"
            }
            Self::Flush | Self::FlushEmpty => "close a packet",
            Self::Clear => "drop its packets",
            Self::StreamId | Self::StreamInstanceId => "tell its ids",
            Self::CurrentTimestamp => "tell the time",
            Self::SubbufSize
            | Self::PaddedSubbufSize
            | Self::MetadataVersion
            | Self::TimestampBegin
            | Self::TimestampEnd
            | Self::EventsDiscarded
            | Self::ContentSize
            | Self::PacketSize
            | Self::SequenceNumber => "tell what is in a packet",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_ring_buffer() {
        for (call, number) in [
            (ReaderCall::GetNext, 0xF605),
            (ReaderCall::GetNextMetadata, 0x8004_F612),
            (ReaderCall::MetadataVersion, 0x8008_F60D),
            (ReaderCall::StreamInstanceId, 0x8008_F628),
            (ReaderCall::FlushEmpty, 0xF60F),
        ] {
            assert_eq!(call.number(), number, "{call:?}");
        }
        if size_of::<usize>() == 8 {
            assert_eq!(ReaderCall::ConsumedPosition.number(), 0x8008_F601);
            assert_eq!(ReaderCall::GetSubbuf.number(), 0x4008_F603);
            assert_eq!(ReaderCall::MmapReadOffset.number(), 0x8008_F60B);
        }
        assert_eq!(
            (ReaderCall::GetSubbuf.len(), ReaderCall::GetNextMetadata.len()),
            (ULONG_LEN, 4)
        );
        assert!(ReaderCall::PutNext.is_empty() && !ReaderCall::PacketSize.is_empty());
    }
}
