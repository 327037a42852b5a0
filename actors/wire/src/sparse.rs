//! Bytes of which most are zeros.

/// What stands for zeros, however many there are.
static ZEROS: [u8; 8 << 10] = [0; 8 << 10];

/// Bytes of which most are zeros, which are not held: a list of sessions has four thousand of them for each.
#[derive(Clone, Debug, Default)]
pub struct Sparse {
    /// The others.
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    len: usize,
}

/// Bytes, and zeros up to the next piece.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Where it begins in the whole.
    at: usize,
    /// Where its bytes begin among those that are held.
    begin: usize,
}

impl Sparse {
    /// How many there are, the zeros among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory that they take.
    #[must_use]
    pub fn held_len(&self) -> usize {
        self.bytes.len() + self.pieces.len() * size_of::<Piece>()
    }

    /// These bytes come next.
    pub fn put(&mut self, bytes: &[u8]) {
        let ends_in_zeros = self.pieces.last().is_none_or(|last| {
            let held = self.bytes.len() - last.begin;
            last.at + held < self.len
        });
        if ends_in_zeros {
            self.pieces.push(Piece { at: self.len, begin: self.bytes.len() });
        }
        self.bytes.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// So many zeros come next.
    pub fn put_zeros(&mut self, count: usize) {
        if self.pieces.is_empty() {
            self.pieces.push(Piece { at: 0, begin: 0 });
        }
        self.len += count;
    }

    /// All bytes from the one at `from` on, in pieces.
    pub fn pieces_from(&self, from: usize) -> impl Iterator<Item = &[u8]> {
        let first = self.pieces.partition_point(|piece| piece.at <= from).saturating_sub(1);
        (first..self.pieces.len()).flat_map(move |number| {
            let (held, zeros) = self.piece(number);
            let at = self.pieces.get(number).map_or(0, |piece| piece.at);
            // Of the first one some may be before.
            let skip = from.saturating_sub(at);
            let rest = held.get(skip.min(held.len())..).unwrap_or_default();
            let zeros = zeros.saturating_sub(skip.saturating_sub(held.len()));
            [rest].into_iter().chain(zeros_of(zeros)).filter(|piece| !piece.is_empty())
        })
    }

    /// What a piece holds, and how many zeros follow.
    fn piece(&self, number: usize) -> (&[u8], usize) {
        let Some(piece) = self.pieces.get(number) else { return (&[], 0) };
        let next = self.pieces.get(number + 1);
        let (end, held_end) =
            next.map_or((self.len, self.bytes.len()), |next| (next.at, next.begin));
        let held = self.bytes.get(piece.begin..held_end).unwrap_or_default();
        (held, end - piece.at - held.len())
    }

    /// All of them, with the zeros.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len);
        self.pieces_from(0).for_each(|piece| all.extend_from_slice(piece));
        all
    }
}

/// So many zeros, in pieces.
fn zeros_of<'a>(count: usize) -> impl Iterator<Item = &'a [u8]> {
    let begins = (0..count).step_by(ZEROS.len());
    begins.map(move |begin| ZEROS.get(..ZEROS.len().min(count - begin)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn they_are_the_same_from_anywhere(
            parts in vec((vec(1..=u8::MAX, 0..5), prop_oneof![0..6_usize, 8180..8200_usize]), 0..6),
            from in 0..60_000_usize,
        ) {
            let (mut sparse, mut expected) = (Sparse::default(), Vec::new());
            for (bytes, zeros) in parts {
                sparse.put(&bytes);
                sparse.put_zeros(zeros);
                expected.extend(bytes);
                expected.resize(expected.len() + zeros, 0);
            }
            prop_assert_eq!(sparse.len(), expected.len());
            prop_assert_eq!(sparse.to_vec(), expected.clone());
            for from in [from, from % 20, expected.len().saturating_sub(from % 20)] {
                let rest: Vec<u8> = sparse.pieces_from(from).flatten().copied().collect();
                prop_assert_eq!(&rest[..], expected.get(from..).unwrap_or_default());
            }
        }
    }
}
