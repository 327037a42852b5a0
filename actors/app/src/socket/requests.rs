//! Requests that are to be written.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use lttngd_buffers::ChannelObject;
use lttngd_runtime::{Peer, PeerError, Sent};
use lttngd_wire::ust::{
    Abi,
    command::{Command, REQUEST_LEN},
};

/// Bytes for which there is room at first: requests go together more often than not.
const ROOM_LEN: usize = 4 * REQUEST_LEN;

/// Whose descriptors go with a request, on a byte of it or behind it.
pub(crate) enum Attached {
    /// Those of a channel.
    Channel(Arc<ChannelObject>),
    /// Those of the stream at this position.
    Stream(Arc<ChannelObject>, usize),
    /// This one.
    Descriptor(Arc<OwnedFd>),
}

impl Attached {
    /// How many descriptors these are.
    fn count(&self) -> u32 {
        match self {
            Self::Channel(_) | Self::Descriptor(_) => 1,
            Self::Stream(..) => 2,
        }
    }
}

/// Whole requests, one behind the other, and how much of them is written.
#[derive(Default)]
pub(super) struct Requests {
    bytes: Vec<u8>,
    written: usize,
    /// Which of the bytes carry descriptors, those that are not written.
    attached: VecDeque<(usize, Attached)>,
}

/// How far requests were written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Written {
    All,
    /// The application has to read before more goes.
    UntilFull,
    /// Applications have to take descriptors that were sent before more go.
    UntilTooManyDescriptors,
}

impl Requests {
    pub(super) fn push(
        &mut self,
        abi: Abi,
        handle: u32,
        command: &Command,
        (payload, attached): (&[u8], Option<Attached>),
    ) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(ROOM_LEN);
        }
        let count = attached.as_ref().map_or(0, Attached::count);
        let at = command.put(abi, handle, (payload, count), &mut self.bytes);
        self.attached.extend(at.zip(attached));
    }

    /// Nothing more is to be written for a while.
    pub(super) fn rest(&mut self) {
        if self.bytes.is_empty() && self.bytes.capacity() > 0 {
            *self = Self::default();
        }
    }

    /// Writes what goes in as few calls as the descriptors allow: what follows a byte with descriptors goes
    /// with it.
    ///
    /// # Errors
    /// Those of [`Peer::try_send`].
    pub(super) fn write(&mut self, peer: &Peer) -> Result<Written, PeerError> {
        while self.written < self.bytes.len() {
            match self.send(peer)? {
                Sent::Some(0) => {}
                Sent::Some(len) => {
                    if self.attached.front().is_some_and(|(at, _)| *at == self.written) {
                        self.attached.pop_front();
                    }
                    self.written += len;
                }
                Sent::Full => return Ok(Written::UntilFull),
                Sent::TooManyDescriptors => return Ok(Written::UntilTooManyDescriptors),
            }
        }
        self.bytes.clear();
        self.written = 0;
        Ok(Written::All)
    }

    /// Sends the next part: up to the next byte that carries descriptors.
    fn send(&self, peer: &Peer) -> Result<Sent, PeerError> {
        let mut attached = self.attached.iter();
        let first = self.attached.front().filter(|(at, _)| *at == self.written);
        if first.is_some() {
            attached.next();
        }
        let end = attached.next().map_or(self.bytes.len(), |(at, _)| *at);
        let bytes = &self.bytes[self.written..end];
        match first {
            None => peer.try_send(bytes, &[]),
            Some((_, Attached::Channel(object))) => peer.try_send(bytes, &[object.wakeup.as_fd()]),
            Some((_, Attached::Descriptor(descriptor))) => {
                peer.try_send(bytes, &[descriptor.as_fd()])
            }
            Some((_, Attached::Stream(object, number))) => {
                let stream = &object.streams[*number];
                peer.try_send(bytes, &[stream.memory.as_fd(), stream.wakeup.as_fd()])
            }
        }
    }
}
