//! SystemTap's notes in a program. No input or output.

use super::{
    ElfError,
    layout::{Class, u32_at},
};

/// Largest section of notes that is read, in bytes.
pub(super) const NOTES_MAX_LEN: usize = 32 << 20;

const OWNER: &[u8] = b"stapsdt\0";
const KIND: u32 = 3;
/// Size of what stands before the owner of a note: the sizes of the owner and of the rest, and the kind.
const HEAD_LEN: usize = 12;

/// A tracepoint.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Note<'a> {
    pub(super) address: u64,
    /// Address of the number that must be above 0 for it to record, 0 without one.
    pub(super) semaphore: u64,
    pub(super) provider: &'a [u8],
    pub(super) name: &'a [u8],
}

/// The tracepoints of a section of notes. A note that is cut ends them.
pub(super) fn of(class: Class, bytes: &[u8]) -> impl Iterator<Item = Result<Note<'_>, ElfError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let Some((note, behind)) = split(rest) else {
                rest = &[];
                return Some(Err(ElfError::Wrong("notes")));
            };
            rest = behind;
            if note.owner == OWNER && note.kind == KIND {
                return Some(decode(class, note.text).ok_or(ElfError::Wrong("notes")));
            }
        }
        None
    })
}

/// A note of whatever owner.
struct Raw<'a> {
    owner: &'a [u8],
    kind: u32,
    text: &'a [u8],
}

/// The first note, and what is behind it.
fn split(bytes: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let len = |at| u32_at(bytes, at).and_then(|len| usize::try_from(len).ok());
    let (owner_len, text_len, kind) = (len(0)?, len(4)?, u32_at(bytes, 8)?);
    let padded = |len: usize| len.checked_next_multiple_of(4);
    let text_at = HEAD_LEN.checked_add(padded(owner_len)?)?;
    let owner = bytes.get(HEAD_LEN..HEAD_LEN.checked_add(owner_len)?)?;
    let text = bytes.get(text_at..text_at.checked_add(text_len)?)?;
    // The last one may lack what follows its text.
    let behind = bytes.get(text_at.checked_add(padded(text_len)?)?..).unwrap_or(&[]);
    Some((Raw { owner, kind, text }, behind))
}

fn decode(class: Class, text: &[u8]) -> Option<Note<'_>> {
    let word = class.word_len();
    // Between them is an address by which others would be moved, which happens to no program in a file.
    let (address, semaphore) = (class.word(text, 0)?, class.word(text, 2 * word)?);
    let mut texts = text.get(3 * word..)?.split(|byte| *byte == 0);
    let (provider, name) = (texts.next()?, texts.next()?);
    // Both have an end.
    texts.next()?;
    Some(Note { address, semaphore, provider, name })
}
