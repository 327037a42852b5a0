//! Sessions of an ordinary user at root's daemon: everything that is written belongs to the user, and
//! is written with the user's rights by a process that ends with the daemon. Without root these tests
//! say so and pass.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::world::daemon::stock_consumer;
use super::world::program::traced;
use super::world::{Arena, Daemon, Which, eventually};

/// The user, of the group that commands the daemon.
const USER: &str = "nobody";
const UID: u32 = 65_534;
const GROUP: &str = "nogroup";
const WORKER: &str = "lttngd-runas";
/// Seconds for one command.
const LIMIT_S: u32 = 60;

/// Root's daemon, and a directory that the user has to itself.
struct Stage {
    arena: Arena,
    daemon: Daemon,
    home: PathBuf,
}

impl Stage {
    /// `None` without root. The consumer daemon is ours or the stock one.
    fn new(own_consumer: bool) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("sessions of another user need root: nothing is checked");
            return None;
        }
        let arena = Arena::new();
        fs::set_permissions(arena.file(""), fs::Permissions::from_mode(0o755)).unwrap();
        let home = arena.file("user");
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        chown(&home, Some(UID), Some(UID)).unwrap();
        fs::copy(traced(), arena.file("traced")).unwrap();
        let group = format!("--group={GROUP}");
        let stock = format!("--consumerd64-path={}", stock_consumer().display());
        let options: &[&str] = if own_consumer { &[&group] } else { &[&group, &stock] };
        let daemon = Daemon::start(&arena, Which::Ours, options);
        Some(Self { arena, daemon, home })
    }

    /// `program` of the user.
    fn as_user(&self, program: &str) -> String {
        let home = self.home.display();
        format!(
            "setpriv --reuid={USER} --regid={GROUP} --groups={GROUP} \
             env HOME={home} LTTNG_HOME={home} {program}"
        )
    }

    /// Runs `lttng` as the user; gives its exit code.
    fn lttng(&self, arguments: &str) -> i32 {
        let line = self.as_user(&format!("lttng --no-sessiond --group={GROUP} {arguments}"));
        self.arena.shell_within(LIMIT_S, &line).code
    }

    fn lttng_ok(&self, arguments: &str) {
        assert_eq!(self.lttng(arguments), 0, "lttng {arguments}\n{}", self.daemon.log());
    }

    /// Has a program of the user record events.
    fn record(&self, count: u32) {
        let program = format!("{} number={count}", self.arena.file("traced").display());
        let answer = self.arena.shell_within(LIMIT_S, &self.as_user(&program));
        assert_eq!(answer.code, 0, "{answer:?}");
    }

    /// Starts a session that writes to a directory of the user's.
    fn start(&self, name: &str) -> PathBuf {
        let output = self.home.join(name).join("trace");
        self.lttng_ok(&format!("create {name} --output={}", output.display()));
        self.lttng_ok("enable-event -u sample:number");
        self.lttng_ok("start");
        output
    }

    /// The ids of the daemon's workers, also those of its consumer daemon.
    fn workers(&self) -> Vec<i32> {
        let consumers = self.arena.processes_named("lttng-consumerd");
        let parents: Vec<i32> = consumers.into_iter().chain([self.daemon.pid()]).collect();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_worker = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let (start, fields) = stat.rsplit_once(')').unwrap_or_default();
            let parent = fields.split_whitespace().nth(1).and_then(|it| it.parse().ok());
            start.ends_with(WORKER) && parent.is_some_and(|parent| parents.contains(&parent))
        };
        pids.filter(is_worker).collect()
    }
}

/// Every file and directory from `path` on.
fn everything(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            found.extend(everything(&entry.unwrap().path()));
        }
    }
    found
}

fn belongs_to_the_user(directory: &Path) {
    for path in everything(directory) {
        let status = fs::symlink_metadata(&path).unwrap();
        assert_eq!((status.uid(), status.gid()), (UID, UID), "{}", path.display());
    }
}

fn a_life(stage: Stage) {
    let output = stage.start("mine");
    stage.record(3);
    stage.lttng_ok("rotate");
    stage.record(4);
    stage.lttng_ok("stop");
    stage.lttng_ok(&format!("save --output-path={}", stage.home.join("saved").display()));
    assert_eq!(stage.arena.events(&output).len(), 7);
    belongs_to_the_user(&stage.home);
    let saved = fs::read_to_string(stage.home.join("saved/mine.lttng")).unwrap();
    assert!(saved.contains("sample:number"), "{saved}");
    let names = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files: Vec<_> = everything(&output).iter().map(names).collect();
    for name in ["metadata", "channel0_0.idx", "archives"] {
        assert!(files.iter().any(|file| file == name), "{name} in {files:?}");
    }
    stage.lttng_ok("start");
    stage.record(5);
    stage.lttng_ok("clear");
    stage.record(6);
    stage.lttng_ok("stop");
    assert_eq!(stage.arena.events(&output).len(), 3 + 6);
    belongs_to_the_user(&stage.home);
    stage.lttng_ok("destroy");

    // Buffers in files, and snapshots of them.
    let snapshots = stage.home.join("snapshots");
    let buffers = stage.home.join("shm");
    stage.lttng_ok(&format!(
        "create flight --snapshot --output={} --shm-path={}",
        snapshots.display(),
        buffers.display()
    ));
    stage.lttng_ok("enable-event -u sample:number");
    stage.lttng_ok("start");
    stage.record(8);
    stage.lttng_ok("snapshot record");
    assert_eq!(stage.arena.events(&snapshots).len(), 8);
    assert!(everything(&buffers).len() > 3, "{:?}", everything(&buffers));
    belongs_to_the_user(&stage.home);
    stage.lttng_ok("destroy");
    // The command line chose a directory of the session's own in it.
    eventually("the files of the buffers go", || (everything(&buffers).len() == 1).then_some(()));

    let workers = stage.workers();
    assert!(!workers.is_empty(), "workers of the daemons");
    stage.daemon.stop(&stage.arena);
    eventually("the workers are gone", || {
        workers.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
}

#[test]
fn a_users_files_are_its_own() {
    if let Some(stage) = Stage::new(false) {
        a_life(stage);
    }
}

#[test]
fn a_users_files_are_its_own_with_our_consumer() {
    if let Some(stage) = Stage::new(true) {
        a_life(stage);
    }
}

#[test]
fn a_user_leads_the_daemon_nowhere() {
    let Some(stage) = Stage::new(true) else { return };
    let secret = stage.arena.file("secret");
    fs::create_dir(&secret).unwrap();
    // Where the user may not write, by name or through a link below its own directory.
    let output = secret.join("trace");
    stage.lttng_ok(&format!("create there --output={}", output.display()));
    stage.lttng_ok("enable-event -u sample:number");
    assert_ne!(stage.lttng("start"), 0);
    stage.lttng_ok("destroy");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o777)).unwrap();
    let output = stage.home.join("linked");
    fs::create_dir(&output).unwrap();
    symlink(&secret, output.join("ust")).unwrap();
    chown(&output, Some(UID), Some(UID)).unwrap();
    stage.lttng_ok(&format!("create linked --output={}", output.display()));
    stage.lttng_ok("enable-event -u sample:number");
    assert_ne!(stage.lttng("start"), 0);
    stage.lttng_ok("destroy");
    assert_eq!(fs::read_dir(&secret).unwrap().count(), 0);
    // The worker is started again when it was killed between two commands.
    for worker in stage.workers() {
        Command::new("kill").args(["-KILL", &worker.to_string()]).status().unwrap();
        let process = PathBuf::from(format!("/proc/{worker}"));
        eventually("the worker is gone", || (!process.exists()).then_some(()));
    }
    let output = stage.start("again");
    stage.record(2);
    stage.lttng_ok("destroy");
    assert_eq!(stage.arena.events(&output).len(), 2);
    belongs_to_the_user(&output);
    stage.daemon.stop(&stage.arena);
}
