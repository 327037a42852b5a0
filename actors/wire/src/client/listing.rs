//! Listings whose count stands in the reply's command header (`struct
//! lttcomm_list_command_header`).

use crate::{DecodeError, Reader};

/// Reads `count` items of at least `item_len` bytes each, and nothing else.
pub(super) fn decode<'a, T>(
    count: u32,
    data: &'a [u8],
    item_len: usize,
    what: &'static str,
    mut item: impl FnMut(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let possible = data.len() / item_len.max(1);
    let count = super::mirror::limited(count, possible, what)?;
    let mut reader = Reader::new(data);
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        items.push(item(&mut reader)?);
    }
    reader.finish(what)?;
    Ok(items)
}
