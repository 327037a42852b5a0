//! The run-as worker as a process of `lttngd`, for root: what it may, what it makes and for whom, and
//! what happens when it hangs or dies. Without root these tests say so and pass.
#![allow(clippy::unwrap_used)]

mod confined;
mod owners;
mod stuck;

use std::{
    fs,
    os::{
        fd::OwnedFd,
        unix::fs::{PermissionsExt, chown},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lttngd_model::Credentials;
use lttngd_peer::PATIENCE;
use lttngd_runas::{Owner, Runas};
use tempfile::TempDir;

/// Users whom no database knows.
const ANN: Credentials = Credentials { uid: 54_321, gid: 54_322 };
const BOB: Credentials = Credentials { uid: 54_331, gid: 54_332 };

/// Runs `body` in a process of its own, in which the worker is the only child.
fn as_root(test: &str, body: impl FnOnce(&World)) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("{test} needs root, and checks nothing without");
        return;
    }
    lttngd_peer::alone(test, || body(&World::new(lttngd_runas::DEADLINE)));
}

/// A place where everybody may make files, and a worker.
struct World {
    place: TempDir,
    runas: Runas,
}

impl World {
    fn new(deadline: Duration) -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_lttngd"));
        Self { place, runas: Runas::with_deadline(Some(program), deadline) }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    fn owner(&self, credentials: Credentials) -> Owner {
        self.runas.look_up(credentials).unwrap()
    }

    /// A directory that somebody has to itself.
    fn home(&self, name: &str, owner: Credentials) -> PathBuf {
        let home = self.path(name);
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        chown(&home, Some(owner.uid), Some(owner.gid)).unwrap();
        home
    }

    /// The worker's process, which is started if there is none.
    fn worker(&self) -> Worker {
        self.owner(ANN).open_directory(self.place.path()).wait().unwrap();
        let [pid] = children()[..] else { panic!("one child: {:?}", children()) };
        Worker(pid)
    }
}

/// The ids of this process' children, those that are not waited for too.
fn children() -> Vec<i32> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_ours = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name, in brackets, may have anything in it.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        fields.split_whitespace().nth(1) == Some(own.as_str())
    };
    pids.filter(is_ours).collect()
}

/// A worker's process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Worker(i32);

impl Worker {
    fn file(self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.0).into()
    }

    fn is_there(self) -> bool {
        self.file("").exists()
    }

    fn signal(self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.0).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Stops it. Over when none of its threads does anything: a signal has an effect when a thread sees it.
    fn stop(self) {
        self.signal(rustix::process::Signal::STOP);
        eventually("it stands still", || {
            let threads = fs::read_dir(self.file("task")).unwrap().flatten();
            let stat = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("stat"));
            threads.map(stat).all(|stat| stat.is_ok_and(|stat| stat.contains(") T ")))
        });
    }

    /// Where its descriptors lead.
    fn descriptors(self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.file("fd")).unwrap().flatten();
        entries.map(|entry| fs::read_link(entry.path()).unwrap_or_default()).collect()
    }
}

fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::yield_now();
    }
}

fn opened(path: &Path) -> Arc<OwnedFd> {
    Arc::new(fs::File::open(path).unwrap().into())
}
