//! What babeltrace2 reads. It gives up on the whole trace when its metadata has one description that it
//! does not take, so that none may get there. The tests ask babeltrace2 itself.

use std::collections::HashSet;

use lttngd_model::{EnumerationEntry, Field, FieldType, FloatType, IntegerType};

use super::field::{Entries, FieldError};
use super::text::sanitized;

/// Largest size of an integer in bits.
const INTEGER_SIZE_MAX_BITS: u32 = 64;
/// Bases in which integers are shown.
const BASES: [u32; 4] = [2, 8, 10, 16];
/// Digits of exponent and mantissa of `float` and `double`.
const FLOATS: [(u32, u32); 2] = [(8, 24), (11, 53)];

/// What a field that came before is good for.
#[derive(Clone)]
enum Known<'a> {
    /// The length of a sequence.
    Unsigned,
    /// The tag of a variant; also a length, if its container is unsigned.
    Enumeration { signed: bool, entries: &'a [EnumerationEntry] },
    /// Neither.
    Other,
}

/// The fields that stand before the one that is looked at: those of the structure, and those of the
/// variants around it, innermost last.
struct Scopes<'a>(Vec<Vec<(String, Known<'a>)>>);

impl<'a> Scopes<'a> {
    /// The innermost field of this name.
    fn find(&self, name: &str) -> Option<&Known<'a>> {
        let scopes = self.0.iter().rev();
        scopes.flat_map(|scope| scope.iter().rev()).find(|(it, _)| it == name).map(|(_, it)| it)
    }

    fn add(&mut self, name: String, known: Known<'a>) {
        if let Some(scope) = self.0.last_mut() {
            scope.push((name, known));
        }
    }
}

/// Checks the fields of an event or a context.
pub(super) fn check<'a>(
    fields: &[Field],
    entries: &dyn Fn(&str, u64) -> Entries<'a>,
) -> Result<(), FieldError> {
    check_all(fields, entries, &mut Scopes(vec![Vec::new()]))
}

fn unreadable(field: &Field, why: &'static str) -> FieldError {
    FieldError::Unreadable { field: field.name.clone(), why }
}

fn check_all<'a>(
    fields: &[Field],
    entries: &dyn Fn(&str, u64) -> Entries<'a>,
    scopes: &mut Scopes<'a>,
) -> Result<(), FieldError> {
    let mut names = HashSet::new();
    for field in fields {
        for name in names_of(field) {
            if !names.insert(name) {
                return Err(unreadable(field, "another field has its name"));
            }
        }
        let known = check_field(field, entries, scopes)?;
        scopes.add(sanitized(&field.name).into_owned(), known);
    }
    Ok(())
}

/// The names that a field has in the text, without the underscore before each.
fn names_of(field: &Field) -> Vec<String> {
    let name = sanitized(&field.name).into_owned();
    match &field.kind {
        FieldType::LegacySequence { .. } => vec![format!("_{name}_length"), name],
        FieldType::Array { alignment_bytes: 1.., .. }
        | FieldType::Sequence { alignment_bytes: 1.., .. }
        | FieldType::Variant { alignment_bytes: 1.., .. } => {
            vec![format!("{name}_padding"), name]
        }
        _ => vec![name],
    }
}

fn check_field<'a>(
    field: &Field,
    entries: &dyn Fn(&str, u64) -> Entries<'a>,
    scopes: &mut Scopes<'a>,
) -> Result<Known<'a>, FieldError> {
    let or = |check: Result<(), &'static str>| check.map_err(|why| unreadable(field, why));
    match &field.kind {
        FieldType::Integer(integer) => {
            or(check_integer(integer))?;
            Ok(if integer.signed { Known::Other } else { Known::Unsigned })
        }
        FieldType::Float(float) => or(check_float(float)).map(|()| Known::Other),
        FieldType::String(_) => Ok(Known::Other),
        FieldType::Enumeration { name, id, container, .. } => {
            or(check_integer(container))?;
            // Whether it was announced is told when it is written.
            let Some(entries) = entries(name, *id) else { return Ok(Known::Other) };
            or(check_entries(entries, container.signed))?;
            Ok(Known::Enumeration { signed: container.signed, entries })
        }
        FieldType::Array { alignment_bytes, element, .. } => {
            or(check_padding(*alignment_bytes).and_then(|()| check_element(element)))?;
            Ok(Known::Other)
        }
        FieldType::Sequence { length_name, alignment_bytes, element } => {
            or(check_padding(*alignment_bytes).and_then(|()| check_element(element)))?;
            match scopes.find(&sanitized(length_name)) {
                Some(Known::Unsigned | Known::Enumeration { signed: false, .. }) => {
                    Ok(Known::Other)
                }
                _ => Err(unreadable(field, "no unsigned integer before it is its length")),
            }
        }
        FieldType::LegacySequence { length, element } => {
            or(check_integer(length).and_then(|()| check_integer(element)))?;
            if length.signed {
                return Err(unreadable(field, "its length is signed"));
            }
            scopes.add(format!("_{}_length", field.name), Known::Unsigned);
            Ok(Known::Other)
        }
        FieldType::Struct { alignment_bytes, .. } => {
            or(check_padding(*alignment_bytes)).map(|()| Known::Other)
        }
        FieldType::Variant { tag, alignment_bytes, choices, .. } => {
            or(check_padding(*alignment_bytes))?;
            let Some(Known::Enumeration { entries: labels, signed }) = scopes.find(&sanitized(tag))
            else {
                return Err(unreadable(field, "no enumeration before it is its tag"));
            };
            or(check_choices(choices, labels, *signed))?;
            scopes.0.push(Vec::new());
            let checked = check_all(choices, entries, scopes);
            scopes.0.pop();
            checked.map(|()| Known::Other)
        }
    }
}

fn check_element(element: &FieldType) -> Result<(), &'static str> {
    match element {
        FieldType::Integer(integer) => check_integer(integer),
        // It is told when it is written.
        _ => Ok(()),
    }
}

fn check_integer(integer: &IntegerType) -> Result<(), &'static str> {
    if !(1..=INTEGER_SIZE_MAX_BITS).contains(&integer.size_bits) {
        return Err("its size is not 1 to 64 bits");
    }
    if !BASES.contains(&integer.base) {
        return Err("its base is not 2, 8, 10 or 16");
    }
    // Bits of the two byte orders cannot stand in one byte.
    let is_whole = integer.size_bits.is_multiple_of(8) && integer.alignment_bits.is_multiple_of(8);
    if integer.reverse_byte_order && !is_whole {
        return Err("it has the other byte order and no whole bytes");
    }
    check_alignment(integer.alignment_bits)
}

fn check_float(float: &FloatType) -> Result<(), &'static str> {
    // One without mantissa is told when it is written.
    if float.mant_dig != 0 && !FLOATS.contains(&(float.exp_dig, float.mant_dig)) {
        return Err("it is a floating point number of neither 32 nor 64 bits");
    }
    check_alignment(float.alignment_bits)
}

fn check_alignment(bits: u16) -> Result<(), &'static str> {
    if bits.is_power_of_two() { Ok(()) } else { Err("its alignment is no power of two") }
}

/// Of 0 bytes there is none.
fn check_padding(bytes: u32) -> Result<(), &'static str> {
    if bytes == 0 || bytes.is_power_of_two() {
        Ok(())
    } else {
        Err("its alignment is no power of two")
    }
}

/// The range of an entry as its container takes it.
fn bounds(entry: &EnumerationEntry, signed: bool) -> (i128, i128) {
    let bound = |value: u64| {
        if signed { i128::from(value.cast_signed()) } else { i128::from(value) }
    };
    (bound(entry.start.value), bound(entry.end.value))
}

fn check_entries(entries: &[EnumerationEntry], signed: bool) -> Result<(), &'static str> {
    if entries.is_empty() {
        return Err("its enumeration has no entries");
    }
    let is_reversed = |entry: &&EnumerationEntry| {
        let (start, end) = bounds(entry, signed);
        !entry.auto && start > end
    };
    match entries.iter().find(is_reversed) {
        Some(_) => Err("a range of its enumeration ends before it begins"),
        None => Ok(()),
    }
}

/// The values of each entry, those that are counted up included.
fn ranges(entries: &[EnumerationEntry], signed: bool) -> Vec<(i128, i128, &str)> {
    let mut next = 0;
    let with_values = entries.iter().map(|entry| {
        let (start, end) = if entry.auto { (next, next) } else { bounds(entry, signed) };
        next = end + 1;
        (start, end, entry.label.as_str())
    });
    with_values.collect()
}

fn check_choices(
    choices: &[Field],
    labels: &[EnumerationEntry],
    signed: bool,
) -> Result<(), &'static str> {
    // In the text a choice has an underscore before it, which is a part of its label. What a field brings
    // along, as its padding, is a choice of its own.
    let names = choices.iter().flat_map(names_of);
    let chosen: HashSet<String> = names.map(|name| format!("_{name}")).collect();
    let mut ranges = ranges(labels, signed);
    ranges.retain(|(_, _, label)| chosen.contains(*label));
    let known: HashSet<&str> = ranges.iter().map(|(_, _, label)| *label).collect();
    if known.len() < chosen.len() {
        return Err("a choice of it is no label of its tag");
    }
    ranges.sort_unstable();
    if ranges.windows(2).any(|pair| pair[1].0 <= pair[0].1) {
        return Err("ranges of its tag overlap");
    }
    Ok(())
}
