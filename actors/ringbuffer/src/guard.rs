//! Files that back shared memory can be made shorter by applications. To touch a page that a file does
//! not have any more raises SIGBUS, which would end the process. A handler of the signal puts a page of
//! zeros there instead and marks the stream, which is then refused as corrupt.
//!
//! Memory that is sealed needs none of this.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// One guarded mapping. Slots are never freed, since the handler may look at them at any time; they
/// are used again.
#[derive(Debug)]
struct Slot {
    in_use: AtomicBool,
    /// Address of the mapping; nothing while `len` is 0.
    start: AtomicUsize,
    len: AtomicUsize,
    truncated: AtomicBool,
    next: AtomicPtr<Slot>,
}

static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());
/// What handled the signal before; an error when there can be no handler.
static BEFORE: OnceLock<Result<libc::sigaction, i32>> = OnceLock::new();

/// Guards a mapping for as long as it lives.
#[derive(Debug)]
pub(crate) struct Guard(&'static Slot);

impl Guard {
    /// Guards `len` bytes at `start`, both multiples of the page size, a mapping of this process that
    /// outlives the guard.
    pub fn new((start, len): (usize, usize)) -> io::Result<Self> {
        install()?;
        let slot = free_slot();
        slot.truncated.store(false, Ordering::Relaxed);
        slot.start.store(start, Ordering::Relaxed);
        slot.len.store(len, Ordering::Release);
        Ok(Self(slot))
    }

    /// Whether a part of the mapping had no memory behind it.
    #[inline]
    pub fn is_truncated(&self) -> bool {
        self.0.truncated.load(Ordering::Relaxed)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.len.store(0, Ordering::Release);
        self.0.in_use.store(false, Ordering::Release);
    }
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    let mut next = SLOTS.load(Ordering::Acquire);
    std::iter::from_fn(move || {
        // SAFETY: what is in the list was leaked from a box.
        let slot = unsafe { next.as_ref() }?;
        next = slot.next.load(Ordering::Acquire);
        Some(slot)
    })
}

fn free_slot() -> &'static Slot {
    let take = |slot: &&Slot| !slot.in_use.swap(true, Ordering::AcqRel);
    if let Some(slot) = slots().find(take) {
        return slot;
    }
    let slot: &'static Slot = Box::leak(Box::new(Slot {
        in_use: AtomicBool::new(true),
        start: AtomicUsize::new(0),
        len: AtomicUsize::new(0),
        truncated: AtomicBool::new(false),
        next: AtomicPtr::new(ptr::null_mut()),
    }));
    let link = |first| {
        slot.next.store(first, Ordering::Release);
        Some(ptr::from_ref(slot).cast_mut())
    };
    let _ = SLOTS.fetch_update(Ordering::AcqRel, Ordering::Acquire, link);
    slot
}

/// Installs the handler, once for the process.
fn install() -> io::Result<()> {
    let before = BEFORE.get_or_init(|| {
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) = handle;
        // SAFETY: an action of zeros is a valid one, and is filled in below.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: an action of zeros is a valid one, and the system fills it in.
        let mut before: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: both actions are valid; the handler makes only calls that signal handlers may make.
        let result = unsafe { libc::sigaction(libc::SIGBUS, &raw const action, &raw mut before) };
        if result == 0 {
            Ok(before)
        } else {
            Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL))
        }
    });
    match before {
        Ok(_) => Ok(()),
        Err(code) => Err(io::Error::from_raw_os_error(*code)),
    }
}

/// Puts memory where a guarded mapping has none. It may interrupt anything, so it takes no lock and
/// allocates nothing.
extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system gives a handler that asked for it the signal's description.
    let address = unsafe { (*info).si_addr() } as usize;
    if !replace_page(address) {
        hand_on(signal, info, context);
    }
}

fn replace_page(address: usize) -> bool {
    let holds = |slot: &&Slot| {
        let len = slot.len.load(Ordering::Acquire);
        address.wrapping_sub(slot.start.load(Ordering::Relaxed)) < len
    };
    let Some(slot) = slots().find(holds) else {
        return false;
    };
    let page_size = rustix::param::page_size();
    let page = ptr::without_provenance_mut(address & !(page_size - 1));
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the page belongs to a mapping of ours, which is only reached atomically and by the
    // system; nothing in it is relied upon.
    let put =
        unsafe { mmap_anonymous(page, page_size, protection, MapFlags::PRIVATE | MapFlags::FIXED) };
    slot.truncated.store(true, Ordering::Relaxed);
    put.is_ok()
}

/// Not ours: does what was done before us. In the end the instruction is repeated, and without a
/// handler the signal ends the process as it should.
fn hand_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = BEFORE.get().and_then(|before| before.as_ref().ok());
    match before {
        Some(before)
            if before.sa_flags & libc::SA_SIGINFO != 0
                && before.sa_sigaction != libc::SIG_DFL
                && before.sa_sigaction != libc::SIG_IGN =>
        {
            // SAFETY: the flag says that it is such a handler.
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { std::mem::transmute(before.sa_sigaction) };
            handler(signal, info, context);
        }
        _ => {
            // SAFETY: the default action is always possible.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}
