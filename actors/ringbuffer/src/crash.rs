//! The block at the beginning of a stream object by which `lttng-crash` reads the buffer when nobody
//! else is left (LTTng-UST, `struct lttng_crash_abi`).

use std::sync::atomic::Ordering;

use lttngd_model::BufferLayout;

use crate::config::Mode;
use crate::layout::{Layout, REF_LEN, control, element};
use crate::memory::Mapping;
use crate::packet;

/// Size in bytes of the block, filled up to whole words.
const BLOCK_LEN: usize = 128;
const MAGIC: [u8; 16] = [
    0x17, 0x7b, 0xf1, 0x77, 0xbf, 0x17, 0x7b, 0xf1, 0x77, 0xbf, 0x17, 0x7b, 0xf1, 0x77, 0xbf, 0x17,
];
const ENDIAN: u16 = 0x1234;
const WORD_SIZE: u8 = size_of::<u64>() as u8;
/// The words that are described: each has 8 bytes.
const DESCRIBED_WORDS: usize = 8;
/// Offset of the offset within a reference.
const REF_OFFSET: u32 = 8;

/// The block's bytes.
fn encode(layout: &Layout) -> [u8; BLOCK_LEN] {
    let mut bytes = Vec::with_capacity(BLOCK_LEN);
    bytes.extend(MAGIC);
    bytes.extend(layout.len.to_ne_bytes());
    bytes.extend(ENDIAN.to_ne_bytes());
    // The version of LTTng-UST's block, major and minor.
    let major: u16 = if layout.of == BufferLayout::Ust11 { 1 } else { 0 };
    bytes.extend([major, 0].into_iter().flat_map(u16::to_ne_bytes));
    bytes.extend([WORD_SIZE, 0]);
    let offsets = [
        control::OFFSET,
        control::CONSUMED,
        layout.commit_hot,
        element::COMMIT_SEQUENCE,
        // Behind the data: of buffers of 4 GiB there are only the low bits, as with the stock daemon.
        layout.writer_ids,
        0,
        layout.pages_refs,
        REF_OFFSET.into(),
        element::PAGES_DATA_REF + u64::from(REF_OFFSET),
        packet::member::CONTENT_SIZE,
        packet::member::PACKET_SIZE,
    ];
    bytes.extend(offsets.into_iter().flat_map(|offset| (offset as u32).to_ne_bytes()));
    bytes.extend([WORD_SIZE; DESCRIBED_WORDS]);
    let strides = [layout.commit_stride, element::WORD_LEN, REF_LEN];
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
