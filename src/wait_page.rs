//! The page of POSIX shared memory on which applications wait for a daemon: its first 4 bytes are a
//! futex word that is 0 while there is none and 1 while there is one (`get_wait_shm`,
//! `src/common/shm.c`; `futex_wait_update`, `src/common/futex.c`).

use std::fmt::{self, Display};
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, open, renameat_with, statat};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::thread::futex;

/// More waiters than there can be.
const ALL_WAITERS: u32 = i32::MAX as u32;
/// Where the system has shared memory by names.
const SHARED_MEMORY: &str = "/dev/shm";
/// What is added to the name of what was in the way of the page of root's daemon.
const ASIDE: &str = "moved-aside";
/// Most things that are moved aside.
const ASIDE_MAX: u32 = 64;

/// Why there is no page. Its text says whose the thing is that is in the way, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}{obstacle}", path.display())]
pub(crate) struct WaitPageError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
    obstacle: Obstacle,
}

/// What is in the way, if anything is.
#[derive(Debug)]
struct Obstacle(Option<(FileType, u32, u32)>);

impl Obstacle {
    fn at(path: &Path) -> Self {
        Self(statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok().map(|status| {
            (FileType::from_raw_mode(status.st_mode), status.st_uid, status.st_mode & 0o7777)
        }))
    }
}

impl Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((kind, uid, mode)) = self.0 else { return Ok(()) };
        let kind = match kind {
            FileType::RegularFile => "a file",
            FileType::Directory => "a directory",
            FileType::Symlink => "a symbolic link",
            FileType::Fifo => "a fifo",
            FileType::Socket => "a socket",
            _ => "a special file",
        };
        write!(
            out,
            ": it is {kind} of user {uid}, mode {mode:04o}: remove it and start the daemon again"
        )
    }
}

/// The page. Dropping it tells applications that there is no daemon; the page itself stays, because
/// applications hold on to it.
#[derive(Debug)]
pub(crate) struct WaitPage {
    path: PathBuf,
    /// The word is written through the file and never through the mapping: whoever could truncate
    /// the file could otherwise end the daemon by `SIGBUS`.
    file: File,
    word: FutexWord,
}

impl WaitPage {
    /// Opens or makes the page. The system's daemon (`is_root`) owns it and lets everybody read it,
    /// any other keeps it to its user.
    ///
    /// # Errors
    ///
    /// What is in the way. Everybody may put something there before the daemon starts.
    fn open(name: &str, is_root: bool) -> Result<Self, WaitPageError> {
        let path = Path::new(SHARED_MEMORY).join(name.trim_start_matches('/'));
        let failed = |action| {
            let path = path.clone();
            move |source| WaitPageError { obstacle: Obstacle::at(&path), action, path, source }
        };
        let file = File::from(open_shared(&path).map_err(failed("open"))?);
        check(&file).map_err(failed("use"))?;
        let size = rustix::param::page_size();
        file.set_len(size as u64).map_err(failed("set the size of"))?;
        let (uid, gid, mode) = if is_root {
            (0, 0, 0o664)
        } else {
            let process = (rustix::process::getuid(), rustix::process::getgid());
            (process.0.as_raw(), process.1.as_raw(), 0o660)
        };
        fchown(&file, Some(uid), Some(gid)).map_err(failed("set the owner of"))?;
        file.set_permissions(Permissions::from_mode(mode))
            .map_err(failed("set the permissions of"))?;
        let word = FutexWord::map(&file, size).map_err(failed("map"))?;
        Ok(Self { path, file, word })
    }

    /// As [`WaitPage::open`]. A daemon without the page is of use: applications that find a file there
    /// which they can read look for the daemon all the same. Root's daemon, whose page belongs to all
    /// users, moves aside what somebody has put in its place: without the page LTTng-UST does not look
    /// for that daemon. What was done, or has to be done, is told in the log.
    pub(crate) fn open_if_possible(name: &str, is_root: bool) -> Option<Self> {
        let error = match Self::open(name, is_root) {
            Ok(page) => return Some(page),
            Err(error) => error,
        };
        if is_root && let Some(aside) = set_aside(&error.path) {
            match Self::open(name, is_root) {
                Ok(page) => {
                    let aside = aside.display();
                    tracing::error!(%error, %aside, "something was in the place of the page on which applications wait: it is moved aside");
                    return Some(page);
                }
                Err(error) => tracing::error!(%error, "no page for applications to wait on"),
            }
        }
        tracing::error!(%error, "the daemon runs without the page on which applications wait: those that find no readable file there do not look for it");
        None
    }

    /// Tells applications, those that wait and those to come, that a daemon listens. Returns how
    /// many were woken.
    ///
    /// # Errors
    ///
    /// When there is no room for the page, or it cannot be written.
    pub(crate) fn announce(&self) -> io::Result<usize> {
        self.store(1).and_then(|()| Ok(self.word.wake_all()?))
    }

    fn store(&self, value: i32) -> io::Result<()> {
        self.file.write_all_at(&value.to_ne_bytes(), 0)
    }
}

impl Drop for WaitPage {
    fn drop(&mut self) {
        if let Err(error) = self.store(0) {
            tracing::warn!(path = ?self.path, %error, "cannot clear the shared memory page");
        }
    }
}

/// Gives what is in the way of the page another name, which it tells. Nothing of it is lost.
fn set_aside(path: &Path) -> Option<PathBuf> {
    for number in 0..ASIDE_MAX {
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{ASIDE}-{number}"));
        match renameat_with(CWD, path, CWD, &aside, RenameFlags::NOREPLACE) {
            Ok(()) => return Some(aside.into()),
            Err(Errno::EXIST) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Opens the page, made if missing. What somebody else has put there neither leads elsewhere nor
/// keeps the daemon waiting: a link, a fifo, a file that is leased. In a sticky directory with
/// `fs.protected_regular` the system refuses to make what somebody else has made already, but not to
/// open it.
fn open_shared(path: &Path) -> io::Result<OwnedFd> {
    const FLAGS: OFlags = OFlags::RDWR
        .union(OFlags::NOFOLLOW)
        .union(OFlags::NONBLOCK)
        .union(OFlags::NOCTTY)
        .union(OFlags::CLOEXEC);
    let mode = Mode::from_raw_mode(0o660);
    match open(path, FLAGS | OFlags::CREATE, mode) {
        Err(Errno::ACCESS) => Ok(open(path, FLAGS, mode)?),
        opened => Ok(opened?),
    }
}

/// Whether the file can be the page: regular, and known by this name alone, as another name could be
/// one by which somebody needs it unchanged.
fn check(file: &File) -> io::Result<()> {
    let status = file.metadata()?;
    if !status.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    if status.nlink() > 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it has another name too"));
    }
    Ok(())
}

/// The mapping of the page, which only serves to name the word to the system.
#[derive(Debug)]
struct FutexWord {
    page: NonNull<AtomicU32>,
    size: usize,
}

// SAFETY: the mapping belongs to this value alone and can be named and unmapped by any thread; the
// memory is only ever used as an atomic.
unsafe impl Send for FutexWord {}
// SAFETY: threads that share it reach the memory by atomic operations alone.
unsafe impl Sync for FutexWord {}

impl FutexWord {
    fn map(file: &File, size: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the system's choice touches no existing memory.
        let page = unsafe {
            mmap(
                ptr::null_mut(),
                size,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )
        }?;
        let page = NonNull::new(page.cast())
            .ok_or_else(|| io::Error::other("the system mapped the page at address 0"))?;
        Ok(Self { page, size })
    }

    /// Wakes all waiters of all processes; returns how many there were.
    fn wake_all(&self) -> rustix::io::Result<usize> {
        // SAFETY: the page is mapped, aligned and at least 4 bytes long until this value is
        // dropped. The reference only hands its address to the system, which reports a page cut
        // short as an error.
        let word = unsafe { self.page.as_ref() };
        futex::wake(word, futex::Flags::empty(), ALL_WAITERS)
    }
}

impl Drop for FutexWord {
    fn drop(&mut self) {
        // SAFETY: `map` made this mapping with this size, and no reference into it outlives a call.
        if let Err(error) = unsafe { munmap(self.page.as_ptr().cast(), self.size) } {
            tracing::warn!(%error, "cannot unmap the shared memory page");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::{DirBuilderExt, symlink};
    use std::sync::mpsc;

    use rustix::shm;

    use super::*;

    /// A page of this test's own that goes with it.
    struct Name(String);

    impl Name {
        fn new(test: &str) -> Self {
            Self(format!("/lttngd-test-wait-{}-{test}", std::process::id()))
        }

        /// What an application sees.
        fn open(&self) -> File {
            shm::open(self.0.as_str(), shm::OFlags::RDONLY, Mode::empty()).unwrap().into()
        }

        fn path(&self) -> PathBuf {
            Path::new(SHARED_MEMORY).join(&self.0[1..])
        }

        fn value(&self) -> i32 {
            let mut bytes = [0; 4];
            self.open().read_exact_at(&mut bytes, 0).unwrap();
            i32::from_ne_bytes(bytes)
        }
    }

    impl Drop for Name {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir(self.path());
            let _ = std::fs::remove_file(self.path());
        }
    }

    #[test]
    fn the_word_says_whether_a_daemon_is_there() {
        let name = Name::new("word");
        let page = WaitPage::open(&name.0, false).unwrap();
        let metadata = name.open().metadata().unwrap();
        assert_eq!(metadata.len(), rustix::param::page_size() as u64);
        assert_eq!(metadata.mode() & 0o7777, 0o660);
        assert_eq!(metadata.uid(), rustix::process::getuid().as_raw());
        assert_eq!(name.value(), 0);
        assert_eq!(page.announce().unwrap(), 0);
        assert_eq!(name.value(), 1);
        drop(page);
        assert_eq!(name.value(), 0);
    }

    #[test]
    fn a_page_of_an_earlier_daemon_is_used_again() {
        let name = Name::new("again");
        drop(WaitPage::open(&name.0, false).unwrap());
        let inode = name.open().metadata().unwrap().ino();
        let page = WaitPage::open(&name.0, false).unwrap();
        page.announce().unwrap();
        assert_eq!(name.open().metadata().unwrap().ino(), inode);
        assert_eq!(name.value(), 1);
    }

    #[test]
    fn roots_page_can_be_read_by_everybody() {
        if !rustix::process::getuid().is_root() {
            // Only root can give the page to root.
            return;
        }
        let name = Name::new("root");
        let _page = WaitPage::open(&name.0, true).unwrap();
        assert_eq!(name.open().metadata().unwrap().mode() & 0o7777, 0o664);
    }

    #[test]
    fn what_is_in_the_way_is_named_with_its_owner() {
        let uid = rustix::process::getuid().as_raw();
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        let elsewhere = elsewhere.path();
        std::fs::write(elsewhere, "precious").unwrap();
        type Put<'a> = &'a dyn Fn(&Path);
        let obstacles: [(&str, Put<'_>); 4] = [
            ("a directory", &|path| std::fs::DirBuilder::new().mode(0o700).create(path).unwrap()),
            ("a fifo", &|path| {
                nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
            }),
            ("a symbolic link", &|path| symlink(elsewhere, path).unwrap()),
            ("a file", &|path| {
                std::fs::write(path, "").unwrap();
                std::fs::hard_link(path, path.with_extension("other")).unwrap();
            }),
        ];
        for (number, (kind, put)) in obstacles.into_iter().enumerate() {
            let name = Name::new(&format!("obstacle-{number}"));
            put(&name.path());
            let error = WaitPage::open(&name.0, false).unwrap_err().to_string();
            let _ = std::fs::remove_file(name.path().with_extension("other"));
            assert!(error.contains(&format!("{kind} of user {uid}")), "{error}");
            assert!(error.contains("remove it"), "{error}");
            assert!(error.contains(&name.0), "{error}");
        }
        assert_eq!(std::fs::read_to_string(elsewhere).unwrap(), "precious");
    }

    #[test]
    fn a_page_that_somebody_leases_keeps_nobody_waiting() {
        let name = Name::new("leased");
        // The system tells the holder by a signal that would end this process.
        // SAFETY: the signal is ignored, no handler runs.
        unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
        let file = File::create(name.path()).unwrap();
        // SAFETY: the call takes two integers.
        let leased = unsafe {
            libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&file), libc::F_SETLEASE, libc::F_WRLCK)
        };
        assert_eq!(leased, 0, "{}", io::Error::last_os_error());
        let error = WaitPage::open(&name.0, false).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::WouldBlock, "{error}");
    }

    #[test]
    fn a_page_cut_short_does_not_end_the_daemon() {
        let name = Name::new("short");
        let page = WaitPage::open(&name.0, false).unwrap();
        page.file.set_len(0).unwrap();
        drop(page);
        assert_eq!(name.value(), 0);
    }

    #[test]
    fn a_waiting_application_is_woken() {
        let name = Name::new("waiter");
        let page = WaitPage::open(&name.0, false).unwrap();
        let file = name.open();
        let (thread_id, waiter) = mpsc::channel();
        let application = std::thread::spawn(move || {
            let size = rustix::param::page_size();
            // SAFETY: as in `FutexWord::map`; the mapping stays until the process ends.
            let address = unsafe {
                mmap(ptr::null_mut(), size, ProtFlags::READ, MapFlags::SHARED, &file, 0).unwrap()
            };
            // SAFETY: mapped and aligned, and only read.
            let word = unsafe { &*address.cast::<AtomicU32>() };
            thread_id.send(rustix::thread::gettid()).unwrap();
            futex::wait(word, futex::Flags::empty(), 0, None)
        });
        let stat = format!("/proc/self/task/{}/stat", waiter.recv().unwrap());
        while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
            std::thread::yield_now();
        }
        assert_eq!(page.announce().unwrap(), 1);
        assert_eq!(application.join().unwrap(), Ok(()));
    }
}
