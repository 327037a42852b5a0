//! Packets as they are in a sub-buffer and in a trace: a header, of 84 bytes in 64-bit applications and of 80 in 32-bit
//! ones, then events.

use std::sync::atomic::Ordering;

use lttngd_model::Bitness;

use crate::bytes::SharedBytes;
use crate::config::UUID_LEN;
use crate::error::Damage;
use crate::layout::{packet_header_len, word_len};
use crate::memory::Mapping;

const MAGIC: u32 = 0xc1fc_1fc1;
const BITS: u64 = 8;
/// What holds a header, in parts of 64 bits; the last one reaches beyond it.
const HEADER_WORDS: usize = HEADER_LEN.div_ceil(size_of::<u64>());
/// Size in bytes of the header of a packet of 64-bit applications, which is the longest.
pub const HEADER_LEN: usize = packet_header_len(Bitness::Bits64) as usize;

/// Offsets of members.
pub(crate) mod member {
    pub const MAGIC: u64 = 0;
    pub const UUID: u64 = 4;
    pub const STREAM_ID: u64 = 20;
    pub const STREAM_INSTANCE_ID: u64 = 24;
    pub const TIMESTAMP_BEGIN: u64 = 32;
    pub const TIMESTAMP_END: u64 = 40;
    pub const CONTENT_SIZE: u64 = 48;
    pub const PACKET_SIZE: u64 = 56;
    pub const SEQUENCE_NUMBER: u64 = 64;
    /// A word of applications.
    pub const EVENTS_DISCARDED: u64 = 72;
}

/// Where the last member is, behind a word.
fn cpu_id(bitness: Bitness) -> u64 {
    member::EVENTS_DISCARDED + word_len(bitness)
}

/// What an index entry needs of a packet. Identity and sizes were checked; times and the counts that
/// writers make are theirs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PacketHeader {
    /// The channel's id in the trace.
    pub stream_id: u32,
    /// The stream among those of the channel: its CPU.
    pub stream_instance_id: u64,
    /// When it was opened, in units of the trace clock.
    pub timestamp_begin: u64,
    /// When its last event was, or when it was closed.
    pub timestamp_end: u64,
    /// The header alone, in bits.
    pub header_size_bits: u64,
    /// Header and events, in bits.
    pub content_size_bits: u64,
    /// The whole packet, in bits: the content, filled up to a page.
    pub packet_size_bits: u64,
    /// Counts the packets of the stream, from 0.
    pub sequence_number: u64,
    /// Events that the stream lost since it was created, when the packet was closed.
    pub events_discarded: u64,
}

impl PacketHeader {
    /// Whether there is anything in the packet but its header.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.content_size_bits > self.header_size_bits
    }
}

/// The identity of a stream's packets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketIdentity {
    pub trace_uuid: [u8; UUID_LEN],
    pub channel_id: u32,
    pub cpu: u32,
}

/// The bytes of a packet's header, as long as its applications have it.
#[derive(Clone, Copy, Debug)]
pub struct HeaderBytes {
    bytes: [u8; HEADER_LEN],
    bitness: Bitness,
}

impl HeaderBytes {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..packet_header_len(self.bitness) as usize]
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        self.bytes[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    fn put_word(&mut self, offset: u64, value: u64) {
        match self.bitness {
            Bitness::Bits32 => self.put(offset, &(value as u32).to_ne_bytes()),
            Bitness::Bits64 => self.put(offset, &value.to_ne_bytes()),
        }
    }
}

/// A header, copied out of shared memory.
pub(crate) struct RawHeader {
    bytes: [u8; HEADER_WORDS * size_of::<u64>()],
    bitness: Bitness,
}

impl RawHeader {
    /// Copies the header at the beginning of the sub-buffer at `subbuf`.
    pub fn load(memory: &Mapping, subbuf: u64) -> Self {
        let mut copy = [0; HEADER_WORDS * size_of::<u64>()];
        let (words, _) = copy.as_chunks_mut::<{ size_of::<u64>() }>();
        for (offset, word) in (subbuf..).step_by(size_of::<u64>()).zip(words) {
            *word = memory.u64(offset).load(Ordering::Relaxed).to_ne_bytes();
        }
        Self { bytes: copy, bitness: memory.bitness() }
    }

    /// Bytes that were copied before.
    pub fn of(header: &HeaderBytes) -> Self {
        let mut bytes = [0; HEADER_WORDS * size_of::<u64>()];
        bytes[..HEADER_LEN].copy_from_slice(&header.bytes);
        Self { bytes, bitness: header.bitness }
    }

    fn field<const LEN: usize>(&self, offset: u64) -> [u8; LEN] {
        let mut field = [0; LEN];
        field.copy_from_slice(&self.bytes[offset as usize..][..LEN]);
        field
    }

    fn u32(&self, offset: u64) -> u32 {
        u32::from_ne_bytes(self.field(offset))
    }

    fn u64(&self, offset: u64) -> u64 {
        u64::from_ne_bytes(self.field(offset))
    }

    fn word(&self, offset: u64) -> u64 {
        match self.bitness {
            Bitness::Bits32 => self.u32(offset).into(),
            Bitness::Bits64 => self.u64(offset),
        }
    }

    /// When the packet began, as it stands there.
    pub fn timestamp_begin(&self) -> u64 {
        self.u64(member::TIMESTAMP_BEGIN)
    }

    /// The packet's number, as it stands there.
    pub fn sequence_number(&self) -> u64 {
        self.u64(member::SEQUENCE_NUMBER)
    }

    /// The bytes of the header.
    pub fn bytes(&self) -> HeaderBytes {
        HeaderBytes { bytes: self.field(0), bitness: self.bitness }
    }

    /// Checks that it is a header of `identity` around `data_size` bytes.
    pub fn check(
        &self,
        identity: &PacketIdentity,
        data_size: u64,
        packet_size: u64,
    ) -> Result<PacketHeader, Damage> {
        let uuid = u128::from_ne_bytes(self.field(member::UUID));
        let expect = |member, value: u64, expected: u64| {
            if value == expected { Ok(()) } else { Err(Damage::Header { member, value }) }
        };
        expect("magic", self.u32(member::MAGIC).into(), MAGIC.into())?;
        if uuid != u128::from_ne_bytes(identity.trace_uuid) {
            return Err(Damage::Header { member: "trace uuid", value: uuid as u64 });
        }
        let stream_id = self.u32(member::STREAM_ID);
        expect("stream_id", stream_id.into(), identity.channel_id.into())?;
        let stream_instance_id = self.u64(member::STREAM_INSTANCE_ID);
        expect("stream_instance_id", stream_instance_id, identity.cpu.into())?;
        expect("cpu_id", self.u32(cpu_id(self.bitness)).into(), identity.cpu.into())?;
        let content_size_bits = self.u64(member::CONTENT_SIZE);
        expect("content_size", content_size_bits, data_size * BITS)?;
        let packet_size_bits = self.u64(member::PACKET_SIZE);
        expect("packet_size", packet_size_bits, packet_size * BITS)?;
        Ok(PacketHeader {
            stream_id,
            stream_instance_id,
            timestamp_begin: self.u64(member::TIMESTAMP_BEGIN),
            timestamp_end: self.u64(member::TIMESTAMP_END),
            header_size_bits: packet_header_len(self.bitness) * BITS,
            content_size_bits,
            packet_size_bits,
            sequence_number: self.u64(member::SEQUENCE_NUMBER),
            events_discarded: self.word(member::EVENTS_DISCARDED),
        })
    }
}

/// Writes the header of a packet that begins in the sub-buffer at `subbuf`.
pub(crate) fn open(
    memory: &Mapping,
    subbuf: u64,
    identity: &PacketIdentity,
    timestamp: u64,
    sequence_number: u64,
) {
    let half = |offset, value: u32| memory.u32(subbuf + offset).store(value, Ordering::Relaxed);
    let word = |offset, value: u64| memory.u64(subbuf + offset).store(value, Ordering::Relaxed);
    half(member::MAGIC, MAGIC);
    let (parts, _) = identity.trace_uuid.as_chunks::<{ size_of::<u32>() }>();
    for (offset, part) in (member::UUID..).step_by(size_of::<u32>()).zip(parts) {
        half(offset, u32::from_ne_bytes(*part));
    }
    half(member::STREAM_ID, identity.channel_id);
    word(member::STREAM_INSTANCE_ID, identity.cpu.into());
    word(member::TIMESTAMP_BEGIN, timestamp);
    word(member::TIMESTAMP_END, 0);
    word(member::CONTENT_SIZE, u64::MAX);
    word(member::PACKET_SIZE, u64::MAX);
    word(member::SEQUENCE_NUMBER, sequence_number);
    memory.word(subbuf + member::EVENTS_DISCARDED).store(0, Ordering::Relaxed);
    half(cpu_id(memory.bitness()), identity.cpu);
}

/// The header of a packet that was begun outside of shared memory.
pub(crate) fn begun(
    identity: &PacketIdentity,
    bitness: Bitness,
    timestamp: u64,
    sequence_number: u64,
) -> HeaderBytes {
    let mut header = HeaderBytes { bytes: [0; HEADER_LEN], bitness };
    header.put(member::MAGIC, &MAGIC.to_ne_bytes());
    header.put(member::UUID, &identity.trace_uuid);
    header.put(member::STREAM_ID, &identity.channel_id.to_ne_bytes());
    header.put(member::STREAM_INSTANCE_ID, &u64::from(identity.cpu).to_ne_bytes());
    header.put(member::TIMESTAMP_BEGIN, &timestamp.to_ne_bytes());
    header.put(member::SEQUENCE_NUMBER, &sequence_number.to_ne_bytes());
    header.put(cpu_id(bitness), &identity.cpu.to_ne_bytes());
    header
}

/// Completes a header that was copied, as [`close`] does in shared memory.
pub(crate) fn complete(header: &mut HeaderBytes, closing: &Closing) {
    let mut word = |offset, value: u64| header.put(offset, &value.to_ne_bytes());
    word(member::TIMESTAMP_END, closing.timestamp_end);
    word(member::CONTENT_SIZE, closing.data_size.wrapping_mul(BITS));
    word(member::PACKET_SIZE, closing.packet_size.wrapping_mul(BITS));
    put_events_discarded(header, closing.events_discarded);
}

/// Corrects a header that was copied.
pub(crate) fn put_events_discarded(header: &mut HeaderBytes, count: u64) {
    header.put_word(member::EVENTS_DISCARDED, count);
}

/// What is written to a header when its packet is complete.
pub(crate) struct Closing {
    pub timestamp_end: u64,
    /// Bytes of header and events.
    pub data_size: u64,
    /// Bytes of the whole packet.
    pub packet_size: u64,
    pub events_discarded: u64,
}

/// Completes the header of the packet in the sub-buffer at `subbuf`.
pub(crate) fn close(memory: &Mapping, subbuf: u64, closing: &Closing) {
    let word = |offset, value: u64| memory.u64(subbuf + offset).store(value, Ordering::Relaxed);
    word(member::TIMESTAMP_END, closing.timestamp_end);
    word(member::CONTENT_SIZE, closing.data_size.wrapping_mul(BITS));
    word(member::PACKET_SIZE, closing.packet_size.wrapping_mul(BITS));
    let lost = memory.word(subbuf + member::EVENTS_DISCARDED);
    lost.store(closing.events_discarded, Ordering::Relaxed);
}

/// A packet that is held for its reader. Its header is a copy that was checked, so a trace in which
/// packets are written by [`views`](Self::views) has a sound frame whatever applications do meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// What the header says.
    pub header: &'a PacketHeader,
    /// The header's bytes.
    pub header_bytes: &'a HeaderBytes,
    /// All that follows the header, up to the packet's size.
    pub body: SharedBytes<'a>,
}

impl<'a> Packet<'a> {
    /// The packet's bytes, in two parts.
    #[must_use]
    pub fn views(&self) -> [SharedBytes<'a>; 2] {
        [SharedBytes::from(self.header_bytes.as_slice()), self.body]
    }

    /// Count of the packet's bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.header_bytes.as_slice().len() + self.body.len()
    }
}
