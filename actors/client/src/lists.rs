//! The list of sessions as its replies have it: encoded once for each user and change, and shared by all whom
//! it is sent to.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use lttngd_handle::Handle;
use lttngd_model::Credentials;
use lttngd_wire::{
    Sparse,
    client::{Command, Reply, Request, encode_sessions},
};
use tokio::sync::Notify;

/// Most bytes of lists that there are before another one is encoded: those of the last change, and older ones
/// that clients have not taken yet.
const HELD_MAX: usize = 128 << 20;

/// The lists that there are.
pub(crate) struct Lists {
    handle: Handle,
    held_max: usize,
    newest: RefCell<Newest>,
    held: Rc<HeldLists>,
}

/// Those of the last change.
#[derive(Default)]
struct Newest {
    /// Of which state of the sessions they are.
    generation: u64,
    /// By user.
    lists: HashMap<u32, Rc<List>>,
}

#[derive(Default)]
struct HeldLists {
    bytes: Cell<usize>,
    /// One was let go.
    room: Notify,
}

/// A list, as long as it is the newest or somebody is sent it.
pub(crate) struct List {
    /// But for its data.
    reply: Reply,
    data: Sparse,
    held: Rc<HeldLists>,
}

impl Lists {
    pub(crate) fn new(handle: Handle) -> Self {
        Self::holding(handle, HELD_MAX)
    }

    /// That holds about so many bytes.
    pub(crate) fn holding(handle: Handle, held_max: usize) -> Self {
        let newest = Newest { generation: handle.sessions_generation(), ..Newest::default() };
        Self { handle, held_max, newest: RefCell::new(newest), held: Rc::default() }
    }

    /// The list of `requester`; `None` while there are too many that clients have not taken.
    pub(crate) fn newest(&self, requester: Credentials) -> Option<Rc<List>> {
        let mut newest = self.newest.borrow_mut();
        // Taken before the sessions are looked at: what changes meanwhile makes another generation.
        let generation = self.handle.sessions_generation();
        if generation != newest.generation {
            *newest = Newest { generation, ..Newest::default() };
        }
        if let Some(list) = newest.lists.get(&requester.uid) {
            return Some(Rc::clone(list));
        }
        if self.held.bytes.get() > self.held_max {
            newest.lists.clear();
            if self.held.bytes.get() > self.held_max {
                return None;
            }
        }
        let list = Rc::new(self.encode(requester));
        newest.lists.insert(requester.uid, Rc::clone(&list));
        Some(list)
    }

    /// The same, when there is room for it.
    pub(crate) async fn when_there_is_room(&self, requester: Credentials) -> Rc<List> {
        loop {
            let room = self.held.room.notified();
            if let Some(list) = self.newest(requester) {
                return list;
            }
            room.await;
        }
    }

    fn encode(&self, requester: Credentials) -> List {
        let (request, _) = Request::new(&Command::ListSessions);
        let (reply, data) = match self.handle.acting_for(requester).shown_sessions() {
            Ok(sessions) => (Reply::ok(&request), encode_sessions(&sessions)),
            Err(code) => (Reply::error(&request, code), Sparse::default()),
        };
        self.held.bytes.set(self.held.bytes.get() + data.held_len());
        List { reply, data, held: Rc::clone(&self.held) }
    }
}

impl List {
    /// What stands before the data in the reply to the request with this `pid`.
    pub(crate) fn head(&self, pid: i32) -> Vec<u8> {
        self.reply.encode_head_of(pid, self.data.len())
    }

    /// The data of all replies.
    pub(crate) fn data(&self) -> &Sparse {
        &self.data
    }
}

impl Drop for List {
    fn drop(&mut self) {
        self.held.bytes.set(self.held.bytes.get() - self.data.held_len());
        self.held.room.notify_waiters();
    }
}
