//! Field records (`struct lttng_ust_ctl_field`) to trees. Records of nested types follow their
//! container's, so an event's fields are one list of records in pre-order.

use lttngd_model::{Encoding, Field, FieldType, FloatType, IntegerType, SYMBOL_NAME_LEN};
use thiserror::Error;

use super::{EINVAL, EOVERFLOW};
use crate::{DecodeError, Reader, ust};

/// Size in bytes of a field record.
pub const FIELD_RECORD_LEN: usize = 920;
/// Deepest nesting of variants.
pub const FIELD_DEPTH_MAX: usize = 8;

/// Numbers of types (`enum lttng_ust_ctl_abstract_types`).
pub(super) mod atype {
    pub const INTEGER: i32 = 0;
    pub const LEGACY_ENUM: i32 = 1;
    pub const LEGACY_ARRAY: i32 = 2;
    pub const LEGACY_SEQUENCE: i32 = 3;
    pub const STRING: i32 = 4;
    pub const FLOAT: i32 = 5;
    pub const LEGACY_VARIANT: i32 = 6;
    pub const LEGACY_STRUCT: i32 = 7;
    pub const ENUM: i32 = 8;
    pub const ARRAY: i32 = 9;
    pub const SEQUENCE: i32 = 10;
    pub const STRUCT: i32 = 11;
    pub const VARIANT: i32 = 12;
}

/// Size in bytes of an ABI 8 integer inside of an enumeration.
pub(super) const LEGACY_INTEGER_SIZE: usize = 48;
/// Size in bytes of an ABI 8 element's union.
pub(super) const LEGACY_BASIC_SIZE: usize = 312;
/// Size in bytes of the members of an integer.
pub(super) const INTEGER_SIZE: usize = 22;

/// What is wrong with fields. The request that has them fails, the socket stays usable.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum FieldError {
    /// No type has this number.
    #[error("a field has the unknown type {0}")]
    UnknownType(i32),
    /// No encoding has this number.
    #[error("a field has the unknown encoding {0}")]
    UnknownEncoding(i32),
    /// A floating point number with 0 bits of mantissa.
    #[error("a floating point field has no mantissa")]
    NoMantissa,
    /// A structure with members.
    #[error("a structure field has {0} members; only empty ones are supported")]
    NonEmptyStruct(u32),
    /// An array, sequence or enumeration of anything but integers.
    #[error("an array, sequence or enumeration field is not made of integers but of type {0}")]
    NotAnInteger(i32),
    /// Variants in variants beyond [`FIELD_DEPTH_MAX`].
    #[error("fields are nested deeper than {FIELD_DEPTH_MAX}")]
    TooDeep,
    /// The records end inside a nested type.
    #[error("the fields end inside a nested one")]
    Incomplete,
    /// An ABI 8 sequence as a context field.
    #[error("a context field is a sequence of ABI 8, which has no newer form")]
    SequenceContext,
}

impl FieldError {
    /// The errno to answer, positive.
    #[must_use]
    pub fn errno(self) -> i32 {
        match self {
            Self::Incomplete => EOVERFLOW,
            _ => EINVAL,
        }
    }
}

/// Records are whole, so that a member never ends early; should one, the fields are incomplete.
impl From<DecodeError> for FieldError {
    fn from(_: DecodeError) -> Self {
        Self::Incomplete
    }
}

/// Reads records, whose size was checked to be whole.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Field>, FieldError> {
    let mut records = Reader::new(bytes);
    let mut fields = Vec::new();
    while records.left() > 0 {
        fields.push(field(&mut records, 0)?);
    }
    Ok(fields)
}

/// A record's name, type number and what follows these.
fn record<'a>(records: &mut Reader<'a>) -> Result<(String, i32, Reader<'a>), FieldError> {
    let mut record = Reader::new(records.bytes(FIELD_RECORD_LEN, "field record")?);
    let name = ust::name(&mut record, SYMBOL_NAME_LEN, "field name")?;
    let atype = record.i32("atype")?;
    Ok((name, atype, record))
}

fn field(records: &mut Reader<'_>, depth: usize) -> Result<Field, FieldError> {
    let (name, atype, mut record) = record(records)?;
    let kind = match atype {
        atype::INTEGER => FieldType::Integer(integer(&mut record)?),
        atype::STRING => FieldType::String(encoding(&mut record)?),
        atype::FLOAT => FieldType::Float(float(&mut record)?),
        atype::LEGACY_ENUM => {
            let name = ust::name(&mut record, SYMBOL_NAME_LEN, "enumeration name")?;
            let container = integer(&mut record)?;
            record.bytes(LEGACY_INTEGER_SIZE - INTEGER_SIZE, "integer padding")?;
            let id = record.u64("enumeration id")?;
            FieldType::Enumeration { name, id, container, legacy: true }
        }
        atype::LEGACY_ARRAY => {
            let element = Box::new(FieldType::Integer(legacy_integer(&mut record)?));
            let length = record.u32("array length")?;
            FieldType::Array { length, alignment_bytes: 0, element, legacy: true }
        }
        atype::LEGACY_SEQUENCE => FieldType::LegacySequence {
            length: legacy_integer(&mut record)?,
            element: legacy_integer(&mut record)?,
        },
        atype::LEGACY_VARIANT => variant(records, &mut record, false, depth)?,
        atype::LEGACY_STRUCT => empty_struct(&mut record, true)?,
        atype::ENUM => {
            let name = ust::name(&mut record, SYMBOL_NAME_LEN, "enumeration name")?;
            let id = record.u64("enumeration id")?;
            FieldType::Enumeration { name, id, container: element(records)?, legacy: false }
        }
        atype::ARRAY => {
            let length = record.u32("array length")?;
            let alignment_bytes = record.u32("array alignment")?;
            let element = Box::new(FieldType::Integer(element(records)?));
            FieldType::Array { length, alignment_bytes, element, legacy: false }
        }
        atype::SEQUENCE => {
            let length_name = ust::name(&mut record, SYMBOL_NAME_LEN, "length_name")?;
            let alignment_bytes = record.u32("sequence alignment")?;
            let element = Box::new(FieldType::Integer(element(records)?));
            FieldType::Sequence { length_name, alignment_bytes, element }
        }
        atype::STRUCT => empty_struct(&mut record, false)?,
        atype::VARIANT => variant(records, &mut record, true, depth)?,
        atype => return Err(FieldError::UnknownType(atype)),
    };
    Ok(Field { name, kind })
}

/// The record of an element or container.
fn element(records: &mut Reader<'_>) -> Result<IntegerType, FieldError> {
    match record(records)? {
        (_, atype::INTEGER, mut record) => integer(&mut record),
        (_, atype, _) => Err(FieldError::NotAnInteger(atype)),
    }
}

fn integer(record: &mut Reader<'_>) -> Result<IntegerType, FieldError> {
    Ok(IntegerType {
        size_bits: record.u32("integer size")?,
        signed: record.u32("integer signedness")? != 0,
        reverse_byte_order: record.u32("integer byte order")? != 0,
        base: record.u32("integer base")?,
        encoding: encoding(record)?,
        alignment_bits: record.u16("integer alignment")?,
    })
}

fn legacy_integer(record: &mut Reader<'_>) -> Result<IntegerType, FieldError> {
    match record.i32("element atype")? {
        atype::INTEGER => {}
        atype => return Err(FieldError::NotAnInteger(atype)),
    }
    integer(&mut Reader::new(record.bytes(LEGACY_BASIC_SIZE, "element")?))
}

fn float(record: &mut Reader<'_>) -> Result<FloatType, FieldError> {
    let float = FloatType {
        exp_dig: record.u32("exp_dig")?,
        mant_dig: record.u32("mant_dig")?,
        reverse_byte_order: record.u32("float byte order")? != 0,
        alignment_bits: record.u16("float alignment")?,
    };
    if float.mant_dig == 0 { Err(FieldError::NoMantissa) } else { Ok(float) }
}

fn encoding(record: &mut Reader<'_>) -> Result<Encoding, FieldError> {
    match record.i32("encoding")? {
        0 => Ok(Encoding::None),
        1 => Ok(Encoding::Utf8),
        2 => Ok(Encoding::Ascii),
        raw => Err(FieldError::UnknownEncoding(raw)),
    }
}

fn empty_struct(record: &mut Reader<'_>, legacy: bool) -> Result<FieldType, FieldError> {
    let nr_fields = record.u32("nr_fields")?;
    if nr_fields > 0 {
        return Err(FieldError::NonEmptyStruct(nr_fields));
    }
    let alignment_bytes = if legacy { 0 } else { record.u32("struct alignment")? };
    Ok(FieldType::Struct { nr_fields, alignment_bytes, legacy })
}

/// Applications of ABI 9 still send the number of ABI 8 for application contexts, so both are one
/// type; only the newer form has an alignment.
fn variant(
    records: &mut Reader<'_>,
    record: &mut Reader<'_>,
    aligned: bool,
    depth: usize,
) -> Result<FieldType, FieldError> {
    if depth >= FIELD_DEPTH_MAX {
        return Err(FieldError::TooDeep);
    }
    let nr_choices = record.u32("nr_choices")? as usize;
    let tag = ust::name(record, SYMBOL_NAME_LEN, "tag_name")?;
    let alignment_bytes = if aligned { record.u32("variant alignment")? } else { 0 };
    if nr_choices > records.left() / FIELD_RECORD_LEN {
        return Err(FieldError::Incomplete);
    }
    let mut choices = Vec::with_capacity(nr_choices);
    for _ in 0..nr_choices {
        choices.push(field(records, depth + 1)?);
    }
    Ok(FieldType::Variant { tag, alignment_bytes, choices, legacy: false })
}

/// Context fields in their ABI 9 form, so that applications of both ABIs can share a channel: the
/// form in which they are stored, compared and printed. Fields of events stay as they are.
///
/// # Errors
/// [`FieldError::SequenceContext`], as a sequence of ABI 8 has no newer form.
pub fn to_nestable(fields: Vec<Field>) -> Result<Vec<Field>, FieldError> {
    fields
        .into_iter()
        .map(|Field { name, kind }| Ok(Field { name, kind: nestable(kind)? }))
        .collect()
}

fn nestable(kind: FieldType) -> Result<FieldType, FieldError> {
    Ok(match kind {
        FieldType::LegacySequence { .. } => return Err(FieldError::SequenceContext),
        FieldType::Enumeration { name, id, container, .. } => {
            FieldType::Enumeration { name, id, container, legacy: false }
        }
        FieldType::Array { length, alignment_bytes, element, .. } => {
            FieldType::Array { length, alignment_bytes, element, legacy: false }
        }
        FieldType::Struct { nr_fields, alignment_bytes, .. } => {
            FieldType::Struct { nr_fields, alignment_bytes, legacy: false }
        }
        FieldType::Variant { tag, alignment_bytes, choices, .. } => {
            let choices = to_nestable(choices)?;
            FieldType::Variant { tag, alignment_bytes, choices, legacy: false }
        }
        kind => kind,
    })
}
