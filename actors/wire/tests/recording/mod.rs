//! Files of `tests/recorded`: each is one message of the stock programs as it stood on the socket,
//! without the zeros at its end where its size is fixed. The name says what it is: a prefix, and
//! after the first dash which.

use std::fs;
use std::path::Path;

/// The messages of a directory whose names have a prefix: what follows the prefix and its dash, and
/// the bytes. Sorted by name.
pub fn messages(directory: &str, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(directory);
    let mut messages = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let (kind, name) = stem.split_once('-').unwrap_or((stem, ""));
        if kind == prefix {
            messages.push((name.to_owned(), fs::read(&path).unwrap()));
        }
    }
    messages.sort();
    assert!(!messages.is_empty(), "no recorded {prefix} in {directory}");
    messages
}

/// The one message of a name.
pub fn message(directory: &str, prefix: &str, name: &str) -> Vec<u8> {
    let mut messages = messages(directory, prefix);
    messages.retain(|(this, _)| this == name);
    let [(_, bytes)] = messages.try_into().unwrap();
    bytes
}

/// A message with the zeros at its end.
pub fn padded(mut bytes: Vec<u8>, len: usize) -> Vec<u8> {
    assert!(bytes.len() <= len);
    bytes.resize(len, 0);
    bytes
}
