//! One form for the context fields of old and new applications, so that they can share a channel.

use lttngd_model::{Field, FieldType};

use super::RegistryError;
use crate::tsdl::{FIELD_NESTING_MAX, FieldError};

/// Turns the encodings of ABI 8 applications into those of their successors.
pub(super) fn modernize(fields: Vec<Field>) -> Result<Vec<Field>, RegistryError> {
    modernize_nested(fields, 0)
}

fn modernize_nested(fields: Vec<Field>, nesting: usize) -> Result<Vec<Field>, RegistryError> {
    fields.into_iter().map(|field| modernize_field(field, nesting)).collect()
}

fn modernize_field(mut field: Field, nesting: usize) -> Result<Field, RegistryError> {
    match &mut field.kind {
        FieldType::LegacySequence { .. } => return Err(RegistryError::LegacySequence(field.name)),
        FieldType::Variant { choices, legacy, .. } => {
            if nesting >= FIELD_NESTING_MAX {
                return Err(FieldError::Nesting(field.name).into());
            }
            *legacy = false;
            *choices = modernize_nested(std::mem::take(choices), nesting + 1)?;
        }
        FieldType::Enumeration { legacy, .. }
        | FieldType::Array { legacy, .. }
        | FieldType::Struct { legacy, .. } => *legacy = false,
        FieldType::Integer(_)
        | FieldType::Float(_)
        | FieldType::String(_)
        | FieldType::Sequence { .. } => {}
    }
    Ok(field)
}
