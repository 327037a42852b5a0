//! One form for the context fields of old and new applications, so that they can share a channel.

use lttngd_model::{Field, FieldType};

use super::RegistryError;

/// Turns the encodings of ABI 8 applications into those of their successors.
pub(super) fn modernize(fields: Vec<Field>) -> Result<Vec<Field>, RegistryError> {
    fields.into_iter().map(modernize_field).collect()
}

fn modernize_field(mut field: Field) -> Result<Field, RegistryError> {
    match &mut field.kind {
        FieldType::LegacySequence { .. } => return Err(RegistryError::LegacySequence(field.name)),
        FieldType::Variant { choices, legacy, .. } => {
            *legacy = false;
            *choices = modernize(std::mem::take(choices))?;
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
