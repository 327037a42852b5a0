//! What one life of a consumer daemon has, and what must not be asked of it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
};

use lttngd_model::{ChannelKey, ChunkId, NetIndex, SessionId};
use lttngd_wire::consumer::{AskChannel, ChannelClass, Message, MetadataRequest};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Known, STILL_MAX};
use crate::{chance::Chance, story::Story};

const WHO: &str = "consumer";

/// A channel.
struct Channel {
    session: SessionId,
    is_metadata: bool,
    request: MetadataRequest,
    /// The end of its pipe that is read. Whoever has the channel has the other one.
    pipe: Option<OwnedFd>,
    version: u64,
    text: Vec<u8>,
}

/// What one life has.
pub(crate) struct Holding {
    story: Rc<Story>,
    known: Rc<RefCell<Known>>,
    channels: RefCell<BTreeMap<u64, Channel>>,
    /// Trace chunks that are not closed, by whose they are.
    chunks: RefCell<BTreeSet<(SessionId, ChunkId, Option<NetIndex>)>>,
    relays: RefCell<BTreeMap<u64, (SessionId, Vec<OwnedFd>)>>,
}

impl Holding {
    pub(super) fn new(story: Rc<Story>, known: Rc<RefCell<Known>>) -> Rc<Self> {
        Rc::new(Self {
            story,
            known,
            channels: RefCell::default(),
            chunks: RefCell::default(),
            relays: RefCell::default(),
        })
    }

    /// Nothing is left of it.
    pub(super) fn dies(&self) {
        let harmed: Vec<_> = self.channels.borrow().values().map(|it| it.session).collect();
        self.known.borrow_mut().harmed.extend(harmed);
        self.channels.borrow_mut().clear();
        self.chunks.borrow_mut().clear();
        self.relays.borrow_mut().clear();
    }

    /// Nothing is made for a session that has ended, unless that was asked for before, of one that stood still.
    fn check_alive(&self, session: SessionId, what: &str) {
        let ended = self.known.borrow().ended.borrow().get(&session).copied();
        if ended.is_some_and(|ended| ended.elapsed() > STILL_MAX) {
            self.story.wrong(WHO, format_args!("{what} is made for {session}, which has ended"));
        }
    }

    /// A command was not done.
    pub(super) fn refused(&self, message: &Message) {
        let session = match message {
            Message::AskChannelCreation(ask) => Some(ask.session_id),
            Message::GetChannel { key }
            | Message::SetupMetadata { key }
            | Message::PushMetadata { key, .. } => {
                self.channels.borrow().get(&key.0).map(|channel| channel.session)
            }
            Message::CreateTraceChunk { session_id, .. } => Some(*session_id),
            Message::AddRelaydSocket(socket) => Some(socket.session_id),
            _ => None,
        };
        self.known.borrow_mut().harmed.extend(session);
    }

    /// A command to let go of something was refused, or one after which the consumer daemon does so when it fails.
    pub(super) fn let_go_of(&self, message: &Message) {
        match message {
            Message::CloseMetadata { key }
            | Message::DestroyChannel { key }
            | Message::SetupMetadata { key } => {
                self.remove(*key);
            }
            Message::CloseTraceChunk { session_id, chunk_id, relayd_id, .. } => {
                self.close_chunk(*session_id, *chunk_id, *relayd_id);
            }
            Message::DestroyRelayd { net_index } => {
                self.remove_relay(*net_index);
            }
            _ => {}
        }
    }

    pub(super) fn create(&self, ask: &AskChannel) {
        self.check_alive(ask.session_id, "a channel");
        if !self.known.borrow_mut().keys.insert(ask.key.0) {
            self.story.wrong(WHO, format_args!("channel {} was given twice", ask.key));
        }
        let place = ask.chunk_id.map(|chunk| (ask.session_id, chunk, ask.relayd_id));
        if let Some(place) = place.filter(|place| !self.chunks.borrow().contains(place)) {
            self.story
                .wrong(WHO, format_args!("channel {} is in {place:?}, which is not open", ask.key));
        }
        let request = MetadataRequest {
            session_id: ask.session_id,
            session_id_per_pid: ask.session_id_per_pid,
            bits_per_long: 64,
            uid: ask.ust_app_uid,
            key: ask.key,
        };
        let is_metadata = ask.class == ChannelClass::Metadata;
        let (session, version, text) = (ask.session_id, 0, Vec::new());
        let channel = Channel { session, is_metadata, request, pipe: None, version, text };
        self.channels.borrow_mut().insert(ask.key.0, channel);
    }

    pub(super) fn has(&self, key: ChannelKey) -> bool {
        self.channels.borrow().contains_key(&key.0)
    }

    /// The end of a channel's pipe that others get.
    pub(super) fn give(&self, key: ChannelKey) -> Option<OwnedFd> {
        let mut channels = self.channels.borrow_mut();
        let channel = channels.get_mut(&key.0)?;
        if channel.pipe.is_some() {
            self.story.wrong(WHO, format_args!("channel {key} is fetched twice"));
        }
        let flags = rustix::pipe::PipeFlags::CLOEXEC;
        let (ours, theirs) = rustix::pipe::pipe_with(flags).unwrap();
        channel.pipe = Some(ours);
        Some(theirs)
    }

    pub(super) fn remove(&self, key: ChannelKey) -> bool {
        self.channels.borrow_mut().remove(&key.0).is_some()
    }

    /// A part of the text of a channel, which begins anew with each version.
    pub(super) fn store(&self, key: ChannelKey, version: u64, offset: u64, bytes: &[u8]) {
        let mut channels = self.channels.borrow_mut();
        let Some(channel) = channels.get_mut(&key.0) else { return };
        if version < channel.version {
            return;
        }
        if version > channel.version {
            channel.version = version;
            channel.text.clear();
        }
        let text = &mut channel.text;
        let offset = usize::try_from(offset).unwrap();
        if offset > text.len() {
            let end = text.len();
            self.story
                .wrong(WHO, format_args!("metadata of {key} from {offset}, and it ends at {end}"));
            return;
        }
        let both = (text.len() - offset).min(bytes.len());
        if text[offset..offset + both] != bytes[..both] {
            self.story.wrong(WHO, format_args!("metadata of {key} changes behind {offset}"));
        }
        text.extend_from_slice(&bytes[both..]);
    }

    /// A question for the metadata of one that has some.
    pub(super) fn metadata_to_ask_for(&self, chance: &Chance) -> Option<MetadataRequest> {
        let channels = self.channels.borrow();
        let all: Vec<_> = channels.values().filter(|channel| channel.is_metadata).collect();
        (!all.is_empty()).then(|| chance.one_of(&all).request)
    }

    pub(super) fn open_chunk(&self, session: SessionId, chunk: ChunkId, relay: Option<NetIndex>) {
        self.check_alive(session, "a trace chunk");
        if relay.is_none() && !self.known.borrow_mut().chunks.insert((session, chunk.0)) {
            self.story.wrong(WHO, format_args!("trace chunk {chunk} of {session} was made twice"));
        }
        self.chunks.borrow_mut().insert((session, chunk, relay));
    }

    pub(super) fn close_chunk(
        &self,
        session: SessionId,
        chunk: ChunkId,
        relay: Option<NetIndex>,
    ) -> bool {
        self.chunks.borrow_mut().remove(&(session, chunk, relay))
    }

    pub(super) fn has_chunk(
        &self,
        session: SessionId,
        chunk: ChunkId,
        relay: Option<NetIndex>,
    ) -> bool {
        self.chunks.borrow().contains(&(session, chunk, relay))
    }

    pub(super) fn add_relay(&self, index: NetIndex, session: SessionId, socket: OwnedFd) {
        self.check_alive(session, "a connection to a relay daemon");
        let mut relays = self.relays.borrow_mut();
        relays.entry(index.0).or_insert((session, Vec::new())).1.push(socket);
    }

    pub(super) fn remove_relay(&self, index: NetIndex) -> bool {
        self.relays.borrow_mut().remove(&index.0).is_some()
    }

    /// Lets go of channels that nobody has any more, as the consumer daemon's threads do that find their pipes at
    /// their ends.
    pub(crate) fn let_go(&self) {
        self.channels
            .borrow_mut()
            .retain(|_, channel| !channel.pipe.as_ref().is_some_and(has_ended));
    }

    /// What it has of a session.
    pub(crate) fn has_of(&self, session: SessionId) -> Vec<String> {
        let channels = self.channels.borrow();
        let channels = channels.iter().filter(|(_, channel)| channel.session == session).map(
            |(key, channel)| {
                let kind = if channel.is_metadata { "metadata" } else { "data" };
                format!("channel {key} of {kind}, fetched: {}", channel.pipe.is_some())
            },
        );
        let chunks = self.chunks.borrow();
        let chunks = chunks.iter().filter(|(of, ..)| *of == session);
        let chunks = chunks.map(|(_, chunk, relay)| format!("trace chunk {chunk} at {relay:?}"));
        let relays = self.relays.borrow();
        let relays = relays.iter().filter(|(_, (of, _))| *of == session);
        let relays = relays.map(|(index, _)| format!("connection {index} to a relay daemon"));
        channels.chain(chunks).chain(relays).collect()
    }

    /// How many trace chunks of a session are open.
    pub(crate) fn chunks_of(&self, session: SessionId) -> usize {
        self.chunks.borrow().iter().filter(|(of, ..)| *of == session).count()
    }
}

fn has_ended(pipe: &OwnedFd) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).unwrap() > 0 && polled[0].revents().contains(PollFlags::HUP)
}
