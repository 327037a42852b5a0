//! What goes over the socket between a daemon and its worker, a packet for each message, in the byte
//! order of the machine. Both ends are the same program, so there is one version; [`HELLO`] tells
//! whether that is so.
//!
//! ```text
//! worker   hello    HELLO, then nothing when it is ready, else why it cannot be one (UTF-8)
//! daemon   request  u64 id, u64 deadline (CLOCK_MONOTONIC, ns), u32 uid, u32 gid,
//!                   u32 count of groups, u32 each, u8 operation, u8 opening, u32 mode,
//!                   each path or name: u16 length, bytes; with the descriptors of its directories,
//!                   or of a program, or of a directory and of what is to be written there
//! worker   reply    u64 id, u32 errno or 0; with the descriptor of what was opened
//!                   then of 0: u64 each place in a program; of an errno: more of it (UTF-8)
//! ```

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use lttngd_elf::{PLACES_MAX, Sought};
use lttngd_model::{Credentials, PATH_MAX};

use crate::{Below, Opening, operation::Operation};

/// Begins a worker's first packet. The number changes with the protocol.
pub(crate) const HELLO: &[u8] = b"lttngd-runas 3\n";
/// Most bytes of a worker's first packet.
pub(crate) const HELLO_MAX_LEN: usize = 512;
/// Most groups of a user.
pub const GROUPS_MAX: usize = 4096;
/// Most descriptors with a request.
pub(crate) const DIRECTORIES_MAX: usize = 2;
/// Most bytes of a request.
pub(crate) const REQUEST_MAX_LEN: usize =
    8 + 8 + 4 + 4 + 4 + 4 * GROUPS_MAX + 1 + 1 + 4 + DIRECTORIES_MAX * (2 + PATH_MAX);
/// Bytes of a reply that tells nothing more.
pub(crate) const REPLY_LEN: usize = 8 + 4;
/// Most bytes of why something was not done.
const REASON_MAX_LEN: usize = 256;
/// Most bytes of a reply.
pub(crate) const REPLY_MAX_LEN: usize = REPLY_LEN + larger(PLACES_MAX * 8, REASON_MAX_LEN);

const fn larger(one: usize, other: usize) -> usize {
    if one < other { other } else { one }
}

/// Whose rights an operation is done with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    pub(crate) credentials: Credentials,
    /// At most [`GROUPS_MAX`].
    pub(crate) groups: Vec<u32>,
}

/// What a daemon asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request<D> {
    pub(crate) id: u64,
    /// After which it is not begun any more; nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) deadline_ns: u64,
    pub(crate) identity: Arc<Identity>,
    pub(crate) operation: Operation<D>,
}

/// What a worker answers. What was opened goes beside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Reply {
    pub(crate) id: u64,
    /// The places in a program, none for what tells none; or why it was not done.
    pub(crate) outcome: Result<Vec<u64>, Failed>,
}

/// Why something was not done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failed {
    /// What the system said.
    pub(crate) errno: u32,
    /// What that does not tell; empty when there is nothing more.
    pub(crate) reason: String,
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the packet is no message of the run-as protocol")]
pub(crate) struct DecodeError;

mod kind {
    pub(super) const MAKE_ROOT: u8 = 1;
    pub(super) const OPEN_DIRECTORY: u8 = 2;
    pub(super) const MAKE_DIRECTORY: u8 = 3;
    pub(super) const OPEN_FILE: u8 = 4;
    pub(super) const REMOVE_FILE: u8 = 5;
    pub(super) const REMOVE_DIRECTORY: u8 = 6;
    pub(super) const REMOVE_TREE: u8 = 7;
    pub(super) const RENAME: u8 = 8;
    pub(super) const FIND_FUNCTION: u8 = 9;
    pub(super) const FIND_TRACEPOINT: u8 = 10;
    pub(super) const WRITE_FILE: u8 = 11;
}

/// Numbers of [`Opening`]; 0 where nothing is opened.
const OPENINGS: [(u8, Opening); 3] =
    [(1, Opening::New), (2, Opening::Emptied), (3, Opening::Followed)];

impl<D> Request<D> {
    /// Its packet, without descriptors.
    ///
    /// # Errors
    /// `ENAMETOOLONG`, `ENOENT` for an empty path, `EINVAL` for a path with a zero byte, `E2BIG` for
    /// too many groups.
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        use rustix::io::Errno;
        let Identity { credentials, groups } = &*self.identity;
        if groups.len() > GROUPS_MAX {
            return Err(Errno::TOOBIG.into());
        }
        let number = |opening: &Opening| {
            OPENINGS.iter().find(|(_, known)| known == opening).map_or(0, |(number, _)| *number)
        };
        let (kind, opening, mode) = match &self.operation {
            Operation::MakeRoot(_) => (kind::MAKE_ROOT, 0, 0),
            Operation::OpenDirectory(_) => (kind::OPEN_DIRECTORY, 0, 0),
            Operation::MakeDirectory(_) => (kind::MAKE_DIRECTORY, 0, 0),
            Operation::OpenFile(_, opening, mode) => (kind::OPEN_FILE, number(opening), *mode),
            Operation::WriteFile(_, opening, mode, _) => (kind::WRITE_FILE, number(opening), *mode),
            Operation::RemoveFile(_) => (kind::REMOVE_FILE, 0, 0),
            Operation::RemoveDirectory(_) => (kind::REMOVE_DIRECTORY, 0, 0),
            Operation::RemoveTree(_) => (kind::REMOVE_TREE, 0, 0),
            Operation::Rename(..) => (kind::RENAME, 0, 0),
            Operation::FindPlaces(_, Sought::Function(_)) => (kind::FIND_FUNCTION, 0, 0),
            Operation::FindPlaces(_, Sought::Tracepoint { .. }) => (kind::FIND_TRACEPOINT, 0, 0),
        };
        let mut bytes = Vec::with_capacity(64 + 4 * groups.len());
        bytes.extend(self.id.to_ne_bytes());
        bytes.extend(self.deadline_ns.to_ne_bytes());
        bytes.extend(credentials.uid.to_ne_bytes());
        bytes.extend(credentials.gid.to_ne_bytes());
        // At most GROUPS_MAX, as was checked.
        bytes.extend((groups.len() as u32).to_ne_bytes());
        groups.iter().for_each(|group| bytes.extend(group.to_ne_bytes()));
        bytes.extend([kind, opening]);
        bytes.extend(mode.to_ne_bytes());
        for path in self.operation.paths() {
            let path = path.as_os_str().as_bytes();
            match path.len() {
                0 => return Err(Errno::NOENT.into()),
                1..PATH_MAX => {}
                _ => return Err(Errno::NAMETOOLONG.into()),
            }
            if path.contains(&0) {
                return Err(Errno::INVAL.into());
            }
            // Less than PATH_MAX.
            bytes.extend((path.len() as u16).to_ne_bytes());
            bytes.extend(path);
        }
        Ok(bytes)
    }
}

impl Request<()> {
    /// Reads a packet.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = Rest(bytes);
        let id = rest.u64()?;
        let deadline_ns = rest.u64()?;
        let credentials = Credentials { uid: rest.u32()?, gid: rest.u32()? };
        let count = rest.u32()? as usize;
        if count > GROUPS_MAX {
            return Err(DecodeError);
        }
        let groups = (0..count).map(|_| rest.u32()).collect::<Result<_, _>>()?;
        let [kind, opening] = rest.array()?;
        let mode = rest.u32()?;
        let opening = match OPENINGS.iter().find(|(number, _)| *number == opening) {
            Some((_, opening)) => Some(*opening),
            None if opening == 0 => None,
            None => return Err(DecodeError),
        };
        let first = rest.path()?;
        let below = |path| Below { directory: (), path };
        let operation = match (kind, opening, mode) {
            (kind::OPEN_FILE, Some(opening), mode) => {
                Operation::OpenFile(below(first), opening, mode)
            }
            (kind::WRITE_FILE, Some(opening), mode) => {
                Operation::WriteFile(below(first), opening, mode, ())
            }
            (kind::MAKE_ROOT, None, 0) => Operation::MakeRoot(first),
            (kind::OPEN_DIRECTORY, None, 0) => Operation::OpenDirectory(first),
            (kind::MAKE_DIRECTORY, None, 0) => Operation::MakeDirectory(below(first)),
            (kind::REMOVE_FILE, None, 0) => Operation::RemoveFile(below(first)),
            (kind::REMOVE_DIRECTORY, None, 0) => Operation::RemoveDirectory(below(first)),
            (kind::REMOVE_TREE, None, 0) => Operation::RemoveTree(below(first)),
            (kind::RENAME, None, 0) => Operation::Rename(below(first), below(rest.path()?)),
            (kind::FIND_FUNCTION, None, 0) => {
                Operation::FindPlaces((), Sought::Function(text(first)?))
            }
            (kind::FIND_TRACEPOINT, None, 0) => {
                let (provider, name) = (text(first)?, text(rest.path()?)?);
                Operation::FindPlaces((), Sought::Tracepoint { provider, name })
            }
            _ => return Err(DecodeError),
        };
        let identity = Arc::new(Identity { credentials, groups });
        if rest.0.is_empty() {
            Ok(Self { id, deadline_ns, identity, operation })
        } else {
            Err(DecodeError)
        }
    }
}

impl Reply {
    /// Its packet, without descriptor.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let errno = self.outcome.as_ref().err().map_or(0, |failed| failed.errno);
        let mut bytes = [&self.id.to_ne_bytes()[..], &errno.to_ne_bytes()].concat();
        match &self.outcome {
            Ok(places) => places.iter().for_each(|place| bytes.extend(place.to_ne_bytes())),
            Err(Failed { reason, .. }) => {
                let mut end = reason.len().min(REASON_MAX_LEN);
                while !reason.is_char_boundary(end) {
                    end -= 1;
                }
                bytes.extend(&reason.as_bytes()[..end]);
            }
        }
        bytes
    }

    /// Reads a packet.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = Rest(bytes);
        let (id, errno) = (rest.u64()?, rest.u32()?);
        let outcome = match errno {
            0 => {
                let (places, cut) = rest.0.as_chunks();
                if !cut.is_empty() || places.len() > PLACES_MAX {
                    return Err(DecodeError);
                }
                Ok(places.iter().map(|place| u64::from_ne_bytes(*place)).collect())
            }
            // Kernels have no error numbers above, and none that are negative.
            1..4096 if rest.0.len() <= REASON_MAX_LEN => {
                let reason = str::from_utf8(rest.0).map_err(|_| DecodeError)?.to_owned();
                Err(Failed { errno, reason })
            }
            _ => return Err(DecodeError),
        };
        Ok(Self { id, outcome })
    }
}

/// A name that stands where paths do.
fn text(path: PathBuf) -> Result<String, DecodeError> {
    path.into_os_string().into_string().map_err(|_| DecodeError)
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(DecodeError)?;
        self.0 = rest;
        Ok(*array)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_ne_bytes)
    }

    fn path(&mut self) -> Result<PathBuf, DecodeError> {
        let len = usize::from(u16::from_ne_bytes(self.array()?));
        let (path, rest) = self.0.split_at_checked(len).ok_or(DecodeError)?;
        if !(1..PATH_MAX).contains(&len) || path.contains(&0) {
            return Err(DecodeError);
        }
        self.0 = rest;
        Ok(Path::new(OsStr::from_bytes(path)).to_owned())
    }
}
