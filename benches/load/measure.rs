//! Taking times and counts.

use std::fs;
use std::path::Path;

use lttngd_peer::BaseLine;

use crate::clients::client;
use crate::table::Value;
use lttngd_world::{Arena, Stage, daemon::cpu_us, eventually};

/// Microseconds in a second.
pub const SECOND_US: f64 = 1e6;

/// Microseconds in a millisecond.
pub const MILLISECOND_US: f64 = 1e3;

/// Bytes in a megabyte.
pub const MEGABYTE: f64 = 1e6;

/// Margin in seconds of what runs for a time or does a known amount of work.
pub const LIMIT_S: u32 = 120;

/// Where an index file tells the size of its records, and where a record has the number of the packet.
const INDEX_RECORD_LEN_AT: usize = 12;
const INDEX_HEADER_LEN: usize = 16;
const PACKET_NUMBER_AT: usize = 64;

/// The values, the smallest first.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The value below which this share of the sorted values lies.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The seconds that `lttng` takes with these arguments, from start to end; none when it does not end.
pub fn lttng_s(arena: &Arena, arguments: &str) -> Option<f64> {
    let times_us = client(arena, LIMIT_S, &format!("run 1 {}", arena.lttng_line(arguments)))?;
    Some(times_us[0] / SECOND_US)
}

/// The median of times in seconds that were taken with [`LIMIT_S`]; no answer if one has none.
pub fn median_s(times: &[Option<f64>]) -> Value {
    let Some(times) = times.iter().copied().collect::<Option<Vec<f64>>>() else {
        return Value::NoAnswer(LIMIT_S);
    };
    Value::Less(quantile(&sorted(&times), 0.5), "s")
}

/// The processes of the consumer daemons.
pub fn consumers(stage: &Stage) -> Vec<i32> {
    let is_consumer = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != stage.daemon.pid() && String::from_utf8_lossy(&line).contains("consumerd-cmd-sock")
    };
    let found = stage.arena.processes().into_iter().map(|(pid, _)| pid).filter(is_consumer);
    let found: Vec<_> = found.collect();
    assert!(!found.is_empty(), "no consumer daemon runs");
    found
}

/// The processor time of the consumer daemons, in microseconds.
pub fn consumers_us(stage: &Stage) -> f64 {
    consumers(stage).into_iter().map(cpu_us).sum()
}

/// The processor time of the session daemon for something, until it is at rest again, in microseconds.
pub fn spent_us(stage: &Stage, work: impl FnOnce()) -> f64 {
    spent_by_us(stage.daemon.pid(), work)
}

/// The same of any process.
pub fn spent_by_us(pid: i32, work: impl FnOnce()) -> f64 {
    let before_us = cpu_us(pid);
    let mut at_rest = BaseLine::begin(before_us);
    work();
    eventually("the process is at rest", || at_rest.look(cpu_us(pid))) - before_us
}

/// The processor time of the session daemon's threads of this name, in microseconds.
pub fn threads_us(stage: &Stage, name: &str) -> f64 {
    const NANOSECONDS_IN_US: f64 = 1e3;

    let threads = fs::read_dir(format!("/proc/{}/task", stage.daemon.pid())).unwrap().flatten();
    let named = threads.filter(|thread| {
        let comm = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        comm.trim_end() == name
    });
    let time = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0)
    };
    named.map(time).sum::<f64>() / NANOSECONDS_IN_US
}

/// The middle one of times in microseconds.
pub fn median_us(times_us: &[f64]) -> f64 {
    quantile(&sorted(times_us), 0.5)
}

/// The time in microseconds that 99 of 100 do not pass.
pub fn p99_us(times_us: &[f64]) -> f64 {
    quantile(&sorted(times_us), 0.99)
}

/// The sizes of all files below `directory`, in bytes.
pub fn bytes_below(directory: &Path) -> u64 {
    let size = |name: &String| fs::metadata(directory.join(name)).map_or(0, |it| it.len());
    lttngd_world::trace::files(directory).iter().map(size).sum()
}

/// How many packets have been written below `directory`: by the numbers of the packets in the index
/// files, since old files may be gone.
pub fn packets_below(directory: &Path) -> u64 {
    let mut streams = std::collections::BTreeMap::new();
    for name in lttngd_world::trace::files(directory) {
        let Some(stem) = name.strip_suffix(".idx") else { continue };
        // Each stream of a channel with a limit of file sizes has files `<channel>_<cpu>_<file>`.
        let stream = stem.rsplit_once('_').map_or(stem, |(stream, _)| stream).to_owned();
        let index = fs::read(directory.join(&name)).unwrap_or_default();
        let count = streams.entry(stream).or_insert(0);
        *count = last_packet(&index).map_or(0, |number| number + 1).max(*count);
    }
    streams.values().sum()
}

/// The number of the last packet in an index file.
fn last_packet(index: &[u8]) -> Option<u64> {
    let record_len = index.get(INDEX_RECORD_LEN_AT..INDEX_HEADER_LEN)?.try_into().ok()?;
    let records = &index[INDEX_HEADER_LEN..];
    let last = records.chunks_exact(u32::from_be_bytes(record_len) as usize).last()?;
    let number = last.get(PACKET_NUMBER_AT..PACKET_NUMBER_AT + 8)?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}

/// The events that the channels of `session` discarded, as `lttng list` tells.
pub fn discarded_events(stage: &Stage, session: &str) -> f64 {
    let listing = stage.arena.lttng_ok(&format!("list {session}"));
    let counts = listing.lines().filter_map(|line| line.trim().strip_prefix("Discarded events: "));
    counts.map(|count| count.parse::<f64>().unwrap()).sum()
}
