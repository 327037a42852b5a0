//! How often each command was answered, what, and how long that took: plain numbers that whoever answers counts up and
//! whoever looks reads, in whichever thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use lttngd_model::ErrorCode;

/// The commands by LTTng's names, sorted, with those that only programs ask.
const COMMANDS: [&str; 57] = [
    "ADD_CONTEXT",
    "ADD_MAP_CHANNEL",
    "CALIBRATE",
    "CLEAR_SESSION",
    "CREATE_SESSION_EXT",
    "DATA_PENDING",
    "DESCRIBE_SESSION",
    "DESTROY_SESSION",
    "DISABLE_CHANNEL",
    "DISABLE_EVENT",
    "ENABLE_CHANNEL",
    "ENABLE_EVENT",
    "EXECUTE_ERROR_QUERY",
    "GET_CHANNEL_DATA_STREAM_INFO_SETS",
    "GET_MAP_CHANNEL_BY_NAME",
    "GET_STATUS",
    "KERNEL_TRACER_STATUS",
    "LIST_CHANNELS",
    "LIST_DOMAINS",
    "LIST_EVENTS",
    "LIST_MAP_CHANNELS",
    "LIST_MAP_GROUPS",
    "LIST_MAP_KEYS",
    "LIST_REFUSALS",
    "LIST_SESSIONS",
    "LIST_SYSCALLS",
    "LIST_TRACEPOINTS",
    "LIST_TRACEPOINT_FIELDS",
    "LIST_TRIGGERS",
    "PREPARE_DOMAIN",
    "QUEUE_REPORT",
    "RECLAIM_CHANNEL_MEMORY",
    "REGENERATE_METADATA",
    "REGENERATE_STATEDUMP",
    "REGISTER_CONSUMER",
    "REGISTER_TRIGGER",
    "ROTATE_SESSION",
    "ROTATION_GET_INFO",
    "ROTATION_SET_SCHEDULE",
    "SAMPLE_MAP_GROUP",
    "SAVE_SESSION",
    "SESSION_LIST_ROTATION_SCHEDULES",
    "SET_CONSUMER_URI",
    "SET_SESSION_SHM_PATH",
    "SNAPSHOT_ADD_OUTPUT",
    "SNAPSHOT_DEL_OUTPUT",
    "SNAPSHOT_LIST_OUTPUT",
    "SNAPSHOT_RECORD",
    "START_TRACE",
    "STOP_TRACE",
    "TRACKER_ADD_VALUE",
    "TRACKER_GET_INCLUSION_SET",
    "TRACKER_GET_POLICY",
    "TRACKER_REMOVE_VALUE",
    "TRACKER_SET_POLICY",
    "UNDEFINED",
    "UNREGISTER_TRIGGER",
];

/// What is counted as the answer to a command that LTTng does not have.
pub const UNDEFINED: &str = "UNDEFINED";

/// Longest times of the answers that are counted together, in microseconds. Those that took longer are together too.
pub const LATENCIES_US: [u64; 17] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 60_000_000,
];

/// More than the number of any error code.
const CODES: usize = 192;

/// The counters of a daemon. Copies are the same.
#[derive(Clone, Debug)]
pub struct CommandCounters(Arc<[OfCommand]>);

#[derive(Debug)]
struct OfCommand {
    /// Answers by how long they took, see [`LATENCIES_US`].
    latencies: [AtomicU64; LATENCIES_US.len() + 1],
    took_ns: AtomicU64,
    /// Answers that were errors, by the numbers of these.
    failed: [AtomicU32; CODES],
}

/// How a command was answered since the daemon began.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandFigures {
    /// LTTng's name of it.
    pub command: &'static str,
    /// How many answers took how long, see [`LATENCIES_US`].
    pub latencies: [u64; LATENCIES_US.len() + 1],
    /// How long all took together.
    pub took: Duration,
    /// Those that were errors, by which.
    pub failed: Vec<(ErrorCode, u64)>,
}

impl OfCommand {
    fn new() -> Self {
        Self {
            latencies: [const { AtomicU64::new(0) }; _],
            took_ns: AtomicU64::new(0),
            failed: [const { AtomicU32::new(0) }; CODES],
        }
    }

    fn figures(&self, command: &'static str) -> Option<CommandFigures> {
        let latencies = self.latencies.each_ref().map(|it| it.load(Ordering::Relaxed));
        if latencies.iter().all(|count| *count == 0) {
            return None;
        }
        let failed = (0..).zip(&self.failed).filter_map(|(code, count)| {
            let count = count.load(Ordering::Relaxed);
            Some((ErrorCode::from_raw(code)?, count.into())).filter(|_| count > 0)
        });
        let took = Duration::from_nanos(self.took_ns.load(Ordering::Relaxed));
        Some(CommandFigures { command, latencies, took, failed: failed.collect() })
    }
}

impl Default for CommandCounters {
    fn default() -> Self {
        Self(COMMANDS.iter().map(|_| OfCommand::new()).collect())
    }
}

impl CommandCounters {
    /// A command was answered, an error if `failure` says which, after so long.
    pub fn answered(&self, command: &str, failure: Option<ErrorCode>, took: Duration) {
        let found = COMMANDS.binary_search(&command);
        let known = found.or_else(|_| COMMANDS.binary_search(&UNDEFINED));
        let Some(counters) = known.ok().and_then(|index| self.0.get(index)) else { return };
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let latency = LATENCIES_US.partition_point(|longest| *longest < took_us);
        counters.latencies[latency].fetch_add(1, Ordering::Relaxed);
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counters.took_ns.fetch_add(took_ns, Ordering::Relaxed);
        let failed = failure.and_then(|code| counters.failed.get(code.to_raw() as usize));
        if let Some(failed) = failed {
            failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The figures of the commands that were answered.
    #[must_use]
    pub fn figures(&self) -> Vec<CommandFigures> {
        COMMANDS.iter().zip(&*self.0).filter_map(|(name, it)| it.figures(name)).collect()
    }
}

impl CommandFigures {
    /// How many answers there were.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.latencies.iter().sum()
    }

    /// How many of them were errors.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.failed.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_answer_is_counted_by_its_command_its_code_and_its_time() {
        let counters = CommandCounters::default();
        assert_eq!(counters.figures(), []);
        let (short, long) = (Duration::from_micros(100), Duration::from_secs(61));
        counters.answered("START_TRACE", None, short);
        counters.clone().answered("START_TRACE", Some(ErrorCode::SessNotFound), long);
        counters.answered("START_TRACE", Some(ErrorCode::SessNotFound), short);
        let start = counters.figures().pop().unwrap();
        assert_eq!((start.command, start.took), ("START_TRACE", short * 2 + long));
        assert_eq!((start.latencies[0], start.latencies[LATENCIES_US.len()]), (2, 1));
        assert_eq!((start.answered(), start.errors()), (3, 2));
        assert_eq!(start.failed, [(ErrorCode::SessNotFound, 2)]);
    }

    #[test]
    fn every_command_has_its_place_and_what_is_none_has_one_too() {
        assert!(COMMANDS.is_sorted());
        let last = (0..4096).filter_map(ErrorCode::from_raw).map(ErrorCode::to_raw).max();
        assert!(last.unwrap() < u32::try_from(CODES).unwrap());
        let asked = include_str!("tests/recorded/requests.jsonl").lines();
        let requests = asked.map(|line| {
            serde_json::from_str::<crate::Versioned<crate::AnyRequest>>(line).unwrap().content
        });
        for request in requests {
            let command = crate::Request::command(&request);
            assert!(COMMANDS.binary_search(&command).is_ok(), "{command}");
        }
        let counters = CommandCounters::default();
        counters.answered("NONSENSE", Some(ErrorCode::Und), Duration::ZERO);
        assert_eq!(counters.figures()[0].command, UNDEFINED);
    }
}
