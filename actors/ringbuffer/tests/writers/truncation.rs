//! Buffers in files that somebody makes shorter.

use std::fs::{self, File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use lttngd_peer::EVENT_HEADER_LEN;
use lttngd_ringbuffer::{Corruption, FlushMode, GetError, Mode, Storage, write};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use tempfile::TempDir;

use crate::rig::{MODES, PAGE, Rig, Ticks, config};

const NAME: &str = "channel_1";

fn rig(directory: &TempDir, mode: Mode) -> Rig {
    let path = directory.path().join(NAME);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
    let storage = Storage::File(file.into());
    Rig::with_storage(&config(mode, 2 * PAGE, 4), storage)
}

/// With packets in it, and the file at hand.
fn filled(directory: &TempDir, mode: Mode, clock: &impl Fn() -> u64) -> (Rig, File) {
    let mut rig = rig(directory, mode);
    for number in 0..40 {
        let _ = rig.tracer.record(1, number, EVENT_HEADER_LEN + 400, clock);
    }
    rig.stream.flush(FlushMode::Active, clock).unwrap();
    let file = OpenOptions::new().write(true).open(directory.path().join(NAME)).unwrap();
    (rig, file)
}

#[test]
fn a_truncated_file_ends_its_stream() {
    for mode in MODES {
        for pages in [0, 1, 2, 4] {
            let (directory, ticks) = (TempDir::new().unwrap(), Ticks::default());
            let (mut rig, file) = filled(&directory, mode, &ticks.clock());
            file.set_len(pages * PAGE).unwrap();
            let mut result = Ok(());
            while result.is_ok() {
                result = rig.stream.get_next().map(drop);
                result = result.and_then(|()| Ok(rig.stream.put_next()?));
            }
            // Where the headers are still there, the stream ends at the first packet that is not whole.
            assert_eq!(result, Err(GetError::Corrupt(Corruption::Truncated)), "{mode:?} {pages}");
            assert_eq!(rig.stream.check(), Err(Corruption::Truncated));
            let flushed = rig.stream.flush(FlushMode::Full, &ticks.clock());
            assert_eq!(flushed, Err(Corruption::Truncated));
        }
    }
}

#[test]
fn a_file_that_is_truncated_while_its_packet_is_written_ends_its_stream() {
    let (directory, ticks) = (TempDir::new().unwrap(), Ticks::default());
    let (mut rig, file) = filled(&directory, Mode::Discard, &ticks.clock());
    rig.stream.get_next().unwrap();
    file.set_len(2 * PAGE).unwrap();
    let out = tempfile::tempfile().unwrap();
    let packet = rig.stream.packet().unwrap();
    let mut written = 0;
    let error = loop {
        match write(&out, &packet.views(), written) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::FAULT.raw_os_error()));
    assert_eq!(rig.stream.check(), Err(Corruption::Truncated));
}

/// One that is mapped in the place of a truncated one has a guard of its own.
#[test]
fn other_streams_go_on() {
    let ticks = Ticks::default();
    let (bad_directory, good_directory) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for _ in 0..3 {
        let (mut good, _) = filled(&good_directory, Mode::Discard, &ticks.clock());
        let (mut bad, file) = filled(&bad_directory, Mode::Discard, &ticks.clock());
        file.set_len(0).unwrap();
        assert_eq!(bad.stream.get_next(), Err(GetError::Corrupt(Corruption::Truncated)));
        good.stream.get_next().unwrap();
        for directory in [&bad_directory, &good_directory] {
            fs::remove_file(directory.path().join(NAME)).unwrap();
        }
    }
}

/// Set in the process that is to die.
const DIE: &str = "LTTNGD_TEST_SIGBUS";

/// Other memory than that of streams is not our business: the process ends as it would have.
#[test]
fn other_faults_end_the_process() {
    if std::env::var_os(DIE).is_some() {
        let directory = TempDir::new().unwrap();
        let _guarded = rig(&directory, Mode::Discard);
        fault();
    }
    let test = "truncation::other_faults_end_the_process";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--test-threads=1"])
        .env(DIE, "1")
        .output()
        .unwrap();
    assert_eq!(child.status.signal(), Some(rustix::process::Signal::BUS.as_raw()), "{child:?}");
}

/// Reads memory that is not there.
fn fault() {
    let empty: OwnedFd = tempfile::tempfile().unwrap().into();
    // SAFETY: a new mapping touches nothing that exists; reading it raises the signal and no more.
    unsafe {
        let len = PAGE as usize;
        let page =
            mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, &empty, 0).unwrap();
        let _ = page.cast::<u8>().read_volatile();
    }
}
