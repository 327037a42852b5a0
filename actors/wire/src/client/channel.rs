//! Channels (`struct lttng_channel_comm`, packed, `include/lttng/channel-internal.h`).

use std::mem::offset_of;

use lttngd_model::{
    BufferMode, ChannelAttributes, ChannelListing, ChannelOutput, ErrorCode, NAME_MAX,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::listing;
use super::mirror::{read, string, string_len};
use crate::{DecodeError, Reader, Writer};

/// `struct lttng_channel_comm`; the name follows.
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
    blocking_timeout: i64,
}

const _: () = assert!(size_of::<ChannelComm>() == 83);
const _: () = assert!(offset_of!(ChannelComm, output) == 30);
const _: () = assert!(offset_of!(ChannelComm, blocking_timeout) == 75);

/// The channel of ENABLE_CHANNEL. An output that is neither splice nor mmap gets the answer that
/// user space gives for splice.
pub(super) fn decode_request(payload: &[u8]) -> Result<ChannelListing, ErrorCode> {
    let mut reader = Reader::new(payload);
    let channel = decode(&mut reader).map_err(|error| match error {
        DecodeError::BadValue { what: OUTPUT, .. } => ErrorCode::NotSupported,
        _ => ErrorCode::Invalid,
    })?;
    reader.finish("channel").map_err(|_| ErrorCode::Invalid)?;
    Ok(channel)
}

const OUTPUT: &str = "channel output";

fn decode(reader: &mut Reader<'_>) -> Result<ChannelListing, DecodeError> {
    let comm: &ChannelComm = read(reader, "channel")?;
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
            blocking_timeout_us: comm.blocking_timeout,
            output,
            tracefile_size_bytes: comm.tracefile_size,
            tracefile_count: comm.tracefile_count,
        },
        discarded_events: comm.discarded_events,
        lost_packets: comm.lost_packets,
    })
}

pub(super) fn encode(channel: &ChannelListing, writer: &mut Writer) {
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
        blocking_timeout: attributes.blocking_timeout_us,
    };
    writer.bytes(comm.as_bytes()).string(&channel.name);
}

/// Data of a reply to LIST_CHANNELS; the count goes to the command header.
#[must_use]
pub fn encode_channels(channels: &[ChannelListing]) -> Vec<u8> {
    let mut writer = Writer::default();
    for channel in channels {
        encode(channel, &mut writer);
    }
    writer.into_bytes()
}

/// Reads data of a reply to LIST_CHANNELS.
///
/// # Errors
/// When there are not `count` channels in the bytes, or more, or a member of one has no meaning.
pub fn decode_channels(count: u32, data: &[u8]) -> Result<Vec<ChannelListing>, DecodeError> {
    listing::decode(count, data, size_of::<ChannelComm>(), "channels", decode)
}
