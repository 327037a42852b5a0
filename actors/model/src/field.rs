//! The fields of events and contexts as applications describe them.

/// Text encoding.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(i32)]
pub enum Encoding {
    /// Not text.
    None = 0,
    /// UTF-8.
    Utf8 = 1,
    /// ASCII.
    Ascii = 2,
}

/// An integer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct IntegerType {
    /// Size in bits.
    pub size_bits: u32,
    /// Whether signed.
    pub signed: bool,
    /// Whether its byte order is not the application's.
    pub reverse_byte_order: bool,
    /// Display base: 2, 8, 10 or 16.
    pub base: u32,
    /// Encoding, for elements of text.
    pub encoding: Encoding,
    /// Alignment in bits.
    pub alignment_bits: u16,
}

/// A floating point number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FloatType {
    /// Bits of the exponent.
    pub exp_dig: u32,
    /// Bits of the mantissa, the implied one included.
    pub mant_dig: u32,
    /// Whether its byte order is not the application's.
    pub reverse_byte_order: bool,
    /// Alignment in bits.
    pub alignment_bits: u16,
}

/// The type of a field. `legacy` marks the encodings of ABI 8 applications, which are different
/// types to the event registry even where the text they print is the same.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum FieldType {
    /// Integer.
    Integer(IntegerType),
    /// Floating point.
    Float(FloatType),
    /// NUL-terminated text.
    String(Encoding),
    /// Enumeration announced before by an ENUM request.
    Enumeration {
        /// Name, `provider_enum`.
        name: String,
        /// Id that the registry gave.
        id: u64,
        /// The integer it is stored in.
        container: IntegerType,
        /// ABI 8 encoding.
        legacy: bool,
    },
    /// Array of fixed length.
    Array {
        /// Count of elements.
        length: u32,
        /// Alignment in bytes, 0 for the elements' own.
        alignment_bytes: u32,
        /// Element.
        element: Box<FieldType>,
        /// ABI 8 encoding.
        legacy: bool,
    },
    /// Sequence whose length is a field before it.
    Sequence {
        /// Name of the field that holds the count of elements.
        length_name: String,
        /// Alignment in bytes, 0 for the elements' own.
        alignment_bytes: u32,
        /// Element.
        element: Box<FieldType>,
    },
    /// ABI 8 sequence, whose length is a part of itself.
    LegacySequence {
        /// The length.
        length: IntegerType,
        /// Element.
        element: IntegerType,
    },
    /// Structure; applications only ever send empty ones.
    Struct {
        /// Count of members that the application claimed.
        nr_fields: u32,
        /// Alignment in bytes.
        alignment_bytes: u32,
        /// ABI 8 encoding.
        legacy: bool,
    },
    /// Variant.
    Variant {
        /// Name of the field that selects.
        tag: String,
        /// Alignment in bytes.
        alignment_bytes: u32,
        /// Choices.
        choices: Vec<Field>,
        /// ABI 8 encoding.
        legacy: bool,
    },
}

/// A named field.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Field {
    /// Name as the application sent it.
    pub name: String,
    /// Type.
    pub kind: FieldType,
}

/// A bound of an enumeration entry.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct EnumerationValue {
    /// The 64 bits, two's complement when signed.
    pub value: u64,
    /// Whether signed.
    pub signed: bool,
}

/// An entry of an enumeration.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EnumerationEntry {
    /// First value.
    pub start: EnumerationValue,
    /// Last value.
    pub end: EnumerationValue,
    /// Label.
    pub label: String,
    /// Whether the entry has no value of its own (bounds are then meaningless).
    pub auto: bool,
}
