#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn an_index_file_says_what_it_is() {
    let expected = [0xC1, 0xF1, 0xDC, 0xC1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 72];
    assert_eq!(index_header(), expected);
}

#[test]
fn a_record_has_the_offset_first() {
    let index = PacketIndex {
        packet_size_bits: 11,
        content_size_bits: 12,
        timestamp_begin: 13,
        timestamp_end: 14,
        events_discarded: 15,
        stream_id: 16,
        stream_instance_id: 17,
        packet_seq_num: 18,
    };
    let record = index.record(10);
    let words: Vec<u64> =
        record.chunks(8).map(|word| u64::from_be_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, [10, 11, 12, 13, 14, 15, 16, 17, 18]);
}

#[test]
fn text_is_cut_into_packets() {
    let uuid = [9; 16];
    assert_eq!(metadata_packets(uuid, b"").count(), 0);
    let text: Vec<u8> = (0..=255).cycle().take(2 * METADATA_TEXT_MAX + 5).collect();
    let packets: Vec<_> = metadata_packets(uuid, &text).collect();
    assert_eq!(packets.len(), 3);
    let mut together = Vec::new();
    for packet in &packets {
        let content = packet.content();
        assert_eq!(content[..4], 0x75D1_1D57_u32.to_ne_bytes());
        assert_eq!(content[4..20], uuid);
        let bits = u32::try_from(content.len() * 8).unwrap();
        assert_eq!(content[24..28], bits.to_ne_bytes());
        assert_eq!(content[28..32], 32768_u32.to_ne_bytes());
        assert_eq!(content[20..24], [0; 4]);
        assert_eq!(content[32..37], [0, 0, 0, 1, 8]);
        assert_eq!(content.len() + packet.padding_len(), 4096);
        together.extend_from_slice(&content[METADATA_PACKET_HEADER_LEN..]);
    }
    assert_eq!(together, text);
    assert_eq!(packets[0].padding_len(), 0);
}
