//! What Cargo built together with the test or benchmark that runs.

use std::env;
use std::path::{Path, PathBuf};

/// The `lttngd` of this package.
pub fn lttngd() -> PathBuf {
    let program = above(PROFILE).join("lttngd");
    assert!(program.is_file(), "{} is not built", program.display());
    program
}

/// A directory for what tests build themselves and keep.
pub fn kept() -> PathBuf {
    above(TARGET).join("tmp")
}

/// How far the directory of a profile stands above a test: `target/debug/deps/test`.
const PROFILE: usize = 2;
/// The same of Cargo's directory.
const TARGET: usize = 3;

fn above(steps: usize) -> PathBuf {
    let test = env::current_exe().unwrap();
    test.ancestors().nth(steps).map(Path::to_path_buf).unwrap()
}
