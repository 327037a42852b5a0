//! The private place in which one test's programs run.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use super::eventually;

/// Environment variable by which the processes of an arena are found again.
const MARK: &str = "LTTNGD_TEST_ARENA";

/// Programs the tests need, and the Debian package of each.
const NEEDED: [(&str, &str); 5] = [
    ("lttng", "lttng-tools"),
    ("lttng-sessiond", "lttng-tools"),
    ("babeltrace2", "babeltrace2"),
    ("cc", "gcc"),
    ("nsenter", "util-linux"),
];

/// A private world of LTTng.
///
/// For root: a mount namespace with its own `/var/run` and `/dev/shm` and a network namespace with its
/// own loopback. For an ordinary user: a home directory of its own (`LTTNG_HOME`). Everything
/// started in it is killed when it is dropped.
pub struct Arena {
    directory: TempDir,
    mark: String,
    holder: Option<Child>,
}

impl Arena {
    /// Makes an empty world. Panics when a needed program is not installed.
    #[expect(clippy::new_without_default, reason = "what starts processes is not made by default")]
    pub fn new() -> Arena {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        for (program, package) in NEEDED {
            assert!(
                is_installed(program),
                "{program} is not installed: apt-get install {package} (or run `make test`)"
            );
        }
        let directory = tempfile::Builder::new().prefix("lttngd-").tempdir().unwrap();
        fs::create_dir(directory.path().join("home")).unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{number}", std::process::id());
        let holder = geteuid().is_root().then(hold_namespaces);
        Arena { directory, mark, holder }
    }

    /// Whether the processes of this arena run as root.
    pub fn is_root(&self) -> bool {
        self.holder.is_some()
    }

    /// `HOME` and `LTTNG_HOME` of everything in the arena.
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// A path for a file of the test, outside the home directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where sessions put their traces unless told otherwise.
    pub fn traces(&self) -> PathBuf {
        self.home().join("lttng-traces")
    }

    /// Where a daemon finds the sessions that it loads when it starts.
    pub fn autoload(&self) -> PathBuf {
        self.home().join(".lttng/sessions/auto")
    }

    /// The daemon's run directory, as seen by this process.
    pub fn run_directory(&self) -> PathBuf {
        match &self.holder {
            Some(holder) => {
                // An absolute symbolic link would lead out of the other namespace again.
                let run = fs::canonicalize("/var/run").unwrap();
                let inside = run.strip_prefix("/").unwrap();
                PathBuf::from(format!("/proc/{}/root", holder.id())).join(inside).join("lttng")
            }
            None => self.home().join(".lttng"),
        }
    }

    /// A connection to one of the daemon's sockets, by its file name in the run directory.
    pub fn connect(&self, socket: &str) -> UnixStream {
        let path = self.run_directory().join(socket);
        UnixStream::connect(&path)
            .unwrap_or_else(|error| panic!("connect to {}: {error}", path.display()))
    }

    /// A command that runs `program` inside the arena, in its home directory. No shell, no descriptors set.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = match &self.holder {
            Some(holder) => {
                let mut command = Command::new("nsenter");
                command.args(["-t", &holder.id().to_string(), "-m", "-n", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .current_dir(self.home())
            .env(MARK, &self.mark)
            .env("HOME", self.home())
            .env("LTTNG_HOME", self.home())
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("LTTNG_UST_REGISTER_TIMEOUT", "20000")
            .stdin(Stdio::null());
        command
    }

    /// Does something on a thread in the network of the arena; so are the sockets it makes, and the
    /// threads it starts.
    pub fn in_network<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            let Some(holder) = &self.holder else { return };
            let network = fs::File::open(format!("/proc/{}/ns/net", holder.id())).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).unwrap();
        };
        let inside = || {
            enter();
            work()
        };
        std::thread::scope(|scope| scope.spawn(inside).join().unwrap())
    }

    /// How many descriptors a process has open.
    pub fn descriptors(&self, pid: i32) -> usize {
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
    }

    /// How many TCP connections a process has.
    pub fn connections(&self, pid: i32) -> usize {
        const LISTENS: &str = "0A";
        let tables = ["tcp", "tcp6"].map(|table| {
            fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default()
        });
        let rows = tables.iter().flat_map(|table| table.lines().skip(1));
        let connections: Vec<_> = rows
            .map(|row| row.split_whitespace().collect::<Vec<_>>())
            .filter(|columns| columns[3] != LISTENS)
            .map(|columns| PathBuf::from(format!("socket:[{}]", columns[9])))
            .collect();
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
        targets.filter(|target| connections.contains(target)).count()
    }

    /// The ids of the arena's living processes, zombies not counted, with their names.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mark = format!("{MARK}={}", self.mark);
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
            if environment.split(|byte| *byte == 0).any(|line| line == mark.as_bytes()) {
                let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                found.push((pid, name.trim_end().to_owned()));
            }
        }
        found
    }

    /// The ids of the arena's processes named `name` (at most 15 bytes are kept of a name).
    pub fn processes_named(&self, name: &str) -> Vec<i32> {
        let mut processes = self.processes();
        processes.retain(|(_, comm)| comm == &name[..name.len().min(15)]);
        processes.into_iter().map(|(pid, _)| pid).collect()
    }

    /// Sends `signal` to one process.
    pub fn signal(&self, pid: i32, signal: Signal) {
        let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
        if signal == Signal::STOP {
            eventually("it stands still", || stands_still(pid).then_some(()));
        }
    }
}

/// Whether no thread of a process does anything, as those of one that is gone: a signal has an effect when a
/// thread sees it.
fn stands_still(pid: i32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let stat = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("stat"));
    // Of a thread that is gone meanwhile there is none.
    threads.flat_map(stat).all(|stat| [") T ", ") Z "].iter().any(|state| stat.contains(state)))
}

impl Drop for Arena {
    fn drop(&mut self) {
        // Repeated: a process may fork while the list is read.
        while let processes @ [_, ..] = self.processes().as_slice() {
            for (pid, _) in processes {
                self.signal(*pid, Signal::KILL);
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        if let Some(holder) = &mut self.holder {
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

/// Starts the process that keeps the namespaces of an arena alive; it ends with this process's end of a pipe.
fn hold_namespaces() -> Child {
    let script = "mount -t tmpfs -o mode=755 tmpfs \"$(readlink -f /var/run)\" \
                  && mount -t tmpfs -o mode=1777 tmpfs /dev/shm \
                  && ip link set lo up && echo ready && exec cat";
    let mut holder = Command::new("unshare")
        .args(["--mount", "--net", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare (Debian package util-linux)");
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "private namespaces: need root with CAP_SYS_ADMIN and iproute2");
    holder
}

/// Whether a program is found.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = [Path::new("/usr/sbin"), Path::new("/sbin")].map(Path::to_path_buf);
    std::env::split_paths(&path).chain(sbin).any(|directory| directory.join(program).is_file())
}
