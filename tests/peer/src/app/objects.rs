//! The objects of an application and what LTTng-UST lets happen to them.

use lttngd_wire::ust::command::{Command, UstError};

/// `EBUSY`.
const BUSY: UstError = UstError::Unspecified { errno: 16 };

#[derive(Clone, Debug)]
pub(super) enum Object {
    Root,
    Session { active: bool, was_active: bool },
    Channel { session: u32, enabled: bool, announced: bool },
    Event { channel: u32, name: String, enabled: bool, announced: bool },
    List { next: usize },
    FieldList { next: usize },
    Group,
    Notifier { group: u32, enabled: bool },
    Counter { group: u32 },
}

/// Why a command is not done.
#[derive(Debug)]
pub enum Trouble {
    /// The application answers so.
    Refused(UstError),
    /// LTTng-UST would drop the connection.
    Fault(String),
}

impl From<UstError> for Trouble {
    fn from(error: UstError) -> Self {
        Self::Refused(error)
    }
}

/// The table of handles, in which free places are used again, the last one first.
#[derive(Debug)]
pub struct Objects {
    table: Vec<Option<Object>>,
    free: Vec<u32>,
}

impl Default for Objects {
    fn default() -> Self {
        Self { table: vec![Some(Object::Root)], free: Vec::new() }
    }
}

impl Objects {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table.iter().flatten().count() - 1
    }

    /// What its active sessions have enabled: for each session its channels, and for each of these the names of the
    /// events.
    #[must_use]
    pub fn recorded(&self) -> Vec<Vec<Vec<String>>> {
        let active = |object: &Object| matches!(object, Object::Session { active: true, .. });
        let sessions = self.handles(active).into_iter();
        sessions.map(|session| self.channels(session)).collect()
    }

    fn channels(&self, session: u32) -> Vec<Vec<String>> {
        let own = |object: &Object| matches!(object, Object::Channel { session: of, enabled: true, .. } if *of == session);
        let mut channels: Vec<_> =
            self.handles(own).into_iter().map(|channel| self.events(channel)).collect();
        channels.sort();
        channels
    }

    fn events(&self, channel: u32) -> Vec<String> {
        let own = |object: &Object| match object {
            Object::Event { channel: of, name, enabled: true, .. } if *of == channel => {
                Some(name.clone())
            }
            _ => None,
        };
        let mut events: Vec<_> = self.table.iter().flatten().filter_map(own).collect();
        events.sort();
        events
    }

    pub(super) fn get(&mut self, handle: u32) -> Result<&mut Object, Trouble> {
        let unknown = || Trouble::Fault(format!("handle {handle} is unknown"));
        self.table.get_mut(handle as usize).and_then(Option::as_mut).ok_or_else(unknown)
    }

    fn insert(&mut self, object: Object) -> u32 {
        if let Some(handle) = self.free.pop() {
            self.table[handle as usize] = Some(object);
            return handle;
        }
        self.table.push(Some(object));
        u32::try_from(self.table.len() - 1).unwrap()
    }

    /// Does a command: the value of the reply.
    ///
    /// # Errors
    /// [`Trouble`] when LTTng-UST would not do it.
    pub fn apply(&mut self, handle: u32, command: &Command) -> Result<u32, Trouble> {
        let wrong = || Trouble::Fault(format!("{command:?} is not for handle {handle}"));
        let object = self.get(handle)?;
        let made = match (command, object) {
            (
                Command::TracerVersion | Command::WaitQuiescent | Command::RegisterDone,
                Object::Root,
            ) => return Ok(0),
            (Command::Session, Object::Root) => {
                Object::Session { active: false, was_active: false }
            }
            (Command::TracepointList, Object::Root) => Object::List { next: 0 },
            (Command::TracepointFieldList, Object::Root) => Object::FieldList { next: 0 },
            (Command::Channel { .. }, Object::Session { was_active, .. }) => match was_active {
                true => return Err(BUSY.into()),
                false => Object::Channel { session: handle, enabled: true, announced: false },
            },
            (Command::Event { name, .. }, Object::Channel { .. }) => {
                let name = name.clone();
                Object::Event { channel: handle, name, enabled: false, announced: false }
            }
            (Command::Exclusion { count: 0 }, _) => {
                return Err(Trouble::Fault("no exclusion in EXCLUSION".to_owned()));
            }
            (Command::EventNotifierGroupCreate, Object::Root) => Object::Group,
            (Command::EventNotifierCreate, Object::Group) => {
                Object::Notifier { group: handle, enabled: false }
            }
            (Command::Counter, Object::Group) => Object::Counter { group: handle },
            (
                Command::Filter(_) | Command::Exclusion { .. },
                Object::Event { .. } | Object::Notifier { enabled: false, .. },
            )
            | (Command::Capture(_), Object::Notifier { enabled: false, .. })
            | (Command::CounterCpu { .. }, Object::Counter { .. })
            | (Command::Stream { .. } | Command::FlushBuffer, Object::Channel { .. })
            | (Command::SessionStatedump, Object::Session { .. }) => return Ok(0),
            (Command::Context(_), Object::Channel { session, .. }) => {
                let session = *session;
                return match self.get(session)? {
                    Object::Session { was_active: true, .. } => Err(UstError::Permission.into()),
                    _ => Ok(0),
                };
            }
            (Command::Enable | Command::Disable, object) => {
                return set(object, *command == Command::Enable).ok_or_else(wrong)?;
            }
            (Command::Release, Object::Root) => return Err(UstError::Permission.into()),
            (Command::Release, _) => return self.release(handle),
            _ => return Err(wrong()),
        };
        Ok(self.insert(made))
    }

    /// A parent that goes before its children is no fault in LTTng-UST, where they keep it, but it
    /// is one of the daemon.
    fn release(&mut self, handle: u32) -> Result<u32, Trouble> {
        let is_child = |object: &Object| match object {
            Object::Channel { session: parent, .. }
            | Object::Event { channel: parent, .. }
            | Object::Notifier { group: parent, .. }
            | Object::Counter { group: parent } => *parent == handle,
            _ => false,
        };
        if self.table.iter().flatten().any(is_child) {
            return Err(Trouble::Fault(format!("handle {handle} is released before its children")));
        }
        self.table[handle as usize] = None;
        self.free.push(handle);
        Ok(0)
    }

    /// What an application announces of a session that becomes active: (channel, name of the event)
    /// and then (channel, nothing) for each channel.
    pub fn announcements(&mut self, session: u32) -> Vec<(u32, Option<String>)> {
        let channels: Vec<u32> = self.handles(
            |object| matches!(object, Object::Channel { session: of, .. } if *of == session),
        );
        let mut list = Vec::new();
        for channel in channels {
            for object in self.table.iter_mut().flatten() {
                if let Object::Event { channel: of, name, enabled: true, announced } = object
                    && *of == channel
                    && !std::mem::replace(announced, true)
                    && !name.contains('*')
                {
                    list.push((channel, Some(name.clone())));
                }
            }
            if let Ok(Object::Channel { announced, .. }) = self.get(channel)
                && !std::mem::replace(announced, true)
            {
                list.push((channel, None));
            }
        }
        list
    }

    fn handles(&self, wanted: impl Fn(&Object) -> bool) -> Vec<u32> {
        let numbered = self.table.iter().enumerate();
        let chosen = numbered.filter(|(_, object)| object.as_ref().is_some_and(&wanted));
        chosen.map(|(handle, _)| u32::try_from(handle).unwrap()).collect()
    }
}

fn set(object: &mut Object, on: bool) -> Option<Result<u32, Trouble>> {
    let state = match object {
        Object::Session { active, was_active } => {
            *was_active |= on;
            active
        }
        Object::Channel { enabled, .. } => enabled,
        Object::Event { enabled, .. } | Object::Notifier { enabled, .. } => {
            *enabled = on;
            return Some(Ok(0));
        }
        Object::Root
        | Object::List { .. }
        | Object::FieldList { .. }
        | Object::Group
        | Object::Counter { .. } => return None,
    };
    if *state == on {
        return Some(Err(BUSY.into()));
    }
    *state = on;
    Some(Ok(0))
}
