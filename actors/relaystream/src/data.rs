//! The data connection: at most one packet is on its way.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Instant,
};

use lttngd_model::RelayStreamHandle;
use lttngd_ringbuffer::{SharedBytes, VIEWS_MAX, send};
use lttngd_wire::relay::{DATA_HEADER_LEN, DataHeader};
use rustix::{
    io::Errno,
    net::{SendFlags, send as send_bytes},
};

use crate::{Offered, watchdog::Watchdog};

/// Most views of a packet's content: one more goes to its header.
pub const CONTENT_VIEWS_MAX: usize = VIEWS_MAX - 1;

/// A packet that is partly sent.
#[derive(Debug)]
struct Partial {
    header: DataHeader,
    /// Bytes sent, the header's included.
    sent: usize,
    /// What is left to send, once the packet's own memory is given up.
    rest: Option<Vec<u8>>,
}

impl Partial {
    fn len(&self) -> usize {
        DATA_HEADER_LEN + self.header.content_len as usize
    }
}

/// State of the data connection.
#[derive(Debug, Default)]
pub(crate) struct Data {
    partial: Option<Partial>,
    watchdog: Watchdog,
}

/// Why a packet is not sent.
#[derive(Debug)]
pub enum SendError {
    /// The packet's memory could not be read, or its pages not be had.
    Unreadable,
    /// The socket failed.
    Socket(io::Error),
}

impl From<io::Error> for SendError {
    fn from(error: io::Error) -> Self {
        // The kernel says so of memory alone: the socket is as it was.
        let unreadable = error.raw_os_error() == Some(Errno::FAULT.raw_os_error());
        if unreadable { Self::Unreadable } else { Self::Socket(error) }
    }
}

impl Data {
    /// Whether the packet of this header can be sent, or more of it.
    pub(crate) fn is_free_for(&self, header: DataHeader) -> bool {
        match &self.partial {
            None => true,
            Some(partial) => partial.header == header && partial.rest.is_none(),
        }
    }

    /// Whether a part of a packet of this stream is sent, and more of it is awaited.
    pub(crate) fn has_part_of(&self, handle: RelayStreamHandle) -> bool {
        let partial = self.partial.as_ref().filter(|partial| partial.rest.is_none());
        partial.is_some_and(|partial| partial.header.handle == handle)
    }

    /// Whether a part of the packet of this header is sent, and its memory is still needed.
    pub(crate) fn needs_rest_of(&self, header: DataHeader) -> bool {
        self.partial.is_some() && self.is_free_for(header)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    /// Sends as much of a packet as the socket takes.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        socket: impl AsFd,
        header: DataHeader,
        content: &[SharedBytes<'_>],
    ) -> Result<Offered, SendError> {
        let head = header.encode();
        let mut views = [SharedBytes::from([].as_slice()); VIEWS_MAX];
        views[0] = head.as_slice().into();
        views[1..=content.len()].copy_from_slice(content);
        self.send_by(now, header, |sent| Ok(accept(|| send(&socket, &views, sent))?))
    }

    /// The same of one whose content `pages` moves to the socket.
    pub(crate) fn send_pages(
        &mut self,
        now: Instant,
        socket: impl AsFd,
        header: DataHeader,
        pages: &mut dyn FnMut(BorrowedFd<'_>) -> Result<usize, SendError>,
    ) -> Result<Offered, SendError> {
        let head = header.encode();
        let flags = SendFlags::MORE | SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        self.send_by(now, header, |sent| match head.get(sent..).filter(|left| !left.is_empty()) {
            Some(left) => Ok(accept(|| Ok(send_bytes(&socket, left, flags)?))?),
            None => pages(socket.as_fd()),
        })
    }

    /// Sends as much of a packet as the socket takes: `send` gives it more of what follows so many bytes, and tells
    /// how much it took, 0 for none now.
    fn send_by(
        &mut self,
        now: Instant,
        header: DataHeader,
        mut send: impl FnMut(usize) -> Result<usize, SendError>,
    ) -> Result<Offered, SendError> {
        let mut partial = self.partial.take().unwrap_or(Partial { header, sent: 0, rest: None });
        let outcome: Result<(), SendError> = loop {
            if partial.sent == partial.len() {
                return Ok(Offered::Sent);
            }
            match send(partial.sent) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    partial.sent += count;
                    self.watchdog.moved(now, partial.sent < partial.len());
                }
                Err(error) => break Err(error),
            }
        };
        if partial.sent > 0 {
            self.partial = Some(partial);
        }
        outcome?;
        self.watchdog.expect(now);
        Ok(if self.partial.is_some() { Offered::Partial } else { Offered::NotReady })
    }

    /// Makes what is left of the partial packet this connection's own, a copy of `content`; zeros
    /// where that is too short.
    pub(crate) fn keep(&mut self, content: &[SharedBytes<'_>]) {
        let Some(partial) = &mut self.partial else { return };
        let mut rest = vec![0; partial.len() - partial.sent];
        let mut skip = partial.sent.saturating_sub(DATA_HEADER_LEN);
        let unsent_header = &partial.header.encode()[partial.sent.min(DATA_HEADER_LEN)..];
        let (head, mut room) = rest.split_at_mut(unsent_header.len());
        head.copy_from_slice(unsent_header);
        for view in content {
            let skipped = skip.min(view.len());
            skip -= skipped;
            let copied = view.skip(skipped).copy_to(room);
            room = &mut room[copied..];
        }
        partial.rest = Some(rest);
    }

    /// The socket takes more: sends what [`Self::keep`] kept.
    pub(crate) fn send_kept(&mut self, now: Instant, socket: impl AsFd) -> io::Result<()> {
        let Some(partial) = &mut self.partial else {
            // What found no room before can be offered again.
            self.watchdog.moved(now, false);
            return Ok(());
        };
        let len = partial.len();
        let Some(rest) = &partial.rest else { return Ok(()) };
        while partial.sent < len {
            let skip = rest.len() - (len - partial.sent);
            match accept(|| send(&socket, &[rest.as_slice().into()], skip))? {
                0 => return Ok(()),
                count => partial.sent += count,
            }
            self.watchdog.moved(now, partial.sent < len);
        }
        self.partial = None;
        Ok(())
    }

    pub(crate) fn fail(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }
}

/// What a socket took or gave: 0 when it does nothing now.
pub(crate) fn accept(mut transfer: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match transfer() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            outcome => return outcome,
        }
    }
}
