//! Files made with the rights of their owner.

use std::{ffi::CString, io};

use lttngd_model::Credentials;
use rustix::process::{Gid, Uid};

/// Whose rights decide what may be opened, and who owns what is made.
///
/// Root takes the owner's rights for files, in the calling thread and only while it opens, makes or
/// removes a file: user, group and further groups of the file system, which is what the kernel asks
/// for. A daemon that is not root has its own rights and no others.
#[derive(Clone, Debug)]
pub struct Owner {
    foreign: Option<Foreign>,
}

/// Rights that are not the process'.
#[derive(Clone, Debug)]
struct Foreign {
    credentials: Credentials,
    groups: Vec<Gid>,
}

impl Owner {
    /// The process itself.
    #[must_use]
    pub fn process() -> Self {
        Self { foreign: None }
    }

    /// The owner of these credentials. Reads the user database, which may block.
    ///
    /// # Errors
    /// `EPERM` when the process is neither root nor that user.
    pub fn look_up(credentials: Credentials) -> io::Result<Self> {
        let (own_uid, own_gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if credentials.uid == own_uid.as_raw() && credentials.gid == own_gid.as_raw() {
            return Ok(Self::process());
        }
        if !own_uid.is_root() {
            // A process of the user itself keeps the group that it has.
            let is_own = credentials.uid == own_uid.as_raw();
            return if is_own { Ok(Self::process()) } else { Err(rustix::io::Errno::PERM.into()) };
        }
        Ok(Self { foreign: Some(Foreign { credentials, groups: groups_of(credentials) }) })
    }

    /// Does `work` with the owner's rights.
    ///
    /// # Errors
    /// `EPERM` when the rights cannot be taken, else what `work` returned.
    pub fn act<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(foreign) = &self.foreign else { return work() };
        let _own = OwnRights::leave(foreign)?;
        work()
    }
}

/// The rights that the thread had, which it takes back when this is dropped.
struct OwnRights {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl OwnRights {
    fn leave(foreign: &Foreign) -> io::Result<Self> {
        let own = Self {
            uid: rustix::process::geteuid(),
            gid: rustix::process::getegid(),
            groups: rustix::process::getgroups()?,
        };
        // From here on dropping `own` undoes it. The user last: with it go the capabilities over
        // files, though not those that the way back needs.
        rustix::thread::set_thread_groups(&foreign.groups)?;
        let Credentials { uid, gid } = foreign.credentials;
        set_file_rights(uid, gid)?;
        Ok(own)
    }
}

impl Drop for OwnRights {
    fn drop(&mut self) {
        // A failure leaves the thread with too few rights: what it opens later fails.
        let _ = set_file_rights(self.uid.as_raw(), self.gid.as_raw());
        let _ = rustix::thread::set_thread_groups(&self.groups);
    }
}

/// Sets user and group for files, of this thread alone.
fn set_file_rights(uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (nix::unistd::Uid::from_raw(uid), nix::unistd::Gid::from_raw(gid));
    let (no_uid, no_gid) =
        (nix::unistd::Uid::from_raw(u32::MAX), nix::unistd::Gid::from_raw(u32::MAX));
    nix::unistd::setfsgid(gid);
    nix::unistd::setfsuid(uid);
    // They do not tell failures; asking for what cannot be tells what holds.
    let taken = nix::unistd::setfsgid(no_gid) == gid && nix::unistd::setfsuid(no_uid) == uid;
    if taken { Ok(()) } else { Err(rustix::io::Errno::PERM.into()) }
}

/// The groups of a user: its own, and those that the user database has. A user whom the database
/// does not know has no others.
fn groups_of(Credentials { uid, gid }: Credentials) -> Vec<Gid> {
    let known = || {
        let user = nix::unistd::User::from_uid(uid.into()).ok()??;
        let name = CString::new(user.name).ok()?;
        nix::unistd::getgrouplist(&name, gid.into()).ok()
    };
    match known() {
        Some(groups) => groups.into_iter().map(|group| Gid::from_raw(group.as_raw())).collect(),
        None => vec![Gid::from_raw(gid)],
    }
}
