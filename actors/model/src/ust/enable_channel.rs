//! How channels come into being: ENABLE_CHANNEL, and the channels that other commands make on the way.

use super::domain::channel_or_default;
use super::{
    Channel, METADATA_CHANNEL_NAME, SessionFacts, UstDomain, agent_channel_name, served_domain,
};
use crate::{
    BufferMode, BufferScheme, ChannelAttributes, ChannelListing, ChannelOutput, Domain, ErrorCode,
    NAME_MAX, SessionKind,
};

/// Size of one sub-buffer by default, in bytes.
const PER_UID_SUBBUF_SIZE_BYTES: u64 = 512 * 1024;
const PER_PID_SUBBUF_SIZE_BYTES: u64 = 16 * 1024;
const METADATA_SUBBUF_SIZE_BYTES: u64 = 4 * 1024;
/// Count of sub-buffers by default.
const NUM_SUBBUF: u64 = 4;
const METADATA_NUM_SUBBUF: u64 = 2;
/// Period of the monitor timer by default.
const MONITOR_TIMER_INTERVAL_US: u64 = 1_000_000;

/// A channel that passed every check and is not a part of the domain yet.
pub(super) struct Draft {
    pub(super) channel: Channel,
    scheme: BufferScheme,
}

impl UstDomain {
    /// Makes a channel, or lets a disabled one record again, whose attributes then stay (ENABLE_CHANNEL).
    /// An empty name means the default channel. The name `metadata` makes no channel but sets the
    /// attributes of the metadata channel.
    ///
    /// # Errors
    ///
    /// In this order: [`ErrorCode::InvalidChannelName`], [`ErrorCode::UnknownDomain`],
    /// [`ErrorCode::UstChanExist`] when it records already, [`ErrorCode::TraceAlreadyStarted`] for a
    /// new one in a session that was started, then the errors of its attributes:
    /// [`ErrorCode::Invalid`], [`ErrorCode::NotSupported`], [`ErrorCode::BufferNotSupported`],
    /// [`ErrorCode::UstChanFail`], [`ErrorCode::BufferTypeMismatch`].
    pub fn enable_channel(
        &mut self,
        request: &ChannelListing,
        domain: Domain,
        raw_buffer_type: u32,
        session: SessionFacts,
    ) -> Result<(), ErrorCode> {
        check_name(&request.name)?;
        match domain {
            Domain::None | Domain::Kernel => return Err(ErrorCode::UnknownDomain),
            Domain::Ust => {}
            Domain::Jul | Domain::Log4j | Domain::Python => {
                if agent_channel_name(domain) != Some(request.name.as_str()) {
                    return Err(ErrorCode::InvalidChannelName);
                }
            }
        }
        if let Some(at) = self.position(&request.name) {
            let channel = &mut self.channels[at];
            if channel.enabled {
                return Err(ErrorCode::UstChanExist);
            }
            channel.enabled = true;
            return Ok(());
        }
        let draft =
            self.draft_channel(&request.name, request.attributes, raw_buffer_type, session)?;
        self.adopt(draft);
        Ok(())
    }

    /// A new channel for a command that creates what it names. Notes that a channel was asked for by
    /// name, whatever comes of it.
    pub(super) fn draft_channel(
        &mut self,
        name: &str,
        attributes: ChannelAttributes,
        raw_buffer_type: u32,
        session: SessionFacts,
    ) -> Result<Draft, ErrorCode> {
        check_name(name)?;
        if session.was_started {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        if !name.is_empty() {
            self.has_non_default_channel = true;
        }
        self.check_channel(channel_or_default(name), attributes, raw_buffer_type, session.kind)
    }

    fn check_channel(
        &self,
        name: &str,
        attributes: ChannelAttributes,
        raw_buffer_type: u32,
        kind: SessionKind,
    ) -> Result<Draft, ErrorCode> {
        let attributes = resolve(attributes, kind);
        check_attributes(&attributes, self.page_size)?;
        let scheme = match BufferScheme::from_raw(raw_buffer_type) {
            Some(scheme @ (BufferScheme::PerPid | BufferScheme::PerUid)) => scheme,
            Some(BufferScheme::Global) | None => return Err(ErrorCode::BufferNotSupported),
        };
        if self.next_index == u32::MAX {
            return Err(ErrorCode::UstChanFail);
        }
        if self.scheme_is_fixed && self.scheme != scheme {
            return Err(ErrorCode::BufferTypeMismatch);
        }
        let channel = Channel {
            index: self.next_index,
            name: name.to_owned(),
            domain: served_domain(name),
            enabled: true,
            attributes,
            contexts: Vec::new(),
            events: Vec::new(),
        };
        Ok(Draft { channel, scheme })
    }

    /// The channel that a command on a domain without any makes.
    pub(super) fn draft_default_channel(
        &self,
        name: &str,
        kind: SessionKind,
    ) -> Result<Draft, ErrorCode> {
        self.check_channel(name, self.default_attributes(), self.scheme as u32, kind)
    }

    /// Makes a draft a part of the domain.
    pub(super) fn adopt(&mut self, draft: Draft) {
        self.scheme = draft.scheme;
        self.scheme_is_fixed = true;
        if draft.channel.name == METADATA_CHANNEL_NAME {
            self.metadata = Some(draft.channel.attributes);
        } else {
            self.next_index += 1;
            self.channels.push(draft.channel);
        }
    }

    /// The attributes of a channel that the daemon makes of its own accord.
    #[must_use]
    pub fn default_attributes(&self) -> ChannelAttributes {
        let size = match self.scheme {
            BufferScheme::PerUid => PER_UID_SUBBUF_SIZE_BYTES,
            BufferScheme::PerPid | BufferScheme::Global => PER_PID_SUBBUF_SIZE_BYTES,
        };
        ChannelAttributes {
            mode: BufferMode::Default,
            subbuf_size_bytes: size.max(self.page_size),
            num_subbuf: NUM_SUBBUF,
            switch_timer_interval_us: 0,
            read_timer_interval_us: 0,
            monitor_timer_interval_us: MONITOR_TIMER_INTERVAL_US,
            live_timer_interval_us: 0,
            blocking_timeout_us: 0,
            output: ChannelOutput::Mmap,
            tracefile_size_bytes: 0,
            tracefile_count: 0,
        }
    }

    /// The attributes of the metadata channel: those the client asked for, else the default ones.
    #[must_use]
    pub fn metadata_attributes(&self) -> ChannelAttributes {
        self.metadata.unwrap_or(ChannelAttributes {
            mode: BufferMode::Discard,
            subbuf_size_bytes: METADATA_SUBBUF_SIZE_BYTES.max(self.page_size),
            num_subbuf: METADATA_NUM_SUBBUF,
            monitor_timer_interval_us: 0,
            ..self.default_attributes()
        })
    }
}

/// A name becomes a part of file names and must fit its fixed field in listings.
fn check_name(name: &str) -> Result<(), ErrorCode> {
    if name.starts_with('.') || name.contains('/') {
        return Err(ErrorCode::InvalidChannelName);
    }
    if name.len() >= NAME_MAX {
        return Err(ErrorCode::Invalid);
    }
    Ok(())
}

/// What the kind of the session decides.
fn resolve(mut attributes: ChannelAttributes, kind: SessionKind) -> ChannelAttributes {
    // The live timer is the session's. What clients put into a channel's means nothing: the stock
    // command line sends all ones.
    attributes.live_timer_interval_us = 0;
    if let SessionKind::Live { timer_interval_us } = kind {
        // The live timer does what the switch timer does, and beacons besides.
        attributes.live_timer_interval_us = timer_interval_us;
        attributes.switch_timer_interval_us = 0;
    }
    let is_snapshot = kind == SessionKind::Snapshot;
    if attributes.mode == BufferMode::Default {
        attributes.mode = if is_snapshot { BufferMode::Overwrite } else { BufferMode::Discard };
    }
    if is_snapshot {
        attributes.output = ChannelOutput::Mmap;
    }
    attributes
}

fn check_attributes(attributes: &ChannelAttributes, page_size: u64) -> Result<(), ErrorCode> {
    let size = attributes.subbuf_size_bytes;
    if attributes.mode == BufferMode::Overwrite && attributes.num_subbuf < 2 {
        return Err(ErrorCode::Invalid);
    }
    if !size.is_power_of_two() || size < page_size || !attributes.num_subbuf.is_power_of_two() {
        return Err(ErrorCode::Invalid);
    }
    if attributes.output != ChannelOutput::Mmap {
        return Err(ErrorCode::NotSupported);
    }
    if attributes.tracefile_size_bytes > 0 && attributes.tracefile_size_bytes < size {
        return Err(ErrorCode::Invalid);
    }
    Ok(())
}
