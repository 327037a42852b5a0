//! The version under which requests, replies and events are written down.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Version of the requests, replies and events of this crate as `serde` writes them.
///
/// What was written under a version, whoever has that version reads: within it no field and no variant
/// is renamed, taken away or understood differently. What is added can be left out: a field that is new
/// has a value for when it is missing. So a newer daemon reads what an older one of the same version
/// wrote; an older one ignores new fields and refuses new variants. Anything else makes a new version.
///
/// Numbers and names that LTTng gave (of errors, raw types and attributes) are LTTng's for ever.
pub const VERSION: u32 = 1;

/// What is written down, with the version that says how to read it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Versioned<T> {
    version: Current,
    /// What is written down.
    pub content: T,
}

impl<T> Versioned<T> {
    /// `content`, of this version.
    pub fn new(content: T) -> Self {
        Self { version: Current, content }
    }
}

/// The number of the version; reading another one fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Current;

impl Serialize for Current {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(VERSION)
    }
}

impl<'de> Deserialize<'de> for Current {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            VERSION => Ok(Self),
            other => Err(de::Error::custom(format_args!(
                "this is of version {other}, and version {VERSION} alone can be read here"
            ))),
        }
    }
}
