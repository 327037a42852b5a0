//! Start, readiness and end of the daemon, and its files.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::Stdio;

use rustix::process::Signal;

use super::world::{Arena, Daemon, Which, alone, both, eventually};

#[test]
fn sockets_and_files() {
    both(|stage| {
        let directory = stage.arena.run_directory();
        for name in ["client-lttng-sessiond", "lttng-ust-sock-8", "lttng-sessiond.pid"] {
            let metadata = fs::metadata(directory.join(name)).unwrap();
            let is_socket = metadata.file_type().is_socket();
            stage.note(&format!("{name} {:o} {is_socket}", metadata.permissions().mode()));
        }
        let mode = fs::metadata(&directory).unwrap().permissions().mode();
        stage.note(&format!("run directory {mode:o}"));
        let pid = fs::read_to_string(directory.join("lttng-sessiond.pid")).unwrap();
        assert_eq!(pid.trim(), stage.daemon.pid().to_string());
    });
}

#[test]
fn background_returns_when_ready() {
    for option in ["--background", "--daemonize"] {
        let arena = Arena::new();
        let status = arena
            .command(Which::Ours.program())
            .arg(option)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(0), "{option}");
        // Ready means ready: the first command succeeds.
        arena.lttng_ok("list");
        let file = arena.run_directory().join("lttng-sessiond.pid");
        let pid: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
        arena.signal(pid, Signal::TERM);
        eventually("the daemon in the background ends", || {
            arena.processes().iter().all(|(it, _)| *it != pid).then_some(())
        });
        assert!(!arena.run_directory().join("client-lttng-sessiond").exists());
    }
}

#[test]
fn parent_is_signalled_when_ready() {
    let arena = Arena::new();
    let program = Which::Ours.program();
    let script = r#"
        trap 'ready=1' USR1
        "$0" --sig-parent >/dev/null 2>&1 &
        while [ -z "$ready" ]; do wait $!; [ $? -gt 128 ] || exit 1; done
        trap - USR1
        lttng --no-sessiond list >/dev/null || exit 2
        kill -TERM $!
        wait $!
    "#;
    let mut command = arena.command("timeout");
    let status = command.args(["30", "sh", "-c", script]).arg(program).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn every_stop_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let arena = Arena::new();
        let mut daemon = Daemon::start(&arena, Which::Ours, &[]);
        arena.signal(daemon.pid(), signal);
        assert_eq!(daemon.wait().code(), Some(0), "{signal:?}");
        assert!(!arena.run_directory().join("client-lttng-sessiond").exists());
    }
}

#[test]
fn stop_with_active_sessions() {
    alone(|stage| {
        let mut program = stage.program();
        stage.lttng_ok("create active");
        stage.lttng_ok("enable-event -u -a");
        stage.lttng_ok("start");
        program.tell("number=10");
        // Not stopped, not destroyed: the end of the stage stops the daemon and checks what is left.
    });
}

#[test]
fn version_and_help() {
    let arena = Arena::new();
    for option in ["--version", "--help"] {
        let answer =
            arena.shell_within(10, &format!("'{}' {option}", Which::Ours.program().display()));
        assert_eq!(answer.code, 0, "{answer:?}");
        assert!(!answer.stdout.is_empty(), "{option}");
    }
    let wrong =
        arena.shell_within(10, &format!("'{}' --no-such-option", Which::Ours.program().display()));
    assert_ne!(wrong.code, 0);
}
