//! Documents as text: YAML, JSON, and what `lttng save` writes.

use lttngd_model::Escaped;
use lttngd_sessionfile::{SessionFileError, read as read_saved};
use serde::Deserialize;
use serde_saphyr::{Options, budget::Budget};
use thiserror::Error;

use crate::{Document, Fault, NotSaid, VERSION, observed};

/// Most bytes of a text with documents.
pub const DOCUMENT_MAX_LEN: usize = 1 << 20;
/// Deepest nesting of it.
const DEPTH_MAX: usize = 32;
/// Most values and keys of it, those that aliases stand for included.
const NODES_MAX: usize = 200_000;
/// Most aliases.
const ALIASES_MAX: usize = 1_000;

/// Why a text is no document.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is too long.
    #[error("{len} bytes are no document: it has at most {DOCUMENT_MAX_LEN}")]
    TooLong {
        /// How long it is.
        len: usize,
    },
    /// It has another version.
    #[error("a document of version {0}, and version {VERSION} alone can be read here")]
    Version(u64),
    /// It is not what a document is.
    #[error("{}: {}", Escaped(.path), Escaped(.what))]
    Shape {
        /// The path to what is wrong, as `ust.channels[0].name`; `.` for the whole.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// It says what cannot be.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It is not what `lttng save` writes.
    #[error(transparent)]
    Saved(#[from] SessionFileError),
    /// A saved session cannot be said in a document.
    #[error(transparent)]
    NotSaid(#[from] NotSaid),
}

/// Reads documents: one in YAML or JSON, or those of all sessions of a file of saved sessions.
///
/// # Errors
/// [`ReadError`].
pub fn read(text: &str) -> Result<Vec<Document>, ReadError> {
    let len = text.len();
    if len > DOCUMENT_MAX_LEN {
        return Err(ReadError::TooLong { len });
    }
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    let documents = if begin.starts_with('<') {
        let saved = read_saved(text)?;
        saved.iter().map(observed).collect::<Result<_, _>>()?
    } else {
        let is_json = begin.starts_with('{');
        let read = if is_json { from_json::<Document>(begin) } else { from_yaml::<Document>(text) };
        vec![read.map_err(|error| told_version(text, is_json).unwrap_or(error))?]
    };
    documents.iter().try_for_each(Document::check)?;
    Ok(documents)
}

/// The error of a document of another version, which may have fields of its own.
fn told_version(text: &str, is_json: bool) -> Option<ReadError> {
    #[derive(Deserialize)]
    struct Any {
        version: u64,
    }
    let any = if is_json { from_json::<Any>(text) } else { from_yaml::<Any>(text) };
    let version = any.ok()?.version;
    (version != u64::from(VERSION)).then_some(ReadError::Version(version))
}

fn from_json<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, ReadError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut deserializer);
    let value = read.map_err(|error| ReadError::Shape {
        path: error.path().to_string(),
        what: error.inner().to_string(),
    })?;
    let end = |error: serde_json::Error| shape(".", &error);
    deserializer.end().map_err(end)?;
    Ok(value)
}

fn from_yaml<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, ReadError> {
    let mut path = None;
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |it| {
        serde_path_to_error::deserialize(it).map_err(|error| {
            path = Some(error.path().to_string());
            error.into_inner()
        })
    });
    read.map_err(|error| shape(path.as_deref().unwrap_or("."), &error))
}

fn shape(path: &str, error: &dyn std::fmt::Display) -> ReadError {
    ReadError::Shape { path: path.to_owned(), what: error.to_string() }
}

/// What is read of YAML: nothing that blows up.
fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = DEPTH_MAX;
    budget.flow_nesting_limit = DEPTH_MAX;
    budget.max_nodes = NODES_MAX;
    budget.max_events = 2 * NODES_MAX;
    budget.max_aliases = ALIASES_MAX;
    budget.max_anchors = ALIASES_MAX;
    budget.max_documents = 1;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits.max_total_replayed_events = 2 * NODES_MAX;
    options.with_snippet = false;
    options
}

/// A document in YAML.
///
/// # Panics
/// Never: it is made in memory, and all keys are words.
#[must_use]
#[allow(clippy::expect_used, reason = "a document has nothing that YAML cannot say")]
pub fn yaml(document: &Document) -> String {
    serde_saphyr::to_string(document).expect("a document can be said in YAML")
}

/// A document in JSON, over several lines.
///
/// # Panics
/// Never: it is made in memory, and all keys are words.
#[must_use]
#[allow(clippy::expect_used, reason = "a document has nothing that JSON cannot say")]
pub fn json(document: &Document) -> String {
    serde_json::to_string_pretty(document).expect("a document can be said in JSON") + "\n"
}

/// The JSON schema of documents.
///
/// # Panics
/// Never: it is made in memory.
#[must_use]
#[allow(clippy::expect_used, reason = "a schema is JSON")]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Document);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}
