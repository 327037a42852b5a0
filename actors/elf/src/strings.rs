//! Looking for a name in a table of names that may be large.

use std::os::unix::fs::FileExt;

use super::{CHUNK_LEN, ElfError, layout::Section};

/// Most places of one name. A linker keeps one, of which others are the end.
const PLACES_MAX: usize = 4096;

/// Where in a table a name stands, with its end: also as the end of a longer one.
pub(super) fn offsets_of(
    file: &impl FileExt,
    table: &Section,
    name: &str,
) -> Result<Vec<u32>, ElfError> {
    let wanted = [name.as_bytes(), &[0]].concat();
    let (first, overlap) = (wanted[0], wanted.len() - 1);
    let mut chunk = vec![0; CHUNK_LEN.max(2 * wanted.len())];
    let mut offsets = Vec::new();
    let mut from = 0;
    while from + (wanted.len() as u64) <= table.len {
        let len = chunk.len().min(usize::try_from(table.len - from).unwrap_or(usize::MAX));
        let at = table.at.checked_add(from).ok_or(ElfError::Wrong("names of symbols"))?;
        file.read_exact_at(&mut chunk[..len], at)?;
        for (index, window) in chunk[..len].windows(wanted.len()).enumerate() {
            if window[0] == first && window == wanted {
                let offset = u32::try_from(from + index as u64);
                offsets.push(offset.map_err(|_| ElfError::Wrong("names of symbols"))?);
            }
        }
        if offsets.len() > PLACES_MAX {
            return Err(ElfError::Wrong("names of symbols"));
        }
        // A name may begin in one part and end in the next.
        from += (len - overlap) as u64;
    }
    Ok(offsets)
}
