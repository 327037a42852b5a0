//! Functions are of a screen.

use super::{File, report, rust_files};

/// Lines of the longest function, from its name to its last brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Those that are longer, and why.
const EXCEPTIONS: [(&str, &str, &str); 5] = [
    ("actors/wire/src/client/body.rs", "encode", "a list: the body of each command"),
    ("actors/wire/src/client/body.rs", "decode_plain", "a list: the body of each command"),
    ("actors/wire/src/consumer/message/body.rs", "encode_body", "a list: the body of each message"),
    ("tests/end_to_end/loading.rs", "loadable", "a list: sessions that can be loaded"),
    (
        "actors/consumerd/src/process.rs",
        "serve",
        "the life of the daemon from its start to its end",
    ),
];

/// The name of the function that begins in a line, and how far the line is indented.
fn function(line: &str) -> Option<(&str, usize)> {
    let code = line.trim_start();
    let (before, behind) = if let Some(behind) = code.strip_prefix("fn ") {
        ("", behind)
    } else {
        code.split_once(" fn ")?
    };
    let is_qualifier = |word: &str| {
        matches!(word, "const" | "async" | "unsafe" | "extern" | "\"C\"") || word.starts_with("pub")
    };
    let is_qualified = before
        .split(' ')
        .filter(|it| !it.is_empty())
        .all(|word| is_qualifier(word) || word.ends_with(')'));
    let name = behind.split(['(', '<']).next()?;
    is_qualified.then_some((name, line.len() - code.len()))
}

/// Names, first lines and lengths of the functions of a file, which is formatted: the last line of one is the
/// first brace that is indented as its name is.
fn functions(file: &File) -> Vec<(&str, usize, usize)> {
    let lines: Vec<&str> = file.text.lines().collect();
    let begun = lines.iter().enumerate();
    let found = begun.filter_map(|(first, line)| {
        let (name, indent) = function(line)?;
        let closing = format!("{}}}", " ".repeat(indent));
        let mut last = lines[first..].iter().position(|line| *line == closing)? + first;
        // A declaration has no body: what follows is another's.
        if let Some(end) = lines[first..=last].iter().position(|line| line.ends_with(';')) {
            let head = &lines[first..=first + end];
            if head.iter().all(|line| !line.contains('{')) {
                last = first + end;
            }
        }
        Some((name, first, last - first + 1))
    });
    found.collect()
}

#[test]
fn functions_are_short() {
    let files = rust_files();
    let all = files.iter().map(|file| (file, functions(file)));
    let mut complaints = Vec::new();
    let mut count = 0;
    for (file, functions) in all {
        count += functions.len();
        for (name, first, lines) in functions {
            let is_excepted = EXCEPTIONS.iter().any(|it| (it.0, it.1) == (&*file.path, name));
            if lines > FUNCTION_LINES_MAX && !is_excepted {
                complaints.push(format!("{}:{}: {name}: {lines} lines", file.path, first + 1));
            }
        }
    }
    for (path, name, _) in EXCEPTIONS {
        let is_needed = files
            .iter()
            .filter(|file| file.path == path)
            .any(|file| functions(file).iter().any(|it| it.0 == name && it.2 > FUNCTION_LINES_MAX));
        if !is_needed {
            complaints.push(format!("{path}: {name}: needs no exception"));
        }
    }
    assert!(count > 1000, "{count} functions are not all of them");
    let rule = format!("functions longer than {FUNCTION_LINES_MAX} lines: have each do one thing");
    report(&rule, &complaints);
}

#[test]
fn the_end_of_a_function_is_found() {
    let text = "trait A {\n    fn declared(&self);\n\n    /// It.\n    pub(crate) async fn long(\n        a: u8,\n    ) -> u8 {\n        {\n        }\n        a\n    }\n}\n";
    let file = File { path: "a.rs".to_owned(), text: text.to_owned() };
    assert_eq!(functions(&file), [("declared", 1, 1), ("long", 4, 7)]);
}
