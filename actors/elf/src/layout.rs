//! The structures of an ELF file of this machine's byte order. No input or output.

use super::ElfError;

/// Size of the larger of the two headers of a file.
pub(super) const HEADER_MAX_LEN: usize = 64;
/// Size of the larger of the two headers of a section.
pub(super) const SECTION_MAX_LEN: usize = 64;

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_32: u8 = 1;
const CLASS_64: u8 = 2;
pub(super) const NATIVE_ORDER: u8 = if cfg!(target_endian = "big") { 2 } else { 1 };
/// Index of the section with the names when it is told by the first section.
const NAMES_ELSEWHERE: u16 = 0xffff;
/// A section without bytes in the file.
const NO_BITS: u32 = 8;
/// A section that is executed.
const EXECUTED: u64 = 4;
/// A symbol that is a function.
const FUNCTION: u8 = 2;

/// How long addresses are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    Bits32,
    Bits64,
}

impl Class {
    pub(super) fn section_len(self) -> usize {
        match self {
            Self::Bits32 => 40,
            Self::Bits64 => 64,
        }
    }

    pub(super) fn symbol_len(self) -> usize {
        match self {
            Self::Bits32 => 16,
            Self::Bits64 => 24,
        }
    }

    /// Size of an address.
    pub(super) fn word_len(self) -> usize {
        match self {
            Self::Bits32 => 4,
            Self::Bits64 => 8,
        }
    }

    /// An address, or what is as long as one.
    pub(super) fn word(self, bytes: &[u8], at: usize) -> Option<u64> {
        match self {
            Self::Bits32 => u32_at(bytes, at).map(u64::from),
            Self::Bits64 => bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes),
        }
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

/// What the header of a file tells of its sections.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) class: Class,
    sections_at: u64,
    section_len: u16,
    count: u16,
    names: u16,
}

impl Header {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ElfError> {
        if !bytes.starts_with(MAGIC) {
            return Err(ElfError::Wrong("beginning"));
        }
        let class = match bytes.get(4) {
            Some(&CLASS_32) => Class::Bits32,
            Some(&CLASS_64) => Class::Bits64,
            _ => return Err(ElfError::Wrong("class")),
        };
        if bytes.get(5) != Some(&NATIVE_ORDER) {
            return Err(ElfError::Wrong("byte order"));
        }
        let (sections_at, counts_at) = match class {
            Class::Bits32 => (32, 46),
            Class::Bits64 => (40, 58),
        };
        let decoded = || {
            Some(Self {
                class,
                sections_at: class.word(bytes, sections_at)?,
                section_len: u16_at(bytes, counts_at)?,
                count: u16_at(bytes, counts_at + 2)?,
                names: u16_at(bytes, counts_at + 4)?,
            })
        };
        let header = decoded().ok_or(ElfError::Wrong("header"))?;
        if usize::from(header.section_len) < class.section_len() || header.sections_at == 0 {
            return Err(ElfError::Wrong("header"));
        }
        Ok(header)
    }

    /// Where the header of a section is; `None` when that is no place.
    pub(super) fn section_at(&self, index: usize) -> Option<u64> {
        let behind = u64::try_from(index).ok()?.checked_mul(self.section_len.into())?;
        self.sections_at.checked_add(behind)
    }

    /// How many sections there are, and which has their names.
    pub(super) fn counts(&self, first: &Section) -> (usize, usize) {
        let count = match self.count {
            0 => usize::try_from(first.len).unwrap_or(usize::MAX),
            count => count.into(),
        };
        let names = match self.names {
            NAMES_ELSEWHERE => usize::try_from(first.link).unwrap_or(usize::MAX),
            names => names.into(),
        };
        (count, names)
    }
}

/// What the header of a section tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// Where its name is in the section with the names.
    pub(super) name: u32,
    kind: u32,
    flags: u64,
    address: u64,
    /// Where it is in the file.
    pub(super) at: u64,
    pub(super) len: u64,
    link: u32,
    pub(super) entry_len: u64,
}

impl Section {
    pub(super) fn decode(class: Class, bytes: &[u8]) -> Option<Self> {
        let word = class.word_len();
        let link = 8 + 4 * word;
        Some(Self {
            name: u32_at(bytes, 0)?,
            kind: u32_at(bytes, 4)?,
            flags: class.word(bytes, 8)?,
            address: class.word(bytes, 8 + word)?,
            at: class.word(bytes, 8 + 2 * word)?,
            len: class.word(bytes, 8 + 3 * word)?,
            link: u32_at(bytes, link)?,
            entry_len: class.word(bytes, link + 8 + word)?,
        })
    }

    /// The place in the file of an address that is executed here.
    pub(super) fn place(&self, address: u64) -> Option<u64> {
        if self.flags & EXECUTED == 0 || self.kind == NO_BITS {
            return None;
        }
        let inside = address.checked_sub(self.address).filter(|inside| *inside < self.len)?;
        self.at.checked_add(inside)
    }
}

/// A symbol.
#[derive(Debug)]
pub(super) struct Symbol {
    /// Where its name is in the table of names.
    name: u32,
    pub(super) address: u64,
    is_function: bool,
}

impl Symbol {
    pub(super) fn decode(class: Class, bytes: &[u8]) -> Option<Self> {
        let (info, address) = match class {
            Class::Bits32 => (12, 4),
            Class::Bits64 => (4, 8),
        };
        Some(Self {
            name: u32_at(bytes, 0)?,
            address: class.word(bytes, address)?,
            is_function: bytes.get(info)? & 0xf == FUNCTION,
        })
    }

    /// Whether it is a function whose name is at one of these offsets, which are in their order. At 0 is no name.
    pub(super) fn is_named(&self, names: &[u32]) -> bool {
        self.is_function && self.name != 0 && names.binary_search(&self.name).is_ok()
    }
}
