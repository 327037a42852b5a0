//! What docs/architecture.md and docs/security.md say is there is there.

use std::collections::HashSet;

use super::{File, files, report};

const ARCHITECTURE: &str = "docs/architecture.md";
const SECURITY: &str = "docs/security.md";
/// Begins the names of the stock project, which are in its sources alone.
const STOCK: [&str; 2] = ["LTTNG_", "lttng_"];

/// The text of the page, and the Rust sources of the product.
fn page_and_sources() -> (String, Vec<File>) {
    sources_and(ARCHITECTURE)
}

/// The same with another page.
fn sources_and(page: &str) -> (String, Vec<File>) {
    let (page, others): (Vec<_>, Vec<_>) = files().into_iter().partition(|file| file.path == page);
    let sources = others.into_iter().filter(|file| file.path.ends_with(".rs")).collect();
    (page.into_iter().next().map(|page| page.text).unwrap_or_default(), sources)
}

/// What stands between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_word_part(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// The names of a quotation, if it is one of code: those of a path like `a::B`, and no words of prose or
/// of a command.
fn names(quotation: &str) -> Vec<&str> {
    let code = quotation.trim_end_matches("()");
    let is_code = code.contains("::") || code.contains('_') || code.starts_with(char::is_uppercase);
    let is_path = code.chars().all(|it| is_word_part(it) || it == ':');
    let is_stock = STOCK.iter().any(|stock| code.starts_with(stock));
    if is_code && is_path && !is_stock { code.split("::").collect() } else { Vec::new() }
}

fn words(text: &str) -> HashSet<&str> {
    text.split(|it| !is_word_part(it)).collect()
}

#[test]
fn each_name_of_code_in_the_architecture_exists() {
    let (page, sources) = page_and_sources();
    // Names of crates' modules and files are words of their paths.
    let there: HashSet<_> = sources
        .iter()
        .flat_map(|file| words(&file.text).into_iter().chain(words(&file.path)))
        .collect();
    let is_there = |name: &str| {
        there.contains(name) || name.strip_prefix("lttngd_").is_some_and(|it| there.contains(it))
    };
    let missing = page.lines().enumerate().flat_map(|(number, line)| {
        let names = quoted(line).flat_map(names).filter(|name| !is_there(name));
        names
            .map(move |name| format!("{ARCHITECTURE}:{}: `{name}`", number + 1))
            .collect::<Vec<_>>()
    });
    report("names that no source has", &missing.collect::<Vec<_>>());
}

#[test]
fn each_limit_stands_in_the_file_that_the_architecture_names() {
    let (page, sources) = page_and_sources();
    let mut complaints = Vec::new();
    let rows = page.lines().skip_while(|line| !line.starts_with("## Limits"));
    for row in
        rows.take_while(|line| !line.starts_with("## Tests")).filter(|it| it.starts_with('|'))
    {
        let cells: Vec<_> = row.split('|').collect();
        let [_, limit, _, place, _] = cells[..] else {
            complaints.push(format!("not three columns: {row}"));
            continue;
        };
        let places: Vec<_> = quoted(place).flat_map(|path| source(&sources, path)).collect();
        if places.len() != quoted(place).count() {
            complaints.push(format!("a file is not there: {row}"));
        }
        let constants = quoted(limit).flat_map(names);
        complaints.extend(
            constants
                .filter(|constant| !places.iter().any(|file| words(&file.text).contains(constant)))
                .map(|constant| format!("`{constant}` is not in {place}")),
        );
    }
    report("limits that are not where the architecture says", &complaints);
}

/// Each row names a constant first, its value as the code has it in the next column, and its file in the last one.
#[test]
fn each_limit_of_the_page_on_security_is_the_codes() {
    let (page, sources) = sources_and(SECURITY);
    let rows = page.lines().skip_while(|line| !line.starts_with("## Limits")).skip(1);
    let rows = rows.take_while(|line| !line.starts_with("## ")).filter(|it| it.starts_with("| "));
    // The first two are the head.
    let rows: Vec<Vec<&str>> = rows.skip(2).map(|row| row.split('|').collect()).collect();
    assert!(!rows.is_empty(), "{SECURITY} has no limits");
    let complaint = |row: &Vec<&str>| {
        let [_, limit, value, _, _, place, _] = row[..] else {
            return Some(format!("not five columns: {}", row.join("|")));
        };
        let (name, value) = (quoted(limit).next()?, quoted(value).next()?);
        let text = &source(&sources, quoted(place).next()?)?.text;
        let declared = text.split(&format!("const {name}: ")).nth(1)?;
        let declared = declared.split_once(" = ")?.1.split_once(';')?.0;
        (declared != value).then(|| format!("`{name}` is {declared} in {place}, not {value}"))
    };
    // One whose name, value or file is not there is not what the code has either.
    let found = |row: &Vec<&str>| {
        let [_, limit, _, _, _, place, _] = row[..] else { return false };
        let name = quoted(limit).next().unwrap_or_default();
        let file = quoted(place).next().and_then(|path| source(&sources, path));
        file.is_some_and(|file| file.text.contains(&format!("const {name}: ")))
    };
    let complaints = rows.iter().filter_map(|row| match found(row) {
        true => complaint(row),
        false => Some(format!("it is not there: {}", row.join("|"))),
    });
    report("limits that are not those of the code", &complaints.collect::<Vec<_>>());
}

/// A file by its path, which is one below `actors/` unless it is the binary's.
fn source<'a>(sources: &'a [File], path: &str) -> Option<&'a File> {
    let of_member = format!("actors/{path}");
    sources.iter().find(|file| file.path == path || file.path == of_member)
}

/// Paths of files, by which a reader goes on: below the root, or by as many of their last parts as tell them
/// apart from prose.
#[test]
fn each_file_in_the_architecture_exists() {
    let (page, sources) = page_and_sources();
    let is_plain = |it: char| is_word_part(it) || "/.".contains(it);
    let is_file = |path: &&str| path.ends_with(".rs") && path.chars().all(is_plain);
    let is_there = |path: &str| {
        sources.iter().any(|file| {
            file.path
                .strip_suffix(path)
                .is_some_and(|above| above.is_empty() || above.ends_with('/'))
        })
    };
    let missing = page.lines().enumerate().flat_map(|(number, line)| {
        quoted(line)
            .filter(is_file)
            .filter(|path| !is_there(path))
            .map(|path| format!("{ARCHITECTURE}:{}: `{path}`", number + 1))
            .collect::<Vec<_>>()
    });
    report("files that are not there", &missing.collect::<Vec<_>>());
}
