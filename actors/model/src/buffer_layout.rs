//! How applications lay out the buffers into which they write.

/// The layout of applications' buffers and the turns that writers take in them: that of LTTng-UST's ABI, as far as it
/// differs. Applications of two layouts cannot share buffers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum BufferLayout {
    /// Of ABI 8 to 10: writers of a sub-buffer write side by side.
    #[default]
    Ust8 = 0,
    /// Of ABI 11: a sub-buffer has one owner at a time, an application or the consumer daemon.
    Ust11 = 11,
}

impl BufferLayout {
    /// The layout of a value of a message; `None` when no layout has it.
    #[must_use]
    pub fn from_raw(raw: u8) -> Option<Self> {
        [Self::Ust8, Self::Ust11].into_iter().find(|layout| *layout as u8 == raw)
    }
}
