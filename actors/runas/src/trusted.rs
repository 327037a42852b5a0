//! Directories of root's own sessions, by their absolute paths. Others may own a directory on the way and
//! change what is in it at any time: a link that they put there would lead root's files anywhere.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path},
};

use rustix::{
    fs::{
        CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, fchmod, fstat, fstatfs, mkdirat, openat,
        readlinkat,
    },
    io::Errno,
};

use crate::below::{DIRECTORY, DIRECTORY_MODE};

/// Most links on a path, as in the system.
const LINKS_MAX: usize = 40;
/// Most changes by others between two looks.
const TRIES_MAX: usize = 64;

const WAY: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// What becomes of directories that are missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Missing {
    /// They are made.
    Make,
    /// They are an error.
    Fail,
}

/// Opens a directory. Links on the way are followed that belong to root.
pub(crate) fn open(path: &Path, missing: Missing) -> io::Result<OwnedFd> {
    if !path.is_absolute() {
        return Err(Errno::INVAL.into());
    }
    let mut directory = root()?;
    let mut left = names(path);
    let (mut links, mut tries) = (0, 0);
    while let Some(name) = left.pop() {
        match openat(&directory, &name, WAY | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(next) => directory = next,
            Err(Errno::NOENT) if missing == Missing::Make && tries < TRIES_MAX => {
                tries += 1;
                match make(&directory, &name)? {
                    Some(made) => directory = made,
                    None => left.push(name),
                }
            }
            Err(Errno::NOTDIR | Errno::LOOP) if links < LINKS_MAX => {
                links += 1;
                directory = follow(directory, &name, &mut left)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(openat(&directory, ".", DIRECTORY, Mode::empty())?)
}

fn root() -> rustix::io::Result<OwnedFd> {
    openat(CWD, "/", WAY | OFlags::DIRECTORY, Mode::empty())
}

/// The names on a path, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.rev().collect()
}

/// Makes a directory; `None` when somebody else just has made something of its name.
fn make(parent: &OwnedFd, name: &OsStr) -> io::Result<Option<OwnedFd>> {
    match mkdirat(parent, name, DIRECTORY_MODE) {
        Ok(()) => {
            let made = openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
            // The process' umask had its say in mkdirat.
            fchmod(&made, DIRECTORY_MODE)?;
            Ok(Some(made))
        }
        Err(Errno::EXIST) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Where a link leads to: the directory from which the names go on that are left.
fn follow(parent: OwnedFd, name: &OsStr, left: &mut Vec<OsString>) -> io::Result<OwnedFd> {
    let link = openat(&parent, name, WAY | OFlags::NOFOLLOW, Mode::empty())?;
    let status = fstat(&link)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::Symlink {
        return Err(Errno::NOTDIR.into());
    }
    if status.st_uid != 0 {
        let text = format!(
            "{name:?} is a link of user {}, who could lead root anywhere: name the directory itself",
            status.st_uid
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    if fstatfs(&link)?.f_type == PROC_SUPER_MAGIC {
        // What such a link says is not where it leads.
        return Ok(openat(&parent, name, WAY | OFlags::DIRECTORY, Mode::empty())?);
    }
    let target = readlinkat(&link, "", Vec::new())?;
    let target = Path::new(OsStr::from_bytes(target.as_bytes()));
    left.extend(names(target));
    if target.is_absolute() { Ok(root()?) } else { Ok(parent) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{
        fs,
        os::unix::fs::{MetadataExt, lchown, symlink},
    };

    use super::*;

    fn is_at(opened: OwnedFd, path: &Path) -> bool {
        let opened = fs::File::from(opened).metadata().unwrap();
        let there = fs::metadata(path).unwrap();
        (opened.dev(), opened.ino()) == (there.dev(), there.ino())
    }

    #[test]
    fn directories_are_made_and_ones_own_links_followed() {
        if !rustix::process::geteuid().is_root() {
            // Only root follows links by their owner.
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let opened = open(&at("a/b/c"), Missing::Make).unwrap();
        assert!(is_at(opened, &at("a/b/c")));
        assert_eq!(fs::metadata(at("a")).unwrap().mode() & 0o777, 0o770);
        symlink(at("a"), at("absolute")).unwrap();
        symlink("a/../a/b", at("relative")).unwrap();
        symlink("loop", at("loop")).unwrap();
        fs::write(at("file"), "").unwrap();
        assert!(is_at(open(&at("absolute/b/c"), Missing::Fail).unwrap(), &at("a/b/c")));
        assert!(is_at(open(&at("relative/d"), Missing::Make).unwrap(), &at("a/b/d")));
        assert!(is_at(open(&at("a/b/../../a"), Missing::Fail).unwrap(), &at("a")));
        let cwd = std::env::current_dir().unwrap();
        assert!(is_at(open(Path::new("/proc/self/cwd"), Missing::Fail).unwrap(), &cwd));
        for bad in ["missing", "loop", "file", "file/a"] {
            assert!(open(&at(bad), Missing::Fail).is_err(), "{bad}");
        }
        assert!(open(Path::new("relative"), Missing::Make).is_err());
    }

    #[test]
    fn somebody_elses_link_leads_nowhere() {
        if !rustix::process::geteuid().is_root() {
            // Only root follows links by their owner.
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("precious")).unwrap();
        symlink(at("precious"), at("link")).unwrap();
        lchown(at("link"), Some(1234), None).unwrap();
        for (path, missing) in [("link", Missing::Fail), ("link/new", Missing::Make)] {
            let error = open(&at(path), missing).unwrap_err();
            assert!(error.to_string().contains("link of user 1234"), "{error}");
        }
        assert_eq!(fs::read_dir(at("precious")).unwrap().count(), 0);
    }
}
