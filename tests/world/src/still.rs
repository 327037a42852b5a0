//! File systems that stop answering.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Program, Stage, program};

/// A file system of a process, which passes on to a directory until it is told to stand still.
pub struct Still {
    process: Program,
    /// Where it is.
    pub mount: PathBuf,
    /// What is in it, by another way.
    pub behind: PathBuf,
}

impl Still {
    /// Mounts it where the daemon sees it; `None` where that cannot be done.
    pub fn mount(stage: &Stage) -> Option<Still> {
        if !stage.arena.is_root() || !Path::new("/dev/fuse").exists() {
            eprintln!("this needs root and /dev/fuse, and does nothing without");
            return None;
        }
        let [mount, behind] = ["mount", "behind"].map(|name| stage.arena.file(name));
        fs::create_dir(&mount).unwrap();
        fs::create_dir(&behind).unwrap();
        let mut command = stage.arena.command(program::still());
        command.args([&mount, &behind]);
        let mut process = Program::spawn(command);
        process.tell("go");
        Some(Still { process, mount, behind })
    }

    /// Answers nothing from now on.
    pub fn stand_still(&mut self) {
        self.process.tell("still");
    }

    /// Answers nothing from when a file is opened or made.
    pub fn stand_still_at_opening(&mut self) {
        self.process.tell("still-at-opening");
    }

    /// Answers nothing from when a file is written.
    pub fn stand_still_at_writing(&mut self) {
        self.process.tell("still-at-writing");
    }

    /// Nothing more can be written or made from now on, as by one whose quota is used up.
    pub fn use_up_the_quota(&mut self) {
        self.process.tell("quota");
    }

    /// Whether somebody waits for it.
    pub fn holds_one(&mut self) -> bool {
        self.process.tell("waiting") > 0
    }

    /// Goes on.
    pub fn go_on(&mut self) {
        self.process.tell("go");
    }

    /// Goes on, and is unmounted.
    pub fn end(mut self) {
        self.process.tell("end");
        self.process.finish();
    }
}
