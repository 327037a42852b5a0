//! ENABLE_CHANNEL and DISABLE_CHANNEL, and the channels that other commands make on the way.

use super::{KernelChannel, KernelDomain, KernelFacts, Plan, Step};
use crate::{
    BufferMode, ChannelAttributes, ChannelListing, ChannelOutput, ErrorCode, NAME_MAX, SessionKind,
    ust::DEFAULT_CHANNEL_NAME,
};

impl KernelDomain {
    /// Makes a channel, or lets a disabled one record again, whose attributes then stay (ENABLE_CHANNEL).
    /// An empty name means the default channel.
    ///
    /// # Errors
    /// In this order: [`ErrorCode::InvalidChannelName`], [`ErrorCode::Invalid`] for a name that is too long,
    /// [`ErrorCode::KernChanExist`] when it records already, [`ErrorCode::TraceAlreadyStarted`] for a new one
    /// in a session that was started, [`ErrorCode::Invalid`] for attributes that no kernel takes. When the
    /// plan is settled: [`ErrorCode::KernChanFail`], [`ErrorCode::KernChanEnableFail`].
    pub fn plan_enable_channel(
        &mut self,
        request: &ChannelListing,
        facts: KernelFacts,
    ) -> Result<Plan, ErrorCode> {
        check_name(&request.name)?;
        if let Some(channel) = self.meant(&request.name) {
            if channel.enabled {
                return Err(ErrorCode::KernChanExist);
            }
            let (channel, enabled) = (channel.index, true);
            return Ok(Plan::of(vec![Step::SetChannelEnabled { channel, enabled }]));
        }
        let channel = self.draft(&request.name, request.attributes, facts)?;
        Ok(Plan::of(vec![Step::CreateChannel(channel)]))
    }

    /// Stops recording to a channel (DISABLE_CHANNEL). One that is disabled already stays so.
    ///
    /// # Errors
    /// [`ErrorCode::KernChanNotFound`]. When the plan is settled: [`ErrorCode::KernChanDisableFail`].
    pub fn plan_disable_channel(&self, name: &str) -> Result<Plan, ErrorCode> {
        let channel = self.meant(name).ok_or(ErrorCode::KernChanNotFound)?;
        let step = Step::SetChannelEnabled { channel: channel.index, enabled: false };
        Ok(Plan::of(if channel.enabled { vec![step] } else { Vec::new() }))
    }

    /// A new channel for a command that creates what it names. Notes that a channel was asked for by name,
    /// whatever comes of it.
    pub(super) fn draft(
        &mut self,
        name: &str,
        attributes: ChannelAttributes,
        facts: KernelFacts,
    ) -> Result<KernelChannel, ErrorCode> {
        check_name(name)?;
        if facts.was_started {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        self.has_non_default_channel |= !name.is_empty();
        let attributes = resolve(attributes, facts);
        if attributes.mode == BufferMode::Overwrite && attributes.num_subbuf < 2
            || attributes.blocking_timeout_us != 0
        {
            return Err(ErrorCode::Invalid);
        }
        Ok(KernelChannel {
            index: self.next_channel,
            name: if name.is_empty() { DEFAULT_CHANNEL_NAME } else { name }.to_owned(),
            enabled: true,
            attributes,
            contexts: Vec::new(),
            events: Vec::new(),
        })
    }
}

/// A name becomes a part of file names and must fit its fixed field in listings.
fn check_name(name: &str) -> Result<(), ErrorCode> {
    if name.starts_with('.') || name.contains('/') {
        return Err(ErrorCode::InvalidChannelName);
    }
    if name.len() >= NAME_MAX { Err(ErrorCode::Invalid) } else { Ok(()) }
}

/// What the session and the tracer decide.
fn resolve(mut attributes: ChannelAttributes, facts: KernelFacts) -> ChannelAttributes {
    // As in user space: the live timer is the session's.
    attributes.live_timer_interval_us = 0;
    if let SessionKind::Live { timer_interval_us } = facts.kind {
        attributes.live_timer_interval_us = timer_interval_us;
        attributes.switch_timer_interval_us = 0;
    }
    let is_snapshot = facts.kind == SessionKind::Snapshot;
    if attributes.mode == BufferMode::Default {
        attributes.mode = if is_snapshot { BufferMode::Overwrite } else { BufferMode::Discard };
    }
    if is_snapshot || facts.has_snapshot_output {
        attributes.output = ChannelOutput::Mmap;
    }
    if !facts.can_be_monitored {
        attributes.monitor_timer_interval_us = 0;
    }
    attributes
}
