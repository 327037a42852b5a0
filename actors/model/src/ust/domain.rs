//! The channels of a session and the rules of the commands that change them.

use super::{Channel, EventRule};
use crate::{
    BufferScheme, ChannelAttributes, ChannelListing, Context, Domain, ErrorCode, EventDescription,
    EventListing, SessionKind,
};

/// The user-space domain of a session. It exists from the first command that names the domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UstDomain {
    /// Buffering scheme: per-UID until the first channel says otherwise.
    pub scheme: BufferScheme,
    /// Channels in the order they were created.
    pub channels: Vec<Channel>,
    /// Attributes that the client asked for the metadata channel, if any.
    pub metadata: Option<ChannelAttributes>,
    /// Whether a channel was asked for by name, after which events must name theirs.
    has_non_default_channel: bool,
    /// Ids given to channels so far; the first channel's is 0 and none is reused.
    page_size: u64,
}
