//! Declared sessions: what `lttngd apply`, `diff`, `get`, `delete` and `export` do with the daemon that runs, seen by
//! the stock command line and babeltrace2.
#![allow(clippy::unwrap_used)]

mod bad;
mod changes;
mod recorded;

use std::{
    fs,
    io::Write,
    process::{Output, Stdio},
};

use lttngd_world::{Stage, Which};

/// What a word of `lttngd` answered.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// Asks the daemon with these arguments.
fn lttngd(stage: &Stage, arguments: &[&str]) -> Said {
    stage.arena.command(Which::Ours.program()).args(arguments).output().unwrap().into()
}

/// The same, which must succeed. Gives what was written.
fn lttngd_ok(stage: &Stage, arguments: &[&str]) -> String {
    let said = lttngd(stage, arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {said:#?}");
    said.out
}

/// The same with a document on standard input.
fn with_document(stage: &Stage, arguments: &[&str], document: &str) -> Said {
    let mut command = stage.arena.command(Which::Ours.program());
    let command = command.args(arguments).stdin(Stdio::piped());
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have seen enough.
    let _ = process.stdin.take().unwrap().write_all(document.as_bytes());
    process.wait_with_output().unwrap().into()
}

/// Applies a document, and looks that nothing is left to be done.
fn apply(stage: &Stage, document: &str) -> String {
    let said = with_document(stage, &["apply", "-"], document);
    assert_eq!(said.code, 0, "{document}\n{said:#?}");
    nothing_is_left(stage, document);
    said.out
}

fn nothing_is_left(stage: &Stage, document: &str) {
    let differs = with_document(stage, &["diff", "-"], document);
    assert_eq!((differs.code, differs.out.as_str()), (0, ""), "{document}\n{differs:#?}");
    let again = with_document(stage, &["apply", "-"], document);
    assert!(again.code == 0 && again.out.ends_with(": as declared\n"), "{document}\n{again:#?}");
}

/// Writes a file of the arena.
fn file(stage: &Stage, name: &str, text: &str) -> String {
    let path = stage.arena.file(name);
    fs::write(&path, text).unwrap();
    path.into_os_string().into_string().unwrap()
}
