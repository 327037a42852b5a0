//! The session daemon under test: the stock one or ours.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;
use rustix::process::Signal;

use super::{Arena, Consumer, Service, built, eventually};

/// How many threads of actors our session daemon is to have, in the environment.
const ACTOR_THREADS: &str = "LTTNGD_TEST_ACTOR_THREADS";

/// How often, and how long between, a daemon has the same number of descriptors that is at rest.
const AT_REST_STEPS: usize = 20;
/// See [`AT_REST_STEPS`].
const AT_REST_STEP: Duration = Duration::from_millis(25);

/// Which session daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `lttng-sessiond` of the distribution.
    Stock,
    /// The `lttngd` of this package.
    Ours,
    /// Another build of it: this program.
    Build(&'static str),
}

impl Which {
    /// The program to run. `LTTNGD_UNDER_TEST` in the environment names another one for ours.
    pub fn program(self) -> OsString {
        match self {
            Which::Stock => "lttng-sessiond".into(),
            Which::Build(program) => program.into(),
            Which::Ours => {
                std::env::var_os("LTTNGD_UNDER_TEST").unwrap_or_else(|| built::lttngd().into())
            }
        }
    }
}

impl Which {
    /// Whether the program is the stock one, with its faults: also when it is tried in place of ours.
    pub fn is_stock_program(self) -> bool {
        Path::new(&self.program()).ends_with("lttng-sessiond")
    }
}

/// A running session daemon. Killed when dropped; a failing test shows its log.
pub struct Daemon {
    child: Child,
    log: PathBuf,
    run_directory: PathBuf,
}

impl Daemon {
    /// Starts the daemon with `options` and waits until it answers a client.
    pub fn start(arena: &Arena, which: Which, options: &[&str]) -> Daemon {
        Daemon::start_with(arena, which, options, &[])
    }

    /// As [`Daemon::start`], with more environment variables.
    pub fn start_with(
        arena: &Arena,
        which: Which,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Daemon {
        let mut daemon = Daemon::spawn_with(arena, which, options, environment);
        daemon.answers(arena, which);
        daemon
    }

    fn answers(&mut self, arena: &Arena, which: Which) {
        eventually("the daemon answers `lttng list`", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{which:?} daemon ended at start: {status}\n{}", self.log());
            }
            let socket = self.run_directory.join("client-lttng-sessiond");
            (socket.exists() && arena.lttng("list").code == 0).then_some(())
        });
    }

    /// Starts the daemon from a shell that has run `script` before, in the home directory, and waits as
    /// [`Daemon::start`].
    pub fn start_after(arena: &Arena, which: Which, script: &str) -> Daemon {
        let mut daemon = Daemon::spawn_after(arena, which, script);
        daemon.answers(arena, which);
        daemon
    }

    /// As [`Daemon::start_after`], and does not wait.
    pub fn spawn_after(arena: &Arena, which: Which, script: &str) -> Daemon {
        let mut shell = arena.command("sh");
        shell
            .args(["-c", &format!("cd \"$HOME\"\n{script}\nexec \"$0\" \"$@\"")])
            .arg(which.program());
        Daemon::spawn_command(arena, which, shell, &[], &[])
    }

    /// Starts the daemon with `options` and does not wait.
    pub fn spawn(arena: &Arena, which: Which, options: &[&str]) -> Daemon {
        Daemon::spawn_with(arena, which, options, &[])
    }

    /// As [`Daemon::spawn`], with more environment variables.
    pub fn spawn_with(
        arena: &Arena,
        which: Which,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Daemon {
        let command = arena.command(which.program());
        Daemon::spawn_command(arena, which, command, options, environment)
    }

    /// As [`Daemon::spawn`], of ours, with listening sockets that `service` has kept.
    pub fn spawn_as_service(arena: &Arena, service: &Service, options: &[&str]) -> Daemon {
        let mut shell = arena.command("sh");
        shell.args(["-c", "export LISTEN_PID=$$; exec \"$0\" \"$@\""]).arg(Which::Ours.program());
        service.pass_on(&mut shell);
        Daemon::spawn_command(arena, Which::Ours, shell, options, &[])
    }

    fn spawn_command(
        arena: &Arena,
        which: Which,
        mut command: Command,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Daemon {
        // Each has its own consumer daemon without being told.
        let is_told = options.iter().any(|option| option.starts_with("--consumerd64-path"));
        let told = Consumer::chosen(which).filter(|_| !is_told).map(|it| it.option(arena));
        let threads = std::env::var(ACTOR_THREADS).ok().filter(|_| !which.is_stock_program());
        let threads = threads.map(|count| format!("--actor-threads={count}"));
        let number = fs::read_dir(arena.file("")).unwrap().count();
        let log = arena.file(&format!("daemon-{number}.log"));
        let file = fs::File::create(&log).unwrap();
        let child = command
            .args(told)
            .args(threads)
            .args(options)
            .envs(environment.iter().copied())
            .stdout(Stdio::from(file.try_clone().unwrap()))
            .stderr(Stdio::from(file))
            .spawn()
            .unwrap_or_else(|error| panic!("start {:?}: {error}", which.program()));
        Daemon { child, log, run_directory: arena.run_directory() }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// What it has written to its standard output and error.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The number of descriptors it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// The same, once it has been as many for a while: at its start it still makes threads of its own and asks for
    /// the kernel's tracer when it answers clients already.
    pub fn descriptors_at_rest(&self) -> usize {
        eventually("the daemon is at rest", || {
            let count = self.descriptors();
            let is_steady = (0..AT_REST_STEPS).all(|_| {
                std::thread::sleep(AT_REST_STEP);
                self.descriptors() == count
            });
            is_steady.then_some(count)
        })
    }

    /// Waits until it has at most `count` descriptors open.
    pub fn settles_to_descriptors(&self, count: usize) {
        eventually(&format!("the daemon closes all but {count} descriptors"), || {
            (self.descriptors() <= count).then_some(())
        });
    }

    /// Its resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The most that this was since its start.
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, which: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        // One that has ended has none.
        let line = status.lines().find(|line| line.starts_with(which));
        line.map_or(0, |line| line.split_whitespace().nth(1).unwrap().parse().unwrap())
    }

    /// The time it has spent on processors, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        cpu_us(self.pid())
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the daemon ends", || self.child.try_wait().unwrap())
    }

    /// Kills it without a chance to clean up.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it with SIGTERM; checks its exit code and that it leaves no file and no consumer behind.
    pub fn stop(mut self, arena: &Arena) {
        assert!(self.is_running(), "the daemon has ended by itself\n{}", self.log());
        arena.signal(self.pid(), Signal::TERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "exit code after SIGTERM\n{}", self.log());
        arena.consumers_end();
        let left = leftovers(&self.run_directory);
        assert!(left.is_empty(), "left in the run directory: {left:?}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let skipped = log.lines().count().saturating_sub(40);
            eprintln!("--- end of the log of daemon {}:", self.pid());
            log.lines().skip(skipped).for_each(|line| eprintln!("{line}"));
        }
    }
}

/// Where the stock consumer daemon is installed.
pub fn stock_consumer() -> PathBuf {
    const BELOW_LIBDIR: &str = "lttng/libexec/lttng-consumerd";

    // Debian's directories of architectures stand in the second one.
    let directories = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    directories
        .map(|entry| entry.path())
        .chain(["/usr/lib64", "/usr/lib", "/usr/local/lib"].map(PathBuf::from))
        .map(|libdir| libdir.join(BELOW_LIBDIR))
        .chain([PathBuf::from("/usr/libexec/lttng/lttng-consumerd")])
        .find(|path| path.is_file())
        .expect("lttng-consumerd (Debian package lttng-tools)")
}

/// The option that lets metrics be scraped at `metrics` in the run directory: a command in the world begins in the home
/// directory, or at the root.
pub fn metrics_option() -> &'static str {
    let is_root = rustix::process::geteuid().is_root();
    if is_root { "--metrics=/var/run/lttng/metrics" } else { "--metrics=.lttng/metrics" }
}

/// The time a process has spent on processors, in microseconds.
pub fn cpu_us(pid: i32) -> f64 {
    const SECOND_US: f64 = 1e6;

    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).unwrap();
    Duration::from(clock.now().unwrap()).as_secs_f64() * SECOND_US
}

/// The sockets and files below `directory`, itself and its directories not counted. Saved sessions
/// stand in a user's run directory too, and stay.
fn leftovers(directory: &Path) -> Vec<PathBuf> {
    let mut left = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if entry.file_name() == "sessions" {
            continue;
        }
        if kind.is_dir() {
            left.extend(leftovers(&entry.path()));
        } else if kind.is_socket() || kind.is_file() || kind.is_fifo() {
            left.push(entry.path());
        }
    }
    left
}
