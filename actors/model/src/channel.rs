//! Channels as clients describe them.

use serde::{Deserialize, Serialize};

use crate::{BufferScheme, ust::UstDomain};

/// What a full ring buffer does with new events.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum BufferMode {
    /// The session decides: overwrite in snapshot sessions, discard otherwise (wire value -1).
    Default,
    /// New events are dropped and counted.
    Discard,
    /// The oldest sub-buffer is overwritten.
    Overwrite,
}

/// How a consumer daemon reads a channel (`enum lttng_event_output`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[repr(u32)]
pub enum ChannelOutput {
    /// `splice(2)`; the kernel domain only.
    Splice = 0,
    /// `mmap(2)`.
    Mmap = 1,
}

/// The attributes of a channel (`struct lttng_channel_attr` and its extension).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChannelAttributes {
    /// What a full buffer does.
    pub mode: BufferMode,
    /// Size of one sub-buffer in bytes; a power of two, at least a page.
    pub subbuf_size_bytes: u64,
    /// Count of sub-buffers; a power of two.
    pub num_subbuf: u64,
    /// Period of the switch timer in microseconds, 0 for none.
    pub switch_timer_interval_us: u32,
    /// Period of the read timer in microseconds, 0 for none.
    pub read_timer_interval_us: u32,
    /// Period of the monitor timer in microseconds, 0 for none.
    pub monitor_timer_interval_us: u64,
    /// Period of the live timer in microseconds, 0 for none.
    pub live_timer_interval_us: u32,
    /// How long a producer may wait for room, in microseconds: 0 not at all, -1 for ever.
    pub blocking_timeout_us: i64,
    /// How the consumer reads it.
    pub output: ChannelOutput,
    /// Largest size of one trace file in bytes, 0 for no limit.
    pub tracefile_size_bytes: u64,
    /// Largest count of trace files of one stream, 0 for no limit.
    pub tracefile_count: u64,
}

impl ChannelAttributes {
    /// The attributes of a channel that the daemon makes of its own accord in the user-space domain.
    /// A sub-buffer has at least one page, `page_size_bytes`.
    #[must_use]
    pub fn user_space(scheme: BufferScheme, page_size_bytes: u64) -> Self {
        let mut ust = UstDomain::new(page_size_bytes);
        ust.scheme = scheme;
        ust.default_attributes()
    }
}

/// A channel as a client names it or a listing shows it (`struct lttng_channel`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ChannelListing {
    /// Name, without NUL.
    pub name: String,
    /// Whether it records.
    pub enabled: bool,
    /// Its attributes.
    pub attributes: ChannelAttributes,
    /// Events dropped since the session began; listings only.
    pub discarded_events: u64,
    /// Packets overwritten since the session began; listings only.
    pub lost_packets: u64,
}

impl ChannelListing {
    /// A channel to be made or enabled.
    #[must_use]
    pub fn new(name: impl Into<String>, attributes: ChannelAttributes) -> Self {
        Self { name: name.into(), enabled: true, attributes, discarded_events: 0, lost_packets: 0 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Domain, SessionKind, ust::SessionFacts};

    #[test]
    fn what_is_made_here_the_domain_takes() {
        for (scheme, page_size_bytes, subbuf_size_bytes) in [
            (BufferScheme::PerUid, 4096, 512 << 10),
            (BufferScheme::PerPid, 4096, 16 << 10),
            (BufferScheme::PerPid, 65536, 65536),
        ] {
            let attributes = ChannelAttributes::user_space(scheme, page_size_bytes);
            assert_eq!(attributes.subbuf_size_bytes, subbuf_size_bytes);
            let mut ust = UstDomain::new(page_size_bytes);
            let facts = SessionFacts { kind: SessionKind::Regular, was_started: false };
            let channel = ChannelListing::new("mine", attributes);
            ust.enable_channel(&channel, Domain::Ust, scheme as u32, facts).unwrap();
            assert_eq!(ust.scheme, scheme);
            // The mode that was left open is the session's.
            let decided = ChannelAttributes { mode: BufferMode::Discard, ..attributes };
            assert_eq!(ust.channel("mine").unwrap().attributes, decided);
        }
    }
}
