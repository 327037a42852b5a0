//! What the kernel tells of the packet that is held.

use lttngd_wire::{
    ctf::PacketIndex,
    kernel::ReaderCall::{self, *},
};
use rustix::io::Errno;

use crate::calls::{Calls, Refused, refused};

/// Tracers before 2.8 have no such numbers.
const UNKNOWN: u64 = u64::MAX;

/// The packet that is held, without its bytes.
pub(crate) fn index(calls: &dyn Calls) -> Result<PacketIndex, Refused> {
    let ask = |call: ReaderCall| calls.ask(call).map_err(refused(call));
    let ask_if_known = |call: ReaderCall| match calls.ask(call) {
        Err(Errno::NOTTY) => Ok(UNKNOWN),
        told => told.map_err(refused(call)),
    };
    Ok(PacketIndex {
        packet_size_bits: ask(PacketSize)?,
        content_size_bits: ask(ContentSize)?,
        timestamp_begin: ask(TimestampBegin)?,
        timestamp_end: ask(TimestampEnd)?,
        events_discarded: ask(EventsDiscarded)?,
        stream_id: ask(StreamId)?,
        stream_instance_id: ask_if_known(StreamInstanceId)?,
        packet_seq_num: ask_if_known(SequenceNumber)?,
    })
}

/// Bytes of the packet that is held, with those that fill it up to whole pages.
pub(crate) fn padded_len(calls: &dyn Calls) -> Result<usize, Refused> {
    let told = calls.ask(PaddedSubbufSize).map_err(refused(PaddedSubbufSize))?;
    usize::try_from(told).map_err(|_| refused(PaddedSubbufSize)(Errno::OVERFLOW))
}

/// Where it is in what is mapped.
pub(crate) fn mapped_at(calls: &dyn Calls) -> Result<usize, Refused> {
    let told = calls.ask(MmapReadOffset).map_err(refused(MmapReadOffset))?;
    usize::try_from(told).map_err(|_| refused(MmapReadOffset)(Errno::OVERFLOW))
}
