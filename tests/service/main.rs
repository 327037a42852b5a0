//! The daemon as a service: what it tells the service manager, what that keeps of it over a restart.
#![allow(clippy::unwrap_used)]

mod restarts;
mod units;

use std::fs;
use std::time::{Duration, Instant};

use lttngd_world::{Arena, Daemon, PATIENCE, Service, eventually};
use nix::libc;
use rustix::process::Signal;

/// A time in which a daemon has to say a word that passes within a test.
const WATCHDOG: Duration = Duration::from_millis(500);

#[test]
fn a_service_manager_is_told_of_a_daemons_life() {
    let arena = Arena::new();
    let mut service = Service::new(&arena, None);
    let mut daemon = Daemon::spawn_as_service(&arena, &service, &[]);
    service.hears("READY=1");
    // Ready means ready: the first command succeeds.
    arena.lttng_ok("create one");
    arena.lttng_ok("enable-event -u -a");
    arena.lttng_ok("start");
    service.hears("STATUS=1 session (1 active)");
    arena.signal(daemon.pid(), Signal::TERM);
    service.hears("STOPPING=1");
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(service.kept.is_empty(), "nothing is handed over that nobody asked for");
    assert!(!arena.run_directory().join("client-lttng-sessiond").exists());
}

#[test]
fn a_daemon_in_the_background_is_no_service() {
    let arena = Arena::new();
    let mut service = Service::new(&arena, Some(WATCHDOG));
    let mut front = Daemon::spawn_as_service(&arena, &service, &["--background"]);
    assert_eq!(front.wait().code(), Some(0));
    let file = arena.run_directory().join("lttng-sessiond.pid");
    let pid: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    arena.lttng_ok("list");
    assert_eq!(service.next_within(4 * WATCHDOG), None);
    arena.signal(pid, Signal::TERM);
    eventually("the daemon in the background ends", || {
        arena.processes().iter().all(|(it, _)| *it != pid).then_some(())
    });
}

/// A thread of a daemon that is held where it stands, the others go on.
struct Held(libc::pid_t);

impl Held {
    fn of(daemon: &Daemon, name: &str) -> Held {
        let threads = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().flatten();
        let named = threads.map(|it| it.path()).find(|path| {
            fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
        });
        let thread = named.unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
        trace(libc::PTRACE_SEIZE, thread);
        trace(libc::PTRACE_INTERRUPT, thread);
        // SAFETY: nothing is written where there is no place for it.
        let stopped = unsafe { libc::waitpid(thread, std::ptr::null_mut(), libc::__WALL) };
        assert_eq!(stopped, thread);
        Held(thread)
    }

    fn goes_on(self) {
        trace(libc::PTRACE_DETACH, self.0);
    }
}

/// A request that takes no argument.
fn trace(request: libc::c_uint, thread: libc::pid_t) {
    // SAFETY: these requests read and write no memory of this process.
    let result = unsafe { libc::ptrace(request, thread, 0, 0) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn no_word_comes_of_a_daemon_of_which_a_thread_hangs() {
    let arena = Arena::new();
    let mut service = Service::new(&arena, Some(WATCHDOG));
    let daemon = Daemon::spawn_as_service(&arena, &service, &[]);
    service.hears("READY=1");
    for _ in 0..3 {
        service.hears("WATCHDOG=1");
    }
    for thread in ["lttngd-actors", "lttngd-clients", "lttngd-triggers", "lttngd-status"] {
        let held = Held::of(&daemon, thread);
        let begun = Instant::now();
        // What was on its way comes still.
        while service.next_within(6 * WATCHDOG).is_some() {
            assert!(begun.elapsed() < PATIENCE, "words go on while {thread} hangs");
        }
        held.goes_on();
        service.hears("WATCHDOG=1");
    }
    daemon.stop(&arena);
}
