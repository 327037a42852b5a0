//! Descriptors that a data thread waits for, and what each stands for.

use std::{
    collections::VecDeque,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use lttngd_model::{ChannelKey, NetIndex};
use rustix::event::{
    Timespec,
    epoll::{self, EventFlags},
};
use slab::Slab;

/// Most events that are taken at a time.
const EVENTS_MAX: usize = 256;

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Watched {
    /// Orders.
    Orders,
    /// Packets of a stream, by its slot, and its end.
    Stream(usize),
    /// The end of a channel.
    Channel(ChannelKey),
    /// A relay daemon's control socket.
    RelayControl(NetIndex),
    /// A relay daemon's data socket.
    RelayData(NetIndex),
}

/// A descriptor that is watched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct WatchToken(usize);

/// An epoll, and the names of what it watches.
#[derive(Debug)]
pub(super) struct Poller {
    epoll: OwnedFd,
    watched: Slab<Watched>,
    /// Of events that came.
    tokens: VecDeque<u64>,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, watched: Slab::new(), tokens: VecDeque::with_capacity(EVENTS_MAX) })
    }

    /// Watches a descriptor for what can be read from it, and for its end.
    pub(super) fn watch(
        &mut self,
        descriptor: BorrowedFd<'_>,
        what: Watched,
    ) -> io::Result<WatchToken> {
        self.add(descriptor, what, EventFlags::IN)
    }

    /// The same of what comes from now on alone: also what is urgent, as a buffer that is full.
    pub(super) fn watch_news(
        &mut self,
        descriptor: BorrowedFd<'_>,
        what: Watched,
    ) -> io::Result<WatchToken> {
        self.add(descriptor, what, EventFlags::IN | EventFlags::PRI | EventFlags::ET)
    }

    fn add(
        &mut self,
        descriptor: BorrowedFd<'_>,
        what: Watched,
        flags: EventFlags,
    ) -> io::Result<WatchToken> {
        let token = self.watched.insert(what);
        let data = epoll::EventData::new_u64(token as u64);
        if let Err(errno) = epoll::add(&self.epoll, descriptor, data, flags) {
            self.watched.remove(token);
            return Err(errno.into());
        }
        Ok(WatchToken(token))
    }

    /// Watches a descriptor also for room to write, or no longer for it.
    pub(super) fn watch_room(
        &self,
        descriptor: impl AsFd,
        WatchToken(token): WatchToken,
        is: bool,
    ) {
        let flags = if is { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        // It fails only for a descriptor that is not watched.
        let _ =
            epoll::modify(&self.epoll, descriptor, epoll::EventData::new_u64(token as u64), flags);
    }

    /// Watches a descriptor no longer.
    pub(super) fn unwatch(&mut self, descriptor: BorrowedFd<'_>, WatchToken(token): WatchToken) {
        // It fails only for a descriptor that is not watched.
        let _ = epoll::delete(&self.epoll, descriptor);
        self.watched.try_remove(token);
    }

    /// Waits for events, for ever without a `timeout`.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.tokens.clear();
        let timeout = timeout.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let mut room = [const { MaybeUninit::uninit() }; EVENTS_MAX];
        match epoll::wait(&self.epoll, &mut room, timeout.as_ref()) {
            Ok((events, _)) => self.tokens.extend(events.iter().map(|event| event.data.u64())),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }

    /// Takes an event that came. What is watched no longer has none.
    pub(super) fn next_event(&mut self) -> Option<Watched> {
        loop {
            let token = self.tokens.pop_front()?;
            let watched = usize::try_from(token).ok().and_then(|token| self.watched.get(token));
            if let Some(watched) = watched {
                return Some(*watched);
            }
        }
    }
}
