//! Files and directories made with the rights of their owner, so that the kernel decides what the
//! owner may do and where.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt, PermissionsExt},
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Gid, Uid},
};

/// Mode of the directories that hold traces.
const DIRECTORY_MODE: u32 = 0o770;

/// Runs `work`, which may block, on a thread that has the rights of user `uid`, of group `gid` and of
/// the further groups that the user database has for the user, and no others. A daemon that is not root has its own rights only: another `uid` is refused.
///
/// # Errors
/// `EPERM` when the rights cannot be taken, else what `work` returned.
pub async fn as_owner<T: Send + 'static>(
    uid: u32,
    gid: u32,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let own = rustix::process::geteuid().as_raw();
    if own == uid {
        return tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?;
    }
    if own != 0 {
        return Err(rustix::io::Errno::PERM.into());
    }
    let (reply, outcome) = tokio::sync::oneshot::channel();
    // A thread of its own, because rights given up cannot be taken back.
    std::thread::Builder::new().name("owner".to_owned()).spawn(move || {
        let outcome = become_user(Uid::from_raw(uid), Gid::from_raw(gid)).and_then(|()| work());
        // Nobody waits any more when the asker is gone.
        let _ = reply.send(outcome);
    })?;
    outcome.await.map_err(io::Error::other)?
}

/// Gives this thread's rights up for those of a user.
fn become_user(uid: Uid, gid: Gid) -> io::Result<()> {
    // Before the rights are gone that reading the user database may need.
    rustix::thread::set_thread_groups(&groups_of(uid, gid))?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

/// The groups of a user: `gid`, and those that the user database has. A user whom the database does
/// not know has no others.
fn groups_of(uid: Uid, gid: Gid) -> Vec<Gid> {
    let known = || {
        let user = nix::unistd::User::from_uid(uid.as_raw().into()).ok()??;
        let name = CString::new(user.name).ok()?;
        nix::unistd::getgrouplist(&name, gid.as_raw().into()).ok()
    };
    match known() {
        Some(groups) => groups.into_iter().map(|group| Gid::from_raw(group.as_raw())).collect(),
        None => vec![gid],
    }
}

/// Makes the directory `path` with all its parents, where they are missing, and opens it.
///
/// # Errors
/// What the system calls return; `EINVAL` for a path that is not absolute.
pub fn make_root_directory(path: &Path) -> io::Result<OwnedFd> {
    if !path.is_absolute() {
        return Err(rustix::io::Errno::INVAL.into());
    }
    let missing: Vec<PathBuf> = path
        .ancestors()
        .take_while(|ancestor| fs::symlink_metadata(ancestor).is_err())
        .map(Path::to_owned)
        .collect();
    for directory in missing.iter().rev() {
        match fs::DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
            Ok(()) => fs::set_permissions(directory, fs::Permissions::from_mode(DIRECTORY_MODE))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Makes the directory `path` below `root` with all its parents, where they are missing, and opens
/// it. Links are not followed, so that the result is below `root` whatever others do meanwhile.
///
/// # Errors
/// What the system calls return; `EINVAL` for a path with anything but names in it.
pub fn make_directory_below(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let mut directory = root.as_fd().try_clone_to_owned()?;
    for part in path.components() {
        let Component::Normal(name) = part else {
            return Err(rustix::io::Errno::INVAL.into());
        };
        let made = match rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(DIRECTORY_MODE))
        {
            Ok(()) => true,
            Err(rustix::io::Errno::EXIST) => false,
            Err(errno) => return Err(errno.into()),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        directory = rustix::fs::openat(&directory, name, flags, Mode::empty())?;
        if made {
            // The process' umask had its say in mkdirat.
            rustix::fs::fchmod(&directory, Mode::from_raw_mode(DIRECTORY_MODE))?;
        }
    }
    Ok(directory)
}
