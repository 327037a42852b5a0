//! Recording of snapshots.

use super::Run;
use crate::measure::{bytes_below, lttng_s, median_s};
use crate::table::{Row, Target};
use lttngd_world::program;

/// Channels, each with a stream for each processor.
const CHANNELS: u32 = 8;

/// How often a snapshot is recorded.
const SNAPSHOTS: u32 = 3;

/// Of 4 MiB in each stream of eight channels.
pub fn large(run: &Run) -> Vec<Row> {
    let stage = run.contender.stage();
    let arena = &stage.arena;
    let output = arena.file("snapshots");
    arena.lttng_ok(&format!("create large --snapshot --output='{}'", output.display()));
    for channel in 0..CHANNELS {
        let sizes = "--subbuf-size=1M --num-subbuf=4";
        arena.lttng_ok(&format!("enable-channel -u {sizes} channel{channel}"));
        arena.lttng_ok(&format!("enable-event -u -c channel{channel} sample:bulk"));
    }
    arena.lttng_ok("start");
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut times = Vec::new();
    for _ in 0..SNAPSHOTS {
        for cpu in 0..cpus {
            // Twice what the buffers hold, in events of 4000 bytes.
            let line = format!("taskset -c {cpu} {} bulk=2100", program::traced().display());
            let answer = arena.shell_within(60, &line);
            assert_eq!(answer.code, 0, "{line}: {answer:?}");
        }
        times.push(lttng_s(arena, "snapshot record"));
    }
    let recorded = bytes_below(&output) as f64 / f64::from(SNAPSHOTS);
    let streams = CHANNELS as usize * cpus;
    // One of the four sub-buffers of a stream may be all but empty.
    let least = 3.0 * f64::from(1 << 20) * streams as f64;
    assert!(recorded > least, "{recorded} bytes in a snapshot of {streams} streams");
    let name = format!("`lttng snapshot record`, {streams} streams of 4 MiB");
    vec![Row::new(name, median_s(&times)).target(Target::TimesBetter(1.0))]
}
