//! Packets of metadata. Numbers are in the byte order of the trace, which is the machine's.

use crate::Writer;

/// Size in bytes of every packet.
pub const METADATA_PACKET_LEN: usize = 4096;
/// Size in bytes of a packet's header.
pub const METADATA_PACKET_HEADER_LEN: usize = 37;
/// Most text in a packet, in bytes.
pub const METADATA_TEXT_MAX: usize = METADATA_PACKET_LEN - METADATA_PACKET_HEADER_LEN;
const MAGIC: u32 = 0x75D1_1D57;
/// Version of CTF, major and minor.
const CTF_VERSION: [u8; 2] = [1, 8];

/// A packet of metadata text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MetadataPacket {
    content: Vec<u8>,
}

impl MetadataPacket {
    /// The packet of as much text as fits, and the text that does not.
    fn take(trace_uuid: [u8; 16], text: &[u8]) -> (Self, &[u8]) {
        let (text, rest) = text.split_at(text.len().min(METADATA_TEXT_MAX));
        let content_len = METADATA_PACKET_HEADER_LEN + text.len();
        let bits = |len: usize| u32::try_from(len * 8).unwrap_or(u32::MAX);
        let mut writer = Writer::with_capacity(content_len);
        writer
            .u32(MAGIC)
            .bytes(&trace_uuid)
            // No checksum.
            .u32(0)
            .u32(bits(content_len))
            .u32(bits(METADATA_PACKET_LEN))
            // Schemes of compression, encryption and checksum: none.
            .zeros(3)
            .bytes(&CTF_VERSION)
            .bytes(text);
        (Self { content: writer.into_bytes() }, rest)
    }

    /// Its bytes without the padding.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Count of zero bytes that make it [`METADATA_PACKET_LEN`] long.
    #[must_use]
    pub fn padding_len(&self) -> usize {
        METADATA_PACKET_LEN - self.content.len()
    }
}

/// Cuts text into packets, each as full as it can be but the last one. Empty text makes none.
pub fn metadata_packets(
    trace_uuid: [u8; 16],
    text: &[u8],
) -> impl Iterator<Item = MetadataPacket> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (packet, left) = MetadataPacket::take(trace_uuid, rest);
        rest = left;
        Some(packet)
    })
}
