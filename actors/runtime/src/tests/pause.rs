//! What stands still as long as a test wants it, which builds with debug assertions can.
#![cfg(debug_assertions)]

use std::{fs::OpenOptions, io::Write, time::Duration};

use crate::Pause;

#[test]
fn a_script_has_others_stand_still_and_go_on_by_a_pipe() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    let pause = Pause::by_pipe(path.clone()).unwrap();
    let other = pause.clone();
    assert!(!pause.is_on() && !Pause::default().is_on());
    for (bytes, is_on) in [(&b"1"[..], true), (b"\0", false), (b"\0\x01", true), (b"1\0", false)] {
        OpenOptions::new().write(true).open(&path).unwrap().write_all(bytes).unwrap();
        assert_eq!((pause.is_on(), other.is_on()), (is_on, is_on), "{bytes:?} counts at once");
    }
    drop(pause);
    assert!(path.exists(), "another one may ask");
    drop(other);
    assert!(!path.exists());
}

#[tokio::test(start_paused = true)]
async fn one_who_stands_still_goes_on_when_it_may() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    let pause = Pause::by_pipe(path.clone()).unwrap();
    let mut pipe = OpenOptions::new().write(true).open(&path).unwrap();
    pause.over().await;
    pipe.write_all(b"1").unwrap();
    let stands = tokio::time::timeout(Duration::from_secs(60), pause.over()).await;
    assert!(stands.is_err());
    pipe.write_all(b"\0").unwrap();
    pause.over().await;
}

#[test]
fn a_pipe_is_not_taken_for_another_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    let pause = Pause::by_pipe(path.clone()).unwrap();
    assert!(Pause::by_pipe(path.clone()).is_err());
    assert!(path.exists(), "it is that of the first");
    drop(pause);
}
