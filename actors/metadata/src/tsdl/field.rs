//! Fields.

use std::fmt::{self, Display};

use lttngd_model::{
    Encoding, EnumerationEntry, EnumerationValue, Field, FieldType, FloatType, IntegerType,
};
use thiserror::Error;

use super::text::{Quoted, line, sanitized};
use super::{METADATA_MAX_LEN, readable};

/// Deepest nesting of variants that is described.
pub const FIELD_NESTING_MAX: usize = 16;
/// How many tabs deep the fields of an event or a context stand.
const OUTERMOST_DEPTH: usize = 2;

/// The byte order that is not this machine's, nor that of any application it can trace.
const REVERSE_BYTE_ORDER: &str =
    if cfg!(target_endian = "big") { " byte_order = le;" } else { " byte_order = be;" };

/// Why a field cannot be described.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[allow(missing_docs, reason = "each message says it")]
pub enum FieldError {
    #[error("field name {0:?} is no identifier")]
    Name(String),
    #[error("field {0:?}: elements can only be integers")]
    Element(String),
    #[error("field {0:?}: structures with members are not supported")]
    Members(String),
    #[error("field {0:?}: floating point number without mantissa")]
    Mantissa(String),
    #[error("field {field:?}: no enumeration {name:?} with id {id}")]
    UnknownEnumeration { field: String, name: String, id: u64 },
    #[error("field {0:?}: nested deeper than {FIELD_NESTING_MAX}")]
    Nesting(String),
    #[error("field `{field}`: {why}, which makes the trace unreadable")]
    Unreadable { field: String, why: &'static str },
    #[error("log level {0}: readers take none below 0")]
    LogLevel(i32),
    #[error("fields take more than {METADATA_MAX_LEN} bytes of metadata")]
    Length,
}

/// The entries of an enumeration, `None` for one that was not announced.
pub(super) type Entries<'a> = Option<&'a [EnumerationEntry]>;

/// Writes fields. Enumerations are looked up by name and id.
pub(super) struct FieldWriter<'w, 'a> {
    pub(super) out: &'w mut String,
    pub(super) entries: &'w dyn Fn(&str, u64) -> Entries<'a>,
}

impl FieldWriter<'_, '_> {
    /// Writes the fields of an event or a context, one a line, if they can be read back.
    pub(super) fn write(&mut self, fields: &[Field]) -> Result<(), FieldError> {
        readable::check(fields, self.entries)?;
        self.fields(fields, OUTERMOST_DEPTH)
    }

    /// Writes fields so many tabs deep, and does not look whether they can be read.
    pub(super) fn fields(&mut self, fields: &[Field], depth: usize) -> Result<(), FieldError> {
        fields.iter().try_for_each(|field| self.field(field, depth))
    }

    fn field(&mut self, field: &Field, depth: usize) -> Result<(), FieldError> {
        if depth > OUTERMOST_DEPTH + FIELD_NESTING_MAX {
            return Err(FieldError::Nesting(field.name.clone()));
        }
        self.check_length()?;
        match &field.kind {
            FieldType::Integer(integer) => {
                line!(self.out, depth, "{} _{};", Integer(integer), identifier(&field.name)?);
            }
            FieldType::Float(float) => {
                if float.mant_dig == 0 {
                    return Err(FieldError::Mantissa(field.name.clone()));
                }
                line!(self.out, depth, "{} _{};", Float(float), identifier(&field.name)?);
            }
            FieldType::String(encoding) => {
                let encoding =
                    if *encoding == Encoding::Ascii { " { encoding = ASCII; }" } else { "" };
                line!(self.out, depth, "string{encoding} _{};", identifier(&field.name)?);
            }
            FieldType::Enumeration { name, id, container, .. } => {
                self.enumeration(field, name, *id, container, depth)?;
            }
            FieldType::Array { length, alignment_bytes, element, .. } => {
                let element = integer_element(field, element)?;
                let name = identifier(&field.name)?;
                self.padding(name, *alignment_bytes, depth);
                line!(self.out, depth, "{element} _{name}[{length}];");
            }
            FieldType::Sequence { length_name, alignment_bytes, element } => {
                let element = integer_element(field, element)?;
                let name = identifier(&field.name)?;
                let length_name = identifier(length_name)?;
                self.padding(name, *alignment_bytes, depth);
                line!(self.out, depth, "{element} _{name}[ _{length_name} ];");
            }
            FieldType::LegacySequence { length, element } => {
                let name = identifier(&field.name)?;
                line!(self.out, depth, "{} __{name}_length;", Integer(length));
                line!(self.out, depth, "{} _{name}[ __{name}_length ];", Integer(element));
            }
            FieldType::Struct { nr_fields, alignment_bytes, .. } => {
                if *nr_fields != 0 {
                    return Err(FieldError::Members(field.name.clone()));
                }
                let name = identifier(&field.name)?;
                match alignment_bytes {
                    0 => line!(self.out, depth, "struct {{}} _{name};"),
                    bytes => line!(self.out, depth, "struct {{}} align({}) _{name};", bits(*bytes)),
                }
            }
            FieldType::Variant { tag, alignment_bytes, choices, .. } => {
                let name = sanitized(&field.name);
                let (name, tag) = (identifier(&name)?, sanitized(tag));
                self.padding(name, *alignment_bytes, depth);
                line!(self.out, depth, "variant <_{}> {{", identifier(&tag)?);
                self.fields(choices, depth + 1)?;
                line!(self.out, depth, "}} _{name};");
            }
        }
        Ok(())
    }

    fn enumeration(
        &mut self,
        field: &Field,
        name: &str,
        id: u64,
        container: &IntegerType,
        depth: usize,
    ) -> Result<(), FieldError> {
        let entries = (self.entries)(name, id).ok_or_else(|| FieldError::UnknownEnumeration {
            field: field.name.clone(),
            name: name.to_owned(),
            id,
        })?;
        // The container never says its byte order.
        let container = IntegerType { reverse_byte_order: false, ..*container };
        line!(self.out, depth, "enum : {} {{", Integer(&container));
        for entry in entries {
            self.check_length()?;
            let label = Quoted(&entry.label);
            if entry.auto {
                line!(self.out, depth + 1, "{label},");
            } else if entry.start == entry.end {
                line!(self.out, depth + 1, "{label} = {},", Value(entry.start));
            } else {
                let (start, end) = (Value(entry.start), Value(entry.end));
                line!(self.out, depth + 1, "{label} = {start} ... {end},");
            }
        }
        line!(self.out, depth, "}} _{};", identifier(&sanitized(&field.name))?);
        Ok(())
    }

    /// A few fields may name large enumerations many times over, so that this cannot wait until all is
    /// written.
    fn check_length(&self) -> Result<(), FieldError> {
        if self.out.len() > METADATA_MAX_LEN { Err(FieldError::Length) } else { Ok(()) }
    }

    fn padding(&mut self, name: &str, alignment_bytes: u32, depth: usize) {
        if alignment_bytes != 0 {
            let bits = bits(alignment_bytes);
            line!(self.out, depth, "struct {{ }} align({bits}) _{name}_padding;");
        }
    }
}

fn bits(bytes: u32) -> u64 {
    u64::from(bytes) * 8
}

fn integer_element<'a>(field: &Field, element: &'a FieldType) -> Result<Integer<'a>, FieldError> {
    match element {
        FieldType::Integer(integer) => Ok(Integer(integer)),
        _ => Err(FieldError::Element(field.name.clone())),
    }
}

/// A name that may follow an underscore and be read back; an empty one may.
fn identifier(name: &str) -> Result<&str, FieldError> {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        Ok(name)
    } else {
        Err(FieldError::Name(name.to_owned()))
    }
}

fn byte_order(reverse: bool) -> &'static str {
    if reverse { REVERSE_BYTE_ORDER } else { "" }
}

struct Integer<'a>(&'a IntegerType);

impl Display for Integer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(integer) = self;
        let encoding = match integer.encoding {
            Encoding::None => "none",
            Encoding::Utf8 => "UTF8",
            Encoding::Ascii => "ASCII",
        };
        write!(
            f,
            "integer {{ size = {}; align = {}; signed = {}; encoding = {encoding}; base = {};{} }}",
            integer.size_bits,
            integer.alignment_bits,
            u8::from(integer.signed),
            integer.base,
            byte_order(integer.reverse_byte_order),
        )
    }
}

struct Float<'a>(&'a FloatType);

impl Display for Float<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(float) = self;
        write!(
            f,
            "floating_point {{ exp_dig = {}; mant_dig = {}; align = {};{} }}",
            float.exp_dig,
            float.mant_dig,
            float.alignment_bits,
            byte_order(float.reverse_byte_order),
        )
    }
}

struct Value(EnumerationValue);

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.signed { (self.0.value as i64).fmt(f) } else { self.0.value.fmt(f) }
    }
}
