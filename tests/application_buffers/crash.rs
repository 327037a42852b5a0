//! Buffers in files.

use std::fs::{self, File};

use lttngd_ringbuffer::{ChannelConfig, Mode, Storage};

use crate::numbers;
use crate::recorder::{Recorder, config};
use lttngd_world::{Arena, Program};

/// `lttng-crash` reads what nobody else did.
#[test]
fn buffers_in_files_survive_their_reader() {
    for mode in [Mode::Discard, Mode::Overwrite] {
        let arena = Arena::new();
        let shm_path = arena.file("shm");
        let directory = shm_path.join("ust/uid/0/64-bit");
        fs::create_dir_all(&directory).unwrap();
        let config = ChannelConfig { num_subbuf: 8, ..config(mode) };
        let storage = |cpu: u32| {
            let path = directory.join(format!("channel_{cpu}"));
            let file = File::options().read(true).write(true).create_new(true).open(path);
            Storage::File(file.unwrap().into())
        };
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
