//! What comes and goes beside the bytes of a request and its reply.

use std::os::fd::OwnedFd;

use lttngd_model::Binary;

use crate::replies::ReplyRoom;

/// What belongs to a request and its reply beside their bytes: descriptors of programs in which probes are
/// placed, and data that replies share.
#[derive(Default)]
pub(crate) struct Attached {
    /// What came with the request.
    pub(crate) received: Vec<OwnedFd>,
    /// What goes with the reply.
    pub(crate) sent: Vec<Binary>,
    /// The room of the reply.
    pub(crate) room: ReplyRoom,
    /// Whether the reply is the list of sessions.
    pub(crate) lists_sessions: bool,
}
