//! The shared memory of a stream, by the references in it.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A mapped stream object and where things are in it.
#[derive(Debug)]
pub struct Shared {
    base: *mut u8,
    len: usize,
    control: u64,
    commit_hot: u64,
    commit_cold: u64,
    end_times: u64,
    ids: u64,
    sequences: u64,
    pages_refs: u64,
    object: u64,
}

// SAFETY: the mapping belongs to no thread, and all of it is reached by atomic operations.
unsafe impl Send for Shared {}
// SAFETY: threads that share it reach all of it by atomic operations.
unsafe impl Sync for Shared {}

impl Shared {
    pub fn map(memory: BorrowedFd<'_>, len: usize, object: u64, control: u64) -> Self {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping touches nothing that exists.
        let base = unsafe { mmap(std::ptr::null_mut(), len, protection, flags, memory, 0) };
        let base = base.unwrap().cast();
        let mut shared = Self {
            base,
            len,
            control,
            commit_hot: 0,
            commit_cold: 0,
            end_times: 0,
            ids: 0,
            sequences: 0,
            pages_refs: 0,
            object,
        };
        assert_eq!(shared.reference(control + 248, 0), 0, "the channel");
        assert_eq!(shared.reference(control + 472, object), control, "the stream itself");
        shared.commit_hot = shared.reference(control + 136, object);
        shared.commit_cold = shared.reference(control + 352, object);
        shared.end_times = shared.reference(control + 368, object);
        shared.ids = shared.reference(control + 176, object);
        shared.sequences = shared.reference(control + 200, object);
        shared.pages_refs = shared.reference(control + 216, object);
        shared
    }

    /// Where the reference at `offset` leads.
    fn reference(&self, offset: u64, object: u64) -> u64 {
        assert_eq!(self.word(offset).load(Ordering::Relaxed), object, "the object of a reference");
        self.word(offset + 8).load(Ordering::Relaxed)
    }

    fn word(&self, offset: u64) -> &AtomicU64 {
        assert!(offset as usize + 8 <= self.len && offset.is_multiple_of(8), "{offset}");
        // SAFETY: the word is within the mapping and aligned, as just checked.
        unsafe { AtomicU64::from_ptr(self.base.add(offset as usize).cast()) }
    }

    pub fn cpu(&self) -> u32 {
        self.word(self.control + 264).load(Ordering::Relaxed) as u32
    }

    pub fn offset(&self) -> &AtomicU64 {
        self.word(self.control + 128)
    }

    pub fn consumed(&self) -> &AtomicU64 {
        self.word(self.control + 152)
    }

    pub fn last_timestamp(&self) -> &AtomicU64 {
        self.word(self.control + 168)
    }

    pub fn active_readers(&self) -> &AtomicU64 {
        self.word(self.control + 384)
    }

    pub fn lost_full(&self) -> &AtomicU64 {
        self.word(self.control + 392)
    }

    pub fn lost_wrap(&self) -> &AtomicU64 {
        self.word(self.control + 400)
    }

    pub fn lost_big(&self) -> &AtomicU64 {
        self.word(self.control + 408)
    }

    pub fn lost(&self) -> [u64; 3] {
        [self.lost_full(), self.lost_wrap(), self.lost_big()]
            .map(|count| count.load(Ordering::SeqCst))
    }

    pub fn committed(&self, index: u64) -> &AtomicU64 {
        self.word(self.commit_hot + 128 * index)
    }

    pub fn committed_sequence(&self, index: u64) -> &AtomicU64 {
        self.word(self.commit_hot + 128 * index + 8)
    }

    pub fn delivered(&self, index: u64) -> &AtomicU64 {
        self.word(self.commit_cold + 128 * index)
    }

    pub fn end_time(&self, index: u64) -> &AtomicU64 {
        self.word(self.end_times + 8 * index)
    }

    pub fn id(&self, index: u64) -> &AtomicU64 {
        self.word(self.ids + 8 * index)
    }

    pub fn sequence(&self, index: u64) -> &AtomicU64 {
        self.word(self.sequences + 8 * index)
    }

    fn pages(&self, physical: u64) -> u64 {
        self.reference(self.pages_refs + 16 * physical, self.object)
    }

    pub fn data_size(&self, physical: u64) -> &AtomicU64 {
        self.word(self.pages(physical) + 24)
    }

    /// Where a sub-buffer begins.
    pub fn data(&self, physical: u64) -> u64 {
        self.reference(self.pages(physical) + 32, self.object)
    }

    /// Writes bytes, as an application writes its events.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        let end = offset as usize + bytes.len();
        assert!(end <= self.len);
        // SAFETY: it is within the mapping; nobody else writes there between a reservation and its
        // commit, which a reader waits for.
        unsafe {
            self.base.add(offset as usize).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    pub fn scribble(&self, word: usize, value: u64) {
        self.word(8 * word as u64).store(value, Ordering::SeqCst);
    }

    pub fn address(&self) -> usize {
        self.base as usize
    }

    pub fn words(&self) -> usize {
        self.len / 8
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `map`.
        let _ = unsafe { munmap(self.base.cast(), self.len) };
    }
}
