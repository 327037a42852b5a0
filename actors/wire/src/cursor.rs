//! Reading and writing packed structures in the machine's byte order.

use crate::DecodeError;

/// Reads members off the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

macro_rules! read_number {
    ($($name:ident $kind:ty),*) => {$(
        /// Reads one number.
        ///
        /// # Errors
        /// [`DecodeError::Truncated`] when too few bytes are left.
        pub fn $name(&mut self, what: &'static str) -> Result<$kind, DecodeError> {
            const SIZE: usize = size_of::<$kind>();
            let bytes = self.bytes(SIZE, what)?;
            let mut array = [0; SIZE];
            array.copy_from_slice(bytes);
            Ok(<$kind>::from_ne_bytes(array))
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Count of bytes left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Reads `len` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when fewer are left.
    pub fn bytes(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        if len > self.rest.len() {
            return Err(DecodeError::Truncated { what, needed: len, left: self.rest.len() });
        }
        let (head, tail) = self.rest.split_at(len);
        self.rest = tail;
        Ok(head)
    }

    read_number!(u8 u8, i8 i8, u16 u16, u32 u32, i32 i32, u64 u64, i64 i64);

    /// Reads a string of exactly `len` bytes whose last one is its only NUL.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], or [`DecodeError::BadString`] when the NUL is missing or not last,
    /// or the text is not UTF-8. A `len` of 0 is a bad string too.
    pub fn string(&mut self, len: usize, what: &'static str) -> Result<String, DecodeError> {
        match self.bytes(len, what)?.split_last() {
            Some((0, text)) if !text.contains(&0) => std::str::from_utf8(text)
                .map(str::to_owned)
                .map_err(|_| DecodeError::BadString { what }),
            _ => Err(DecodeError::BadString { what }),
        }
    }

    /// Reads a member of `size` bytes that holds text up to its first NUL, or up to its end.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], or [`DecodeError::BadString`] when the text is not UTF-8.
    pub fn padded_string(
        &mut self,
        size: usize,
        what: &'static str,
    ) -> Result<String, DecodeError> {
        let bytes = self.bytes(size, what)?;
        let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
        std::str::from_utf8(text).map(str::to_owned).map_err(|_| DecodeError::BadString { what })
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] when bytes are left.
    pub fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing { what, left }),
        }
    }
}

/// Appends members to a buffer.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

macro_rules! write_number {
    ($($name:ident $kind:ty),*) => {$(
        /// Appends one number.
        pub fn $name(&mut self, value: $kind) -> &mut Self {
            self.bytes(&value.to_ne_bytes())
        }
    )*};
}

impl Writer {
    /// An empty buffer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// One that goes on behind `bytes`.
    #[must_use]
    pub fn behind(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    write_number!(u8 u8, i8 i8, u16 u16, u32 u32, i32 i32, u64 u64, i64 i64);

    /// Appends bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends `count` zero bytes.
    pub fn zeros(&mut self, count: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len() + count, 0);
        self
    }

    /// Appends text and its NUL.
    pub fn string(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes()).u8(0)
    }

    /// Appends a member of `size` bytes that holds text and at least one NUL; longer text is cut.
    pub fn padded_string(&mut self, text: &str, size: usize) -> &mut Self {
        let end = self.bytes.len() + size;
        let text = text.as_bytes();
        self.bytes(&text[..text.len().min(size.saturating_sub(1))]);
        self.bytes.resize(end, 0);
        self
    }

    /// Count of bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
