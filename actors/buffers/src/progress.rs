//! How far a receiver has the metadata text.

use crate::held::Registry;
use lttngd_consumer::MetadataText;

/// How much of the text the consumer is known to have.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct MetadataProgress {
    version: u64,
    end: u64,
}

impl MetadataProgress {
    /// The part of the text that the consumer lacks.
    pub(crate) fn missing(self, registry: &Registry) -> MetadataText {
        let len = registry.metadata_len();
        let known = if self.version == registry.version() { self.end } else { 0 };
        let start = usize::try_from(known).map_or(len, |known| known.min(len));
        let bytes = registry.metadata_from(start);
        MetadataText { offset: start as u64, version: registry.version(), bytes }
    }

    /// The consumer accepted the text of `version` up to `end`.
    pub(crate) fn accept(&mut self, version: u64, end: u64) {
        if version > self.version {
            *self = Self { version, end };
        } else if version == self.version {
            self.end = self.end.max(end);
        }
    }
}
