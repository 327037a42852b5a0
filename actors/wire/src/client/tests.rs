//! Tests of the codec.

#![allow(clippy::unwrap_used)]

mod arbitrary;
mod event;
mod hostile;
mod reply;
mod request;
mod round_trip;
mod shape;
pub(crate) mod triggers;

use lttngd_model::{
    BufferMode, BufferScheme, ChannelAttributes, ChannelListing, ChannelOutput, Domain, ErrorCode,
};

use super::{Command, Dialect, Request};

/// A command as a daemon reads it from a request in the kernel domain, which has every attribute.
fn through_the_wire(command: &Command, dialect: Dialect) -> Result<Command, ErrorCode> {
    let (request, payload) = Request::new_in(dialect, command);
    let request = request.in_domain(Domain::Kernel, BufferScheme::Global);
    let bytes = request.encode(&payload);
    let (head, rest) = bytes.split_at(super::REQUEST_LEN);
    let request = Request::decode(head, dialect).unwrap();
    assert_eq!(request.payload_len().unwrap(), rest.len());
    request.command(rest)
}

/// The same by a client of 2.13.
fn through_old_wire(command: &Command) -> Result<Command, ErrorCode> {
    through_the_wire(command, Dialect::V2_13)
}

/// Writes `bytes` at `offset` of a request's union.
fn patch(request: &mut Request, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    let mut union = request.union();
    union[offset..end].copy_from_slice(bytes);
    request.set_union(&union);
}

/// Makes a request announce a payload of `len` bytes, where its command has one of bytes.
fn announce(request: &mut Request, len: usize) -> bool {
    use super::CommandKind as K;
    let len32 = u32::try_from(len).unwrap().to_ne_bytes();
    match request.kind() {
        Some(K::AddContext | K::EnableEvent | K::DisableEvent) => patch(request, 256, &len32),
        Some(K::EnableChannel) => patch(request, 0, &len32),
        Some(K::TrackerAddValue | K::TrackerRemoveValue) => patch(request, 16, &len32),
        Some(K::CreateSession) => {
            let home = u16::from_ne_bytes([request.union()[0], request.union()[1]]);
            let Some(rest) = len.checked_sub(home.into()) else { return false };
            patch(request, 2, &(rest as u64).to_ne_bytes());
        }
        _ => return false,
    }
    true
}

/// A channel of this name.
fn channel(name: &str) -> ChannelListing {
    ChannelListing {
        name: name.to_owned(),
        enabled: true,
        attributes: ChannelAttributes {
            mode: BufferMode::Default,
            subbuf_size_bytes: 4096,
            num_subbuf: 4,
            switch_timer_interval_us: 0,
            read_timer_interval_us: 0,
            monitor_timer_interval_us: 0,
            live_timer_interval_us: 0,
            blocking_timeout_us: 0,
            output: ChannelOutput::Mmap,
            tracefile_size_bytes: 0,
            tracefile_count: 0,
        },
        discarded_events: 0,
        lost_packets: 0,
    }
}
