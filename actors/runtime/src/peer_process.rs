//! Which process is at the other end of a Unix socket, told apart from every other one, and the program that it runs.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    mem::size_of,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, fstat, fstatfs, open},
    io::Errno,
    path::DecInt,
};

/// `SO_PEERPIDFD`, since Linux 6.5.
const SO_PEERPIDFD: libc::c_int = 77;
/// `PID_FS_MAGIC`, of the file system in which each process has an inode number that no other one gets, since Linux
/// 6.9.
const PID_FS_MAGIC: u64 = 0x5049_4446;
/// More than an auxiliary vector has, in bytes.
const AUXV_MAX_LEN: usize = 1024;
/// More than the kernel writes into a process's `stat`, in bytes.
const STAT_MAX_LEN: usize = 1024;

/// A process, and the program that it runs: another one after an `exec`. What was found out about it holds as long as
/// this is the same.
///
/// Its number is that of its inode among those of processes, or when it began, where the kernel has no such numbers. Its
/// program is known by what the kernel handed to it when it began, which are mostly addresses that differ from one
/// beginning to the next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PeerProcess {
    number: u64,
    /// 0 where it cannot be read.
    program: u64,
    pid: u32,
}

impl PeerProcess {
    /// Who connected this socket; `pid` as of its credentials. `None` when nothing tells it apart from others, as in
    /// another pid namespace and with an older kernel. It waits for no other process.
    #[must_use]
    pub fn of(socket: &impl AsFd, pid: u32) -> Option<Self> {
        let number = inode_of(socket).or_else(|| began_at(pid))?;
        Some(Self { number, program: program_of(pid), pid })
    }

    /// Whether it ends or has ended, and connected this socket: by what the kernel says of who did, and where it says nothing of
    /// that any more, by nobody else having its process id by now. What it ran at last is not known any more.
    #[must_use]
    pub fn has_ended_behind(self, socket: &impl AsFd) -> bool {
        let number = inode_of(socket).or_else(|| began_at(self.pid));
        runs_nothing(self.pid) && number.is_none_or(|number| number == self.number)
    }

    /// Process id, 0 for one that cannot be seen from here.
    #[must_use]
    pub fn pid(self) -> u32 {
        self.pid
    }

    /// Whether it is still there as who connected this socket, so that what was read by its process id was its own. With
    /// a kernel that does not say it, whether the process id still has the same beginning.
    #[must_use]
    pub fn is_still(self, socket: &impl AsFd) -> bool {
        let is_there = pidfd(socket).map_or(true, |pidfd| !has_exited(&pidfd));
        is_there && Self::of(socket, self.pid) == Some(self)
    }
}

/// A process and its program as they are seen without asking who connected a socket, which costs less: as long as both are
/// there, whoever has the same process id is seen alike, and nobody else ever is.
///
/// It has the number of an inode that the kernel has for the process alone, and of which no second one is made in its life but
/// for want of memory: then the same process is seen in another way, which tells nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Glance {
    inode: u64,
    program: u64,
    pid: u32,
}

impl Glance {
    /// Who has this process id now. `None` when there is nobody, and when that cannot be seen. It waits for no other process.
    #[must_use]
    pub fn at(pid: u32) -> Option<Self> {
        let mut bytes = [0; AUXV_MAX_LEN];
        let (file, read) = read_of(pid, "auxv", &mut bytes)?;
        Some(Self { inode: fstat(file).ok()?.st_ino, program: hash_of(read), pid })
    }

    /// Whether it is of this process, who connected that socket and still runs the same program.
    #[must_use]
    pub fn is_of(self, process: PeerProcess, socket: &impl AsFd) -> bool {
        (self.pid, self.program) == (process.pid, process.program) && process.is_still(socket)
    }
}

/// A descriptor for the process that connected a socket.
fn pidfd(socket: &impl AsFd) -> io::Result<OwnedFd> {
    let mut fd: RawFd = -1;
    let mut len = size_of::<RawFd>() as libc::socklen_t;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel writes no more than `len` bytes, which is the size of `fd`, and both live through the call.
    let done = unsafe {
        let value = (&raw mut fd).cast();
        libc::getsockopt(socket, libc::SOL_SOCKET, SO_PEERPIDFD, value, &raw mut len)
    };
    if done != 0 || fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for its caller, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The number of the inode that its process has.
fn inode_of(socket: &impl AsFd) -> Option<u64> {
    let pidfd = pidfd(socket).ok()?;
    let is_unique = u64::try_from(fstatfs(&pidfd).ok()?.f_type) == Ok(PID_FS_MAGIC);
    is_unique.then(|| fstat(&pidfd).ok().map(|stat| stat.st_ino)).flatten()
}

fn has_exited(pidfd: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(pidfd, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)) != Ok(0)
}

/// When the process began, in ticks of the clock since the machine did.
fn began_at(pid: u32) -> Option<u64> {
    let mut bytes = [0; STAT_MAX_LEN];
    let (_, read) = read_of(pid, "stat", &mut bytes)?;
    // The name, in parentheses, may have any characters in it.
    let behind_name = read.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(read.get(behind_name + 1..)?).ok()?;
    // `starttime` is the 22nd, and the state behind the name the third.
    fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// What tells one beginning of a program from another. The kernel keeps it: no memory of the process is read.
fn program_of(pid: u32) -> u64 {
    let mut bytes = [0; AUXV_MAX_LEN];
    read_of(pid, "auxv", &mut bytes).map_or(0, |(_, read)| hash_of(read))
}

/// Whether nobody has this process id, or who has it ends and has no program any more.
fn runs_nothing(pid: u32) -> bool {
    let mut bytes = [0; 1];
    match open_of(pid, "auxv") {
        Ok(file) => rustix::io::read(file, &mut bytes) == Ok(0),
        Err(error) => pid != 0 && matches!(error, Errno::NOENT | Errno::SRCH),
    }
}

fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// A file that the kernel has of a process.
fn open_of(pid: u32, name: &str) -> rustix::io::Result<OwnedFd> {
    if pid == 0 {
        return Err(Errno::NOENT);
    }
    let path = ["/proc/", DecInt::new(pid).as_str(), "/", name].concat();
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// A small file that the kernel has of a process, and its front.
fn read_of<'a>(pid: u32, name: &str, bytes: &'a mut [u8]) -> Option<(OwnedFd, &'a [u8])> {
    let file = open_of(pid, name).ok()?;
    let len = rustix::io::read(&file, &mut *bytes).ok()?;
    bytes.get(..len).filter(|read| !read.is_empty()).map(|read| (file, read))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{
        os::unix::net::{UnixListener, UnixStream},
        process::{Command, Stdio},
    };

    use super::*;
    use crate::peer_credentials;

    fn of(socket: &UnixStream) -> PeerProcess {
        PeerProcess::of(socket, peer_credentials(socket).unwrap().pid).unwrap()
    }

    #[test]
    fn a_process_is_the_same_at_each_connection() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let accept = || {
            let client = UnixStream::connect(&path).unwrap();
            (listener.accept().unwrap().0, client)
        };
        let ((first, _a), (second, _b)) = (accept(), accept());
        let glance = Glance::at(std::process::id());
        assert!(glance.is_some_and(|glance| glance.is_of(of(&first), &second)));
        assert_eq!(Glance::at(std::process::id()), glance);
        assert_eq!(of(&first), of(&second));
        assert!(of(&first).is_still(&second) && !of(&first).has_ended_behind(&second));
        assert_eq!(of(&first).pid(), std::process::id());
        assert_ne!(of(&first).program, 0);
    }

    #[test]
    fn another_program_of_a_process_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        // It connects, waits to be looked at, is another program then, and connects again.
        let script = "import os,socket,sys\n\
            s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)\n\
            n=int(sys.argv[2])\n\
            if n: os.execv(sys.executable,[sys.executable,'-c',sys.argv[3],sys.argv[1],str(n-1),sys.argv[3]])\n";
        let mut child = Command::new("python3")
            .args(["-c", script, path.to_str().unwrap(), "1", script])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let look = || {
            let (socket, _) = listener.accept().unwrap();
            let process = of(&socket);
            assert!(process.is_still(&socket));
            let glance = Glance::at(process.pid()).unwrap();
            assert!(glance.is_of(process, &socket));
            (socket, process, glance)
        };
        let (before, first, first_glance) = look();
        rustix::io::write(&before, b"x").unwrap();
        let (after, second, second_glance) = look();
        assert_ne!(first_glance, second_glance);
        assert!(!first_glance.is_of(first, &after) && !first_glance.is_of(second, &after));
        assert_eq!((first.pid(), first.number), (second.pid(), second.number));
        assert_ne!(first, second);
        assert!(!first.is_still(&after));
        rustix::io::write(&after, b"x").unwrap();
        child.wait().unwrap();
        assert!(!second.is_still(&after), "it has ended");
        assert!(second.has_ended_behind(&after) && second.has_ended_behind(&before));
        let another = PeerProcess { number: second.number + 1, ..second };
        assert!(!another.has_ended_behind(&after));
        assert!(!second_glance.is_of(second, &after));
        assert_ne!(Glance::at(second.pid()), Some(second_glance));
    }

    #[test]
    fn a_process_has_a_beginning_where_it_has_no_number() {
        let began = began_at(std::process::id()).unwrap();
        assert!(began > 0);
        assert_eq!(began_at(std::process::id()), Some(began));
        assert_eq!(began_at(0), None);
        assert_eq!(began_at(u32::MAX), None);
    }
}
