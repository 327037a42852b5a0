#![allow(clippy::unwrap_used)]

mod agents;
mod channels;
mod contexts;
mod events;
mod notifiers;
mod sequences;
mod trackers;

use super::{SessionFacts, UstDomain};
use crate::{
    BufferMode, Bytecode, ChannelAttributes, ChannelListing, ChannelOutput, Domain, ErrorCode,
    EventDescription, Filter, SessionKind,
};

const PAGE_SIZE: u64 = 4096;
const PER_PID: u32 = 0;
const PER_UID: u32 = 1;
const REGULAR: SessionFacts = SessionFacts { kind: SessionKind::Regular, was_started: false };
const STARTED: SessionFacts = SessionFacts { was_started: true, ..REGULAR };
const SNAPSHOT: SessionFacts = SessionFacts { kind: SessionKind::Snapshot, was_started: false };

fn domain() -> UstDomain {
    UstDomain::new(PAGE_SIZE)
}

fn attributes() -> ChannelAttributes {
    ChannelAttributes {
        mode: BufferMode::Default,
        subbuf_size_bytes: 8192,
        num_subbuf: 4,
        switch_timer_interval_us: 1,
        read_timer_interval_us: 2,
        monitor_timer_interval_us: 3,
        live_timer_interval_us: 0,
        blocking_timeout_us: -1,
        output: ChannelOutput::Mmap,
        tracefile_size_bytes: 0,
        tracefile_count: 0,
    }
}

fn request(name: &str) -> ChannelListing {
    ChannelListing {
        name: name.to_owned(),
        enabled: true,
        attributes: attributes(),
        discarded_events: 0,
        lost_packets: 0,
    }
}

/// A tracepoint rule as `lttng enable-event -u` describes it.
fn event(name: &str) -> EventDescription {
    EventDescription {
        kind: 0,
        loglevel_type: 0,
        loglevel: -1,
        enabled: 0,
        pid: 0,
        flags: 0,
        name: name.to_owned(),
        exclusions: Vec::new(),
        filter: None,
        probe: None,
        userspace_probe: None,
    }
}

/// A description for DISABLE_EVENT as `lttng disable-event -u` gives it.
fn every(name: &str) -> EventDescription {
    EventDescription { kind: -1, ..event(name) }
}

fn filter(expression: &str, code: &[u8]) -> Filter {
    let bytecode = Bytecode { reloc_table_offset: 0, seqnum: 0, data: code.to_vec() };
    Filter { expression: expression.to_owned(), bytecode }
}

impl UstDomain {
    fn enable(&mut self, name: &str) -> Result<(), ErrorCode> {
        self.enable_channel(&request(name), Domain::Ust, PER_UID, REGULAR)
    }

    fn event(&mut self, channel: &str, event: &EventDescription) -> Result<(), ErrorCode> {
        self.enable_event(channel, event, PER_UID, REGULAR)
    }
}
