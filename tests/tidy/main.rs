//! The rules of the house that no other tool checks. What is checked is what git tracks.
#![allow(clippy::unwrap_used)]

mod circles;
mod decoders;
mod functions;
mod locks;
mod papers;

use std::path::Path;
use std::process::Command;

/// Lines of the longest Rust file: one that a person reads in one go.
const LINES_MAX: usize = 480;
/// Directories with Rust sources.
const SOURCES: [&str; 4] = ["src", "actors", "tests", "benches"];
/// This file, which has to name what it forbids.
const OWN_PATH: &str = "tests/tidy/main.rs";
/// Lines above an unsafe block in which its comment may begin.
const SAFETY_REACH: usize = 6;

/// What no Rust file may contain, and why. See also `clippy.toml`.
const BANNED: [(&str, &str); 8] = [
    ("todo!(", "is not done"),
    ("unimplemented!(", "is not done"),
    ("TODO", "is not done"),
    ("FIXME", "is not done"),
    ("#[ignore", "is a test that does not run"),
    ("allow(dead_code", "keeps what nobody uses"),
    ("As above", "says nothing when the lines move"),
    ("as above", "says nothing when the lines move"),
];
/// What stops the mailbox of an actor: in the actor of one peer its mailbox is the order of the exchanges.
/// All others spawn the future and keep a phase.
const STOPS_THE_MAILBOX: [&str; 3] = ["AtomicResponse", "ctx.wait(", "context.wait("];
/// The actors that may.
const STOPS_THE_MAILBOX_ALLOWED: [&str; 2] =
    ["actors/consumer/src/command.rs", "actors/consumerd/src/source.rs"];
/// Sends without a bound and without an error: the runtime's outlets alone may.
const UNBOUNDED_SEND: &str = ".do_send(";
/// Where it may stand.
const UNBOUNDED_SEND_ALLOWED: &str = "actors/runtime/";

/// Versions of the protocol of clients that differ from the oldest one: what depends on one is a matter of codecs.
const VERSIONS: [&str; 3] = ["V2_14", "V2_15", "V2_16"];
/// Where they may stand: in codecs, where a version is told by a library, and in tests.
const VERSIONS_ALLOWED: [&str; 4] =
    ["actors/wire/", "actors/client/src/recognition/library.rs", "tests/", "/tests"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "manager"];

/// What only one machine knows: directories of its user, hosts of its package registries.
const MACHINE: [&str; 3] =
    [concat!("/", "work/"), concat!("/", "root/"), concat!("index.", "crates.io")];

/// A tracked text file.
struct File {
    path: String,
    text: String,
}

/// Every tracked text file below the root of the repository.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listing = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .expect("git is needed to list the files of the repository");
    assert!(listing.status.success(), "{}", String::from_utf8_lossy(&listing.stderr));
    let paths = String::from_utf8(listing.stdout).unwrap();
    let files: Vec<File> = paths
        .split_terminator('\0')
        // A file that is removed but still tracked cannot be read, a binary one is no text.
        .filter_map(|path| Some((path, std::fs::read_to_string(root.join(path)).ok()?)))
        .map(|(path, text)| File { path: path.to_owned(), text })
        .collect();
    assert!(files.iter().any(|file| file.path == OWN_PATH), "{OWN_PATH} is not among the files");
    files
}

/// The Rust sources but this one.
fn rust_files() -> Vec<File> {
    let is_source = |file: &File| {
        let (dir, _) = file.path.split_once('/').unwrap_or_default();
        SOURCES.contains(&dir) && file.path.ends_with(".rs") && file.path != OWN_PATH
    };
    files().into_iter().filter(is_source).collect()
}

/// Fails when there are complaints, with all of them.
fn report(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n{}", complaints.join("\n"));
}

/// A complaint for each line in which `find` finds something.
fn lines_with(file: &File, find: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let found = |(index, line)| Some(format!("{}:{}: {}", file.path, index + 1, find(line)?));
    file.text.lines().enumerate().filter_map(found).collect()
}

#[test]
fn files_are_short() {
    let long = |file: &File| {
        let lines = file.text.lines().count();
        (lines > LINES_MAX).then(|| format!("{}: {lines} lines", file.path))
    };
    let complaints: Vec<String> = rust_files().iter().filter_map(long).collect();
    report(
        &format!("files longer than {LINES_MAX} lines: split them by what they are about"),
        &complaints,
    );
}

#[test]
fn nothing_banned_is_used() {
    let mut complaints = Vec::new();
    for file in rust_files() {
        for (word, why) in BANNED {
            complaints.extend(lines_with(&file, |line| {
                line.contains(word).then(|| format!("`{word}` {why}"))
            }));
        }
        if !STOPS_THE_MAILBOX_ALLOWED.contains(&file.path.as_str()) {
            for word in STOPS_THE_MAILBOX {
                complaints.extend(lines_with(&file, |line| {
                    line.contains(word).then(|| format!("`{word}` stops the actor"))
                }));
            }
        }
        if !file.path.starts_with(UNBOUNDED_SEND_ALLOWED) {
            complaints.extend(lines_with(&file, |line| {
                line.contains(UNBOUNDED_SEND)
                    .then(|| format!("`{UNBOUNDED_SEND}` has no bound: use an outlet"))
            }));
        }
    }
    report("banned", &complaints);
}

#[test]
fn versions_of_clients_are_a_matter_of_codecs() {
    let mut complaints = Vec::new();
    for file in rust_files() {
        if VERSIONS_ALLOWED.iter().any(|place| file.path.contains(place)) {
            continue;
        }
        // What follows is tests.
        let code = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for version in VERSIONS {
            complaints.extend(code.contains(version).then(|| format!("{}: {version}", file.path)));
        }
    }
    report("versions of clients outside of codecs", &complaints);
}

#[test]
fn names_say_what_is_inside() {
    let empty = |name: &str| EMPTY_NAMES.contains(&name);
    let mut complaints = Vec::new();
    for file in rust_files() {
        let stem = file.path.trim_end_matches(".rs");
        if stem.split('/').any(empty) {
            complaints.push(file.path.clone());
        }
        complaints.extend(lines_with(&file, |line| {
            let (_, module) = line.trim_start().split_once("mod ")?;
            let name = module.split([' ', ';', '{']).next()?;
            empty(name).then(|| format!("mod {name}"))
        }));
    }
    report("names that say nothing", &complaints);
}

#[test]
fn unsafe_code_says_why_it_is_sound() {
    let mut complaints = Vec::new();
    for file in rust_files() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if !(code.contains("unsafe {") || code.contains("unsafe impl ")) {
                continue;
            }
            let above = &lines[index.saturating_sub(SAFETY_REACH)..=index];
            if !above.iter().any(|line| line.contains("SAFETY:")) {
                complaints.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    report("unsafe without a SAFETY comment", &complaints);
}

#[test]
fn the_architecture_names_every_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(architecture) = std::fs::read_to_string(root.join("docs/architecture.md")) else {
        return;
    };
    let files = files();
    let crates = files.iter().filter_map(|file| {
        let name = file.path.strip_prefix("actors/")?.strip_suffix("/Cargo.toml")?;
        (!name.contains('/')).then_some(name)
    });
    let complaints: Vec<String> = crates
        .filter(|name| !architecture.contains(&format!("{name}/")))
        .map(|name| format!("actors/{name}"))
        .collect();
    report("crates that docs/architecture.md does not name", &complaints);
}

#[test]
fn nothing_depends_on_one_machine() {
    let mut complaints = Vec::new();
    for file in files().iter().filter(|file| file.path != OWN_PATH) {
        for place in MACHINE {
            complaints.extend(lines_with(file, |line| {
                line.contains(place).then(|| format!("`{place}`"))
            }));
        }
    }
    report("places of one machine", &complaints);
}

/// Texts that peers choose, shown as they are: `field = %value` in a log statement. An embedding program
/// has a log of its own, which may show them as lines of it.
#[test]
fn texts_of_peers_are_escaped_in_log_statements() {
    const ENDS: [&str; 3] = ["name", "path", ".display()"];

    let is_shown_raw = |line: &str| {
        line.split('%').skip(1).any(|behind| {
            let is_part = |it: char| it.is_alphanumeric() || "_.()".contains(it);
            let end = behind.find(|it| !is_part(it)).unwrap_or(behind.len());
            ENDS.iter().any(|it| behind[..end].ends_with(it))
        })
    };
    for file in files().iter().filter(|it| it.path.ends_with(".rs") && it.path != OWN_PATH) {
        for (number, line) in file.text.lines().enumerate() {
            assert!(
                !is_shown_raw(line),
                "{}:{}: a name or path is shown as it is: write `?` instead of `%`, or nothing",
                file.path,
                number + 1
            );
        }
    }
}
