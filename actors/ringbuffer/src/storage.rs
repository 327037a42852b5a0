//! Where the bytes of a stream object are.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create,
};
use rustix::io::retry_on_intr;

use crate::error::CreateError;

/// For those who look into /proc.
const MEMORY_NAME: &str = "lttng-ust-stream";

/// Where to keep a stream's shared memory.
#[derive(Debug)]
pub enum Storage {
    /// In memory whose size nobody can change: whatever an application does, touching it is safe.
    Memory,
    /// In a file that is new, empty and open to be read and written, which `lttng-crash` finds when
    /// the consumer daemon has died. An application can make it shorter; see
    /// [`Corruption::Truncated`](crate::Corruption::Truncated).
    File(OwnedFd),
}

/// Bytes for a stream object, all zero and all allocated: otherwise an application would die of the
/// signal SIGBUS when it touches memory that the system does not have.
pub(crate) fn allocate(storage: Storage, len: u64) -> Result<OwnedFd, CreateError> {
    match storage {
        Storage::Memory => {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let memory = memfd_create(MEMORY_NAME, flags)
                .map_err(CreateError::system("create memory for a stream"))?;
            resize(memory.as_fd(), len)?;
            // Written instead of only allocated: whoever maps it then gets many pages with one fault,
            // and an application maps all at once, with everything that is asked of it waiting.
            write_zeros(memory.as_fd(), len)
                .map_err(CreateError::system("allocate a stream's memory"))?;
            fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
                .map_err(CreateError::system("seal the memory of a stream"))?;
            Ok(memory)
        }
        Storage::File(file) => {
            resize(file.as_fd(), len)?;
            match retry_on_intr(|| fallocate(&file, FallocateFlags::empty(), 0, len)) {
                // A file system that cannot do it: the pages are allocated by writing.
                Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(file.as_fd(), len),
                done => done.map_err(io::Error::from),
            }
            .map_err(CreateError::system("allocate a stream's memory"))?;
            Ok(file)
        }
    }
}

fn resize(memory: BorrowedFd<'_>, len: u64) -> Result<(), CreateError> {
    ftruncate(memory, len).map_err(CreateError::system("give a stream's memory its size"))
}

/// The same page is written again and again, many times with one call: so what is read stays in the fastest cache.
fn write_zeros(memory: BorrowedFd<'_>, len: u64) -> io::Result<()> {
    static PAGE: [u8; 4096] = [0; 4096];
    /// Most pages that the system takes with one call (`IOV_MAX`).
    const PAGES_MAX: usize = 1024;
    let mut offset = 0;
    while offset < len {
        let left = len - offset;
        let pages = PAGES_MAX.min((left / PAGE.len() as u64) as usize);
        let parts = match pages {
            0 => vec![IoSlice::new(&PAGE[..left as usize])],
            pages => vec![IoSlice::new(&PAGE); pages],
        };
        offset += retry_on_intr(|| rustix::io::pwritev(memory, &parts, offset))? as u64;
    }
    Ok(())
}
