//! Tests that look at the whole process, and so must have one for themselves.

use std::process::Command;

/// Tells the child process that it is one.
const MARK: &str = "LTTNGD_TEST_ALONE";

/// Runs `body` in a process in which no other test runs. `test` is the test's full name, as
/// `module_path!()` and its own name give it.
///
/// # Panics
/// When `body` does.
pub fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os(MARK).is_some() {
        return body();
    }
    let name = test.split_once("::").map_or(test, |(_crate, name)| name);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let ran = text.contains("1 passed") || text.contains("1 failed");
    assert!(ran, "no test is called {name}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// Count of descriptors that this process has open.
#[must_use]
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
