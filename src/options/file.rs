//! What configuration files set: the section `[sessiond]` of an INI file, whose keys are the long
//! options' names.

use std::ffi::OsString;

use ini::{Ini, ParseOption};

use super::settings::{self, Settings, VERBOSE_MAX};

const SECTION: &str = "sessiond";
/// Options that make no sense in a file.
const IGNORED: [&str; 3] = ["help", "version", "config"];

/// Lays what a file sets over `below`. Each wrong entry is left out with a notice.
pub(super) fn lay_over(
    below: Settings,
    content: &str,
    setuid: bool,
    notices: &mut Vec<String>,
) -> Settings {
    let format =
        ParseOption { enabled_quote: false, enabled_escape: false, ..ParseOption::default() };
    let file = match Ini::load_from_str_opt(content, format) {
        Ok(file) => file,
        Err(error) => {
            notices.push(format!("a daemon configuration file is ignored: {error}"));
            return below;
        }
    };
    let entries = file.section_all(Some(SECTION)).flat_map(|section| section.iter());
    entries.fold(below, |mut below, (name, value)| {
        let Some(arguments) = arguments(name, value, notices) else { return below };
        match settings::from_args(&arguments, setuid, notices) {
            Ok(entry) => {
                if entry.verbose > 0 {
                    // A file sets the level, only the command line adds to it.
                    below.verbose = 0;
                }
                entry.over(below)
            }
            Err(_) => {
                notices.push(invalid(name, value));
                below
            }
        }
    })
}

/// The command line that means the same as an entry, `None` for an entry that sets nothing.
fn arguments(name: &str, value: &str, notices: &mut Vec<String>) -> Option<Vec<OsString>> {
    if IGNORED.contains(&name) {
        return None;
    }
    let option = match settings::takes_value(name) {
        None => {
            notices.push(format!("Unrecognized option \"{name}\" in daemon configuration file."));
            return None;
        }
        Some(true) => vec![format!("--{name}={value}")],
        Some(false) => match flag(value) {
            None => {
                notices.push(invalid(name, value));
                return None;
            }
            Some(0) => return None,
            Some(times) if name == "verbose" => {
                vec![format!("--{name}"); usize::from(times.min(VERBOSE_MAX))]
            }
            Some(_) => vec![format!("--{name}")],
        },
    };
    Some(std::iter::once(String::new()).chain(option).map(OsString::from).collect())
}

fn invalid(name: &str, value: &str) -> String {
    format!("Invalid configuration value \"{value}\" for option {name} is ignored.")
}

/// How often a flag is given by a value: a number, or one of the words for once and never.
fn flag(value: &str) -> Option<u8> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" => Some(1),
        "no" | "false" | "off" => Some(0),
        number => number.parse::<u32>().ok().map(|times| u8::try_from(times).unwrap_or(u8::MAX)),
    }
}
