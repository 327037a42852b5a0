//! Buffers in files.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::PathBuf;

use lttngd_ringbuffer::{ChannelConfig, Mode, Storage};

use crate::numbers;
use crate::recorder::{Recorder, config};
use crate::world::{Arena, Program};

/// `lttng-crash` reads what nobody else did.
#[test]
fn buffers_in_files_survive_their_reader() {
    for mode in [Mode::Discard, Mode::Overwrite] {
        let arena = Arena::new();
        let shm_path = arena.file("shm");
        let directory = shm_path.join("ust/uid/0/64-bit");
        fs::create_dir_all(&directory).unwrap();
        let config = ChannelConfig { num_subbuf: 8, ..config(mode) };
        let names: Vec<PathBuf> =
            (0..config.cpu_count).map(|cpu| format!("channel_{cpu}").into()).collect();
        let handle = File::open(&directory).unwrap();
        let storage =
            |cpu: u32| Storage::File { directory: handle.as_fd(), name: &names[cpu as usize] };
        let recorder = Recorder::with_storage(&arena, &config, storage);
        let mut program = Program::start(&arena, &["pin", "-"]);
        let application = recorder.attach();
        program.tell("number=300");
        fs::write(directory.join("metadata"), recorder.metadata()).unwrap();
        drop(recorder);

        let out = arena.file("out");
        let crash = arena.command("lttng-crash").arg("-x").arg(&out).arg(&shm_path).output();
        let crash = crash.expect("lttng-crash (Debian package lttng-tools)");
        assert!(crash.status.success(), "{crash:?}");
        let numbers = numbers(&arena.events(&out));
        assert_eq!(numbers, (0..300).collect::<Vec<u32>>(), "{mode:?}");
        drop(application);
        program.kill();
    }
}
