//! Recorded traces, read by babeltrace2.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::Arena;

/// One recorded event, as babeltrace2 tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Provider and name, `sample:number`.
    pub name: String,
    /// Log level and its number, `TRACE_INFO (6)`.
    pub log_level: String,
    /// Contexts, in text.
    pub context: String,
    /// Fields, in text.
    pub fields: String,
}

impl Arena {
    /// The events below `directory` in time order, without the state dump of the tracer.
    pub fn events(&self, directory: &Path) -> Vec<Event> {
        let mut events = self.events_with_statedump(directory);
        events.retain(|event| !event.name.starts_with("lttng_ust_"));
        events
    }

    /// All events below `directory` in time order.
    pub fn events_with_statedump(&self, directory: &Path) -> Vec<Event> {
        let text = self.babeltrace(&format!("--fields=loglevel '{}'", directory.display()));
        text.lines()
            .map(|line| parse(line).unwrap_or_else(|| panic!("babeltrace2 line: {line}")))
            .collect()
    }

    /// What babeltrace2 says about lost events below `directory`.
    pub fn lost_events(&self, directory: &Path) -> String {
        let answer = self.shell_within(60, &format!("babeltrace2 '{}'", directory.display()));
        assert_eq!(answer.code, 0, "{answer:?}");
        answer.stderr
    }

    /// The metadata texts below `directory`, comments and what differs from run to run left out.
    pub fn metadata(&self, directory: &Path) -> String {
        static PROCESS: LazyLock<Regex> = LazyLock::new(|| {
            let key = "tracer_buffering_scheme = \"pid\";\\s*tracer_buffering_id = ";
            Regex::new(&format!(r"({key})\d+")).unwrap()
        });
        static CHANGING: LazyLock<Regex> = LazyLock::new(|| {
            let keys = "uuid|offset|offset_s|hostname|vpid|trace_creation_datetime|trace_name";
            Regex::new(&format!(r"(?m)^(\s*(?:{keys}) = )[^;]*;")).unwrap()
        });

        let mut texts = Vec::new();
        for path in files(directory).iter().filter(|path| path.ends_with("metadata")) {
            let file = directory.join(path);
            let found = file.parent().unwrap().display().to_string();
            let text = self.babeltrace(&format!("--output-format=ctf-metadata '{found}'"));
            let text = PROCESS.replace_all(&text, "${1}PID");
            texts.push(sorted(&CHANGING.replace_all(&text, "${1}CHANGING;")));
        }
        assert!(!texts.is_empty(), "no metadata below {}", directory.display());
        texts.sort();
        texts.join("\n----\n")
    }

    fn babeltrace(&self, arguments: &str) -> String {
        let answer = self.shell_within(60, &format!("babeltrace2 {arguments}"));
        assert_eq!(answer.code, 0, "babeltrace2 {arguments}: {}", answer.stderr);
        answer.stdout
    }

    /// The only trace directory of `session` below the default one.
    pub fn trace_of(&self, session: &str) -> std::path::PathBuf {
        let mut found: Vec<_> = fs::read_dir(self.traces())
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(session))
            .map(|entry| entry.path())
            .collect();
        assert_eq!(found.len(), 1, "traces of {session}: {found:?}");
        found.pop().unwrap()
    }
}

/// The files and empty directories below `directory`, relative and sorted; directories end with `/`.
pub fn files(directory: &Path) -> Vec<String> {
    fn walk(base: &Path, directory: &Path, found: &mut Vec<String>) {
        let entries: Vec<_> = fs::read_dir(directory).unwrap().flatten().collect();
        let name = directory.strip_prefix(base).unwrap().display().to_string();
        if entries.is_empty() && !name.is_empty() {
            found.push(format!("{name}/"));
        }
        for entry in entries {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                walk(base, &path, found);
            } else {
                found.push(path.strip_prefix(base).unwrap().display().to_string());
            }
        }
    }

    let mut found = Vec::new();
    if directory.exists() {
        walk(directory, directory, &mut found);
    }
    found.sort();
    found
}

/// Metadata text with its streams and events in an order of their own: the stock daemon writes what comes,
/// ours a stream before its events.
fn sorted(text: &str) -> String {
    let mut blocks = vec![String::new()];
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line == "stream {" || line == "event {" {
            blocks.push(String::new());
        }
        let block = blocks.last_mut().expect("there is one at first");
        block.push_str(line);
        block.push('\n');
    }
    blocks[1..].sort();
    blocks.concat()
}

/// Takes one line of babeltrace2's text apart.
fn parse(line: &str) -> Option<Event> {
    static LINE: LazyLock<Regex> = LazyLock::new(|| {
        // time, delta, [loglevel,] name: {packet context}, [{event context},] {fields}
        let pattern =
            r"^\[[^\]]*\] \(\+[^)]*\) (?:(\S+ \(\d+\)),? )?(\S+): \{ cpu_id = \d+ \}, (.*)$";
        Regex::new(pattern).unwrap()
    });

    let parts = LINE.captures(line)?;
    let rest = &parts[3];
    // Contexts hold no braces of their own, except in the fields' block, which is the last one.
    let (context, fields) = match rest.split_once(" }, { ") {
        Some((context, fields)) => (format!("{context} }}"), format!("{{ {fields}")),
        None => (String::new(), rest.to_owned()),
    };
    let log_level = parts.get(1).map(|level| level.as_str().to_owned()).unwrap_or_default();
    Some(Event { name: parts[2].to_owned(), log_level, context, fields })
}
