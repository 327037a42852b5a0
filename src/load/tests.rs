//! Finding and reading files.

#![allow(clippy::unwrap_used)]

use super::*;

const FILE: &str = "<sessions><session><name>NAME</name></session></sessions>";

fn put(path: &Path, name: &str) {
    fs::write(path, FILE.replace("NAME", name)).unwrap();
}

fn names(sessions: Vec<SavedSession>) -> Vec<String> {
    let mut names: Vec<_> = sessions.into_iter().map(|session| session.name).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_file_of_any_name_or_the_named_ones_of_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    put(&at("a.lttng"), "a");
    put(&at("b.lttng"), "b");
    put(&at("other"), "other");
    fs::write(at(".lttng"), "no name before the end").unwrap();
    assert_eq!(names(read_path(directory.path()).unwrap()), ["a", "b"]);
    assert_eq!(names(read_path(&at("other")).unwrap()), ["other"]);
    fs::write(at("broken.lttng"), "<sessions>").unwrap();
    assert!(
        matches!(read_path(directory.path()), Err(LoadError::File { path, .. }) if path == at("broken.lttng"))
    );
    assert!(matches!(read_path(&at("missing")), Err(LoadError::Io { .. })));
}

#[test]
fn autoload_passes_over_what_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("home")).unwrap();
    put(&at("home/a.lttng"), "a");
    let sessions = read_autoload(&[at("missing"), at("home")]);
    assert_eq!(names(sessions), ["a"]);
}

#[test]
fn autoload_passes_over_what_is_broken() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    put(&at("a.lttng"), "a");
    fs::write(at("b.lttng"), "nonsense").unwrap();
    nix::unistd::mkfifo(&at("c.lttng"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    put(&at("d.lttng"), "d");
    let mut loaded = names(read_autoload(&[directory.path().to_owned()]));
    loaded.sort();
    assert_eq!(loaded, ["a", "d"]);
}

#[test]
fn a_file_without_end_is_refused() {
    let error = read_file(Path::new("/dev/zero")).unwrap_err();
    assert!(matches!(error, LoadError::Io { .. }), "{error}");
}
