//! Index files, version 1.1. All numbers are big-endian.

/// Size in bytes of what an index file begins with (`struct ctf_packet_index_file_hdr`).
pub const INDEX_HEADER_LEN: usize = 16;
/// Size in bytes of a record (`struct ctf_packet_index`).
pub const INDEX_RECORD_LEN: usize = 72;
const MAGIC: u32 = 0xC1F1_DCC1;
const MAJOR: u32 = 1;
const MINOR: u32 = 1;

/// What an index file begins with.
#[must_use]
pub fn index_header() -> [u8; INDEX_HEADER_LEN] {
    let record_len = u32::try_from(INDEX_RECORD_LEN).unwrap_or(u32::MAX);
    let mut bytes = [0; INDEX_HEADER_LEN];
    for (member, value) in bytes.chunks_exact_mut(4).zip([MAGIC, MAJOR, MINOR, record_len]) {
        member.copy_from_slice(&value.to_be_bytes());
    }
    bytes
}

/// What is known of a packet, beside its place in a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PacketIndex {
    /// Size in bits, padding included. 0 makes it a live beacon, which only relay daemons take.
    pub packet_size_bits: u64,
    /// Size in bits, padding excluded.
    pub content_size_bits: u64,
    /// When it was opened, on the clock of the trace.
    pub timestamp_begin: u64,
    /// When it was closed, on the clock of the trace.
    pub timestamp_end: u64,
    /// Events of the stream that were discarded up to its end.
    pub events_discarded: u64,
    /// The stream's channel in the trace.
    pub stream_id: u64,
    /// The stream's processor; [`u64::MAX`] when not known.
    pub stream_instance_id: u64,
    /// Its number in the stream, from 0; [`u64::MAX`] when not known.
    pub packet_seq_num: u64,
}

impl PacketIndex {
    /// The members in the order in which index files and relay daemons have them.
    pub(crate) fn members(&self) -> [u64; 8] {
        [
            self.packet_size_bits,
            self.content_size_bits,
            self.timestamp_begin,
            self.timestamp_end,
            self.events_discarded,
            self.stream_id,
            self.stream_instance_id,
            self.packet_seq_num,
        ]
    }

    pub(crate) fn from_members(members: [u64; 8]) -> Self {
        let [packet_size_bits, content_size_bits, timestamp_begin, timestamp_end, ..] = members;
        let [.., events_discarded, stream_id, stream_instance_id, packet_seq_num] = members;
        Self {
            packet_size_bits,
            content_size_bits,
            timestamp_begin,
            timestamp_end,
            events_discarded,
            stream_id,
            stream_instance_id,
            packet_seq_num,
        }
    }

    /// The record of the packet at `offset_bytes` of the data file.
    #[must_use]
    pub fn record(&self, offset_bytes: u64) -> [u8; INDEX_RECORD_LEN] {
        let mut bytes = [0; INDEX_RECORD_LEN];
        let values = std::iter::once(offset_bytes).chain(self.members());
        for (member, value) in bytes.chunks_exact_mut(8).zip(values) {
            member.copy_from_slice(&value.to_be_bytes());
        }
        bytes
    }
}
