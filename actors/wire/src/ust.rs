//! The protocol between the session daemon and an application traced with LTTng-UST, ABI 8 to 11
//! (`include/lttng/ust-abi.h` and `src/common/ustcomm.h` of lttng-ust 2.13 to 2.16). What is said is the same in all; how it is
//! written is a matter of the [`Abi`], which codecs are told where it makes a difference.
//!
//! An application connects twice and registers each connection ([`registration`]). On the command
//! socket the daemon asks and the application answers ([`command`]); on the notify socket the
//! application asks and the daemon answers ([`notify`]). Events that match a notifier come through a pipe of
//! their own ([`notification`]).
//!
//! Text that applications send is taken as it comes: bytes that are not UTF-8 become U+FFFD.

pub mod command;
#[cfg(test)]
pub(crate) mod layout;
pub mod notification;
pub mod notify;
pub mod registration;

use lttngd_model::{Bitness, BufferLayout};

use crate::{DecodeError, Reader};

/// An ABI of LTTng-UST, as far as it differs: its major version.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Abi {
    /// Of LTTng-UST before 2.13: no event notifiers.
    V8,
    /// Of LTTng-UST 2.13.
    V9,
    /// Of LTTng-UST 2.14: other counters.
    V10,
    /// Of LTTng-UST 2.15 and 2.16: a socket of its own, requests and replies in another form, other buffers.
    V11,
}

impl Abi {
    /// All that are served, oldest first.
    pub const ALL: [Self; 4] = [Self::V8, Self::V9, Self::V10, Self::V11];

    /// That of a major version; `None` for one that is not served.
    #[must_use]
    pub fn from_major(major: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|abi| abi.major() == major)
    }

    /// Its major version (`LTTNG_UST_ABI_MAJOR_VERSION`).
    #[must_use]
    pub fn major(self) -> u32 {
        match self {
            Self::V8 => 8,
            Self::V9 => 9,
            Self::V10 => 10,
            Self::V11 => 11,
        }
    }

    /// How its applications lay out their buffers.
    #[must_use]
    pub fn buffer_layout(self) -> BufferLayout {
        match self {
            Self::V8 | Self::V9 | Self::V10 => BufferLayout::Ust8,
            Self::V11 => BufferLayout::Ust11,
        }
    }

    /// Whether its applications know event notifiers.
    #[must_use]
    pub fn has_event_notifiers(self) -> bool {
        self >= Self::V9
    }
}

/// The layout of the buffers that an image of a channel of such applications describes: by the size of its private part,
/// which begins where the image says. `None` for one of a layout that is not known, or for others.
#[must_use]
pub fn image_layout(image: &[u8], bitness: Bitness) -> Option<BufferLayout> {
    const PRIVATE_OFFSET_32: usize = 36;
    const PRIVATE_OFFSET_64: usize = 64;
    let member = "priv_data_offset";
    let (private, older) = match bitness {
        Bitness::Bits32 => {
            (Reader::new(image.get(PRIVATE_OFFSET_32..)?).u32(member).ok()?.into(), 80)
        }
        Bitness::Bits64 => (Reader::new(image.get(PRIVATE_OFFSET_64..)?).u64(member).ok()?, 120),
    };
    match image.len().checked_sub(usize::try_from(private).ok()?)? {
        len if len == older => Some(BufferLayout::Ust8),
        64 => Some(BufferLayout::Ust11),
        _ => None,
    }
}

/// Text of a member of `size` bytes: what stands before its first NUL; the last byte is a NUL
/// whatever the application wrote there.
fn name(reader: &mut Reader<'_>, size: usize, what: &'static str) -> Result<String, DecodeError> {
    let bytes = reader.bytes(size, what)?;
    let bytes = bytes.split_last().map_or(bytes, |(_, text)| text);
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}
