//! Files of a room do not stand on each other in a circle: what a file names by a path is below it.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, report, rust_files};

/// Rooms in which no files may be in a circle.
const ROOMS: [&str; 15] = [
    "actors/app/src",
    "actors/buffers/src",
    "actors/consumer/src",
    "actors/consumerd/src",
    "actors/handle/src",
    "actors/kernelbuffer/src",
    "actors/model/src",
    "actors/registry/src",
    "actors/relaystream/src",
    "actors/runas/src",
    "actors/session/src",
    "actors/tracefile/src",
    "actors/users/src",
    "actors/wire/src",
    "src",
];

/// The paths within the crate that are named, groups of `use` statements taken apart, those of tests left out.
fn used_paths(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join(" ");
    let named = code.split(';').filter_map(|statement| statement.rsplit_once("use "));
    let paths = named.map(|(_, path)| path.chars().filter(|it| !it.is_whitespace()).collect());
    let used = paths.flat_map(|path: String| ungrouped(&path));
    used.chain(inline_paths(&code)).collect()
}

/// Those that stand in the midst of code. A place that may see something is not used by it.
fn inline_paths(code: &str) -> Vec<String> {
    let is_path = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
    let code = code.replace("pub(in ", "pub(in:");
    let words = code.split(|it| !is_path(it));
    let begins =
        |word: &&str| ["crate::", "self::", "super::"].iter().any(|it| word.starts_with(it));
    let paths = words.filter(|word| begins(word) && !word.ends_with("::"));
    paths.map(str::to_owned).collect()
}

/// `a::{b,c::{d,e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn ungrouped(path: &str) -> Vec<String> {
    let Some((base, group)) = path.split_once('{') else { return vec![path.to_owned()] };
    let group = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (index, it) in group.char_indices() {
        match it {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.flat_map(ungrouped).map(|part| format!("{base}{part}")).collect()
}

/// The module of a file, as a path within its crate: `worker::relay` of `src/worker/relay.rs`.
fn module(path: &str) -> Vec<&str> {
    let inside = path.split_once("/src/").map_or("", |(_, inside)| inside);
    let name = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    name.split('/').filter(|part| *part != "lib").collect()
}

/// The file that a path names from within `module`: the deepest one on its way.
fn target<'a>(
    path: &str,
    module: &[&str],
    modules: &BTreeMap<Vec<&str>, &'a str>,
) -> Option<&'a str> {
    let mut parts: Vec<&str> = path.split("::").collect();
    let mut at: Vec<&str> = match *parts.first()? {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        _ => return None,
    };
    parts.remove(0);
    while parts.first() == Some(&"super") {
        at.pop()?;
        parts.remove(0);
    }
    for part in parts {
        at.push(part);
        if !modules.contains_key(&at) {
            at.pop();
            break;
        }
    }
    modules.get(&at).copied()
}

/// Takes away files that use none of those left, again and again: what stays is in a circle or above one.
fn circles(files: &[File]) -> Vec<String> {
    let modules = files.iter().map(|file| (module(&file.path), file.path.as_str())).collect();
    let uses = |file: &File| -> BTreeSet<String> {
        let own = module(&file.path);
        let named = used_paths(&file.text).into_iter();
        let targets = named.filter_map(|path| target(&path, &own, &modules).map(str::to_owned));
        targets.filter(|target| *target != file.path).collect()
    };
    let mut left: BTreeMap<_, _> = files.iter().map(|it| (it.path.clone(), uses(it))).collect();
    loop {
        let is_low = |uses: &BTreeSet<String>| uses.iter().all(|it| !left.contains_key(it));
        let low: Vec<_> = left.iter().filter(|(_, it)| is_low(it)).map(|it| it.0.clone()).collect();
        if low.is_empty() {
            break;
        }
        left.retain(|path, _| !low.contains(path));
    }
    let of = |(path, uses): (&String, &BTreeSet<String>)| {
        let uses = uses.iter().filter(|it| left.contains_key(*it)).cloned();
        format!("{path} uses {}", uses.collect::<Vec<_>>().join(", "))
    };
    left.iter().map(of).collect()
}

#[test]
fn files_of_a_room_are_in_no_circle() {
    for room in ROOMS {
        let is_inside = |file: &File| {
            file.path.strip_prefix(room).is_some_and(|rest| rest.starts_with(['/', '.']))
                && !file.path.contains("/tests")
        };
        let files: Vec<File> = rust_files().into_iter().filter(is_inside).collect();
        assert!(files.len() > 1, "{room} has no files");
        report(&format!("files of {room} in a circle, or above one"), &circles(&files));
    }
}

#[test]
fn a_circle_is_found() {
    let file = |name: &str, text: &str| File {
        path: format!("actors/x/src/{name}.rs"),
        text: text.to_owned(),
    };
    let low = file("room/low", "use std::fmt;\nuse crate::other::Thing;\n");
    let high = file("room/high", "use crate::{other, room::{low::Low, self}};\n");
    let back = file("room/low", "use super::high::{High, Other};\n");
    let top = file("room", "mod high;\nmod low;\npub(crate) use self::high::High;\n");
    let inline = file("room/low", "fn low(it: super::high::High) {}\n");
    let seen = file("room/low", "pub(in crate::room) fn low() {}\n");
    assert_eq!(
        circles(&[low, file("room/high", "use super::low::Low;"), file("room", &top.text)]),
        [""; 0]
    );
    let high = || file("room/high", &high.text);
    let top = || file("room", &top.text);
    assert_eq!(circles(&[back, high(), top()]).len(), 3, "two of them, and the one above");
    assert_eq!(circles(&[inline, high(), top()]).len(), 3);
    assert_eq!(circles(&[seen, file("room/high", "use super::low::Low;"), top()]), [""; 0]);
}
