//! The list of sessions as its replies have it: encoded once for each user and change, and shared by all whom
//! it is sent to.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use lttngd_handle::Handle;
use lttngd_model::Credentials;
use lttngd_users::Lease;
use lttngd_wire::{
    Sparse,
    client::{Command, Dialect, Reply, Request, encode_sessions},
};
use tokio::sync::Notify;

use crate::replies::{Replies, has_become};

/// The lists that there are.
pub(crate) struct Lists {
    handle: Handle,
    replies: Replies,
    newest: RefCell<Newest>,
    /// One was let go.
    room: Rc<Notify>,
}

/// Those of the last change.
#[derive(Default)]
struct Newest {
    /// Of which state of the sessions they are.
    generation: u64,
    /// By user and version.
    lists: HashMap<(u32, Dialect), Rc<List>>,
}

/// A list, as long as it is the newest or somebody is sent it.
pub(crate) struct List {
    /// But for its data.
    reply: Reply,
    data: Sparse,
    /// What it has of its user's share.
    lease: Lease,
    room: Rc<Notify>,
}

impl Lists {
    /// Those that are counted among `replies`: those of the last change, and older ones that clients have not taken yet.
    pub(crate) fn new(handle: Handle, replies: Replies) -> Self {
        let newest = Newest { generation: handle.sessions_generation(), ..Newest::default() };
        Self { handle, replies, newest: RefCell::new(newest), room: Rc::default() }
    }

    /// The list of `requester` for clients of this version; `None` while there are too many that his clients have not
    /// taken.
    pub(crate) fn newest(&self, requester: Credentials, dialect: Dialect) -> Option<Rc<List>> {
        let mut newest = self.newest.borrow_mut();
        // Taken before the sessions are looked at: what changes meanwhile makes another generation.
        let generation = self.handle.sessions_generation();
        if generation != newest.generation {
            *newest = Newest { generation, ..Newest::default() };
        }
        if let Some(list) = newest.lists.get(&(requester.uid, dialect)) {
            return Some(Rc::clone(list));
        }
        let mut lease = self.replies.list(requester.uid);
        if lease.is_none() {
            newest.lists.clear();
            lease = self.replies.list(requester.uid);
        }
        let list = Rc::new(self.encode((requester, dialect), lease?));
        newest.lists.insert((requester.uid, dialect), Rc::clone(&list));
        Some(list)
    }

    /// The same, when there is room for it.
    pub(crate) async fn when_there_is_room(
        &self,
        requester: Credentials,
        dialect: Dialect,
    ) -> Rc<List> {
        loop {
            let room = self.room.notified();
            if let Some(list) = self.newest(requester, dialect) {
                return list;
            }
            room.await;
        }
    }

    fn encode(&self, (requester, dialect): (Credentials, Dialect), mut lease: Lease) -> List {
        let (request, _) = Request::new_in(dialect, &Command::ListSessions);
        let (reply, data) = match self.handle.acting_for(requester).shown_sessions() {
            Ok(sessions) => (Reply::ok(&request), encode_sessions(&sessions, dialect)),
            Err(code) => (Reply::error(&request, code), Sparse::default()),
        };
        has_become(&mut lease, data.held_len());
        List { reply, data, lease, room: Rc::clone(&self.room) }
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
        self.lease.shrink(u64::MAX);
        self.room.notify_waiters();
    }
}
