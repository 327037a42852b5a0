//! What a consumer daemon adds to the packets of streams: records of CTF index files
//! (`src/common/index/ctf-index.h` of lttng-tools 2.13) and packets of metadata (CTF 1.8, 7.1.2).

mod index;
mod metadata;
#[cfg(test)]
mod tests;

pub use index::{INDEX_HEADER_LEN, INDEX_RECORD_LEN, PacketIndex, index_header};
pub use metadata::{
    METADATA_PACKET_HEADER_LEN, METADATA_PACKET_LEN, METADATA_TEXT_MAX, MetadataPacket,
    metadata_packets,
};
