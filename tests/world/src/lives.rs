//! Random lives of sessions, `tests/apps/lives.c`, and what they leave in the daemons.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::{Relay, Stage, program};

/// Seconds that lives may take beyond the time in which they begin: what a daemon waits for at most.
const MARGIN_S: u32 = 120;

/// Clients of a daemon whose sessions live and end at random.
pub struct Lives<'a> {
    stage: &'a Stage,
    relay: &'a Relay,
    directory: PathBuf,
}

impl<'a> Lives<'a> {
    /// Clients of this daemon. Some sessions stream to the relay daemon.
    pub fn new(stage: &'a Stage, relay: &'a Relay) -> Lives<'a> {
        let directory = stage.arena.file("lives");
        fs::create_dir(&directory).unwrap();
        Lives { stage, relay, directory }
    }

    /// Lets so many clients live for so long, with the choices of this seed. No session and no program is
    /// left when this returns, and no trace.
    pub fn run(&self, clients: u32, seconds: u32, seed: u32) -> LifeCounts {
        let [control, data, _] = self.relay.ports.map(|port| format!("tcp://127.0.0.1:{port}"));
        let line = format!(
            "{} {clients} {seconds} {seed} {} {} {control} {data}",
            built().display(),
            self.directory.display(),
            program::traced().display(),
        );
        let answer = self.stage.arena.shell_within(seconds + MARGIN_S, &line);
        assert_eq!(answer.code, 0, "{}\n{}", answer.stderr, self.stage.daemon.log());
        let listed = self.stage.arena.lttng_ok("list");
        assert!(!listed.contains("life-"), "a session is left: {listed}");
        for entry in fs::read_dir(&self.relay.output).into_iter().flatten().flatten() {
            fs::remove_dir_all(entry.path()).unwrap();
        }
        let mut counts = BTreeMap::new();
        for line in answer.stdout.lines() {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
        LifeCounts(counts)
    }
}

/// How often a life was lived in each mode, and what was refused in it.
#[derive(Debug)]
pub struct LifeCounts(BTreeMap<String, u32>);

impl LifeCounts {
    /// How many sessions lived.
    pub fn lives(&self) -> u32 {
        let lives = self.0.iter().filter(|(line, _)| line.starts_with("life "));
        lives.map(|(_, count)| count).sum()
    }
}

/// How many descriptors of each kind a process has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescriptorKinds(BTreeMap<String, usize>);

impl DescriptorKinds {
    /// Those of a process now.
    pub fn of(pid: i32) -> DescriptorKinds {
        let mut kinds = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
            // One that is closed meanwhile is none.
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let target = target.to_string_lossy();
            let kind = match target.split_once(":[") {
                Some((kind @ ("socket" | "pipe"), _)) => kind,
                _ if target.starts_with("anon_inode:") => &target,
                _ => "file",
            };
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
        DescriptorKinds(kinds)
    }

    /// Whether there are no more of any kind than in `other`.
    pub fn is_within(&self, other: &DescriptorKinds) -> bool {
        self.0.iter().all(|(kind, count)| other.0.get(kind).is_some_and(|before| count <= before))
    }

    /// How many there are in all.
    pub fn count(&self) -> usize {
        self.0.values().sum()
    }
}

/// The memory in KiB that a process alone has and has written to.
pub fn private_kib(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Private_Dirty:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn built() -> &'static PathBuf {
    static LIVES: OnceLock<PathBuf> = OnceLock::new();

    LIVES.get_or_init(|| {
        let sources = program::sources();
        program::compile(&sources, "lives", &[sources.join("lives.c")], &["-llttng-ctl"])
    })
}
