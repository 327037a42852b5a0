//! The block at the beginning of a stream object by which `lttng-crash` reads the buffer when nobody
//! else is left (LTTng-UST, `struct lttng_crash_abi`).

use std::sync::atomic::Ordering;

use lttngd_model::BufferLayout;

use crate::config::Mode;
use crate::layout::Layout;
use crate::memory::Mapping;
use crate::packet;

/// Size in bytes of the block, filled up to whole words.
const BLOCK_LEN: usize = 128;
const MAGIC: [u8; 16] = [
    0x17, 0x7b, 0xf1, 0x77, 0xbf, 0x17, 0x7b, 0xf1, 0x77, 0xbf, 0x17, 0x7b, 0xf1, 0x77, 0xbf, 0x17,
];
const ENDIAN: u16 = 0x1234;
/// Size in bytes of the sizes in a packet's header, whatever applications' words are.
const PACKET_SIZES_LEN: u8 = 8;
/// The words that are described besides.
const DESCRIBED_WORDS: usize = 6;

/// The block's bytes.
fn encode(layout: &Layout) -> [u8; BLOCK_LEN] {
    let mut bytes = Vec::with_capacity(BLOCK_LEN);
    bytes.extend(MAGIC);
    bytes.extend(layout.len.to_ne_bytes());
    bytes.extend(ENDIAN.to_ne_bytes());
    // The version of LTTng-UST's block, major and minor.
    let major: u16 = if layout.of == BufferLayout::Ust11 { 1 } else { 0 };
    bytes.extend([major, 0].into_iter().flat_map(u16::to_ne_bytes));
    let word_size = layout.word_len as u8;
    bytes.extend([word_size, 0]);
    // That of the offset within a reference.
    let ref_offset = layout.word_len;
    let offsets = [
        layout.control.offset,
        layout.control.consumed,
        layout.commit_hot,
        layout.commit_sequence(0) - layout.commit_hot,
        // Behind the data: of buffers of 4 GiB there are only the low bits, as with the stock daemon.
        layout.writer_ids,
        0,
        layout.pages_refs,
        ref_offset,
        layout.data_ref_in_pages() + ref_offset,
        packet::member::CONTENT_SIZE,
        packet::member::PACKET_SIZE,
    ];
    bytes.extend(offsets.into_iter().flat_map(|offset| (offset as u32).to_ne_bytes()));
    bytes.extend([word_size; DESCRIBED_WORDS]);
    bytes.extend([PACKET_SIZES_LEN; 2]);
    let strides = [layout.commit_stride, layout.word_len, 2 * layout.word_len];
    bytes.extend(strides.into_iter().flat_map(|stride| (stride as u32).to_ne_bytes()));
    let geometry = layout.geometry;
    let sizes = [geometry.buf_size(), geometry.subbuf_size(), geometry.num_subbuf()];
    bytes.extend(sizes.into_iter().flat_map(u64::to_ne_bytes));
    bytes.extend(u32::from(geometry.mode == Mode::Discard).to_ne_bytes());
    let mut block = [0; BLOCK_LEN];
    block[..bytes.len()].copy_from_slice(&bytes);
    block
}

/// Writes the block, the last thing to be written to a new object.
pub(crate) fn write(memory: &Mapping, layout: &Layout) {
    let block = encode(layout);
    let (words, _) = block.as_chunks::<{ size_of::<u64>() }>();
    for (offset, word) in (0..).step_by(size_of::<u64>()).zip(words) {
        memory.u64(offset).store(u64::from_ne_bytes(*word), Ordering::Release);
    }
}
