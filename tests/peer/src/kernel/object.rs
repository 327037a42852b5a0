//! What there is in the fake tracer.

use lttngd_wire::ust::Abi;
use std::{
    collections::{BTreeSet, HashMap},
    os::fd::{BorrowedFd, OwnedFd},
};

use lttngd_model::Context;
use lttngd_wire::{
    kernel::{Call, EventNotifier, Instrumentation},
    ust::notification::EventNotification,
};
use rustix::io::Errno;

use super::{identity, is_closed, pipe};

/// Something of the tracer's. Sessions, and what is in each, are counted from 0.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KernelObject {
    /// The tracer itself.
    Tracer,
    /// A session.
    Session(usize),
    /// A channel of a session.
    Channel(usize, usize),
    /// A metadata channel of a session.
    Metadata(usize, usize),
    /// A stream of a channel.
    Stream(usize, usize),
    /// An event rule of a channel.
    Event(usize, usize),
    /// A group of event notifiers.
    NotifierGroup(usize),
    /// Where the events of a group are told.
    Notifications(usize),
    /// The counters of what a group cannot tell.
    ErrorCounters(usize),
    /// An event notifier of a group.
    Notifier(usize, usize),
}

/// All there is.
pub(super) struct Objects {
    processors: usize,
    /// By the identity of the descriptor, with the end that tells whether somebody has it.
    given: HashMap<u64, (KernelObject, OwnedFd)>,
    /// Those of a tracer that was lost, and what they answer.
    lost: HashMap<u64, Errno>,
    sessions: Vec<Session>,
    groups: Vec<Group>,
}

#[derive(Default)]
struct Session {
    active: bool,
    was_started: bool,
    /// Of both kinds, in the order of creation.
    channels: Vec<Channel>,
    events: Vec<Event>,
    streams: usize,
    tracked: HashMap<i32, Option<BTreeSet<i32>>>,
}

struct Channel {
    is_metadata: bool,
    enabled: bool,
    /// How many buffers have their reader.
    read: usize,
    contexts: Vec<Context>,
    names: BTreeSet<String>,
}

struct Event {
    /// Tracepoints and system calls can be enabled as often as one likes.
    is_probe: bool,
    /// Whether it is placed in a program.
    has_places: bool,
    enabled: bool,
}

#[derive(Default)]
struct Group {
    is_told: bool,
    /// What could not be told, once it is counted.
    counters: Option<Vec<i64>>,
    notifiers: Vec<Notifier>,
}

struct Notifier {
    rule: EventNotifier,
    event: Event,
}

type Answer = Result<Option<OwnedFd>, Errno>;

impl Objects {
    pub(super) fn new(processors: usize) -> Self {
        Self {
            processors,
            given: HashMap::new(),
            lost: HashMap::new(),
            sessions: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Gives a descriptor of something.
    pub(super) fn make(&mut self, object: KernelObject) -> OwnedFd {
        let (given, kept) = pipe();
        let identity = identity(&given);
        self.lost.remove(&identity);
        self.given.insert(identity, (object, kept));
        given
    }

    pub(super) fn of(&self, descriptor: BorrowedFd<'_>) -> Option<KernelObject> {
        self.given.get(&identity(descriptor)).map(|(object, _)| *object)
    }

    /// Nothing of what there is does anything but answer this.
    pub(super) fn lose_all(&mut self, answer: Errno) {
        self.lost.extend(self.given.keys().map(|identity| (*identity, answer)));
    }

    /// What a descriptor answers whose tracer was lost.
    pub(super) fn lost(&self, descriptor: BorrowedFd<'_>) -> Option<Errno> {
        self.lost.get(&identity(descriptor)).copied()
    }

    /// What somebody has a descriptor of.
    pub(super) fn open(&mut self) -> Vec<KernelObject> {
        self.given.retain(|_, (_, kept)| !is_closed(kept));
        let mut open: Vec<_> = self.given.values().map(|(object, _)| *object).collect();
        open.sort_unstable();
        open
    }

    pub(super) fn add_processor(&mut self) {
        self.processors += 1;
        for (object, kept) in self.given.values() {
            if matches!(object, KernelObject::Channel(..)) {
                // Who polls the channel sees it.
                rustix::io::write(kept, b"!").unwrap();
            }
        }
    }

    pub(super) fn answer(&mut self, object: KernelObject, call: Call) -> Answer {
        match object {
            KernelObject::Tracer => match call {
                Call::CreateSession => {
                    self.sessions.push(Session::default());
                    Ok(Some(self.make(KernelObject::Session(self.sessions.len() - 1))))
                }
                Call::CreateNotifierGroup => {
                    self.groups.push(Group::default());
                    Ok(Some(self.make(KernelObject::NotifierGroup(self.groups.len() - 1))))
                }
                _ => Err(Errno::NOTTY),
            },
            KernelObject::NotifierGroup(group) => {
                let made = self.groups[group].answer(group, call)?;
                Ok(Some(self.make(made)))
            }
            KernelObject::Notifier(group, notifier) => {
                self.groups[group].notifiers[notifier].event.tell(&call)
            }
            KernelObject::ErrorCounters(group) => match call {
                Call::ClearErrors(index) => {
                    *self.groups[group].counter(index)? = 0;
                    Ok(None)
                }
                _ => Err(Errno::NOTTY),
            },
            KernelObject::Notifications(_) => Err(Errno::NOTTY),
            KernelObject::Session(session) => self.of_session(session, call),
            KernelObject::Channel(session, channel) => self.of_channel(session, channel, call),
            KernelObject::Metadata(session, channel) => match call {
                Call::OpenStream => self.open_stream(session, channel),
                _ => Err(Errno::NOTTY),
            },
            KernelObject::Event(session, event) => self.sessions[session].events[event].tell(&call),
            KernelObject::Stream(..) => match call {
                Call::Flush => Ok(None),
                _ => Err(Errno::NOTTY),
            },
        }
    }

    /// What a counter of a group counted.
    pub(super) fn errors(&mut self, object: KernelObject, index: u64) -> Result<i64, Errno> {
        match object {
            KernelObject::ErrorCounters(group) => self.groups[group].counter(index).copied(),
            _ => Err(Errno::NOTTY),
        }
    }

    /// The tracer's end of where the events of a group are told.
    pub(super) fn notifications(&self, group: usize) -> Option<&OwnedFd> {
        let object = KernelObject::Notifications(group);
        self.given.values().find(|(known, _)| *known == object).map(|(_, kept)| kept)
    }

    /// Nothing can be read there any more.
    pub(super) fn lose_notifications(&mut self) {
        self.given.retain(|_, (object, _)| !matches!(object, KernelObject::Notifications(_)));
    }

    /// An event happens: those who want to know are told, or it is counted. How many are told.
    pub(super) fn happen(&mut self, event: &str, captures: &[u8]) -> usize {
        let mut told = 0;
        for group in 0..self.groups.len() {
            for at in 0..self.groups[group].notifiers.len() {
                let notifier = &self.groups[group].notifiers[at];
                if notifier.rule.event.name != event || !notifier.event.enabled {
                    continue;
                }
                let (token, index) = (notifier.rule.token, notifier.rule.error_counter_index);
                let record = EventNotification { token, captures }.encode(Abi::V9);
                let Some(pipe) = self.notifications(group) else { continue };
                match rustix::io::write(pipe, &record) {
                    Ok(_) => told += 1,
                    Err(_is_full) => *self.groups[group].counter(index).unwrap() += 1,
                }
            }
        }
        told
    }

    fn of_session(&mut self, number: usize, call: Call) -> Answer {
        let session = &mut self.sessions[number];
        match call {
            Call::CreateChannel(settings) | Call::CreateMetadata(settings)
                if !settings.subbuf_size_bytes.is_power_of_two()
                    || settings.subbuf_size_bytes < 4096
                    || !settings.num_subbuf.is_power_of_two() =>
            {
                Err(Errno::INVAL)
            }
            Call::CreateChannel(_) if session.was_started => Err(Errno::INVAL),
            Call::CreateChannel(_) | Call::CreateMetadata(_) => {
                let is_metadata = matches!(call, Call::CreateMetadata(_));
                let channel = session.add_channel(is_metadata);
                Ok(Some(self.make(match is_metadata {
                    true => KernelObject::Metadata(number, channel),
                    false => KernelObject::Channel(number, channel),
                })))
            }
            Call::Start | Call::Stop => {
                let active = call == Call::Start;
                if session.active == active {
                    return Err(Errno::BUSY);
                }
                session.active = active;
                session.was_started |= active;
                Ok(None)
            }
            Call::TrackPid(id) => session.track(0, id, true),
            Call::UntrackPid(id) => session.track(0, id, false),
            Call::Track(attribute, id) => session.track(attribute as i32, id, true),
            Call::Untrack(attribute, id) => session.track(attribute as i32, id, false),
            Call::RegenerateMetadata if !session.active => Err(Errno::BUSY),
            Call::RegenerateMetadata | Call::Statedump => Ok(None),
            Call::SetName(_) | Call::SetCreationTime(_) => Ok(None),
            _ => Err(Errno::NOTTY),
        }
    }

    fn of_channel(&mut self, session: usize, channel: usize, call: Call) -> Answer {
        let of = &mut self.sessions[session];
        let was_started = of.was_started;
        let known = &mut of.channels[channel];
        match call {
            Call::OpenStream => self.open_stream(session, channel),
            Call::CreateEvent(event) => {
                let is_probe = match event.instrumentation {
                    Instrumentation::Tracepoint | Instrumentation::Syscall(_) => false,
                    Instrumentation::Function => return Err(Errno::INVAL),
                    _ => true,
                };
                let has_places = matches!(event.instrumentation, Instrumentation::Uprobe(_));
                if is_probe && !known.names.insert(event.name) {
                    return Err(Errno::EXIST);
                }
                of.events.push(Event { is_probe, has_places, enabled: false });
                let event = of.events.len() - 1;
                Ok(Some(self.make(KernelObject::Event(session, event))))
            }
            Call::AddContext(_) if was_started => Err(Errno::PERM),
            Call::AddContext(context) if known.contexts.contains(&context) => Err(Errno::EXIST),
            Call::AddContext(context) => {
                known.contexts.push(context);
                Ok(None)
            }
            Call::Enable | Call::Disable => {
                let enabled = call == Call::Enable;
                if known.enabled == enabled {
                    return Err(Errno::EXIST);
                }
                known.enabled = enabled;
                Ok(None)
            }
            _ => Err(Errno::NOTTY),
        }
    }

    fn open_stream(&mut self, session: usize, channel: usize) -> Answer {
        let processors = self.processors;
        let of = &mut self.sessions[session];
        let known = &mut of.channels[channel];
        let buffers = if known.is_metadata { 1 } else { processors };
        if known.read == buffers {
            return Err(Errno::NOENT);
        }
        known.read += 1;
        of.streams += 1;
        let stream = of.streams - 1;
        Ok(Some(self.make(KernelObject::Stream(session, stream))))
    }
}

impl Session {
    fn add_channel(&mut self, is_metadata: bool) -> usize {
        self.channels.push(Channel {
            is_metadata,
            enabled: true,
            read: 0,
            contexts: Vec::new(),
            names: BTreeSet::new(),
        });
        self.channels.len() - 1
    }

    /// A tracker lets all through, or a set.
    fn track(&mut self, kind: i32, id: i32, tracked: bool) -> Answer {
        let tracker = self.tracked.entry(kind).or_insert(None);
        match (id, tracked) {
            (-1, true) => *tracker = None,
            (-1, false) => *tracker = Some(BTreeSet::new()),
            (id, true) => {
                if !tracker.get_or_insert_default().insert(id) {
                    return Err(Errno::EXIST);
                }
            }
            (id, false) => {
                if !tracker.as_mut().is_some_and(|set| set.remove(&id)) {
                    return Err(Errno::NOENT);
                }
            }
        }
        Ok(None)
    }
}

impl Group {
    /// What is made by a call to the group.
    fn answer(&mut self, number: usize, call: Call) -> Result<KernelObject, Errno> {
        match call {
            Call::OpenNotifications if self.is_told => Err(Errno::NOENT),
            Call::OpenNotifications => {
                self.is_told = true;
                Ok(KernelObject::Notifications(number))
            }
            Call::CreateErrorCounters(_) if self.counters.is_some() => Err(Errno::BUSY),
            Call::CreateErrorCounters(count) => {
                self.counters = Some(vec![0; usize::try_from(count).unwrap()]);
                Ok(KernelObject::ErrorCounters(number))
            }
            Call::CreateNotifier(rule) => {
                let (is_probe, has_places) = match rule.event.instrumentation {
                    Instrumentation::Tracepoint | Instrumentation::Syscall(_) => (false, false),
                    Instrumentation::Kprobe(_) => (true, false),
                    Instrumentation::Uprobe(_) => (true, true),
                    _ => return Err(Errno::INVAL),
                };
                *self.counter(rule.error_counter_index).map_err(|_| Errno::INVAL)? = 0;
                let event = Event { is_probe, has_places, enabled: false };
                self.notifiers.push(Notifier { rule: *rule, event });
                Ok(KernelObject::Notifier(number, self.notifiers.len() - 1))
            }
            _ => Err(Errno::NOTTY),
        }
    }

    fn counter(&mut self, index: u64) -> Result<&mut i64, Errno> {
        let at = usize::try_from(index).map_err(|_| Errno::OVERFLOW)?;
        self.counters.as_mut().and_then(|all| all.get_mut(at)).ok_or(Errno::OVERFLOW)
    }
}

impl Event {
    fn tell(&mut self, call: &Call) -> Answer {
        match call {
            Call::Filter(_) | Call::Capture(_) if self.is_probe => Err(Errno::INVAL),
            Call::Filter(_) | Call::Capture(_) => Ok(None),
            Call::AddCallsite(_) if self.has_places => Ok(None),
            Call::AddCallsite(_) => Err(Errno::INVAL),
            Call::Enable | Call::Disable => {
                let enabled = *call == Call::Enable;
                if self.is_probe && self.enabled == enabled {
                    return Err(Errno::EXIST);
                }
                self.enabled = enabled;
                Ok(None)
            }
            _ => Err(Errno::NOTTY),
        }
    }
}
