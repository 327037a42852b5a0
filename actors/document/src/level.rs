//! Log levels: numbers, or LTTng's words for them.

use lttngd_model::{Domain, LogLevelRule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which log levels an event rule selects.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// This one and those that are more severe.
    Range(Level),
    /// This one alone.
    Single(Level),
}

/// A log level: the number that events have, or its word, such as `WARNING` or `TRACE_WARNING`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(untagged, expecting = "a number or the name of a log level")]
pub enum Level {
    /// The number.
    Number(i32),
    /// The word.
    Name(String),
}

const UST: [(&str, i32); 15] = [
    ("EMERG", 0),
    ("ALERT", 1),
    ("CRIT", 2),
    ("ERR", 3),
    ("WARNING", 4),
    ("NOTICE", 5),
    ("INFO", 6),
    ("DEBUG_SYSTEM", 7),
    ("DEBUG_PROGRAM", 8),
    ("DEBUG_PROCESS", 9),
    ("DEBUG_MODULE", 10),
    ("DEBUG_UNIT", 11),
    ("DEBUG_FUNCTION", 12),
    ("DEBUG_LINE", 13),
    ("DEBUG", 14),
];
const JUL: [(&str, i32); 9] = [
    ("OFF", i32::MAX),
    ("SEVERE", 1000),
    ("WARNING", 900),
    ("INFO", 800),
    ("CONFIG", 700),
    ("FINE", 500),
    ("FINER", 400),
    ("FINEST", 300),
    ("ALL", i32::MIN),
];
const LOG4J: [(&str, i32); 8] = [
    ("OFF", i32::MAX),
    ("FATAL", 50_000),
    ("ERROR", 40_000),
    ("WARN", 30_000),
    ("INFO", 20_000),
    ("DEBUG", 10_000),
    ("TRACE", 5_000),
    ("ALL", i32::MIN),
];
const PYTHON: [(&str, i32); 6] =
    [("CRITICAL", 50), ("ERROR", 40), ("WARNING", 30), ("INFO", 20), ("DEBUG", 10), ("NOTSET", 0)];

/// The prefix that each word of a domain may have.
fn words(domain: Domain) -> (&'static str, &'static [(&'static str, i32)]) {
    match domain {
        Domain::Jul => ("JUL_", &JUL),
        Domain::Log4j => ("LOG4J_", &LOG4J),
        Domain::Python => ("PYTHON_", &PYTHON),
        Domain::Ust | Domain::Kernel | Domain::None => ("TRACE_", &UST),
    }
}

impl Level {
    /// Its number in a domain; `None` for a word that the domain has not.
    fn number(&self, domain: Domain) -> Option<i32> {
        let name = match self {
            Self::Number(number) => return Some(*number),
            Self::Name(name) => name.to_ascii_uppercase(),
        };
        let (prefix, words) = words(domain);
        let name = name.strip_prefix(prefix).unwrap_or(&name);
        words.iter().find(|(word, _)| *word == name).map(|(_, number)| *number)
    }
}

/// What is meant in a domain; `None` for a word that it has not.
pub(crate) fn rule(level: Option<&LogLevel>, domain: Domain) -> Option<LogLevelRule> {
    Some(match level {
        None => LogLevelRule::All,
        Some(LogLevel::Range(level)) => LogLevelRule::Range(level.number(domain)?),
        Some(LogLevel::Single(level)) => LogLevelRule::Single(level.number(domain)?),
    })
}
