//! Channels (`struct lttng_channel_comm`, packed, `include/lttng/channel-internal.h`).

use std::mem::offset_of;

use lttngd_model::{
    BufferMode, ChannelAttributes, ChannelListing, ChannelOutput, ErrorCode, NAME_MAX,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::mirror::{read, string, string_len};
use super::{Dialect, listing};
use crate::{DecodeError, Reader, Writer};

/// The front of `struct lttng_channel_comm`, behind which 2.15 has the watchdog timer, and all the rest and the name.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C, packed)]
struct ChannelComm {
    name_len: u32,
    enabled: u8,
    overwrite: i8,
    subbuf_size: u64,
    num_subbuf: u64,
    switch_timer_interval: u32,
    read_timer_interval: u32,
    output: u8,
    tracefile_size: u64,
    tracefile_count: u64,
    live_timer_interval: u32,
    discarded_events: u64,
    lost_packets: u64,
    monitor_timer_interval: u64,
}

const _: () = assert!(size_of::<ChannelComm>() == 75);
const _: () = assert!(offset_of!(ChannelComm, output) == 30);

/// A watchdog timer: whether it is set, padding, and its interval in microseconds.
const WATCHDOG_LEN: usize = 16;
/// A preallocation policy, and the age from which memory is given back: whether it is set, and the age.
const RECLAIM_LEN: usize = 10;
/// `enum lttng_channel_allocation_policy`.
const PER_CPU: u8 = 0;

/// Size of a channel without its name, in bytes.
const fn fixed_len(dialect: Dialect) -> usize {
    match dialect {
        Dialect::V2_13 => 83,
        Dialect::V2_14 => 84,
        Dialect::V2_15 | Dialect::V2_16 => 110,
    }
}

/// The channel of ENABLE_CHANNEL. An output that is neither splice nor mmap gets the answer that
/// user space gives for splice.
pub(super) fn decode_request(
    payload: &[u8],
    dialect: Dialect,
) -> Result<ChannelListing, ErrorCode> {
    let mut reader = Reader::new(payload);
    let channel = decode(&mut reader, dialect).map_err(|error| match error {
        DecodeError::BadValue { what: OUTPUT | ALLOCATION, .. } => ErrorCode::NotSupported,
        _ => ErrorCode::Invalid,
    })?;
    reader.finish("channel").map_err(|_| ErrorCode::Invalid)?;
    Ok(channel)
}

const OUTPUT: &str = "channel output";
const ALLOCATION: &str = "channel allocation policy";

fn decode(reader: &mut Reader<'_>, dialect: Dialect) -> Result<ChannelListing, DecodeError> {
    let comm: &ChannelComm = read(reader, "channel")?;
    if dialect.has_trace_formats() {
        // Consumers of this daemon have no sub-buffers that an application which died keeps from the others.
        reader.bytes(WATCHDOG_LEN, "channel watchdog timer")?;
    }
    let blocking_timeout_us = reader.i64("channel blocking_timeout")?;
    if dialect.has_rules_behind_events() {
        match reader.u8(ALLOCATION)? {
            PER_CPU => {}
            other => return Err(DecodeError::BadValue { what: ALLOCATION, value: other.into() }),
        }
    }
    if dialect.has_trace_formats() {
        // Memory is allocated when it is first used, and is given back with the channel.
        reader.bytes(RECLAIM_LEN, "channel memory policies")?;
    }
    let name = string(reader, comm.name_len, NAME_MAX, "channel name")?;
    let mode = match comm.overwrite {
        -1 => BufferMode::Default,
        0 => BufferMode::Discard,
        1 => BufferMode::Overwrite,
        other => {
            return Err(DecodeError::BadValue { what: "channel overwrite", value: other.into() });
        }
    };
    let output = match comm.output {
        0 => ChannelOutput::Splice,
        1 => ChannelOutput::Mmap,
        other => return Err(DecodeError::BadValue { what: OUTPUT, value: other.into() }),
    };
    Ok(ChannelListing {
        name,
        enabled: comm.enabled != 0,
        attributes: ChannelAttributes {
            mode,
            subbuf_size_bytes: comm.subbuf_size,
            num_subbuf: comm.num_subbuf,
            switch_timer_interval_us: comm.switch_timer_interval,
            read_timer_interval_us: comm.read_timer_interval,
            monitor_timer_interval_us: comm.monitor_timer_interval,
            live_timer_interval_us: comm.live_timer_interval,
            blocking_timeout_us,
            output,
            tracefile_size_bytes: comm.tracefile_size,
            tracefile_count: comm.tracefile_count,
        },
        discarded_events: comm.discarded_events,
        lost_packets: comm.lost_packets,
    })
}

pub(super) fn encode(channel: &ChannelListing, dialect: Dialect, writer: &mut Writer) {
    let attributes = &channel.attributes;
    let comm = ChannelComm {
        name_len: string_len(&channel.name),
        enabled: channel.enabled.into(),
        overwrite: match attributes.mode {
            BufferMode::Default => -1,
            BufferMode::Discard => 0,
            BufferMode::Overwrite => 1,
        },
        subbuf_size: attributes.subbuf_size_bytes,
        num_subbuf: attributes.num_subbuf,
        switch_timer_interval: attributes.switch_timer_interval_us,
        read_timer_interval: attributes.read_timer_interval_us,
        output: match attributes.output {
            ChannelOutput::Splice => 0,
            ChannelOutput::Mmap => 1,
        },
        tracefile_size: attributes.tracefile_size_bytes,
        tracefile_count: attributes.tracefile_count,
        live_timer_interval: attributes.live_timer_interval_us,
        discarded_events: channel.discarded_events,
        lost_packets: channel.lost_packets,
        monitor_timer_interval: attributes.monitor_timer_interval_us,
    };
    writer.bytes(comm.as_bytes());
    if dialect.has_trace_formats() {
        writer.zeros(WATCHDOG_LEN);
    }
    writer.i64(attributes.blocking_timeout_us);
    if dialect.has_rules_behind_events() {
        writer.u8(PER_CPU);
    }
    if dialect.has_trace_formats() {
        writer.zeros(RECLAIM_LEN);
    }
    writer.string(&channel.name);
}

/// Data of a reply to LIST_CHANNELS; the count goes to the command header.
#[must_use]
pub fn encode_channels(channels: &[ChannelListing], dialect: Dialect) -> Vec<u8> {
    let mut writer = Writer::default();
    for channel in channels {
        encode(channel, dialect, &mut writer);
    }
    writer.into_bytes()
}

/// Reads data of a reply to LIST_CHANNELS.
///
/// # Errors
/// When there are not `count` channels in the bytes, or more, or a member of one has no meaning.
pub fn decode_channels(
    count: u32,
    data: &[u8],
    dialect: Dialect,
) -> Result<Vec<ChannelListing>, DecodeError> {
    listing::decode(count, data, fixed_len(dialect), "channels", |reader| decode(reader, dialect))
}
