//! The `liblttng-ctl` of a client's process: which version it is of.
//!
//! Its file has neither a name nor a text that tells the version; what it exports differs, and the names of that stand
//! in its bytes. It is found by what the process has mapped, and read only when it is that very file by its inode: in a
//! container or under another root directory the same path leads to another one. The device is not compared, for the
//! kernel names another one for what is mapped out of an overlay. Nothing in it is followed that a client controls: no
//! symbolic link, no link of `/proc` but that of the mapping itself, nothing that is no regular file.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use lttngd_wire::client::{Dialect, Dialects};
use memchr::memmem;
use rustix::fs::{
    FileType, Mode, OFlags, RawMode, ResolveFlags, Stat, fstat, open, openat, openat2,
};
use thiserror::Error;

/// What the name of its file begins with.
const NAME: &[u8] = b"liblttng-ctl.so";
/// Most bytes that are read of what a process has mapped: programs have some kilobytes of it.
const MAPS_MAX_LEN: u64 = 4 << 20;
/// Most bytes of a library: those that there are have up to two megabytes with all symbols.
const LIBRARY_MAX_LEN: u64 = 32 << 20;
/// Most libraries of one process.
const LIBRARIES_MAX: usize = 4;

/// What every version exports that is looked for.
const IN_ALL: &str = "lttng_list_sessions";
/// What is exported since a version, the newest first.
const SINCE: [(&str, Dialect); 3] = [
    ("lttng_session_add_map_channel", Dialect::V2_16),
    ("lttng_reclaim_channel_memory", Dialect::V2_15),
    ("lttng_get_kernel_tracer_status", Dialect::V2_14),
];

/// Why nothing is known of a client's library.
#[derive(Debug, Error)]
pub(crate) enum LookError {
    /// None is mapped.
    #[error("it has no liblttng-ctl mapped")]
    None,
    /// The client is in another pid namespace.
    #[error("its process cannot be seen from here")]
    Unseen,
    /// Another process has taken its place.
    #[error("its process has ended, or runs another program now")]
    Gone,
    /// There are too many of them.
    #[error("it has more than {LIBRARIES_MAX} liblttng-ctl mapped")]
    TooMany,
    /// Its file is not the one that is mapped, or cannot be reached.
    #[error("the file of its liblttng-ctl cannot be found: {0}")]
    NotFound(io::Error),
    /// It is too large, no regular file, or changed meanwhile.
    #[error("its liblttng-ctl {0}")]
    Unfit(&'static str),
    /// Reading failed.
    #[error("it cannot be looked at: {0}")]
    Io(#[from] io::Error),
    /// It took too long.
    #[error("its liblttng-ctl could not be read in time")]
    Late,
}

/// A file as it is now.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
    len: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl FileId {
    /// Of any file of this length.
    #[cfg(test)]
    pub(super) fn of_len(len: i64) -> Self {
        Self { device: 0, inode: 0, len, modified: (0, 0), changed: (0, 0) }
    }

    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            len: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// Files that were read before.
pub(crate) type Libraries = HashMap<FileId, Dialect>;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The versions of the libraries that the process has: one, with nearly every program.
    pub(crate) dialects: Dialects,
    /// What was read for it.
    pub(crate) read: Vec<(FileId, Dialect)>,
}

/// Looks which libraries the process has mapped. It may wait for the file system in which they are.
///
/// # Errors
/// When one cannot be told.
pub(crate) fn look(pid: u32, known: &Libraries) -> Result<Found, LookError> {
    let mut maps = Vec::new();
    File::open(format!("/proc/{pid}/maps"))?.take(MAPS_MAX_LEN).read_to_end(&mut maps)?;
    let mut found = Found::default();
    let mut all = Vec::new();
    for mapping in mappings(&maps)? {
        let file = mapping.open(pid)?;
        let id = FileId::of(&stat_of(&file)?);
        let dialect = match known.get(&id) {
            Some(dialect) => *dialect,
            None => {
                let dialect = read(&file, id)?;
                found.read.push((id, dialect));
                dialect
            }
        };
        all.push(dialect);
    }
    found.dialects = Dialects::of(all);
    Ok(found)
}

/// A mapping of a library.
#[derive(Debug, Eq, PartialEq)]
struct Mapping<'a> {
    range: &'a str,
    inode: u64,
    path: &'a Path,
}

/// The mappings of libraries, one of each file.
fn mappings(maps: &[u8]) -> Result<Vec<Mapping<'_>>, LookError> {
    let mut found: Vec<Mapping<'_>> = Vec::new();
    for mapping in maps.split(|byte| *byte == b'\n').filter_map(mapping) {
        if found.iter().any(|it| (it.inode, it.path) == (mapping.inode, mapping.path)) {
            continue;
        }
        if found.len() == LIBRARIES_MAX {
            return Err(LookError::TooMany);
        }
        found.push(mapping);
    }
    if found.is_empty() { Err(LookError::None) } else { Ok(found) }
}

/// A line of what is mapped: the range, rights, offset, device, inode and path.
fn mapping(line: &[u8]) -> Option<Mapping<'_>> {
    let path = line.get(line.iter().position(|byte| *byte == b'/')?..)?;
    let name = path.get(path.iter().rposition(|byte| *byte == b'/')? + 1..)?;
    if !name.starts_with(NAME) {
        return None;
    }
    let head = std::str::from_utf8(line.get(..line.len() - path.len())?).ok()?;
    let mut fields = head.split_ascii_whitespace();
    let (range, inode) = (fields.next()?, fields.nth(3)?.parse().ok()?);
    Some(Mapping { range, inode, path: Path::new(OsStr::from_bytes(path)) })
}

impl Mapping<'_> {
    /// A place of its file that tells what it is and opens nothing.
    fn open(&self, pid: u32) -> Result<OwnedFd, LookError> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        // The mapping itself, where this process has the capability for it.
        let mapped = format!("/proc/{pid}/map_files/{}", self.range);
        let mapped = open(mapped, flags, Mode::empty()).map_err(io::Error::from);
        if let Ok(file) = mapped
            && self.is_it(&file)
        {
            return Ok(file);
        }
        // As the process sees it, and as this one does, for whom the path of a process under another root directory is.
        let roots = [format!("/proc/{pid}/root"), "/".to_owned()];
        let mut reason = io::Error::from(io::ErrorKind::NotFound);
        for root in roots {
            match self.open_below(&root) {
                Ok(file) if self.is_it(&file) => return Ok(file),
                Ok(_) => {}
                Err(error) => reason = error,
            }
        }
        Err(LookError::NotFound(reason))
    }

    fn open_below(&self, root: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let root = open(root, flags | OFlags::DIRECTORY, Mode::empty())?;
        let path = self.path.strip_prefix("/").map_err(io::Error::other)?;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
        Ok(openat2(root, path, flags, Mode::empty(), resolve)?)
    }

    fn is_it(&self, file: &OwnedFd) -> bool {
        stat_of(file).is_ok_and(|stat| stat.st_ino == self.inode)
    }
}

/// What a regular file is.
fn stat_of(file: &OwnedFd) -> Result<Stat, LookError> {
    let stat = fstat(file).map_err(io::Error::from)?;
    match FileType::from_raw_mode(stat.st_mode as RawMode) {
        FileType::RegularFile => Ok(stat),
        _ => Err(LookError::Unfit("is no regular file")),
    }
}

/// Reads what it exports.
fn read(file: &OwnedFd, id: FileId) -> Result<Dialect, LookError> {
    if u64::try_from(id.len).map_or(true, |len| len > LIBRARY_MAX_LEN) {
        return Err(LookError::Unfit("is too large"));
    }
    let own = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = openat(rustix::fs::CWD, own, flags, Mode::empty()).map_err(io::Error::from)?;
    let mut bytes = Vec::new();
    File::from(opened).take(LIBRARY_MAX_LEN).read_to_end(&mut bytes)?;
    if FileId::of(&stat_of(file)?) != id {
        return Err(LookError::Unfit("changed while it was read"));
    }
    dialect_of(&bytes).ok_or(LookError::Unfit("is of no version that is known"))
}

/// The version of a library of these bytes.
fn dialect_of(bytes: &[u8]) -> Option<Dialect> {
    let exports = |name: &str| {
        let framed = [b"\0", name.as_bytes(), b"\0"].concat();
        memmem::find(bytes, &framed).is_some()
    };
    if !exports(IN_ALL) {
        return None;
    }
    let newest = SINCE.into_iter().find(|(name, _)| exports(name));
    Some(newest.map_or(Dialect::V2_13, |(_, dialect)| dialect))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, os::unix::fs::MetadataExt};

    use super::*;

    const MAPS: &str = "\
55cd0a400000-55cd0a420000 r--p 00000000 08:01 917 /usr/bin/lttng
7f2c3a000000-7f2c3a010000 r--p 00000000 08:01 42                         /usr/lib/x86_64-linux-gnu/liblttng-ctl.so.0.0.0
7f2c3a010000-7f2c3a090000 r-xp 00010000 08:01 42                         /usr/lib/x86_64-linux-gnu/liblttng-ctl.so.0.0.0
7f2c3b000000-7f2c3b010000 r--p 00000000 00:00 0
7f2c3c000000-7f2c3c010000 r--p 00000000 08:01 77   /opt/a b/liblttng-ctl.so.0.0.0 (deleted)
7f2c3d000000-7f2c3d010000 r--p 00000000 08:01 78   /opt/liblttng-ctl.so/other.so
7ffd0a000000-7ffd0a021000 rw-p 00000000 00:00 0                          [stack]
";

    #[test]
    fn libraries_are_found_among_what_is_mapped() {
        let found = mappings(MAPS.as_bytes()).unwrap();
        let inodes: Vec<_> = found.iter().map(|it| (it.range, it.inode)).collect();
        assert_eq!(inodes, [("7f2c3a000000-7f2c3a010000", 42), ("7f2c3c000000-7f2c3c010000", 77)]);
        assert_eq!(found[0].path, Path::new("/usr/lib/x86_64-linux-gnu/liblttng-ctl.so.0.0.0"));
        assert!(matches!(mappings(b""), Err(LookError::None)));
        let line = |at: usize| format!("{at}0-{at}1 r--p 0 0:1 {at} /a/liblttng-ctl.so.0\n");
        let many: String = (1..=LIBRARIES_MAX + 1).map(line).collect();
        assert!(matches!(mappings(many.as_bytes()), Err(LookError::TooMany)));
        for broken in
            ["/liblttng-ctl.so", "1-2 r-- /liblttng-ctl.so.0", "1-2 r--p 0 0:0 x /liblttng-ctl.so"]
        {
            assert!(matches!(mappings(broken.as_bytes()), Err(LookError::None)), "{broken}");
        }
    }

    /// A library that exports these.
    fn exporting(names: &[&str]) -> Vec<u8> {
        let names = names.iter().map(|name| format!("\0{name}"));
        format!("ELF{}\0", names.collect::<String>()).into_bytes()
    }

    #[test]
    fn a_version_is_known_by_what_is_exported() {
        let [(v16, _), (v15, _), (v14, _)] = SINCE;
        let of = |names: &[&str]| dialect_of(&exporting(names));
        assert_eq!(of(&[IN_ALL]), Some(Dialect::V2_13));
        assert_eq!(of(&[IN_ALL, v14]), Some(Dialect::V2_14));
        assert_eq!(of(&[v15, IN_ALL, v14]), Some(Dialect::V2_15));
        assert_eq!(of(&[v15, IN_ALL, v14, v16]), Some(Dialect::V2_16));
        assert_eq!(of(&[v16]), None, "it is no liblttng-ctl");
        assert_eq!(dialect_of(b""), None);
        let within = format!("{v14}_and_more");
        assert_eq!(of(&[IN_ALL, &within]), Some(Dialect::V2_13), "it is another name");
    }

    /// A mapping of a file in this process's sight.
    fn mapping_of(path: &Path, inode: u64) -> Mapping<'_> {
        Mapping { range: "1-2", inode, path }
    }

    #[test]
    fn a_file_is_read_that_is_mapped_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("liblttng-ctl.so.0");
        fs::write(&path, exporting(&[IN_ALL])).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let pid = std::process::id();
        let file = mapping_of(&path, inode).open(pid).unwrap();
        let id = FileId::of(&stat_of(&file).unwrap());
        assert_eq!(read(&file, id).unwrap(), Dialect::V2_13);
        let other = mapping_of(&path, inode + 1).open(pid);
        assert!(matches!(other, Err(LookError::NotFound(_))));
        // What it was is not what it is.
        fs::write(&path, exporting(&[IN_ALL, SINCE[0].0])).unwrap();
        assert!(matches!(read(&file, id), Err(LookError::Unfit(_))));
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(mapping_of(&link, inode).open(pid).is_err(), "no link is followed");
    }

    #[test]
    fn what_is_no_library_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("liblttng-ctl.so.0");
        let pid = std::process::id();
        File::create(&path).unwrap().set_len(LIBRARY_MAX_LEN + 1).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let file = mapping_of(&path, inode).open(pid).unwrap();
        let id = FileId::of(&stat_of(&file).unwrap());
        assert!(matches!(read(&file, id), Err(LookError::Unfit("is too large"))));
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::RWXU).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        assert!(mapping_of(&path, inode).open(pid).is_err(), "nobody waits for its writer");
        assert!(matches!(look(pid, &Libraries::new()), Err(LookError::None)));
        assert!(matches!(look(u32::MAX, &Libraries::new()), Err(LookError::Io(_))));
    }
}
