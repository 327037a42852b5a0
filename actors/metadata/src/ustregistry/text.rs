//! The text of a trace, in blocks that other traces may have as well.

use std::sync::Arc;

use super::RegistryError;
use crate::tsdl::METADATA_MAX_LEN;

/// The text of a trace, and how much more will come for certain.
#[derive(Debug)]
pub(super) struct Text {
    /// In their order, each with where it ends.
    blocks: Vec<(usize, Arc<str>)>,
    /// Bytes of blocks that wait.
    waiting_len: usize,
}

impl Text {
    pub(super) fn new(preamble: String) -> Self {
        Self { blocks: vec![(preamble.len(), preamble.into())], waiting_len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |(end, _)| *end)
    }

    /// What stands there from a place on.
    pub(super) fn from(&self, begin: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len().saturating_sub(begin));
        let first = self.blocks.partition_point(|(end, _)| *end <= begin);
        for (end, block) in self.blocks.iter().skip(first) {
            let known = begin.saturating_sub(*end - block.len());
            bytes.extend_from_slice(&block.as_bytes()[known..]);
        }
        bytes
    }

    pub(super) fn has_room_for(&self, len: usize) -> Result<(), RegistryError> {
        if len > METADATA_MAX_LEN.saturating_sub(self.len() + self.waiting_len) {
            return Err(RegistryError::MetadataFull);
        }
        Ok(())
    }

    /// Appends a block for which there is room.
    pub(super) fn append(&mut self, block: Arc<str>) {
        self.blocks.push((self.len() + block.len(), block));
    }

    /// A block for which there is room will be appended later.
    pub(super) fn wait_for(&mut self, block: &str) {
        self.waiting_len += block.len();
    }

    /// Appends a block that was waited for.
    pub(super) fn append_waiting(&mut self, block: Arc<str>) {
        self.waiting_len -= block.len();
        self.append(block);
    }

    /// Begins anew; what is waited for stays so.
    pub(super) fn begin_anew(&mut self, preamble: String) {
        let waiting_len = self.waiting_len;
        *self = Self { waiting_len, ..Self::new(preamble) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_from_any_place_on_is_the_end_of_the_whole() {
        let mut text = Text::new("pre".to_owned());
        for block in ["one", "", "three", "4"] {
            text.append(block.into());
        }
        let whole = b"preonethree4";
        assert_eq!(text.len(), whole.len());
        for begin in 0..whole.len() + 2 {
            assert_eq!(text.from(begin), whole.get(begin..).unwrap_or_default(), "from {begin}");
        }
    }
}
