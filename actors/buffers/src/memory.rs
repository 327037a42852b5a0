//! The memory of buffers: what each user holds of it, and whether there is any more. A consumer daemon allocates all
//! of a buffer when it makes it, and the kernel kills somebody where it has none left: so it is looked before.

mod room;

use std::{
    cell::Cell,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use lttngd_runtime::outside::blocking;
use lttngd_users::{Lease, Ledger, count_refusal};
use room::Room;
use thiserror::Error;
use tokio::time::Instant;

/// What is held, a plural.
pub const BUFFER_BYTES: &str = "bytes of buffers";
/// How long a look is good for. What is made meanwhile is counted.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// The file system of shared memory.
const SHARED_MEMORY: &str = "/dev/shm";

/// There is no memory for buffers.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{wanted} bytes of buffers are wanted, and {shortage}: {left} bytes are left for buffers")]
pub struct NoMemory {
    /// How much was wanted.
    pub wanted: u64,
    /// How much there is.
    pub left: u64,
    /// What is short.
    pub shortage: Shortage,
}

/// What leaves no memory for buffers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shortage {
    /// The memory of the machine.
    Machine,
    /// A limit of the control group of the daemon, or of one above it.
    ControlGroup,
    /// The file system of shared memory.
    SharedMemory,
    /// The user has his share of what there is.
    Share,
}

impl Shortage {
    /// As what a refusal is counted.
    fn counted_as(self) -> &'static str {
        match self {
            Self::Machine => "bytes of buffers in the machine's memory",
            Self::ControlGroup => "bytes of buffers in the control group",
            Self::SharedMemory => "bytes of buffers in /dev/shm",
            Self::Share => BUFFER_BYTES,
        }
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "this machine has too little memory for them",
            Self::ControlGroup => {
                "the control group of the daemon may have too little memory (memory.max)"
            }
            Self::SharedMemory => "/dev/shm has too little room for them",
            Self::Share => "the user has his share: what is left is for others",
        })
    }
}

/// The memory of the buffers that are made in this thread.
#[derive(Debug)]
struct Memory {
    ledger: Ledger,
    /// What there was when it was looked.
    looked: Cell<Option<(Instant, Room)>>,
    /// Bytes that were taken and may not have been allocated when it was looked.
    since: Cell<u64>,
    /// Bytes that are being allocated.
    making: Cell<u64>,
}

thread_local! {
    static MEMORY: Memory = Memory::new(rustix::process::geteuid().as_raw());
}

/// Memory that was taken and is being allocated, until it is dropped.
#[derive(Debug)]
pub(crate) struct Making {
    lease: Option<Lease>,
    len: u64,
}

impl Memory {
    fn new(owner: u32) -> Self {
        let ledger = Ledger::new(BUFFER_BYTES, 0).owned_by(owner);
        Self { ledger, looked: Cell::default(), since: Cell::default(), making: Cell::default() }
    }

    /// What was seen lately.
    fn known(&self, now: Instant) -> Option<Room> {
        self.looked.get().filter(|(at, _)| now < *at + LOOK_PERIOD).map(|(_, room)| room)
    }

    /// It was looked.
    fn saw(&self, room: Room, now: Instant) {
        self.looked.set(Some((now, room)));
        // What is being allocated may have been seen or not.
        self.since.set(self.making.get());
    }

    fn take(&self, uid: u32, len: u64, room: Room) -> Result<Making, NoMemory> {
        let left = room.left.saturating_sub(self.since.get());
        let refused = |shortage| NoMemory { wanted: len, left, shortage };
        if len > left {
            count_refusal(uid, room.shortage.counted_as());
            return Err(refused(room.shortage));
        }
        let lease = self.ledger.take(uid, len, left).map_err(|_| refused(Shortage::Share))?;
        self.since.set(self.since.get().saturating_add(len));
        self.making.set(self.making.get().saturating_add(len));
        Ok(Making { lease: Some(lease), len })
    }
}

/// Takes so many bytes of memory for buffers of a user's session, which are in files if there is a directory for them.
///
/// # Errors
/// [`NoMemory`], which is counted as a refusal of the user.
pub(crate) async fn take(uid: u32, len: u64, files: Option<&Path>) -> Result<Making, NoMemory> {
    let is_shared = files.is_some_and(|files| files.starts_with(SHARED_MEMORY));
    // Files elsewhere are allocated before they are used, so that who has no room is told.
    if files.is_some() && !is_shared {
        return MEMORY.with(|memory| memory.take(uid, len, Room::UNKNOWN));
    }
    let known = MEMORY.with(|memory| memory.known(Instant::now()));
    let mut room = match known {
        Some(room) => room,
        None => {
            // Files of the system, which it makes when they are read.
            let look = blocking(|| room::look(Path::new("/")));
            let room = look.await.unwrap_or(Room::UNKNOWN);
            MEMORY.with(|memory| memory.saw(room, Instant::now()));
            room
        }
    };
    if is_shared {
        let place = PathBuf::from(SHARED_MEMORY);
        let look = blocking(move || room::of_file_system(&place));
        room = room.min(look.await.ok().flatten().unwrap_or(Room::UNKNOWN));
    }
    MEMORY.with(|memory| memory.take(uid, len, room))
}

impl Making {
    /// It is allocated, and held until what is given is dropped.
    pub(crate) fn made(mut self) -> Option<Lease> {
        self.lease.take()
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        MEMORY.with(|memory| memory.making.set(memory.making.get().saturating_sub(self.len)));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn room(left: u64) -> Room {
        Room { left, shortage: Shortage::ControlGroup }
    }

    #[test]
    fn what_is_being_made_is_not_there_for_others() {
        let memory = Memory::new(0);
        let first = memory.take(7, 60, room(100)).unwrap();
        let refused = memory.take(0, 41, room(100)).unwrap_err();
        let expected = NoMemory { wanted: 41, left: 40, shortage: Shortage::ControlGroup };
        assert_eq!(refused, expected);
        memory.saw(room(100), Instant::now());
        assert!(memory.take(0, 41, room(100)).is_err(), "it may not have been seen");
        // As the end of the making does for what is made in the thread.
        memory.making.set(0);
        memory.saw(room(40), Instant::now());
        drop(memory.take(0, 40, room(40)).unwrap());
        assert_eq!(memory.ledger.held_by(7), 60);
        drop(first);
        assert_eq!(memory.ledger.held_by(7), 0);
    }

    #[test]
    fn a_user_leaves_some_to_others_and_root_takes_all_there_is() {
        let memory = Memory::new(0);
        let refused = memory.take(7, 80, room(100)).unwrap_err();
        assert_eq!(refused.shortage, Shortage::Share);
        assert!(memory.take(7, 75, room(100)).is_ok());
        memory.saw(room(100), Instant::now());
        memory.since.set(0);
        assert!(memory.take(0, 100, room(100)).is_ok());
    }

    #[test]
    fn each_shortage_is_counted_by_itself() {
        let memory = Memory::new(0);
        let uid = 4_000_001;
        for shortage in [Shortage::Machine, Shortage::ControlGroup, Shortage::SharedMemory] {
            memory.take(uid, 2, Room { left: 1, shortage }).unwrap_err();
            let counted = lttngd_users::refusals();
            assert!(counted.contains(&(uid, shortage.counted_as(), 1)), "{counted:?}");
        }
    }
}
