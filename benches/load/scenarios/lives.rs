//! Whole lives of sessions.

use std::io::IoSlice;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::pwritev;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::time::{ClockId, clock_gettime};

use super::Run;
use crate::clients::client;
use crate::measure::{
    LIMIT_S, MILLISECOND_US, SECOND_US, consumers_us, median_us, quantile, sorted,
};
use crate::table::{Row, Target, Value};

/// Lives a second with one client, and with several.
const RATES: (f64, f64) = (80.0, 150.0);

/// Milliseconds that half of the lives may take with the most clients.
const P50_MS: f64 = 200.0;

/// How many times less the consumer daemon's processor time of a life is to be than before.
const THAN_BEFORE: f64 = 1.0 / 0.6;

/// Memory of a stream of the channel that lives have: four sub-buffers of 512 KiB, and what stands before them.
const STREAM_LEN: usize = (4 << 19) + 4416;

/// How often the memory of a life is made and given back by itself.
const FLOOR_COUNT: u32 = 50;

/// Whole session lives with one traced application.
pub fn lives(run: &Run, clients: u32) -> Vec<Row> {
    let stage = run.contender.stage();
    let application = stage.program();
    let seconds = run.options.seconds;
    // In memory: how long a disk's file system looks for a free inode depends on how many files were
    // removed there within the last minutes, by other scenarios.
    let directory = PathBuf::from(format!("/dev/shm/lttngd-lives-{}", std::process::id()));
    let arguments = format!("lives {clients} {seconds} {}", directory.display());
    let name = |what| format!("{clients} clients: {what}");
    // Who never had a session is not measured with its start.
    client(&stage.arena, 1 + LIMIT_S, &format!("lives 1 1 {}/first", directory.display()));
    let spent = || [consumers_us(&stage), stage.daemon.cpu_us()];
    let before_us = spent();
    let Some(times_us) = client(&stage.arena, seconds + LIMIT_S, &arguments) else {
        return vec![Row::new(name("rate"), Value::NoAnswer(seconds + LIMIT_S))];
    };
    let after_us = spent();
    let each =
        |after: f64, before: f64| Value::Less((after - before) / times_us.len() as f64, "us");
    let [consumer, daemon] = std::array::from_fn(|who| each(after_us[who], before_us[who]));
    let times_us = sorted(&times_us);
    stage.arena.shell_within(LIMIT_S, &format!("rm -r {}", directory.display()));
    // The last life of each client ends after the time: count by what all lives took together.
    let rate =
        f64::from(clients) * times_us.len() as f64 / (times_us.iter().sum::<f64>() / SECOND_US);
    application.finish();
    let time = |share| Value::Less(quantile(&times_us, share) / MILLISECOND_US, "ms");
    let floor = (clients == 1).then(|| {
        Row::new("a life's buffers made, zeroed and given back by a bare thread", floor())
    });
    let rows = vec![
        Row::new(name("rate"), Value::More(rate, "/s"))
            .point("Session lives a second, by clients", "", clients)
            .target(Target::AtLeast(if clients == 1 { RATES.0 } else { RATES.1 })),
        Row {
            target: (clients == 32).then_some(Target::AtMost(P50_MS)),
            ..Row::new(name("p50"), time(0.5))
        },
        Row::new(name("p99"), time(0.99)),
        Row::new(name("processor time of the consumer daemon, each life"), consumer)
            .than_before(THAN_BEFORE),
        Row::new(name("processor time of the session daemon, each life"), daemon),
    ];
    rows.into_iter().chain(floor).collect()
}

/// The processor time of a thread that does nothing but have the memory of a life's buffers: no less can a consumer
/// daemon spend that hands it to applications whole.
fn floor() -> Value {
    let streams = std::thread::available_parallelism().map_or(1, usize::from);
    let one = || {
        let begun = clock_gettime(ClockId::ThreadCPUTime);
        let memory: Vec<_> = (0..streams).map(|_| zeroed_memory()).collect();
        drop(memory);
        let spent = Duration::try_from(clock_gettime(ClockId::ThreadCPUTime) - begun).unwrap();
        spent.as_secs_f64() * SECOND_US
    };
    Value::Less(median_us(&(0..FLOOR_COUNT).map(|_| one()).collect::<Vec<_>>()), "us")
}

/// Memory of a stream that was mapped once.
fn zeroed_memory() -> std::os::fd::OwnedFd {
    const PAGE: [u8; 4096] = [0; 4096];
    const PAGES_MAX: usize = 1024;

    let memory = memfd_create("floor", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&memory, STREAM_LEN as u64).unwrap();
    let mut written = 0;
    while written < STREAM_LEN {
        let left = STREAM_LEN - written;
        let parts = match PAGES_MAX.min(left / PAGE.len()) {
            0 => vec![IoSlice::new(&PAGE[..left])],
            pages => vec![IoSlice::new(&PAGE); pages],
        };
        written += pwritev(&memory, &parts, written as u64).unwrap();
    }
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the system's choice, which nobody uses before it is gone.
    unsafe {
        let at = mmap(std::ptr::null_mut(), STREAM_LEN, protection, MapFlags::SHARED, &memory, 0);
        munmap(at.unwrap(), STREAM_LEN).unwrap();
    }
    memory
}
