//! What reads bytes of peers is fed with what is almost what they send, and docs/fuzzing.md says where.

use super::{File, files, report};

/// The page with the table.
const PAGE: &str = "docs/fuzzing.md";
/// The codecs, and what feeds them.
const CODECS: &str = "actors/wire/src/";
const FED: &str = "actors/wire/tests/mutated/decoders.rs";
/// What takes bytes in the codecs and reads nothing of a peer: it writes, or hands bytes to what does read them.
const NO_DECODERS: [&str; 4] = ["Writer::", "Reader::new", "Sparse::", "metadata_packets"];
/// Begins the names of what writes there.
const WRITES: [&str; 2] = ["encode", "put"];
/// Begins the names of what reads bytes, in crates whose matter something else is.
const READS: [&str; 5] = ["decode", "parse", "read", "of", "from_bytes"];

/// The public functions of a file that are given bytes, each with its type.
fn given_bytes(file: &File) -> Vec<String> {
    let code = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut owner = None;
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if let Some(of) = line.strip_prefix("impl") {
            owner = of.split(" for ").last().and_then(implemented);
        }
        if line == "}" {
            owner = None;
        }
        let declared = line.trim_start();
        let Some(declared) =
            ["pub fn ", "pub const fn "].iter().find_map(|it| declared.strip_prefix(it))
        else {
            continue;
        };
        let mut signature = declared.to_owned();
        while !signature.contains(['{', ';']) {
            signature += lines.next().unwrap_or("{");
        }
        let taken = signature.split("->").next().unwrap_or_default();
        let name: String =
            taken.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect();
        // Not what they are put into.
        let taken = taken.replace("&mut [u8]", "");
        if taken.contains("[u8]") || taken.contains("[u8; ") {
            let owner = owner.filter(|_| line.starts_with(' '));
            found.push(owner.map_or(name.clone(), |owner: &str| format!("{owner}::{name}")));
        }
    }
    found
}

/// The name of the type of `impl<'a> Name<'a> {`.
fn implemented(header: &str) -> Option<&str> {
    let header = header.trim_start();
    let header = match header.strip_prefix('<') {
        Some(rest) => rest.split_once("> ")?.1,
        None => header,
    };
    header.split(['<', ' ', '{']).next().filter(|name| !name.is_empty())
}

fn is_test(file: &File) -> bool {
    file.path.split('/').any(|part| part.trim_end_matches(".rs") == "tests")
}

#[test]
fn every_decoder_is_fed_with_what_is_almost_a_message() {
    let files = files();
    let text = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.map(|file| file.text.as_str()).unwrap_or_default()
    };
    let (fed, page) = (text(FED), text(PAGE));
    let mut decoders = 0;
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("actors/") && !is_test(file)) {
        for name in given_bytes(file) {
            let last = name.rsplit("::").next().unwrap_or_default();
            if let Some(place) = file.path.strip_prefix(CODECS) {
                if WRITES.iter().any(|it| last.starts_with(it))
                    || NO_DECODERS.iter().any(|it| name.starts_with(it))
                {
                    continue;
                }
                decoders += 1;
                let protocol = place.split(['/', '.']).next().unwrap_or_default();
                let is_it =
                    |path: &str| path.starts_with(protocol) && path.ends_with(&format!("::{name}"));
                let is_fed = fed.split('"').skip(1).step_by(2).any(is_it);
                if !is_fed {
                    complaints.push(format!("{}: {name} is not in {FED}", file.path));
                }
            } else if READS.iter().any(|it| last.starts_with(it))
                && !page.contains(&format!("`{name}`"))
            {
                complaints.push(format!("{}: {name} is not in {PAGE}", file.path));
            }
        }
    }
    assert!(decoders > 60, "{decoders} decoders were found");
    report("decoders that nothing is fed to", &complaints);
}

/// The names of tests in the table, which stand behind the last bar but one of a row.
#[test]
fn each_test_of_the_page_about_fuzzing_exists() {
    let files = files();
    let page = files.iter().find(|file| file.path == PAGE).map(|file| file.text.as_str());
    let mut complaints = Vec::new();
    let mut rows = 0;
    for row in page.unwrap_or_default().lines().filter(|line| line.starts_with("| `")) {
        rows += 1;
        let tests = row.rsplit('|').nth(1).unwrap_or_default();
        for test in tests.split('`').skip(1).step_by(2) {
            let function = format!("fn {}(", test.rsplit("::").next().unwrap_or_default());
            if !files.iter().any(|file| file.path.ends_with(".rs") && file.text.contains(&function))
            {
                complaints.push(test.to_owned());
            }
        }
    }
    assert!(rows > 8, "{rows} rows");
    report("tests that docs/fuzzing.md names and that are not there", &complaints);
}
