//! The channels of a session and what every command on them shares.

use std::{collections::BTreeMap, sync::Arc};

use super::{AgentDomain, Channel, DEFAULT_CHANNEL_NAME, tracker::Trackers};
use crate::{
    BufferScheme, ChannelAttributes, ChannelListing, Domain, ErrorCode, EventListing, SessionKind,
};

/// What the rules need to know of the session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionFacts {
    /// What the session is for.
    pub kind: SessionKind,
    /// Whether it was started at least once, after which channels and contexts are fixed.
    pub was_started: bool,
}

/// The user-space domain of a session. It exists from the first command that names the domain.
///
/// Every command either does all it says or leaves the domain as it was, with one exception that
/// clients can see: from the first attempt to create a channel by name, even a failed one, commands
/// on events must name their channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UstDomain {
    /// Buffering scheme: per-UID until the first channel says otherwise.
    pub scheme: BufferScheme,
    /// Channels in the order they were created.
    pub channels: Vec<Channel>,
    /// The agent domains that were asked for event rules or contexts.
    pub agents: BTreeMap<Domain, Arc<AgentDomain>>,
    /// Attributes that the client asked for the metadata channel, if any.
    pub metadata: Option<ChannelAttributes>,
    /// Which processes record.
    pub trackers: Trackers,
    /// Whether a channel was made, after which the scheme stays.
    pub(super) scheme_is_fixed: bool,
    /// Whether a channel was asked for by name, after which events must name theirs.
    pub(super) has_non_default_channel: bool,
    /// Index of the next channel.
    pub(super) next_index: u32,
    /// Size of a memory page in bytes: the least size of a sub-buffer.
    pub(super) page_size: u64,
}

impl UstDomain {
    /// A domain without channels. `page_size` is the system's, in bytes.
    #[must_use]
    pub fn new(page_size: u64) -> Self {
        Self {
            scheme: BufferScheme::PerUid,
            channels: Vec::new(),
            agents: BTreeMap::new(),
            metadata: None,
            trackers: Trackers::default(),
            scheme_is_fixed: false,
            has_non_default_channel: false,
            next_index: 0,
            page_size,
        }
    }

    /// The channel of exactly this name.
    #[must_use]
    pub fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// Stops recording to a channel (DISABLE_CHANNEL). An empty name means the default channel; a
    /// channel that is disabled already stays so.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::UnknownDomain`] for any domain but user space, [`ErrorCode::UstChanNotFound`].
    pub fn disable_channel(&mut self, name: &str, domain: Domain) -> Result<(), ErrorCode> {
        if domain != Domain::Ust {
            return Err(ErrorCode::UnknownDomain);
        }
        let at = self.position(name).ok_or(ErrorCode::UstChanNotFound)?;
        self.channels[at].enabled = false;
        Ok(())
    }

    /// The channels in the order of creation (LIST_CHANNELS), those of agent domains included. The
    /// counters are 0: only the buffers know them.
    #[must_use]
    pub fn list_channels(&self) -> Vec<ChannelListing> {
        self.channels.iter().map(Channel::listing).collect()
    }

    /// The event rules of a channel in the order they were enabled (LIST_EVENTS), without those that
    /// record the events of agents. The name is taken literally: an empty one means no channel.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::UstChanNotFound`].
    pub fn list_events(&self, channel: &str) -> Result<Vec<EventListing>, ErrorCode> {
        let channel = self.channel(channel).ok_or(ErrorCode::UstChanNotFound)?;
        let shown = channel.events.iter().filter(|rule| !rule.internal);
        Ok(shown.map(super::EventRule::listing).collect())
    }

    /// Where the channel that a command means stands in `channels`.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let name = channel_or_default(name);
        self.channels.iter().position(|channel| channel.name == name)
    }

    /// The channel that a command on events means.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::NeedChannelName`] for an empty name where there is more than the default one.
    pub(super) fn event_channel<'a>(&self, name: &'a str) -> Result<&'a str, ErrorCode> {
        if name.is_empty() && self.has_non_default_channel {
            return Err(ErrorCode::NeedChannelName);
        }
        Ok(name)
    }
}

/// The name of the channel that a command means: an empty name is the default channel's.
pub(super) fn channel_or_default(name: &str) -> &str {
    if name.is_empty() { DEFAULT_CHANNEL_NAME } else { name }
}
