//! How many events could not be told: counters in memory that applications share with the daemon, for each
//! user's applications and each CPU apart.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use lttngd_runtime::{Descriptors, Held, NoDescriptors, Purpose};
use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create},
    io::{pread, pwrite, retry_on_intr},
};
use thiserror::Error;

/// For those who look into /proc.
const MEMORY_NAME: &str = "lttng-event-notifier-errors";
/// Size of a counter in bytes.
const COUNTER_LEN: u64 = size_of::<i32>() as u64;

/// The counters of one user's applications. Their memory has a size that nobody can change, and is read and
/// written by system calls, so that whatever applications do with it does no harm.
#[derive(Debug)]
pub(crate) struct ErrorCounters {
    /// How many counters there are.
    count: u64,
    /// For each CPU.
    memory: Vec<Arc<OwnedFd>>,
    _held: Held,
}

/// Why there are no counters.
#[derive(Debug, Error)]
pub(crate) enum NoCounters {
    #[error(transparent)]
    Descriptors(#[from] NoDescriptors),
    #[error("their memory cannot be made: {0}")]
    System(#[from] io::Error),
}

impl ErrorCounters {
    /// `count` counters for each of `cpus` CPUs, all 0.
    ///
    /// # Errors
    /// When descriptors or memory are not to be had.
    pub(crate) fn new(
        count: u64,
        cpus: u32,
        descriptors: &Descriptors,
    ) -> Result<Arc<Self>, NoCounters> {
        let held = descriptors.take(Purpose::Registrations, cpus as usize)?;
        let memory = (0..cpus).map(|_| allocate(len(count)).map(Arc::new));
        let memory = memory.collect::<io::Result<_>>()?;
        Ok(Arc::new(Self { count, memory, _held: held }))
    }

    /// How many counters there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Size in bytes of the memory of each CPU.
    pub(crate) fn memory_len(&self) -> u64 {
        len(self.count)
    }

    /// The memory of each CPU, in their order.
    pub(crate) fn memory(&self) -> &[Arc<OwnedFd>] {
        &self.memory
    }

    /// What all CPUs counted together; 0 for a counter that there is not. Applications may write what they
    /// like: what is less than 0 counts as 0.
    pub(crate) fn value(&self, index: u64) -> u64 {
        let Some(offset) = self.offset(index) else { return 0 };
        let sum: i64 =
            self.memory.iter().map(|memory| read(memory, offset).map_or(0, i64::from)).sum();
        u64::try_from(sum).unwrap_or(0)
    }

    /// Sets a counter to 0.
    pub(crate) fn clear(&self, index: u64) {
        let Some(offset) = self.offset(index) else { return };
        for memory in &self.memory {
            if let Err(error) = retry_on_intr(|| pwrite(memory, &0_i32.to_ne_bytes(), offset)) {
                tracing::warn!(%error, index, "a counter of event notifiers' errors is not cleared");
            }
        }
    }

    fn offset(&self, index: u64) -> Option<u64> {
        (index < self.count).then(|| index * COUNTER_LEN)
    }
}

/// Size of so many counters, and of a bit for each that went over, and for each that went under, its range.
fn len(count: u64) -> u64 {
    count * COUNTER_LEN + 2 * count.div_ceil(8)
}

fn allocate(len: u64) -> io::Result<OwnedFd> {
    let memory = memfd_create(MEMORY_NAME, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    // Applications set bits by whole words: the last one may end behind the counters.
    let word = size_of::<u64>() as u64;
    ftruncate(&memory, len.next_multiple_of(word) + word)?;
    fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(memory)
}

fn read(memory: &impl AsFd, offset: u64) -> Option<i32> {
    let mut bytes = [0; size_of::<i32>()];
    let got = retry_on_intr(|| pread(memory, &mut bytes, offset)).ok()?;
    (got == bytes.len()).then(|| i32::from_ne_bytes(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_laid_out_as_in_the_tracer() {
        assert_eq!(len(4096), 17408);
        assert_eq!(len(1), 6);
        assert_eq!(len(9), 40);
    }

    #[test]
    fn what_all_cpus_count_is_added_and_cleared() {
        let descriptors = Descriptors::unlimited();
        let counters = ErrorCounters::new(5, 2, &descriptors).unwrap();
        let write = |cpu: usize, index: u64, value: i32| {
            pwrite(&counters.memory()[cpu], &value.to_ne_bytes(), index * COUNTER_LEN).unwrap();
        };
        write(0, 4, 3);
        write(1, 4, 5);
        write(0, 3, 7);
        write(0, 2, -9);
        write(1, 2, 4);
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 1 << 62].map(|index| counters.value(index)),
            [0, 0, 0, 7, 8, 0, 0]
        );
        counters.clear(4);
        counters.clear(u64::MAX);
        assert_eq!([3, 4].map(|index| counters.value(index)), [7, 0]);
    }

    #[test]
    fn nobody_changes_the_size_of_counters() {
        let counters = ErrorCounters::new(5, 1, &Descriptors::unlimited()).unwrap();
        for len in [0, 4, 1 << 20] {
            assert!(ftruncate(&counters.memory()[0], len).is_err(), "{len}");
        }
    }
}
