//! Tests of the library: such a test executes itself once more inside an arena, where the run directory
//! of the user is a private one.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Arena;

/// Set in the process inside the arena: where its traces go.
const INSIDE: &str = "LTTNGD_TEST_TRACES";

/// Executes the test `name` inside an arena, where [`inside`] is not `None`, and has the traces it
/// recorded checked.
pub fn in_arena(name: &str, check: impl FnOnce(&Arena, &Path)) {
    let arena = Arena::new();
    let traces = arena.file("traces");
    let status = again(&arena, name, &traces).status().unwrap();
    assert!(status.success(), "{name} inside the arena: {status}");
    check(&arena, &traces);
}

/// The command that executes the test `name` inside the arena.
pub fn again(arena: &Arena, name: &str, traces: &Path) -> Command {
    let mut command = arena.command(env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture"]).env(INSIDE, traces);
    command
}

/// Where traces go, in the process inside the arena.
pub fn inside() -> Option<PathBuf> {
    env::var_os(INSIDE).map(PathBuf::from)
}
