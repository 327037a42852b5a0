#![allow(clippy::unwrap_used)]

use std::os::fd::IntoRawFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::{Mutex, PoisonError};

use super::*;

/// A process that goes to the background does so once, before it has threads: one start keeps all
/// descriptors of the process from the children of another.
static ONE_START: Mutex<()> = Mutex::new(());

/// A shell in the daemon's place; `$0` is the option that names the pipe.
fn shell(script: &str) -> Result<(), BackgroundError> {
    let _alone = ONE_START.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script);
    start_as(command, &[])
}

#[test]
fn the_foreground_waits_for_the_byte() {
    shell("printf R > /proc/self/fd/${0#--readiness-fd=}").unwrap();
}

#[test]
fn a_daemon_that_dies_first_is_an_error() {
    match shell("exit 3") {
        Err(BackgroundError::Died(status)) => assert_eq!(status.code(), Some(3)),
        other => panic!("{other:?}"),
    }
    match shell("kill -9 $$") {
        Err(BackgroundError::Died(status)) => assert_eq!(status.signal(), Some(9)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_is_missing_is_an_error() {
    let _alone = ONE_START.lock().unwrap_or_else(PoisonError::into_inner);
    let missing = start_as(Command::new("/nonexistent/lttngd"), &[]);
    assert!(matches!(missing, Err(BackgroundError::System { .. })), "{missing:?}");
}

#[test]
fn the_daemon_inherits_only_the_pipe() {
    // A descriptor that a careless caller has left open.
    let (leaked, _other) = pipe_with(PipeFlags::empty()).unwrap();
    let leaked = leaked.as_raw_fd();
    shell(&format!(
        "test ! -e /proc/self/fd/{leaked} && printf R > /proc/self/fd/${{0#--readiness-fd=}}"
    ))
    .unwrap();
}

#[test]
fn only_a_pipe_is_taken_over() {
    for fd in [-1, 0, 2, RawFd::MAX] {
        assert!(inherited_pipe(fd).is_err(), "{fd}");
    }
    let file = File::open("/dev/null").unwrap().into_raw_fd();
    assert!(inherited_pipe(file).unwrap_err().to_string().contains("not a pipe"));
    let (_ready, announce) = pipe_with(PipeFlags::empty()).unwrap();
    let pipe = inherited_pipe(announce.into_raw_fd()).unwrap();
    assert_eq!(rustix::io::fcntl_getfd(&pipe).unwrap(), FdFlags::CLOEXEC);
}

#[test]
fn the_foreground_is_told_through_the_pipe() {
    let (ready, announce) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let detach = Some(Detach::Background);
    Readiness::Foreground { announce: announce.into(), detach }.announce().unwrap();
    let mut told = Vec::new();
    File::from(ready).read_to_end(&mut told).unwrap();
    assert_eq!(told, [READY]);
}

#[test]
fn a_foreground_that_is_gone_does_not_matter() {
    let (ready, announce) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    drop(ready);
    Readiness::Foreground { announce: announce.into(), detach: None }.announce().unwrap();
}
