//! The page of POSIX shared memory on which applications wait for a daemon: its first 4 bytes are a
//! futex word that is 0 while there is none and 1 while there is one (`get_wait_shm`,
//! `src/common/shm.c`; `futex_wait_update`, `src/common/futex.c`).

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, PermissionsExt, fchown};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::shm::{self, OFlags};
use rustix::thread::futex;

use crate::error::StartError;

/// More waiters than there can be.
const ALL_WAITERS: u32 = i32::MAX as u32;

/// The page. Dropping it tells applications that there is no daemon; the page itself stays, because
/// applications hold on to it.
#[derive(Debug)]
pub(crate) struct WaitPage {
    name: String,
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
    /// [`StartError::WaitPage`]; applications can do without the page, they look for a daemon every
    /// 5 seconds then.
    pub(crate) fn open(name: &str, is_root: bool) -> Result<Self, StartError> {
        let failed =
            |action| move |source| StartError::WaitPage { action, name: name.to_owned(), source };
        let file = File::from(open_shared(name).map_err(failed("open"))?);
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
        Ok(Self { name: name.to_owned(), file, word })
    }

    /// Tells applications, those that wait and those to come, that a daemon listens. Returns how
    /// many were woken.
    ///
    /// # Errors
    ///
    /// [`StartError::WaitPage`].
    pub(crate) fn announce(&self) -> Result<usize, StartError> {
        self.store(1).and_then(|()| Ok(self.word.wake_all()?)).map_err(|source| {
            StartError::WaitPage {
                action: "announce the daemon on",
                name: self.name.clone(),
                source,
            }
        })
    }

    fn store(&self, value: i32) -> io::Result<()> {
        self.file.write_all_at(&value.to_ne_bytes(), 0)
    }
}

impl Drop for WaitPage {
    fn drop(&mut self) {
        if let Err(error) = self.store(0) {
            tracing::warn!(name = self.name, %error, "cannot clear the shared memory page");
        }
    }
}

/// Opens the page, made if missing. In a sticky directory with `fs.protected_regular` the system
/// refuses to make what somebody else has made already, but not to open it.
fn open_shared(name: &str) -> io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(0o660);
    match shm::open(name, OFlags::RDWR | OFlags::CREATE, mode) {
        Err(Errno::ACCESS) => Ok(shm::open(name, OFlags::RDWR, mode)?),
        opened => Ok(opened?),
    }
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
// SAFETY: as above.
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

    use std::os::unix::fs::MetadataExt;
    use std::sync::mpsc;

    use super::*;

    /// A page of this test's own that goes with it.
    struct Name(String);

    impl Name {
        fn new(test: &str) -> Self {
            Self(format!("/lttngd-test-wait-{}-{test}", std::process::id()))
        }

        /// What an application sees.
        fn open(&self) -> File {
            shm::open(self.0.as_str(), OFlags::RDONLY, Mode::empty()).unwrap().into()
        }

        fn value(&self) -> i32 {
            let mut bytes = [0; 4];
            self.open().read_exact_at(&mut bytes, 0).unwrap();
            i32::from_ne_bytes(bytes)
        }
    }

    impl Drop for Name {
        fn drop(&mut self) {
            let _ = shm::unlink(self.0.as_str());
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
